/* What the timeline keeps of a run. */
#include "monitor/view/live/frames/timeline.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "observing.h"

#define STREAM "tango://h:1/a/b/c/x.change"
#define PUB    "dserver/pub/1"

typedef struct {
    observing_t *observing;
    frame_maker_t *maker;
    timeline_t *timeline;
    int pushed;
} run_t;

static run_t begin(timeline_t *timeline)
{
    return (run_t){
        .observing = observing_new(NULL), .maker = frame_maker_new(), .timeline = timeline};
}

static void end(run_t *self)
{
    frame_maker_destroy(&self->maker);
    observing_destroy(&self->observing);
}

/* The next poll; each pushes 10 more than the one before. Returns the frame's bytes. */
static size_t add(run_t *self)
{
    self->pushed += 10;
    char *text = memory_format("{'version': 1, 'agent': {'pid': 5}, 'server': {'event_streams': "
                               "{'" STREAM "': {'pushed_event_count': %d}}}}",
                               self->pushed);
    observing_poll(self->observing, (const char *[]){PUB, text, NULL});
    free(text);
    const frame_t *frame = frame_make(self->maker, self->observing->observation);
    const size_t bytes = frame->bytes;
    timeline_add(self->timeline, frame);
    return bytes;
}

/* What a later frame takes. */
static size_t bytes_of_frame(void)
{
    timeline_t *timeline = timeline_new(1 << 20);
    run_t run = begin(timeline);
    add(&run);
    add(&run);
    const size_t bytes = add(&run);
    end(&run);
    timeline_destroy(&timeline);
    return bytes;
}

static bool has(timeline_t *self, size_t number)
{
    const frame_t *frame = timeline_frame(self, number);
    const bool found = frame != NULL;
    if (frame)
        assert_int_equal(frame->number, number);
    frame_release(&frame);
    return found;
}

static void test_nothing_yet(void **state)
{
    (void)state;
    timeline_t *self = timeline_new(1000);
    timeline_mark_t mark;
    double values[3];
    assert_int_equal(timeline_count(self), 0);
    assert_null(timeline_frame(self, 0));
    assert_null(timeline_frame(self, SIZE_MAX));
    assert_int_equal(timeline_marks(self, 0, &mark, 1), 0);
    timeline_trend(self, 1, TREND_PUSH_RATE, SIZE_MAX, values, 3);
    assert_true(isnan(values[0]) && isnan(values[2]));
    assert_true(timeline_wants(self, 0));
    timeline_destroy(&self);
    assert_null(self);
    timeline_destroy(&self);
}

static void test_keeps_the_newest_within_its_budget(void **state)
{
    (void)state;
    enum { KEPT = 10, POLLS = 50 };
    timeline_t *self = timeline_new(bytes_of_frame() * KEPT * 4 / 3);
    run_t run = begin(self);
    for (int i = 0; i < POLLS; i++)
        add(&run);
    assert_int_equal(timeline_count(self), POLLS);
    assert_true(has(self, POLLS - 1));
    assert_true(has(self, POLLS - KEPT + 1));
    assert_false(has(self, POLLS - KEPT - 2));
    assert_false(has(self, 0));
    end(&run);
    timeline_destroy(&self);
}

static void test_newest_is_kept_whatever_it_takes(void **state)
{
    (void)state;
    timeline_t *self = timeline_new(1);
    run_t run = begin(self);
    add(&run);
    assert_true(has(self, 0));
    add(&run);
    assert_true(has(self, 1));
    assert_false(has(self, 0));
    end(&run);
    timeline_destroy(&self);
}

/* What is looked at stays while polls go on, and so does the newest. */
static void test_keeps_what_is_wanted(void **state)
{
    (void)state;
    enum { KEPT = 10 };
    timeline_t *self = timeline_new(bytes_of_frame() * KEPT * 4 / 3);
    run_t run = begin(self);
    for (int i = 0; i < 8; i++)
        add(&run);
    timeline_want(self, 4);
    for (int i = 0; i < 50; i++)
        add(&run);
    assert_true(has(self, 4));
    assert_true(has(self, 5));
    assert_true(has(self, 57));
    assert_false(has(self, 40));
    timeline_want(self, SIZE_MAX);
    for (int i = 0; i < 20; i++)
        add(&run);
    assert_false(has(self, 4));
    assert_true(has(self, 75));
    end(&run);
    timeline_destroy(&self);
}

/* A recording is read again from the beginning: only what is near is worth a frame. */
static void test_read_again(void **state)
{
    (void)state;
    enum { KEPT = 10, POLLS = 60 };
    timeline_t *self = timeline_new(bytes_of_frame() * KEPT * 4 / 3);
    run_t run = begin(self);
    for (int i = 0; i < POLLS; i++)
        add(&run);
    end(&run);
    assert_false(timeline_wants(self, POLLS - 1)); /* is there */
    timeline_want(self, 20);
    assert_true(timeline_wants(self, 20));
    run = begin(self);
    int made = 0;
    for (size_t i = 0; i < POLLS; i++) {
        const bool wanted = timeline_wants(self, i);
        made += wanted;
        add(&run); /* all, so that the numbers stay right */
    }
    assert_true(has(self, 20));
    assert_true(has(self, 17));
    assert_true(has(self, 23));
    assert_true(has(self, POLLS - 1));
    assert_false(has(self, 0));
    assert_in_range(made, KEPT / 2, POLLS / 2 + KEPT);
    assert_int_equal(timeline_count(self), POLLS);
    timeline_mark_t marks[POLLS + 1];
    assert_int_equal(timeline_marks(self, 0, marks, POLLS + 1), POLLS);
    end(&run);
    timeline_destroy(&self);
}

static void test_marks(void **state)
{
    (void)state;
    timeline_t *self = timeline_new(1 << 20);
    run_t run = begin(self);
    for (int i = 0; i < 5; i++)
        add(&run);
    timeline_mark_t marks[8];
    assert_int_equal(timeline_marks(self, 1, marks, 2), 2);
    assert_int_equal(timeline_marks(self, 1, marks, 8), 4);
    assert_int_equal(timeline_marks(self, 5, marks, 8), 0);
    assert_int_equal(timeline_marks(self, SIZE_MAX, marks, 8), 0);
    assert_int_equal(marks[1].time.tv_sec - marks[0].time.tv_sec, 10);
    assert_float_equal((double)marks[0].push_rate, 1, 1e-6);
    assert_int_equal(marks[0].failed, 0);
    end(&run);
    timeline_destroy(&self);
}

static void test_trends_last_longer_than_frames(void **state)
{
    (void)state;
    timeline_t *self = timeline_new(bytes_of_frame() * 4);
    run_t run = begin(self);
    for (int i = 0; i < 12; i++)
        add(&run);
    const frame_t *frame = timeline_frame(self, 11);
    const uint64_t stream = frame->streams[0].id;
    const uint64_t server = frame->servers[0].id;
    frame_release(&frame);
    assert_false(has(self, 5));
    double values[15];
    timeline_trend(self, stream, TREND_PUSH_RATE, SIZE_MAX, values, 15);
    assert_true(isnan(values[2])); /* before the first */
    assert_true(isnan(values[3])); /* of the first, none is known */
    assert_float_equal(values[4], 1, 1e-6);
    assert_float_equal(values[14], 1, 1e-6);
    timeline_trend(self, server, TREND_PUSH_RATE, 6, values, 2);
    assert_float_equal(values[1], 1, 1e-6);
    timeline_trend(self, 1, TREND_PUSH_RATE, 6, values, 2);
    assert_true(isnan(values[0]) && isnan(values[1]));
    timeline_trend(self, stream, TREND_LATENCY, 6, values, 1);
    assert_true(isnan(values[0]));
    end(&run);
    timeline_destroy(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_yet),
        cmocka_unit_test(test_keeps_the_newest_within_its_budget),
        cmocka_unit_test(test_newest_is_kept_whatever_it_takes),
        cmocka_unit_test(test_keeps_what_is_wanted),
        cmocka_unit_test(test_read_again),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_trends_last_longer_than_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
