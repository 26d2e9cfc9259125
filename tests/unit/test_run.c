/* The loop between a source and sinks, with the test's own sources and sinks. */
#include "monitor/run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers.h"
#include "base/memory.h"
#include "base/monotonic.h"
#include "cmocka_all.h"

/* The calls of sinks, a letter each. */
static char calls[64];

static void note(char sink, char call)
{
    const size_t length = strlen(calls);
    assert_true(length + 2 < sizeof calls);
    calls[length] = sink;
    calls[length + 1] = call;
}

/* ---- a sink ---- */

typedef struct {
    sink_t sink;
    char name;
    int input;         /* -1: none */
    int closes_behind; /* this many snapshots; -1: never */
    bool has_compared;
} test_sink_t;

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    test_sink_t *self = (test_sink_t *)sink;
    assert_null(*error);
    assert_non_null(observation->snapshot);
    self->has_compared = observation->comparison != NULL;
    note(self->name, self->has_compared ? 'C' : 's');
    return self->closes_behind >= 0 && self->closes_behind-- == 0 ? SINK_CLOSED : SINK_OK;
}

static sink_result_t take_remark(sink_t *sink, const char *line, size_t size, char **error)
{
    assert_null(*error);
    assert_int_equal(strlen(line), size);
    note(((test_sink_t *)sink)->name, 'r');
    return SINK_OK;
}

static sink_result_t end(sink_t *sink, bool any, char **error)
{
    assert_null(*error);
    note(((test_sink_t *)sink)->name, any ? 'e' : 'n');
    return SINK_OK;
}

static sink_result_t finish(sink_t *sink, bool told, char **error)
{
    assert_null(*error);
    note(((test_sink_t *)sink)->name, told ? 't' : 'f');
    return SINK_OK;
}

static int input_of(const sink_t *sink)
{
    return ((const test_sink_t *)sink)->input;
}

static sink_result_t ready(sink_t *sink, char **error)
{
    assert_null(*error);
    note(((test_sink_t *)sink)->name, 'i');
    return SINK_CLOSED;
}

static void destroy_sink(sink_t **sink)
{
    note(((test_sink_t *)*sink)->name, 'd');
    free(*sink);
    *sink = NULL;
}

/* One with all methods, and one with the necessary ones. */
static const sink_methods_t all_methods = {.show = show,
                                           .remark = take_remark,
                                           .end = end,
                                           .finish = finish,
                                           .fd = input_of,
                                           .ready = ready,
                                           .destroy = destroy_sink};
static const sink_methods_t few_methods = {.show = show, .destroy = destroy_sink};

static test_sink_t *new_sink(char name, const sink_methods_t *methods)
{
    test_sink_t *self = memory_new(1, sizeof *self);
    *self = (test_sink_t){.sink.methods = methods, .name = name, .input = -1, .closes_behind = -1};
    return self;
}

/* ---- a source ---- */

typedef struct {
    source_t source;
    int left;        /* snapshots */
    bool has_remark; /* with each of them */
    int stop_fd;     /* written to with the last one; -1: not */
} test_source_t;

static bool next(source_t *source, source_item_t *item)
{
    test_source_t *self = (test_source_t *)source;
    *item = (source_item_t){.snapshot = snapshot_new(1)};
    item->snapshot->replies[0].server = memory_string("dserver/srv/1");
    item->snapshot->replies[0].response = answers_parse("{'version': 1, 'server': {}}");
    if (self->has_remark) {
        item->remark = memory_string("{}\n");
        item->remark_size = strlen(item->remark);
    }
    self->left--;
    if (self->left == 0 && self->stop_fd >= 0)
        assert_int_equal(write(self->stop_fd, "x", 1), 1);
    return self->left > 0;
}

static bool is_in_vain(const source_t *source, bool cut_short)
{
    (void)source;
    return !cut_short;
}

static void destroy_source(source_t **source)
{
    free(*source);
    *source = NULL;
}

static const source_methods_t source_methods = {.next = next, .destroy = destroy_source};

static source_t *new_source(int snapshots)
{
    test_source_t *self = memory_new(1, sizeof *self);
    *self = (test_source_t){.source.methods = &source_methods, .left = snapshots, .stop_fd = -1};
    return &self->source;
}

/* ---- the loop ---- */

typedef struct {
    int stop[2];
    int null;
    signals_t signals;
    messages_t *messages;
    run_t *run;
} bed_t;

static bed_t make_bed(void)
{
    bed_t bed = {.null = open("/dev/null", O_WRONLY)};
    memset(calls, 0, sizeof calls);
    assert_int_equal(pipe(bed.stop), 0);
    bed.signals = (signals_t){.stop_fd = bed.stop[0], .hangup_fd = -1};
    bed.messages = messages_new(bed.null, "test");
    return bed;
}

static void clear_bed(bed_t *bed)
{
    run_destroy(&bed->run);
    assert_null(bed->run);
    messages_destroy(&bed->messages);
    close(bed->stop[0]);
    close(bed->stop[1]);
    close(bed->null);
}

/* Runs it with these sinks (b may be NULL). */
static bool go(bed_t *bed, test_sink_t *a, test_sink_t *b, source_t *source, int64_t count)
{
    bed->run = run_new(&bed->signals, bed->messages, NULL);
    run_add(bed->run, &a->sink);
    if (b)
        run_add(bed->run, &b->sink);
    const bool good = run_go(bed->run, &source, count);
    assert_null(source);
    return good;
}

static void all_sinks_are_shown_all(void **state)
{
    (void)state;
    bed_t bed = make_bed();
    source_t *source = new_source(2);
    ((test_source_t *)source)->has_remark = true;
    assert_true(go(&bed, new_sink('a', &few_methods), new_sink('b', &all_methods), source, 0));
    assert_string_equal(calls, "brasbs"
                               "brasbs"
                               "bebfbdad");
    clear_bed(&bed);
    bed = make_bed();
    assert_true(go(&bed, new_sink('a', &few_methods), NULL, new_source(9), 2));
    assert_string_equal(calls, "asasad");
    clear_bed(&bed);
}

static void it_is_compared_when_one_reads_that(void **state)
{
    (void)state;
    bed_t bed = make_bed();
    test_sink_t *reader = new_sink('b', &few_methods);
    reader->sink.compares = true;
    reader->closes_behind = 0;
    assert_true(go(&bed, new_sink('a', &few_methods), reader, new_source(2), 0));
    assert_string_equal(calls, "aCbCbd"
                               "asad");
    clear_bed(&bed);
}

static void a_sink_that_is_closed_ends_what_has_no_other(void **state)
{
    (void)state;
    bed_t bed = make_bed();
    test_sink_t *only = new_sink('a', &all_methods);
    only->closes_behind = 1;
    assert_true(go(&bed, only, NULL, new_source(9), 0));
    assert_string_equal(calls, "asasad");
    clear_bed(&bed);
    bed = make_bed();
    test_sink_t *required = new_sink('a', &few_methods);
    required->sink.is_required = true;
    required->closes_behind = 0;
    assert_false(go(&bed, required, new_sink('b', &all_methods), new_source(9), 0));
    assert_string_equal(calls, "asbs"
                               "bebfbdad");
    clear_bed(&bed);
}

/* With polls so far apart that nothing but the input, or a signal, can end it. */
static source_t *seldom(int snapshots)
{
    static const source_methods_t methods = {
        .next = next, .is_in_vain = is_in_vain, .destroy = destroy_source};
    source_t *source = new_source(snapshots);
    source->methods = &methods;
    source->period_ns = 3600 * NS_PER_SECOND;
    return source;
}

static void input_is_waited_for_between_polls(void **state)
{
    (void)state;
    bed_t bed = make_bed();
    int input[2];
    assert_int_equal(pipe(input), 0);
    assert_int_equal(write(input[1], "q", 1), 1);
    test_sink_t *sink = new_sink('a', &all_methods);
    sink->input = input[0];
    assert_true(go(&bed, sink, NULL, seldom(9), 0));
    assert_string_equal(calls, "asaiad");
    clear_bed(&bed);
    close(input[0]);
    close(input[1]);
}

/* ---- what a sink wants meanwhile ---- */

static run_t *wanted_run;

static bool set_perf(source_t *source, bool perf)
{
    (void)source;
    note('s', perf ? 'p' : '-');
    return true;
}

static void keep_texts(source_t *source, bool keeps)
{
    (void)source;
    note('s', keeps ? 't' : '-');
}

/* Lets other sinks in, more than there were. */
static sink_result_t ready_for_more(sink_t *sink, char **error)
{
    char byte = 0;
    assert_null(*error);
    assert_int_equal(read(((test_sink_t *)sink)->input, &byte, 1), 1);
    assert_null(run_recorded_into(wanted_run));
    test_sink_t *recording = new_sink('b', &few_methods);
    recording->sink.recorded_into = "f";
    run_add(wanted_run, &recording->sink);
    run_add(wanted_run, &new_sink('c', &few_methods)->sink);
    run_add(wanted_run, &new_sink('d', &few_methods)->sink);
    assert_true(run_set_perf(wanted_run, true));
    run_keep_texts(wanted_run);
    assert_string_equal(run_recorded_into(wanted_run), "f");
    return SINK_OK;
}

static void a_sink_adds_others_and_switches_the_source(void **state)
{
    (void)state;
    static const source_methods_t methods = {
        .next = next, .set_perf = set_perf, .keep_texts = keep_texts, .destroy = destroy_source};
    static const sink_methods_t sink_methods = {
        .show = show, .fd = input_of, .ready = ready_for_more, .destroy = destroy_sink};
    bed_t bed = make_bed();
    int input[2];
    assert_int_equal(pipe(input), 0);
    assert_int_equal(write(input[1], "r", 1), 1);
    test_sink_t *sink = new_sink('a', &sink_methods);
    sink->input = input[0];
    source_t *source = new_source(2);
    source->methods = &methods;
    source->period_ns = NS_PER_SECOND / 20;
    bed.run = wanted_run = run_new(&bed.signals, bed.messages, NULL);
    run_add(bed.run, &sink->sink);
    assert_true(run_go(bed.run, &source, 0));
    assert_string_equal(calls, "as"
                               "spst"
                               "asbscsds"
                               "ddcdbdad");
    clear_bed(&bed);
    close(input[0]);
    close(input[1]);
}

static void a_signal_ends_it(void **state)
{
    (void)state;
    bed_t bed = make_bed();
    source_t *source = seldom(1);
    ((test_source_t *)source)->stop_fd = bed.stop[1];
    assert_true(go(&bed, new_sink('a', &all_methods), NULL, source, 0));
    assert_string_equal(calls, "asaeatad");
    clear_bed(&bed);
    /* What the source couldn't get, although it was used to its end. */
    bed = make_bed();
    assert_false(go(&bed, new_sink('a', &few_methods), NULL, seldom(9), 1));
    clear_bed(&bed);
}

static void what_ends_before_there_was_anything(void **state)
{
    (void)state;
    bed_t bed = make_bed();
    bed.run = run_new(&bed.signals, bed.messages, NULL);
    run_add(bed.run, &new_sink('a', &all_methods)->sink);
    assert_true(run_end_at_once(bed.run));
    assert_string_equal(calls, "anafad");
    clear_bed(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sinks_are_shown_all),
        cmocka_unit_test(it_is_compared_when_one_reads_that),
        cmocka_unit_test(a_sink_that_is_closed_ends_what_has_no_other),
        cmocka_unit_test(input_is_waited_for_between_polls),
        cmocka_unit_test(a_sink_adds_others_and_switches_the_source),
        cmocka_unit_test(a_signal_ends_it),
        cmocka_unit_test(what_ends_before_there_was_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
