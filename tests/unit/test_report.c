/* What a report collects from answers that the tests make up. */
#include "monitor/view/report/collect/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "cmocka_all.h"
#include "monitor/analysis/findings/rules.h"
#include "observing.h"

#define PUB "dserver/Pub/1"
#define SUB "dserver/Sub/1"

/* The first poll of a run: as observing.c has it. */
#define BEGIN 1790000000

typedef struct {
    observing_t *run;
    report_t *report;
} test_t;

static test_t test;

static void begin(report_options_t options)
{
    test.run = observing_new(NULL);
    test.report = report_new(&options);
}

static int setup(void **state)
{
    (void)state;
    begin((report_options_t){0});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    report_destroy(&test.report);
    assert_null(test.report);
    observing_destroy(&test.run);
    return 0;
}

/* Instead of the usual one. */
static void begin_with(report_options_t options)
{
    teardown(NULL);
    begin(options);
}

static void poll_all(const char *const *servers_and_answers)
{
    observing_poll(test.run, servers_and_answers);
    report_add(test.report, test.run->observation);
}

#define POLL(...) poll_all((const char *const[]){__VA_ARGS__, NULL})

/* An answer, which one of the next ones frees. */
__attribute__((format(printf, 1, 2))) static const char *answer(const char *format, ...)
{
    enum { ANSWERS = 8 };
    static char *answers[ANSWERS];
    static size_t next;
    char **place = &answers[next++ % ANSWERS];
    va_list arguments;
    va_start(arguments, format);
    free(*place);
    *place = memory_vformat(format, arguments);
    va_end(arguments);
    return *place;
}

static const char *pushed(int pid, int64_t count)
{
    return answer("{'version': 1, 'agent': {'pid': %d, 'attached': '%d'}, 'server': "
                  "{'event_streams': {'tango://h:1/a/b/c/x.change': {'pushed_event_count': "
                  "%" PRId64 "}}}}",
                  pid, pid, count);
}

static const char *received(int pid, int64_t count, int64_t lost)
{
    return answer("{'version': 1, 'agent': {'pid': %d, 'attached': '%d'}, 'client': "
                  "{'event_callbacks': {'tango://h:1/a/b/c/x.idl5_change': {'channel_name': '" PUB
                  "', 'event_count': %" PRId64 ", 'lost_event_count': %" PRId64
                  ", 'outage_lost_event_count': 0, 'missed_event_count': 0, "
                  "'discarded_event_count': 0, 'server_counter': %" PRId64 "}}}}",
                  pid, pid, count, lost, count + lost);
}

/* So many events that took 1.5 ms, and so many that took 50 ms. */
static const char *measured(int pid, int64_t fast, int64_t slow)
{
    return answer("{'version': 1, 'agent': {'pid': %d, 'attached': '%d'}, 'client': "
                  "{'event_callbacks': {'s.idl5_change': {'event_count': %" PRId64
                  ", 'lost_event_count': 0, 'latency_histogram': {'buckets': "
                  "[[1441792, 1572864, %" PRId64 "], [46137344, 50331648, %" PRId64
                  "]], 'count': %" PRId64 "}}}}}",
                  pid, pid, fast + slow, fast, slow, fast + slow);
}

static const report_row_t *row_of(const char *server, const char *name)
{
    for (size_t i = 0; i < test.report->row_count; i++) {
        const report_row_t *row = test.report->rows[i];
        if (strcmp(test.report->servers[row->server].name, server) == 0 &&
            strcmp(row->is_published ? row->stream : row->topic, name) == 0)
            return row;
    }
    return NULL;
}

static double since_begin(struct timespec time)
{
    return timespec_seconds_between(&(struct timespec){.tv_sec = BEGIN}, &time);
}

/* The column so many seconds after the beginning. */
static const report_column_t *column_at(double seconds)
{
    const size_t column = (size_t)(seconds / test.report->axis.width);
    assert_true(column < test.report->axis.count);
    return &test.report->columns[column];
}

/* ---- the same as the totals ---- */

static void assert_same_row(const total_t *total)
{
    const report_row_t *row = row_of(total->server, total->name);
    assert_non_null(row);
    assert_int_equal(row->sum.events, total_events(total));
    if (total->kind == TOTAL_PUBLISHED)
        return;
    assert_int_equal(row->sum.lost, total->received.lost_event_count);
    assert_int_equal(row->gaps == RESPONSE_UNKNOWN ? 0 : row->gaps,
                     total->received.missed_event_count);
    assert_int_equal(row->knows_lost, total->knows_lost);
    assert_int_equal(row->is_derived, total->is_derived);
    assert_int_equal(row->lost_is_minimum, total->lost_is_minimum);
    assert_int_equal(row->not_received,
                     total->knows_not_received ? total_not_received(total) : RESPONSE_UNKNOWN);
}

static void assert_same_server(const total_t *total)
{
    for (size_t i = 0; i < test.report->server_count; i++) {
        const report_server_t *server = &test.report->servers[i];
        if (strcmp(server->name, total->server) != 0)
            continue;
        assert_int_equal(server->polls, total->polls);
        assert_int_equal(server->failures, total->failures);
        assert_int_equal(server->restarts, total->restarts);
        return;
    }
    fail_msg("no server %s", total->server);
}

/* The points of a row, which are what its sum is of. */
static void assert_points(const report_row_t *row)
{
    report_sum_t sum = {0};
    assert_true(row->point_count <= test.report->stream_axis.count);
    for (size_t i = 0; i < row->point_count; i++) {
        sum.events += row->points[i].events;
        sum.lost += row->points[i].lost;
        sum.lost_in_outage += row->points[i].lost_in_outage;
        sum.discarded += row->points[i].discarded;
    }
    assert_memory_equal(&sum, &row->sum, sizeof sum);
}

static void assert_columns(void)
{
    report_column_t sum = {0};
    for (size_t i = 0; i < test.report->axis.count; i++) {
        const report_column_t *column = &test.report->columns[i];
        sum.polls += column->polls;
        sum.restarts += column->restarts;
        sum.pushed += column->pushed;
        sum.received += column->received;
        sum.lost += column->lost;
        sum.lost_in_outage += column->lost_in_outage;
    }
    assert_int_equal(sum.polls, test.report->polls);
    assert_int_equal(sum.restarts, test.report->restarts);
    assert_int_equal(sum.pushed, test.report->pushed.events);
    assert_int_equal(sum.received, test.report->received.events);
    assert_int_equal(sum.lost, test.report->received.lost);
    assert_int_equal(sum.lost_in_outage, test.report->received.lost_in_outage);
    assert_true(test.report->axis.count <= REPORT_COLUMNS);
    assert_true(test.report->stream_axis.count <= REPORT_STREAM_COLUMNS);
}

static void assert_same_as_totals(void)
{
    report_settle(test.report);
    const totals_t *totals = test.run->observation->totals;
    size_t count = 0;
    size_t streams = 0;
    const total_t *const *rows = totals_rows(totals, &count);
    for (size_t i = 0; i < count; i++)
        if (rows[i]->kind == TOTAL_SERVER) {
            assert_same_server(rows[i]);
        } else {
            assert_same_row(rows[i]);
            streams++;
        }
    assert_int_equal(streams, test.report->row_count);
    const totals_sums_t sums = totals_sum_up(totals);
    assert_int_equal(test.report->polls, sums.polls);
    assert_int_equal(test.report->pushed.events, sums.sum.pushed.pushed_event_count);
    assert_int_equal(test.report->received.events, sums.sum.received.event_count);
    assert_int_equal(test.report->received.lost, sums.sum.received.lost_event_count);
    for (size_t i = 0; i < test.report->row_count; i++)
        assert_points(test.report->rows[i]);
    assert_columns();
}

typedef enum { AGENT, BUILT_IN, LEGACY } dialect_t;

enum { STREAMS = 3 };

/* A publisher and a subscriber, to whom everything happens. */
typedef struct {
    dialect_t dialect;
    unsigned seed;
    int pub_pid;
    int sub_pid;
    int64_t pushed[STREAMS];
    int64_t received[STREAMS];
    int64_t lost[STREAMS];
    int64_t gaps[STREAMS];
    int64_t discarded[STREAMS];
    bool is_subscribed[STREAMS];
} system_t;

static unsigned random_of(system_t *self, unsigned below)
{
    self->seed = self->seed * 1103515245U + 12345U;
    return (self->seed >> 16) % below;
}

static char *header_of(const system_t *self, int pid)
{
    switch (self->dialect) {
    case AGENT:
        return memory_format("'version': 1, 'agent': {'pid': %d, 'attached': '%d'}, ", pid, pid);
    case BUILT_IN:
        return memory_string("'version': 1, ");
    default:
        return memory_string("");
    }
}

static char *publisher_of(const system_t *self)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    char *header = header_of(self, self->pub_pid);
    fprintf(out, "{%s'server': {'%s': {", header,
            self->dialect == AGENT ? "event_streams" : "event_counters");
    for (int i = 0; i < STREAMS; i++)
        fprintf(out,
                self->dialect == AGENT
                    ? "%s'tango://h:1/a/b/c/s%d.change': {'pushed_event_count': %" PRId64 "}"
                    : "%s'tango://h:1/a/b/c/s%d.change': %" PRId64,
                i > 0 ? ", " : "", i, self->pushed[i] + (self->dialect != AGENT));
    fputs("}}, 'client': null}", out);
    memory_stream_close(out);
    free(header);
    return text;
}

static char *subscriber_of(const system_t *self)
{
    char *text = NULL;
    size_t size = 0;
    const char *comma = "";
    FILE *out = memory_stream_open(&text, &size);
    char *header = header_of(self, self->sub_pid);
    fprintf(out, "{%s'server': {'event_counters': {}}, 'client': {'event_callbacks': {", header);
    for (int i = 0; i < STREAMS; i++) {
        if (!self->is_subscribed[i])
            continue;
        fprintf(out,
                "%s'tango://h:1/a/b/c/s%d.idl5_change': {'channel_name': '" PUB
                "', 'event_count': %" PRId64 ", 'missed_event_count': %" PRId64
                ", 'discarded_event_count': %" PRId64 ", 'server_counter': %" PRId64
                ", 'callback_count': 1",
                comma, i, self->received[i], self->gaps[i], self->discarded[i], self->pushed[i]);
        if (self->dialect == AGENT)
            fprintf(out, ", 'lost_event_count': %" PRId64 ", 'outage_lost_event_count': 0",
                    self->lost[i]);
        fputs("}", out);
        comma = ", ";
    }
    fputs("}}}", out);
    memory_stream_close(out);
    free(header);
    return text;
}

static void subscribe(system_t *self, int stream)
{
    self->received[stream] = self->lost[stream] = self->gaps[stream] = self->discarded[stream] = 0;
    self->is_subscribed[stream] = true;
}

static void go_on(system_t *self)
{
    for (int i = 0; i < STREAMS; i++) {
        const int64_t step = random_of(self, 100);
        const int64_t lost = random_of(self, 10) == 0 ? random_of(self, (unsigned)step + 1) : 0;
        const int64_t waiting = random_of(self, 5) == 0 ? 1 : 0;
        self->pushed[i] += step;
        self->lost[i] += lost;
        self->gaps[i] += lost > 0;
        self->received[i] += step > lost + waiting ? step - lost - waiting : 0;
        self->discarded[i] += random_of(self, 3);
        if (random_of(self, 50) == 0)
            subscribe(self, i);
        if (random_of(self, 50) == 0)
            self->is_subscribed[i] = false;
    }
    if (random_of(self, 60) == 0) {
        self->sub_pid++;
        for (int i = 0; i < STREAMS; i++)
            subscribe(self, i);
    }
    if (random_of(self, 60) == 0) {
        self->pub_pid++;
        memset(self->pushed, 0, sizeof self->pushed);
    }
}

static void poll_system(system_t *self)
{
    char *publisher = random_of(self, 30) == 0 ? memory_string("down") : publisher_of(self);
    char *subscriber = random_of(self, 30) == 0 ? memory_string("no answer") : subscriber_of(self);
    POLL(PUB, publisher, SUB, subscriber);
    free(publisher);
    free(subscriber);
}

static void run_system(dialect_t dialect, unsigned seed, int polls)
{
    system_t system = {.dialect = dialect, .seed = seed, .pub_pid = 1, .sub_pid = 1};
    for (int i = 0; i < polls; i++) {
        go_on(&system);
        poll_system(&system);
    }
}

static void sums_are_those_of_the_totals(void **state)
{
    (void)state;
    static const dialect_t dialects[] = {AGENT, BUILT_IN, LEGACY};
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        for (unsigned seed = 1; seed <= 10; seed++) {
            begin_with((report_options_t){0});
            run_system(dialects[i], seed, 40 * (int)seed);
            assert_same_as_totals();
            assert_true(test.report->received.events > 0);
        }
}

static void folding_loses_nothing(void **state)
{
    (void)state;
    test.run->period = 7;
    run_system(AGENT, 11, 2500);
    assert_same_as_totals();
    assert_true(test.report->axis.width == 32);
    assert_true(test.report->axis.count > REPORT_COLUMNS / 2);
    assert_true(test.report->received.lost > 0 && test.report->restarts > 0);
}

static void what_comes_after_a_report_is_added_to_it(void **state)
{
    (void)state;
    run_system(BUILT_IN, 5, 20);
    assert_same_as_totals();
    run_system(BUILT_IN, 6, 20);
    assert_same_as_totals();
    report_settle(test.report);
    assert_same_as_totals();
}

/* What a process never received stays when it has ended. */
static void not_received_is_that_of_the_totals(void **state)
{
    (void)state;
    const char *const topic = "tango://h:1/a/b/c/x.idl5_change";
    POLL(PUB, pushed(1, 10), SUB, received(1, 10, 0));
    POLL(PUB, pushed(1, 110), SUB, received(1, 10, 0));
    POLL(PUB, pushed(1, 110), SUB, received(1, 70, 0));
    assert_same_as_totals();
    assert_int_equal(row_of(SUB, topic)->not_received, 40);
    POLL(PUB, pushed(1, 110), SUB, received(2, 0, 0));
    POLL(PUB, pushed(1, 120), SUB, received(2, 0, 0));
    POLL(PUB, pushed(1, 120), SUB, received(2, 3, 0));
    assert_same_as_totals();
    assert_true(row_of(SUB, topic)->not_received >= 40);
    assert_int_equal(test.report->streams[0].not_received, row_of(SUB, topic)->not_received);
}

/* ---- time ---- */

static void a_peak_stays_a_peak(void **state)
{
    (void)state;
    test.run->period = 1;
    int64_t count = 0;
    for (int i = 0; i < 5000; i++)
        POLL(PUB, pushed(1, count += i == 1234 ? 1000 : 1));
    report_settle(test.report);
    const report_row_t *row = row_of(PUB, "tango://h:1/a/b/c/x.change");
    assert_true(row->rate == 1000);
    float highest = 0;
    for (size_t i = 0; i < test.report->axis.count; i++)
        highest = fmaxf(highest, test.report->columns[i].push_rate);
    assert_true(highest == 1000);
    assert_true(test.report->period == 1);
    assert_true(since_begin(test.report->first) == 1);
    assert_true(since_begin(test.report->last) == 5000);
}

/* Columns may be narrower than polls are apart; a gap has no rate. */
static void a_rate_is_that_of_all_columns_since_the_answer_before(void **state)
{
    (void)state;
    enum { BEFORE = 20, GAP = 100, AFTER = 5 };
    for (int i = 0; i <= BEFORE; i++)
        POLL(PUB, pushed(1, INT64_C(10) * i));
    test.run->time += GAP;
    for (int i = 1; i <= AFTER; i++)
        POLL(PUB, pushed(1, INT64_C(10) * (BEFORE + i)));
    report_settle(test.report);
    const report_row_t *row = row_of(PUB, "tango://h:1/a/b/c/x.change");
    const double width = test.report->stream_axis.width;
    const double gap = BEFORE * test.run->period;
    assert_true(test.report->axis.width < 1);
    for (size_t i = 1; i < row->point_count; i++) {
        const double begin = (double)i * width;
        const bool is_gap = begin > gap && begin < gap + GAP;
        if (fabs(begin - gap) > test.run->period && fabs(begin - gap - GAP) > test.run->period) {
            assert_true(row->points[i].rate == (is_gap ? 0 : 1));
            assert_true(is_gap ? isnan(column_at(begin)->push_rate)
                               : column_at(begin)->push_rate == 1);
        }
    }
}

/* Also of servers that are asked at different moments. */
static void rates_are_of_all_servers(void **state)
{
    (void)state;
    test.run->period = 1;
    for (int i = 0; i < 20; i++) {
        POLL("x", pushed(1, INT64_C(20) * i));
        POLL("y", pushed(1, INT64_C(60) * i));
    }
    POLL("x", "down");
    POLL("z", pushed(1, 0));
    report_settle(test.report);
    assert_true(isnan(column_at(0)->push_rate));
    assert_true(column_at(20)->push_rate == 40);
    assert_true(column_at(20)->receive_rate == 0);
    assert_true(column_at(40)->push_rate == 30);
}

static void time_that_goes_backwards_is_the_newest_column(void **state)
{
    (void)state;
    POLL(PUB, pushed(1, 0));
    POLL(PUB, pushed(1, 1));
    test.run->time -= 15;
    POLL(PUB, pushed(1, 3));
    report_settle(test.report);
    assert_int_equal(column_at(10)->pushed, 3);
    assert_ptr_equal(column_at(10), &test.report->columns[test.report->axis.count - 1]);
    assert_true(since_begin(test.report->last) == 20);
}

/* A clock that was years behind, and one that is years ahead for one poll. */
static void a_clock_that_was_set_does_not_squeeze_a_night(void **state)
{
    (void)state;
    const time_t year = INT64_C(365) * 86400;
    int64_t count = 0;
    test.run->time -= 20 * year;
    POLL(PUB, pushed(1, 0));
    POLL(PUB, pushed(1, count += 5));
    test.run->time += 20 * year;
    for (int i = 0; i < 10; i++)
        POLL(PUB, pushed(1, ++count));
    test.run->time += 100 * year;
    POLL(PUB, pushed(1, ++count));
    test.run->time -= 100 * year;
    for (int i = 0; i < 10; i++)
        POLL(PUB, pushed(1, ++count));
    report_settle(test.report);
    const report_axis_t *axis = &test.report->axis;
    assert_true(axis->width == 0.25);
    assert_int_equal(axis->count, 220 / 0.25 + 1);
    assert_int_equal(test.report->pushed.events, 26);
    const struct timespec end = report_time_of(axis, axis->count - 1, 1);
    assert_true(fabs(since_begin(end) - 230) < 10);
    assert_true(fabs(timespec_seconds_between(&test.report->first, &test.report->last) - 220) < 1);
}

/* One that is ten days ahead for three polls; and one that was so at first. */
static void a_clock_that_was_ahead_is_set_back(void **state)
{
    (void)state;
    const time_t days = INT64_C(10) * 86400;
    for (int ahead_at_first = 0; ahead_at_first < 2; ahead_at_first++) {
        begin_with((report_options_t){0});
        if (ahead_at_first)
            test.run->time += days;
        for (int i = 0; i < 1000; i++) {
            test.run->time += !ahead_at_first && i == 300 ? days : 0;
            test.run->time -= i == 303 ? days : 0;
            POLL(SUB, measured(1, INT64_C(10) * i, i));
        }
        assert_same_as_totals();
        assert_int_equal(test.report->percentiles[REPORT_LATENCY].count, 999 * 11);
        assert_int_equal(test.report->rows[0]->percentiles[REPORT_LATENCY].count, 999 * 11);
        const report_axis_t *axis = &test.report->axis;
        const struct timespec end = report_time_of(axis, axis->count - 1, 1);
        assert_true(fabs(since_begin(end) - 10000) <= axis->width);
        assert_true(since_begin(test.report->last) == 10000);
        assert_true(test.report->gap_seconds <= 60);
    }
}

/* ---- incidents ---- */

static const report_incident_t *incident_of(incident_kind_t kind)
{
    const report_incident_t *found = NULL;
    for (size_t i = 0; i < test.report->incident_count; i++) {
        if (test.report->incidents[i].kind != kind)
            continue;
        assert_null(found);
        found = &test.report->incidents[i];
    }
    assert_non_null(found);
    return found;
}

static void an_outage_has_a_begin_an_end_and_a_reason(void **state)
{
    (void)state;
    POLL(PUB, pushed(1, 0), SUB, received(1, 0, 0));
    POLL(PUB, pushed(1, 1), SUB, "no answer within 3 s");
    POLL(PUB, pushed(1, 2), SUB, "not there");
    report_settle(test.report);
    const report_incident_t *outage = incident_of(INCIDENT_OUTAGE);
    assert_true(outage->lasts);
    assert_true(since_begin(outage->begin) == 10);
    assert_true(since_begin(outage->end) == 30);
    POLL(PUB, pushed(1, 3), SUB, received(1, 3, 0));
    POLL(PUB, pushed(1, 4), SUB, received(1, 4, 0));
    report_settle(test.report);
    outage = incident_of(INCIDENT_OUTAGE);
    assert_false(outage->lasts);
    assert_true(since_begin(outage->end) == 40);
    assert_string_equal(outage->text, "no answer within 3 s");
    assert_int_equal(outage->server, 1);
    const report_server_t *server = &test.report->servers[1];
    assert_int_equal(server->failures, 2);
    assert_true(server->failed_seconds == 20);
    assert_string_equal(server->error, "not there");
    assert_string_equal(incident_kind_name(outage->kind), "outage");
}

static void a_restart_is_between_two_answers(void **state)
{
    (void)state;
    POLL(PUB, pushed(1, 5));
    POLL(PUB, pushed(1, 9));
    POLL(PUB, pushed(2, 1));
    report_settle(test.report);
    const report_incident_t *restart = incident_of(INCIDENT_RESTART);
    assert_true(since_begin(restart->begin) == 20);
    assert_true(since_begin(restart->end) == 30);
    assert_int_equal(test.report->restarts, 1);
    assert_int_equal(test.report->row_count, 1);
    assert_int_equal(test.report->rows[0]->sum.events, 5);
}

static void nothing_recorded_is_a_gap(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        POLL(PUB, pushed(1, i));
    test.run->time += 15; /* of 10: too late, but no gap */
    for (int i = 0; i < 5; i++)
        POLL(PUB, pushed(1, 10 + i));
    test.run->time += 90;
    for (int i = 0; i < 5; i++)
        POLL(PUB, pushed(1, 20 + i));
    report_settle(test.report);
    const report_incident_t *gap = incident_of(INCIDENT_GAP);
    assert_true(since_begin(gap->begin) == 115);
    assert_true(since_begin(gap->end) == 215);
    assert_int_equal(gap->server, REPORT_NONE);
    assert_null(gap->text);
    assert_true(test.report->gap_seconds == 100);
    assert_true(test.report->period == 10);
}

/* Two recorders' polls come in pairs, and a slower period is no gap after a while. */
static void a_gap_is_longer_than_usual(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        test.run->period = i % 2 ? 9 : 1;
        POLL(PUB, pushed(1, i));
    }
    report_settle(test.report);
    assert_int_equal(test.report->incident_count, 0);
    test.run->period = 60;
    for (int i = 0; i < 40; i++)
        POLL(PUB, pushed(1, 40 + i));
    report_settle(test.report);
    assert_int_equal(test.report->incident_count, 3);
    assert_true(test.report->period == 60);
}

/* Without the agent, of a server that was restarted meanwhile and has received more since. */
static void a_new_subscription_with_more_events_is_known(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{'version': 1, 'client': {'event_callbacks': {'tango://h:1/a/b/c/x.idl5_change': "
        "{'channel_name': 'c', 'server_counter': 850, 'event_count': 3156, "
        "'missed_event_count': 1, 'last_resubscribed': '2026-09-21T14:13:00'}}}}",
        "{'version': 1, 'client': {'event_callbacks': {'tango://h:1/a/b/c/x.idl5_change': "
        "{'channel_name': 'c', 'server_counter': 14177, 'event_count': 6434, "
        "'missed_event_count': 2, 'last_resubscribed': null}}}}"};
    POLL(SUB, answers[0]);
    POLL(SUB, answers[1]);
    report_settle(test.report);
    assert_int_equal(test.report->received.events, 6434);
    assert_int_equal(test.report->received.lost, 2);
    assert_true(test.report->lost_is_minimum);
}

/* A server whose changes can't be read answers: it ends an outage, and is none. */
static void what_is_missing_is_no_outage(void **state)
{
    (void)state;
    POLL(PUB, pushed(1, 0), SUB, received(2, 0, 0));
    for (int i = 0; i < 20; i++)
        POLL(PUB, "?", SUB, i < 5 || i == 10 ? "no answer" : "?");
    POLL(PUB, pushed(1, 50), SUB, received(2, 50, 0));
    report_settle(test.report);
    assert_int_equal(test.report->incident_count, 2);
    static const double seconds[] = {60, 20};
    for (size_t i = 0; i < 2; i++) {
        const report_incident_t *outage = &test.report->incidents[i];
        assert_true(timespec_seconds_between(&outage->begin, &outage->end) == seconds[i]);
        assert_false(outage->lasts);
    }
    assert_int_equal(test.report->servers[0].polls, 2);
    assert_int_equal(test.report->servers[0].failures, 0);
    assert_int_equal(test.report->servers[1].failures, 6);
    assert_true(test.report->servers[1].failed_seconds == 60);
    assert_int_equal(test.report->polls, 22);
    assert_int_equal(test.report->finding_count, 1);
    assert_string_equal(test.report->findings[0]->about.server, SUB);
    assert_int_equal(test.report->pushed.events, 50);
    uint32_t failures = 0;
    for (size_t i = 0; i < test.report->minute_count; i++)
        failures += test.report->minutes[i].failures;
    assert_int_equal(failures, 6);
}

static void remark(const char *line)
{
    report_remark(test.report, line, strlen(line));
}

static void remarks_say_what_is_missing(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        POLL(PUB, pushed(1, i));
    remark("{\"time\":\"2026-09-21T14:15:20+00:00\",\"replies\":{},\"lost_snapshots\":7,"
           "\"lost_since\":\"2026-09-21T14:14:10+00:00\"}\n");
    test.run->time += 70;
    POLL(PUB, pushed(1, 5));
    report_settle(test.report);
    const report_incident_t *gap = incident_of(INCIDENT_GAP);
    assert_string_equal(gap->text, "7 polls could not be written");
    assert_true(since_begin(gap->begin) == 50);
    assert_int_equal(test.report->lost_polls, 7);
    /* Without a gap, and at the end. */
    remark("{\"time\":\"2026-09-21T14:16:00+00:00\",\"replies\":{},\"cut_off\":\"{\\\"time\"}\n");
    report_settle(test.report);
    assert_int_equal(test.report->incident_count, 2);
    assert_non_null(strstr(test.report->incidents[1].text, "cut off"));
    assert_true(test.report->gap_seconds == 80);
    remark("{\"time\":\"1801-09-21T14:16:00+00:00\",\"replies\":{},\"cut_off\":\"\"}\n");
    report_settle(test.report);
    assert_true(since_begin(test.report->incidents[0].begin) == 50);
    assert_int_equal(test.report->incident_count, 3);
}

/* What was cut off was continued a year later. */
static void remarks_stay_beside_what_is_moved(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        POLL(PUB, pushed(1, i));
    remark("{\"time\":\"2027-09-21T14:16:00+00:00\",\"replies\":{},\"cut_off\":\"\"}\n");
    test.run->time += INT64_C(365) * 86400;
    POLL(PUB, pushed(1, 5));
    report_settle(test.report);
    assert_int_equal(test.report->incident_count, 1);
    const report_incident_t *gap = &test.report->incidents[0];
    assert_true(timespec_seconds_between(&gap->end, &test.report->last) == 10);
    assert_true(timespec_seconds_between(&gap->begin, &gap->end) == 0);
}

static void other_remarks_are_passed_over(void **state)
{
    (void)state;
    remark("");
    remark("x");
    remark("{");
    remark("[]");
    remark("{\"lost_snapshots\":5}");
    remark("{\"time\":\"2026-09-21T14:15:20+00:00\",\"lost_snapshots\":-5}");
    remark("{\"time\":\"2026-09-21T14:15:20+00:00\",\"lost_snapshots\":1e300}");
    remark("{\"time\":7,\"cut_off\":null}");
    report_settle(test.report);
    assert_int_equal(test.report->incident_count, 0);
    assert_int_equal(test.report->lost_polls, 0);
}

/* One server can't fill the list, so that another one's outage is still in it. */
static void incidents_are_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < 600; i++) {
        POLL(PUB, pushed(1, i), SUB, received(1, 0, 0));
        POLL(PUB, "down", SUB, i == 590 ? "down" : received(1, 0, 0));
    }
    report_settle(test.report);
    assert_int_equal(test.report->incident_count, 501);
    assert_int_equal(test.report->incidents_left_out, 100);
    assert_int_equal(test.report->incidents[500].server, 1);
}

/* ---- minutes ---- */

static void the_worst_minutes_come_first(void **state)
{
    (void)state;
    int64_t lost = 0;
    for (int i = 0; i < 60; i++) {
        lost += i == 20 ? 5 : i == 33 ? 50 : 0;
        POLL(PUB, i == 45 ? "down" : pushed(1, INT64_C(100) * i), SUB,
             received(1, INT64_C(100) * i - lost, lost));
    }
    report_settle(test.report);
    assert_int_equal(test.report->minute_count, 3);
    const report_minute_t *minutes = test.report->minutes;
    assert_int_equal(minutes[0].lost, 50);
    assert_true(minutes[0].begin.tv_sec == BEGIN + 340 - (BEGIN + 340) % 60);
    assert_string_equal(minutes[0].stream, "tango://h:1/a/b/c/x.change");
    assert_int_equal(minutes[1].lost, 5);
    assert_int_equal(minutes[2].failures, 1);
    assert_null(minutes[2].stream);
    assert_true(minutes[0].received > 0 && minutes[0].pushed > 0);
}

static const char *two_streams(int64_t first, int64_t second)
{
    return answer("{'version': 1, 'agent': {'pid': 7, 'attached': '7'}, 'client': "
                  "{'event_callbacks': {'a.idl5_change': {'event_count': 0, "
                  "'lost_event_count': %" PRId64 "}, 'b.idl5_change': {'event_count': 0, "
                  "'lost_event_count': %" PRId64 "}}}}",
                  first, second);
}

/* What all subscribers of a stream lost, not only one of them. */
static void a_minute_says_which_stream_lost_most(void **state)
{
    (void)state;
    POLL("x", two_streams(0, 0), "y", two_streams(0, 0));
    POLL("x", two_streams(30, 40), "y", two_streams(30, 0));
    report_settle(test.report);
    assert_int_equal(test.report->minute_count, 1);
    assert_int_equal(test.report->minutes[0].lost, 100);
    assert_string_equal(test.report->minutes[0].stream, "a.change");
}

static void the_list_of_minutes_is_bounded(void **state)
{
    (void)state;
    test.run->period = 60;
    int64_t lost = 0;
    for (int i = 0; i < 300; i++) {
        lost += i;
        POLL(SUB, received(1, 0, lost));
    }
    report_settle(test.report);
    assert_int_equal(test.report->minute_count, REPORT_MINUTES);
    for (int i = 0; i < REPORT_MINUTES; i++)
        assert_int_equal(test.report->minutes[i].lost, 299 - i);
}

/* ---- durations ---- */

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 0.12 * expected))
        fail_msg("%g isn't near %g", value, expected);
}

static void percentiles_are_of_all_events(void **state)
{
    (void)state;
    POLL(SUB, measured(1, 10000, 10000)); /* from before */
    int64_t fast = 10000;
    int64_t slow = 10000;
    for (int i = 0; i < 100; i++) {
        fast += 98;
        slow += i < 10 ? 20 : 0;
        POLL(SUB, measured(1, fast, slow));
    }
    POLL(SUB, measured(2, 1, 1)); /* another process */
    report_settle(test.report);
    const report_percentiles_t *all = &test.report->percentiles[REPORT_LATENCY];
    assert_int_equal(all->count, 9800 + 200 + 2);
    assert_near(all->median, 1.5e-3);
    assert_near(all->percentile_90, 1.5e-3);
    assert_near(all->percentile_99, 48e-3);
    assert_near(all->maximum, 48e-3);
    const report_row_t *row = row_of(SUB, "s.idl5_change");
    assert_memory_equal(&row->percentiles[REPORT_LATENCY], all, sizeof *all);
    assert_int_equal(row->percentiles[REPORT_PUSH].count, 0);
    assert_true(isnan(row->percentiles[REPORT_PUSH].median));
    assert_false(test.report->percentiles_are_of_samples);
    assert_near((double)test.report->columns[10].latency, 48e-3);
    assert_near((double)test.report->columns[500].latency, 1.5e-3);
    assert_true(isnan(test.report->columns[0].latency));
    assert_true(isnan(test.report->columns[11].latency));
}

/* What an answer without histograms has. */
static void percentiles_may_be_of_samples(void **state)
{
    (void)state;
    static const char with[] =
        "{'version': 1, 'server': {'event_counters': {'s': 5}, 'perf': [{'micros_since_last_event':"
        " null, 'push_event_micros': 149}, {'push_event_micros': 45}]}, 'client': "
        "{'event_callbacks': {}, 'perf': [{'attr_name': 's', 'process_micros': 2000, "
        "'first_callback_latency_micros': 100, 'discarded': false}, {'attr_name': '', "
        "'process_micros': 7, 'discarded': true}]}}";
    POLL(PUB, with);
    report_settle(test.report);
    assert_int_equal(test.report->percentiles[REPORT_PUSH].count, 0);
    POLL(PUB, with);
    report_settle(test.report);
    assert_true(test.report->percentiles_are_of_samples);
    assert_int_equal(test.report->percentiles[REPORT_PUSH].count, 2);
    assert_near(test.report->percentiles[REPORT_PUSH].maximum, 149e-6);
    assert_int_equal(test.report->percentiles[REPORT_PROCESSING].count, 1);
    assert_near(test.report->percentiles[REPORT_PROCESSING].median, 2e-3);
    assert_int_equal(test.report->percentiles[REPORT_LATENCY].count, 1);
    assert_near((double)column_at(10)->processing, 2e-3);
    assert_int_equal(row_of(PUB, "s")->percentiles[REPORT_PUSH].count, 0);
}

static int64_t cells_of(const report_cells_t *cells, const report_axis_t *axis)
{
    int64_t count = 0;
    for (size_t i = 0; i < cells->count; i++) {
        if (i > 0)
            assert_true(cells->list[i - 1].column < cells->list[i].column ||
                        (cells->list[i - 1].column == cells->list[i].column &&
                         cells->list[i - 1].bucket < cells->list[i].bucket));
        assert_true(cells->list[i].column < axis->count);
        count += cells->list[i].count;
    }
    return count;
}

/* With little memory there are fewer columns, then no more cells; all else is as it was. */
static void the_budget_is_kept(void **state)
{
    (void)state;
    begin_with((report_options_t){.budget = 3000});
    for (int i = 0; i < 900; i++)
        POLL(SUB, measured(1, INT64_C(10) * i, i));
    assert_same_as_totals();
    const report_row_t *row = row_of(SUB, "s.idl5_change");
    assert_int_equal(cells_of(&row->cells[REPORT_LATENCY], &test.report->stream_axis), 11 * 899);
    assert_int_equal(cells_of(&test.report->cells[REPORT_LATENCY], &test.report->axis), 11 * 899);
    assert_false(test.report->cells_are_incomplete);
    assert_true(test.report->stream_axis.count < 200);
    assert_true(row->point_count * sizeof *row->points +
                    row->cells[REPORT_LATENCY].count * sizeof(report_cell_t) <=
                3000);
    begin_with((report_options_t){.budget = 100});
    for (int i = 0; i < 900; i++)
        POLL(SUB, measured(1, INT64_C(10) * i, i));
    assert_same_as_totals();
    assert_true(test.report->cells_are_incomplete);
    assert_true(test.report->stream_axis.count >= REPORT_STREAM_COLUMNS_LEAST);
    assert_int_equal(test.report->percentiles[REPORT_LATENCY].count, 11 * 899);
}

static void buckets_divide_all_durations(void **state)
{
    (void)state;
    assert_int_equal(report_bucket_of(-1), 0);
    assert_int_equal(report_bucket_of(NAN), 0);
    assert_int_equal(report_bucket_of(1e-6), 0);
    assert_int_equal(report_bucket_of(INFINITY), REPORT_BUCKETS - 1);
    assert_int_equal(report_bucket_of(1e9), REPORT_BUCKETS - 1);
    double last = 0;
    for (size_t i = 0; i < REPORT_BUCKETS; i++) {
        double from = 0;
        double below = 0;
        report_bucket_bounds(i, &from, &below);
        assert_true(from == last && below > from);
        assert_int_equal(report_bucket_of(from * (1 + 1e-12)), i);
        if (isfinite(below))
            assert_int_equal(report_bucket_of(below * (1 - 1e-12)), i);
        last = below;
    }
}

/* ---- a window ---- */

/* The last hour of half a day, in which names change. */
static void a_window_has_what_happened_in_it(void **state)
{
    (void)state;
    begin_with((report_options_t){.window = 3600});
    int64_t count = 0;
    int64_t lost = 0;
    for (int i = 0; i < 4320; i++) {
        char *changing = memory_format("dserver/Changing/%d", i / 60);
        count += 10;
        lost += i == 100 ? 7 : i == 4200 ? 3 : 0;
        POLL(PUB, pushed(1 + (i >= 4100) + (i >= 50), count), SUB,
             i == 60 || i == 4250 ? "down" : received(1, count - lost, lost), changing,
             i % 60 == 10 ? "down" : two_streams(i, 0));
        free(changing);
    }
    report_settle(test.report);
    assert_columns();
    for (size_t i = 0; i < test.report->row_count; i++)
        assert_points(test.report->rows[i]);
    const report_axis_t *axis = &test.report->axis;
    const double kept = timespec_seconds_between(&axis->begin, &test.report->last);
    assert_true(kept >= 3600 && kept <= 3600 * 1.1);
    /* The poll at the beginning of the first column, and all later ones. */
    const int64_t polls = (int64_t)(kept / 10) + 1;
    assert_int_equal(test.report->polls, polls);
    assert_int_equal(row_of(PUB, "tango://h:1/a/b/c/x.change")->sum.events,
                     10 * (polls - 1) + 41010);
    assert_int_equal(row_of(SUB, "tango://h:1/a/b/c/x.idl5_change")->sum.lost, 3);
    assert_int_equal(test.report->servers[1].failures, 1);
    assert_int_equal(test.report->servers[1].polls, polls);
    assert_int_equal(test.report->servers[0].restarts, 1);
    assert_in_range(test.report->server_count, 8, 10);
    assert_int_equal(test.report->row_count, 2 + 2 * (test.report->server_count - 2));
    size_t restarts = 0;
    for (size_t i = 0; i < test.report->incident_count; i++) {
        const report_incident_t *incident = &test.report->incidents[i];
        assert_true(incident->lasts || timespec_seconds_between(&axis->begin, &incident->end) >= 0);
        assert_true(incident->server < test.report->server_count);
        restarts += incident->kind == INCIDENT_RESTART;
    }
    assert_int_equal(restarts, 1);
    assert_in_range(test.report->minute_count, 1, 70);
    assert_int_equal(test.report->streams_left_out, 0);
}

static void a_window_is_right_after_hours_without_answers(void **state)
{
    (void)state;
    begin_with((report_options_t){.window = 600});
    for (int i = 0; i < 30; i++)
        POLL(PUB, pushed(1, i), SUB, measured(1, INT64_C(10) * i, 0));
    for (int i = 0; i < 360; i++)
        POLL(PUB, "down", SUB, "down");
    report_settle(test.report);
    assert_int_equal(test.report->pushed.events, 0);
    assert_int_equal(test.report->percentiles[REPORT_LATENCY].count, 0);
    assert_int_equal(test.report->row_count, 2);
    assert_int_equal(test.report->incident_count, 2);
    assert_true(test.report->incidents[0].lasts);
    /* Nobody asked for a day. */
    test.run->time += 86400;
    POLL(PUB, pushed(1, 100), SUB, measured(1, 500, 0));
    report_settle(test.report);
    assert_int_equal(test.report->polls, 1);
    assert_int_equal(test.report->pushed.events, 71);
    assert_int_equal(test.report->percentiles[REPORT_LATENCY].count, 210);
    assert_int_equal(test.report->server_count, 2);
    assert_columns();
    /* The clock is set back by an hour. */
    test.run->time -= 3600;
    for (int i = 0; i < 20; i++)
        POLL(PUB, pushed(1, 100 + i), SUB, measured(1, 500, 0));
    report_settle(test.report);
    assert_int_equal(test.report->polls, 21);
    assert_true(test.report->axis.count > 100);
    assert_columns();
}

/* ---- findings ---- */

static void findings_are_copied_and_in_order(void **state)
{
    (void)state;
    begin_with((report_options_t){.copies_findings = true});
    for (int i = 0; i < 8; i++)
        POLL(PUB, i > 3 ? "down" : pushed(1, INT64_C(100) * i), SUB,
             received(1, INT64_C(90) * i, 5000 + INT64_C(10) * i));
    report_settle(test.report);
    size_t count = 0;
    findings_of_run(test.run->observation->findings, &count);
    assert_int_equal(test.report->finding_count, count);
    assert_true(count >= 2);
    assert_int_equal(test.report->findings[0]->severity, SEVERITY_FAULT);
    assert_int_equal(test.report->findings[count - 1]->severity, SEVERITY_WARNING);
    observation_destroy(&test.run->observation);
    for (size_t i = 0; i < test.report->finding_count; i++) {
        const finding_t *finding = test.report->findings[i];
        assert_true(strlen(finding->text) > 0);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(finding->identity, test.report->findings[j]->identity);
            assert_true(finding->severity <= test.report->findings[j]->severity);
        }
    }
    assert_int_equal(test.report->streams[0].findings, 2);
    assert_true(test.report->columns[test.report->axis.count - 1].findings > 0);
}

/* ---- a filter ---- */

static void sums_are_of_what_the_filter_takes(void **state)
{
    (void)state;
    char *patterns[] = {"*a.change"};
    begin_with((report_options_t){.filter = {.patterns = patterns, .count = 1}});
    POLL(SUB, two_streams(0, 0));
    POLL(SUB, two_streams(3, 40));
    report_settle(test.report);
    assert_int_equal(test.report->row_count, 1);
    assert_int_equal(test.report->received.lost, 3);
    assert_int_equal(test.report->minutes[0].lost, 3);
    assert_columns();
}

/* ---- what servers invent ---- */

static char *many_streams(const char *prefix, int from, int count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    fputs("{'version': 1, 'agent': {'pid': 1, 'attached': '1'}, 'server': {'event_streams': {",
          out);
    for (int i = 0; i < count; i++)
        fprintf(out, "%s'%s%d': {'pushed_event_count': %d}", i > 0 ? ", " : "", prefix, from + i,
                i + 1);
    fputs("}}}", out);
    memory_stream_close(out);
    return text;
}

static void poll_many(const char *prefix, int from, int count)
{
    char *text = many_streams(prefix, from, count);
    POLL(PUB, text);
    free(text);
}

static void rows_are_bounded(void **state)
{
    (void)state;
    POLL(PUB, pushed(1, 0));
    poll_many("s", 0, 15000);
    poll_many("s", 10000, 15000);
    poll_many("s", 0, 15000);
    report_settle(test.report);
    assert_int_equal(test.report->row_count, REPORT_ROWS);
    assert_int_equal(test.report->streams_left_out, 5001);
    const int64_t all = INT64_C(15000) * 15001 / 2;
    const int64_t new_ones = INT64_C(10000) * 10001 / 2;
    assert_int_equal(test.report->pushed.events, 2 * all + new_ones + INT64_C(5000) * 10000);
    assert_columns();
}

static void servers_are_bounded(void **state)
{
    (void)state;
    const char **list = memory_new(2 * (REPORT_SERVERS + 100) + 1, sizeof *list);
    const char *good = pushed(1, 5);
    for (int repeat = 0; repeat < 2; repeat++) {
        for (size_t i = 0; i < REPORT_SERVERS + 100; i++) {
            list[2 * i] = memory_format("dserver/s/%zu", i);
            list[2 * i + 1] = i % 2 ? "down" : good;
        }
        poll_all(list);
        for (size_t i = 0; i < REPORT_SERVERS + 100; i++)
            free((char *)(uintptr_t)list[2 * i]);
    }
    free(list);
    report_settle(test.report);
    assert_int_equal(test.report->server_count, REPORT_SERVERS);
    assert_int_equal(test.report->servers_left_out, 100);
    assert_int_equal(test.report->streams_left_out, 50);
    assert_int_equal(test.report->servers[REPORT_SERVERS - 1].polls, 2);
    assert_int_equal(test.report->incident_count, REPORT_INCIDENTS);
}

static void long_names_are_cut(void **state)
{
    (void)state;
    enum { LONG = 1000000 };
    char *name = memory_new(LONG + 1, 1);
    memset(name, 'x', LONG);
    POLL(name, pushed(1, 0));
    poll_all((const char *const[]){name, "down", NULL});
    for (int i = 0; i < 3; i++)
        poll_many(name, 0, 3);
    poll_all((const char *const[]){PUB, name, NULL});
    report_settle(test.report);
    assert_int_equal(test.report->server_count, 2);
    assert_int_equal(test.report->row_count, 4);
    for (size_t i = 0; i < test.report->row_count; i++)
        assert_true(strlen(test.report->rows[i]->stream) <= REPORT_NAME);
    assert_true(strlen(test.report->servers[0].name) <= REPORT_NAME);
    assert_true(strlen(test.report->servers[1].error) <= REPORT_TEXT);
    free(name);
}

/* With a window, names of months make room for new ones. */
static void a_window_forgets_names(void **state)
{
    (void)state;
    begin_with((report_options_t){.window = 100});
    POLL(PUB, pushed(1, 0));
    for (int i = 0; i < 40; i++)
        poll_many("s", 1000 * i, 1000);
    report_settle(test.report);
    assert_in_range(test.report->row_count, 1000 * 10, 1000 * 12);
    assert_int_equal(test.report->pushed.events, INT64_C(1001) * 500 * test.report->polls);
    assert_columns();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(sums_are_those_of_the_totals),
        TEST(not_received_is_that_of_the_totals),
        TEST(folding_loses_nothing),
        TEST(what_comes_after_a_report_is_added_to_it),
        TEST(a_peak_stays_a_peak),
        TEST(a_rate_is_that_of_all_columns_since_the_answer_before),
        TEST(rates_are_of_all_servers),
        TEST(time_that_goes_backwards_is_the_newest_column),
        TEST(a_clock_that_was_set_does_not_squeeze_a_night),
        TEST(a_clock_that_was_ahead_is_set_back),
        TEST(an_outage_has_a_begin_an_end_and_a_reason),
        TEST(a_restart_is_between_two_answers),
        TEST(nothing_recorded_is_a_gap),
        TEST(a_gap_is_longer_than_usual),
        TEST(a_new_subscription_with_more_events_is_known),
        TEST(what_is_missing_is_no_outage),
        TEST(remarks_say_what_is_missing),
        TEST(remarks_stay_beside_what_is_moved),
        TEST(other_remarks_are_passed_over),
        TEST(incidents_are_bounded),
        TEST(the_worst_minutes_come_first),
        TEST(a_minute_says_which_stream_lost_most),
        TEST(the_list_of_minutes_is_bounded),
        TEST(percentiles_are_of_all_events),
        TEST(percentiles_may_be_of_samples),
        TEST(the_budget_is_kept),
        TEST(buckets_divide_all_durations),
        TEST(a_window_has_what_happened_in_it),
        TEST(a_window_is_right_after_hours_without_answers),
        TEST(findings_are_copied_and_in_order),
        TEST(sums_are_of_what_the_filter_takes),
        TEST(rows_are_bounded),
        TEST(servers_are_bounded),
        TEST(long_names_are_cut),
        TEST(a_window_forgets_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
