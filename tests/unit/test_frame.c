/* What a frame of the live view has of an observation. */
#include "monitor/view/live/frames/frame.h"

#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/view/live/frames/timeline.h"
#include "observing.h"

#define STREAM "tango://h:1/a/b/c/x.change"
#define TOPIC  "tango://h:1/a/b/c/x.idl5_change"
#define OTHER  "tango://h:1/a/b/c/y.change"
#define PUB    "dserver/pub/1"
#define SUB    "dserver/sub/1"
#define SUB2   "dserver/sub/2"

typedef struct {
    observing_t *observing;
    frame_maker_t *maker;
    const frame_t *frame; /* the newest */
} watch_t;

static watch_t watch(void)
{
    return (watch_t){.observing = observing_new(NULL), .maker = frame_maker_new()};
}

static void unwatch(watch_t *self)
{
    frame_release(&self->frame);
    frame_maker_destroy(&self->maker);
    observing_destroy(&self->observing);
}

static const frame_t *see(watch_t *self, const char *const *servers_and_answers)
{
    observing_poll(self->observing, servers_and_answers);
    frame_release(&self->frame);
    self->frame = frame_make(self->maker, self->observing->observation);
    return self->frame;
}

static char *publisher(int pushed)
{
    return memory_format("{'version': 1, 'agent': {'pid': 5, 'version': '1.2', 'tango_version': "
                         "'9.3.4', 'attached': '2026-01-01T00:00:00.000000Z'}, "
                         "'server': {'event_streams': {'" STREAM
                         "': {'pushed_event_count': %d, 'has_subscribers': true, 'last_event': "
                         "'2026-01-01T00:00:01.000000Z'}}}}",
                         pushed);
}

static char *subscriber_with(int received, int lost, const char *more)
{
    return memory_format(
        "{'version': 1, 'agent': {'pid': 7, 'attached': '2026-01-01T00:00:00.000000Z'%s}, "
        "'client': {'event_channels': {'" PUB "': {'endpoint': 'tcp://1.2.3.4:5', "
        "'heartbeat_count': 3}}, 'consumer_thread': {'state': 'callbacks', 'topic': '" TOPIC
        "', 'state_micros': 2500000}, 'event_callbacks': {'" TOPIC "': {'channel_name': '" PUB
        "', 'server_counter': %d, 'event_count': %d, "
        "'missed_event_count': 0, 'lost_event_count': %d, 'outage_lost_event_count': 0, "
        "'discarded_event_count': 0, 'last_event': '2026-01-01T00:00:01.000000Z'}}}}",
        more, received + lost, received, lost);
}

static char *subscriber(int received, int lost)
{
    return subscriber_with(received, lost, "");
}

/* A publisher and two subscribers. NULL: that one fails. */
static const frame_t *see_system(watch_t *self, int pushed, int received, int lost)
{
    char *pub = publisher(pushed);
    char *one = subscriber(received, lost);
    char *two = subscriber(received, 0);
    const frame_t *frame = see(self, (const char *[]){PUB, pub, SUB, one, SUB2, two, NULL});
    free(pub);
    free(one);
    free(two);
    return frame;
}

static const frame_stream_t *the_stream(const frame_t *frame, const char *name)
{
    for (size_t i = 0; i < frame->stream_count; i++)
        if (strcmp(frame->streams[i].name, name) == 0)
            return &frame->streams[i];
    fail_msg("no stream %s", name);
    return NULL;
}

/* ---- matching ---- */

static void test_stream_has_publisher_and_subscriptions(void **state)
{
    (void)state;
    watch_t self = watch();
    see_system(&self, 100, 90, 0);
    const frame_t *frame = see_system(&self, 150, 130, 10);
    assert_int_equal(frame->number, 1);
    assert_int_equal(frame->server_count, 3);
    assert_int_equal(frame->stream_count, 1);
    assert_int_equal(frame->subscription_count, 2);
    const frame_stream_t *stream = &frame->streams[0];
    assert_string_equal(stream->name, STREAM);
    assert_string_equal(stream->short_name, "a/b/c/x.change");
    assert_true(stream->is_published);
    assert_int_equal(stream->publisher, 0);
    assert_string_equal(stream->publisher_name, PUB);
    assert_int_equal(stream->pushed.pushed_event_count, 150);
    assert_int_equal(stream->pushed_steps.pushed_event_count, 50);
    assert_float_equal(stream->push_rate, 5, 1e-9);
    assert_int_equal(stream->has_subscribers, RESPONSE_YES);
    assert_int_equal(stream->subscription_count, 2);
    assert_int_equal(stream->received, 260);
    assert_float_equal(stream->receive_rate, 8, 1e-9);
    assert_int_equal(stream->lost, 10);
    assert_int_equal(stream->new_losses, 10);
    assert_false(stream->is_gone);
    const frame_subscription_t *first = &frame->subscriptions[stream->first_subscription];
    assert_int_equal(first->server, 1);
    assert_int_equal(first[1].server, 2);
    assert_int_equal(first->stream, 0);
    assert_string_equal(first->topic, TOPIC);
    assert_string_equal(first->channel, PUB);
    assert_int_equal(first->counts.event_count, 130);
    assert_int_equal(first->steps.event_count, 40);
    assert_float_equal(first->rate, 4, 1e-9);
    assert_int_equal(first->lost, 10);
    assert_int_equal(first->new_losses, 10);
    assert_int_equal(first[1].new_losses, 0);
    unwatch(&self);
}

static void test_servers_and_sums(void **state)
{
    (void)state;
    watch_t self = watch();
    see_system(&self, 100, 90, 0);
    const frame_t *frame = see_system(&self, 150, 130, 10);
    const frame_server_t *pub = &frame->servers[0];
    const frame_server_t *sub = &frame->servers[1];
    assert_string_equal(pub->name, PUB);
    assert_string_equal(pub->source, "agent");
    assert_string_equal(pub->agent_version, "1.2");
    assert_int_equal(pub->pid, 5);
    assert_float_equal(pub->push_rate, 5, 1e-9);
    assert_true(isnan(pub->consumer_seconds));
    assert_int_equal(pub->published, 1);
    assert_int_equal(sub->subscribed, 1);
    assert_float_equal(sub->receive_rate, 4, 1e-9);
    assert_int_equal(sub->lost, 10);
    assert_int_equal(sub->new_losses, 10);
    assert_string_equal(sub->consumer_state, "callbacks");
    assert_string_equal(sub->consumer_topic, TOPIC);
    assert_float_equal(sub->consumer_seconds, 2.5, 1e-9);
    assert_int_equal(sub->channel_count, 1);
    const frame_channel_t *channel = &frame->channels[sub->first_channel];
    assert_string_equal(channel->name, PUB);
    assert_string_equal(channel->endpoint, "tcp://1.2.3.4:5");
    assert_int_equal(channel->server, 1);
    assert_int_equal(channel->subscriptions, 1);
    assert_int_equal(channel->counts.heartbeat_count, 3);
    assert_float_equal(frame->push_rate, 5, 1e-9);
    assert_float_equal(frame->receive_rate, 8, 1e-9);
    assert_int_equal(frame->pushed, 50);
    assert_int_equal(frame->received, 80);
    assert_int_equal(frame->lost, 10);
    assert_int_equal(frame->new_losses, 10);
    assert_int_equal(frame->failed, 0);
    assert_float_equal(frame->took_seconds, 0.01, 1e-6);
    assert_true(frame->bytes > sizeof *frame);
    unwatch(&self);
}

/* ---- what lasts ---- */

static void test_unchanged_is_there(void **state)
{
    (void)state;
    watch_t self = watch();
    see_system(&self, 100, 90, 0);
    see_system(&self, 150, 130, 10);
    const frame_t *frame = see_system(&self, 150, 130, 10);
    const frame_stream_t *stream = the_stream(frame, STREAM);
    assert_int_equal(stream->pushed.pushed_event_count, 150);
    assert_int_equal(stream->pushed_steps.pushed_event_count, 0);
    assert_float_equal(stream->push_rate, 0, 0);
    assert_float_equal(stream->receive_rate, 0, 0);
    assert_int_equal(stream->received, 260);
    assert_int_equal(stream->lost, 10);
    assert_int_equal(stream->new_losses, 0);
    assert_int_equal(frame->servers[1].lost, 10);
    assert_int_equal(frame->subscriptions[0].steps.event_count, 0);
    unwatch(&self);
}

static void test_failed_server_keeps_its_answer(void **state)
{
    (void)state;
    watch_t self = watch();
    see_system(&self, 100, 90, 0);
    see_system(&self, 150, 130, 10);
    char *two = subscriber(140, 0);
    const char *const answers[] = {PUB, "timed out", SUB, "timed out", SUB2, two, NULL};
    for (int i = 0; i < 2; i++) {
        const frame_t *frame = see(&self, answers);
        assert_int_equal(frame->failed, 2);
        assert_string_equal(frame->servers[0].error, "timed out");
        assert_true(frame->servers[0].has_answer);
        assert_true(isnan(frame->servers[0].push_rate));
        const frame_stream_t *stream = the_stream(frame, STREAM);
        assert_true(stream->is_published);
        assert_int_equal(stream->pushed.pushed_event_count, 150);
        assert_int_equal(stream->pushed_steps.pushed_event_count, RESPONSE_UNKNOWN);
        assert_true(isnan(stream->push_rate));
        assert_int_equal(stream->subscription_count, 2);
        assert_int_equal(stream->lost, 10);
        assert_int_equal(stream->new_losses, 0);
        assert_float_equal(stream->receive_rate, i == 0 ? 1 : 0, 1e-9);
        assert_true(isnan(frame->subscriptions[0].rate));
    }
    free(two);
    unwatch(&self);
}

static void test_server_that_never_answered(void **state)
{
    (void)state;
    watch_t self = watch();
    const frame_t *frame = see(&self, (const char *[]){PUB, "no such device", NULL});
    assert_int_equal(frame->server_count, 1);
    assert_false(frame->servers[0].has_answer);
    assert_string_equal(frame->servers[0].error, "no such device");
    assert_int_equal(frame->stream_count, 0);
    assert_int_equal(frame->lost, RESPONSE_UNKNOWN);
    assert_true(isnan(frame->push_rate));
    assert_int_equal(frame_find_stream(frame, 1), FRAME_NONE);
    unwatch(&self);
}

/* What an answer omits because it would be too large, is as it was. */
static void test_omitted_streams_stay(void **state)
{
    (void)state;
    watch_t self = watch();
    static const char whole[] =
        "{'version': 1, 'agent': {'pid': 5}, 'server': {'event_streams': {'" STREAM
        "': {'pushed_event_count': 7}, '" OTHER "': {'pushed_event_count': 8}}}}";
    static const char part[] =
        "{'version': 1, 'agent': {'pid': 5, 'truncated': {'event_streams': 1}}, 'server': "
        "{'event_streams': {'" OTHER "': {'pushed_event_count': 9}}}}";
    see(&self, (const char *[]){PUB, whole, NULL});
    for (int i = 0; i < 2; i++) {
        const frame_t *frame = see(&self, (const char *[]){PUB, part, NULL});
        assert_int_equal(frame->stream_count, 2);
        assert_int_equal(frame->servers[0].published, 2);
        const frame_stream_t *kept = the_stream(frame, STREAM);
        assert_int_equal(kept->pushed.pushed_event_count, 7);
        assert_true(isnan(kept->push_rate));
        assert_false(kept->is_gone);
        assert_int_equal(the_stream(frame, OTHER)->pushed.pushed_event_count, 9);
    }
    unwatch(&self);
}

static void test_gone_stream_stays_for_one_frame(void **state)
{
    (void)state;
    watch_t self = watch();
    see_system(&self, 100, 90, 0);
    static const char none[] = "{'version': 1, 'agent': {'pid': 5, 'attached': "
                               "'2026-01-01T00:00:00.000000Z'}, 'server': {}}";
    const frame_t *frame = see(&self, (const char *[]){PUB, none, SUB, none, SUB2, none, NULL});
    assert_int_equal(frame->stream_count, 1);
    assert_true(the_stream(frame, STREAM)->is_gone);
    assert_false(the_stream(frame, STREAM)->is_published);
    assert_int_equal(frame->streams[0].subscription_count, 0);
    frame = see(&self, (const char *[]){PUB, none, SUB, none, SUB2, none, NULL});
    assert_int_equal(frame->stream_count, 0);
    unwatch(&self);
}

static void test_stream_of_several_publishers(void **state)
{
    (void)state;
    watch_t self = watch();
    char *one = publisher(10);
    char *two = publisher(20);
    const frame_t *frame = see(&self, (const char *[]){PUB, one, "dserver/pub/2", two, NULL});
    assert_int_equal(frame->stream_count, 1);
    assert_true(frame->streams[0].is_published);
    assert_int_equal(frame->streams[0].publisher, FRAME_NONE);
    assert_int_equal(frame->streams[0].pushed.pushed_event_count, RESPONSE_UNKNOWN);
    free(one);
    free(two);
    unwatch(&self);
}

static void test_unwatched_publisher_is_named_by_channel(void **state)
{
    (void)state;
    watch_t self = watch();
    char *one = subscriber(5, 0);
    const frame_t *frame = see(&self, (const char *[]){SUB, one, NULL});
    assert_false(frame->streams[0].is_published);
    assert_string_equal(frame->streams[0].publisher_name, PUB);
    assert_string_equal(frame->streams[0].last_event, "2026-01-01T00:00:01.000000Z");
    free(one);
    unwatch(&self);
}

/* ---- durations ---- */

static void test_durations(void **state)
{
    (void)state;
    watch_t self = watch();
    static const char format[] =
        "{'version': 1, 'agent': {'pid': 7}, 'client': {'event_callbacks': {'" TOPIC
        "': {'event_count': %d, 'server_counter': %d, 'latency_histogram': {'count': %d, "
        "'sum_nanos': 1, 'max_nanos': 3000000, 'buckets': [[2000000, 2100000, %d]]}}}}}";
    char *before = memory_format(format, 10, 10, 10, 10);
    char *after = memory_format(format, 30, 30, 30, 30);
    see(&self, (const char *[]){SUB, before, NULL});
    const frame_t *frame = see(&self, (const char *[]){SUB, after, NULL});
    const frame_subscription_t *subscription = &frame->subscriptions[0];
    assert_int_equal(subscription->latency.bucket_count, 1);
    assert_int_equal(subscription->latency.buckets[0].count, 30);
    assert_int_equal(subscription->latency.interval.count, 20);
    assert_float_equal(frame->streams[0].latency_seconds, 0.00205, 0.0001);
    assert_true(isnan(frame->streams[0].processing_seconds));
    /* Nothing arrives: nothing is known of since then, but of before. */
    frame = see(&self, (const char *[]){SUB, after, NULL});
    assert_int_equal(frame->subscriptions[0].latency.interval.count, 0);
    assert_int_equal(frame->subscriptions[0].latency.bucket_count, 1);
    assert_true(isnan(frame->streams[0].latency_seconds));
    free(before);
    free(after);
    unwatch(&self);
}

/* ---- findings ---- */

static void test_findings(void **state)
{
    (void)state;
    watch_t self = watch();
    see_system(&self, 100, 90, 0);
    see_system(&self, 150, 130, 10);
    const frame_t *frame = see_system(&self, 200, 170, 20);
    size_t found = frame->finding_count;
    for (size_t i = 0; i < frame->finding_count; i++)
        if (frame->findings[i].stream != FRAME_NONE && frame->findings[i].server == 1)
            found = i;
    assert_true(found < frame->finding_count);
    const frame_finding_t *finding = &frame->findings[found];
    assert_int_equal(finding->stream, 0);
    assert_true(strlen(finding->text) > 0);
    assert_true(finding->evidence_count > 0);
    assert_true(strlen(finding->evidence[0]) > 0);
    assert_int_equal(frame_find_finding(frame, finding->identity), found);
    assert_int_equal(frame_find_finding(frame, "no-such-0"), FRAME_NONE);
    assert_true(frame->servers[1].findings > 0);
    assert_true(frame->streams[0].findings > 0);
    unwatch(&self);
}

/* ---- identities ---- */

static void test_ids_are_stable(void **state)
{
    (void)state;
    watch_t self = watch();
    const frame_t *old = frame_share(see_system(&self, 100, 90, 0));
    const frame_t *new = see_system(&self, 150, 130, 10);
    assert_true(old->streams[0].id == new->streams[0].id);
    assert_int_equal(frame_find_stream(new, old->streams[0].id), 0);
    assert_int_equal(frame_find_server(new, old->servers[2].id), 2);
    assert_int_equal(frame_find_server(new, 1), FRAME_NONE);
    /* The frame outlives everything. */
    unwatch(&self);
    assert_string_equal(old->streams[0].name, STREAM);
    assert_string_equal(old->servers[0].name, PUB);
    frame_release(&old);
    assert_null(old);
    frame_release(&old);
}

static void test_skipped_polls_count(void **state)
{
    (void)state;
    watch_t self = watch();
    see_system(&self, 100, 90, 0);
    frame_skip(self.maker);
    assert_int_equal(see_system(&self, 150, 130, 10)->number, 2);
    unwatch(&self);
}

enum { POLLS = 60, STREAMS = 200 };

/* How many more bytes are allocated after many polls than after a third of them, each with other
 * names. 0 under a sanitizer. */
static int64_t growth_with_other_names(bool makes_frames)
{
    watch_t self = watch();
    size_t at_first = 0;
    for (int poll = 0; poll < POLLS; poll++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = memory_stream_open(&text, &size);
        fputs("{'version': 1, 'agent': {'pid': 5}, 'server': {'event_streams': {", out);
        for (int i = 0; i < STREAMS; i++)
            fprintf(out, "%s'tango://h:1/a/b/c/%d-%d.change': {'pushed_event_count': 1}",
                    i > 0 ? ", " : "", poll, i);
        fputs("}}}", out);
        memory_stream_close(out);
        if (makes_frames) {
            const frame_t *frame = see(&self, (const char *[]){PUB, text, NULL});
            /* with those of the frame before, which are gone */
            assert_int_equal(frame->stream_count, poll == 0 ? STREAMS : 2 * STREAMS);
        } else {
            observing_poll(self.observing, (const char *[]){PUB, text, NULL});
        }
        free(text);
        if (poll == POLLS / 3)
            at_first = mallinfo2().uordblks;
    }
    const int64_t growth = (int64_t)mallinfo2().uordblks - (int64_t)at_first;
    unwatch(&self);
    return growth;
}

/* Names that come and go for ever don't stay: hostile servers have enough of them. */
static void test_names_that_come_and_go_are_freed(void **state)
{
    (void)state;
    const int64_t without = growth_with_other_names(false);
    const int64_t with = growth_with_other_names(true);
    assert_true(with - without <= (int64_t)(POLLS / 3) * STREAMS * 40);
}

/* The timeline keeps frames by what they say they take: small ones, too, don't take much more. 0
 * bytes are allocated under a sanitizer. */
static void test_frames_say_what_they_take(void **state)
{
    (void)state;
    enum { FRAMES = 300 };
    const frame_t *frames[FRAMES];
    int64_t said = 0;
    watch_t self = watch();
    for (int i = 0; i < 10; i++)
        see_system(&self, 100 + i, 90 + i, 0);
    const size_t before = mallinfo2().uordblks;
    for (int i = 0; i < FRAMES; i++) {
        frames[i] = frame_share(see_system(&self, 110 + i, 100 + i, 0));
        said += (int64_t)frames[i]->bytes;
    }
    const int64_t taken = (int64_t)mallinfo2().uordblks - (int64_t)before;
    assert_true(taken <= said + said / 4);
    for (int i = 0; i < FRAMES; i++)
        frame_release(&frames[i]);
    unwatch(&self);
}

/* ---- threads ---- */

typedef struct {
    timeline_t *timeline;
    atomic_bool ended;
    size_t seen;
} reading_t;

static void *read_frames(void *context)
{
    reading_t *self = context;
    while (!atomic_load(&self->ended) || self->seen < 2) {
        const size_t count = timeline_count(self->timeline);
        const frame_t *frame = count > 0 ? timeline_frame(self->timeline, count - 1) : NULL;
        if (frame) {
            self->seen += strlen(frame->streams[0].name) > 0;
            assert_int_equal(frame->streams[0].subscription_count, 2);
            assert_true(frame->subscriptions[0].counts.event_count >= 0);
        }
        double values[5];
        if (frame)
            timeline_trend(self->timeline, frame->streams[0].id, TREND_PUSH_RATE, SIZE_MAX, values,
                           5);
        timeline_want(self->timeline, count / 2);
        frame_release(&frame);
    }
    return NULL;
}

static void test_one_makes_and_one_reads(void **state)
{
    (void)state;
    watch_t self = watch();
    reading_t reading = {.timeline = timeline_new(100000)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_frames, &reading), 0);
    for (int i = 0; i < 300; i++)
        timeline_add(reading.timeline, frame_share(see_system(&self, i * 10, i * 9, i)));
    atomic_store(&reading.ended, true);
    pthread_join(thread, NULL);
    assert_true(reading.seen >= 2);
    timeline_destroy(&reading.timeline);
    unwatch(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_has_publisher_and_subscriptions),
        cmocka_unit_test(test_servers_and_sums),
        cmocka_unit_test(test_unchanged_is_there),
        cmocka_unit_test(test_failed_server_keeps_its_answer),
        cmocka_unit_test(test_server_that_never_answered),
        cmocka_unit_test(test_omitted_streams_stay),
        cmocka_unit_test(test_gone_stream_stays_for_one_frame),
        cmocka_unit_test(test_stream_of_several_publishers),
        cmocka_unit_test(test_unwatched_publisher_is_named_by_channel),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_findings),
        cmocka_unit_test(test_ids_are_stable),
        cmocka_unit_test(test_skipped_polls_count),
        cmocka_unit_test(test_names_that_come_and_go_are_freed),
        cmocka_unit_test(test_frames_say_what_they_take),
        cmocka_unit_test(test_one_makes_and_one_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
