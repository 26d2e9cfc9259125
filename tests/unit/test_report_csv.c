/* The tables of a report: their cells, their rows, and what becomes of their files. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/view/report/collect/report_sink.h"
#include "monitor/view/report/tables/csv_file.h"
#include "monitor/view/report/tables/report_csv.h"
#include "observing.h"

/* ---- cells ---- */

static void assert_cell(const char *text, const char *expected)
{
    char *cell = csv_cell(text);
    assert_string_equal(cell, expected);
    free(cell);
}

static void cells_are_quoted_where_they_must(void **state)
{
    (void)state;
    assert_cell(NULL, "");
    assert_cell("", "");
    assert_cell("tango://h:1/a/b/c/d.change", "tango://h:1/a/b/c/d.change");
    assert_cell("a,b", "\"a,b\"");
    assert_cell("say \"no\"", "\"say \"\"no\"\"\"");
    assert_cell(" a", "\" a\"");
    assert_cell("a ", "\"a \"");
    assert_cell("a b", "a b");
    assert_cell("\"", "\"\"\"\"");
}

static void a_row_is_one_line(void **state)
{
    (void)state;
    assert_cell("a\nb\r\tc\033[31m", "a?b??c?[31m");
    assert_cell("\xff\xfe", "??");
    assert_cell("\u00e9\u4e16", "\u00e9\u4e16");
    assert_cell("a\u202e", "a?");
}

static void nothing_is_a_formula(void **state)
{
    (void)state;
    assert_cell("=1+1", "'=1+1");
    assert_cell("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
    assert_cell("+1", "'+1");
    assert_cell("-1", "'-1");
    assert_cell("@SUM(A1)", "'@SUM(A1)");
    assert_cell("\uff1d1", "'\uff1d1");
    assert_cell("\uff0b1", "'\uff0b1");
    assert_cell("a=1", "a=1");
    /* What some spreadsheets pass over before a formula. */
    assert_cell("\t=1", "?=1");
    assert_cell("\r=1", "?=1");
    assert_cell(" =1", "\" =1\"");
}

static void numbers_are_plain(void **state)
{
    (void)state;
    char folder[] = "/tmp/test-csv-XXXXXX";
    assert_non_null(mkdtemp(folder));
    csv_file_t file;
    assert_true(csv_file_open(&file, folder, "x.csv"));
    csv_file_count(&file, -1);
    csv_file_count(&file, 0);
    csv_file_count(&file, INT64_MAX);
    csv_file_real(&file, 1.0 / 0.0);
    csv_file_real(&file, 0.25);
    csv_file_real(&file, 1e-7);
    csv_file_boolean(&file, true);
    csv_file_time(&file, &(struct timespec){0});
    csv_file_time(&file, &(struct timespec){.tv_sec = 1790000000, .tv_nsec = 1500});
    /* The years 12, -12 and 10001. */
    csv_file_time(&file, &(struct timespec){.tv_sec = -61772000000});
    csv_file_time(&file, &(struct timespec){.tv_sec = -62529000000});
    csv_file_time(&file, &(struct timespec){.tv_sec = 253450000000});
    csv_file_end_row(&file);
    assert_true(csv_file_close(&file));
    assert_true(csv_file_publish(&file));
    char *path = memory_format("%s/x.csv", folder);
    FILE *in = fopen(path, "r");
    char line[256] = "";
    assert_non_null(in);
    assert_non_null(fgets(line, sizeof line, in));
    assert_string_equal(line,
                        ",0,9223372036854775807,,0.25,1e-07,TRUE,,"
                        "2026-09-21T14:13:20.000001+00:00,0012-07-10T07:06:40.000000+00:00,,\n");
    fclose(in);
    csv_file_clear(&file);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    free(path);
}

/* ---- tables ---- */

/* A report with its tables, in a folder of its own. */
typedef struct {
    char folder[sizeof "/tmp/test-csv-XXXXXX"];
    char *directory; /* "tables" in it */
    observing_t *observing;
    report_t *report;
    sink_t *collecting;
    sink_t *csv;
    char *text; /* of the file that was read last */
    char *pattern[1];
} tested_t;

static sink_result_t write_nothing(void *context, const report_t *report, char **error)
{
    (void)context;
    (void)report;
    *error = NULL;
    return SINK_OK;
}

static tested_t *tested_new(const char *pattern)
{
    tested_t *self = memory_new(1, sizeof *self);
    char *error = NULL;
    self->pattern[0] = memory_string(pattern);
    const report_options_t options = {
        .filter = {.patterns = self->pattern, .count = pattern ? 1 : 0}};
    strcpy(self->folder, "/tmp/test-csv-XXXXXX");
    assert_non_null(mkdtemp(self->folder));
    self->directory = memory_format("%s/tables", self->folder);
    self->observing = observing_new(NULL);
    self->report = report_new(&options);
    self->collecting = report_sink_new(self->report, write_nothing, NULL);
    self->csv = report_csv_new(self->directory, self->report, &options.filter, &error);
    assert_null(error);
    assert_non_null(self->csv);
    return self;
}

static void poll(tested_t *self, const char *const *servers_and_answers)
{
    char *error = NULL;
    observing_poll(self->observing, servers_and_answers);
    const observation_t *observation = self->observing->observation;
    assert_int_equal(self->collecting->methods->show(self->collecting, observation, &error),
                     SINK_OK);
    assert_int_equal(self->csv->methods->show(self->csv, observation, &error), SINK_OK);
    assert_null(error);
    observation_settle(self->observing->observation);
}

/* Returns the last result of the sink, with what it said. */
static sink_result_t end(tested_t *self, bool told, char **error)
{
    assert_int_equal(self->collecting->methods->end(self->collecting, true, error), SINK_OK);
    const sink_result_t ended = self->csv->methods->end(self->csv, true, error);
    if (ended != SINK_OK)
        return ended;
    return self->csv->methods->finish(self->csv, told, error);
}

static void end_well(tested_t *self)
{
    char *error = NULL;
    assert_int_equal(end(self, false, &error), SINK_OK);
    assert_null(error);
}

/* All of a table. */
static char *text_of(tested_t *self, const char *table)
{
    char *path = memory_format("%s/%s", self->directory, table);
    FILE *in = fopen(path, "r");
    size_t size = 0;
    assert_non_null(in);
    free(self->text);
    self->text = NULL;
    if (getdelim(&self->text, &size, '\0', in) < 0)
        fail_msg("%s is empty", path);
    fclose(in);
    free(path);
    return self->text;
}

/* The rows of a table, without the heading. */
static char *rows_of(tested_t *self, const char *table, const char *heading)
{
    char *text = text_of(self, table);
    char *end = strchr(text, '\n');
    assert_non_null(end);
    *end = '\0';
    assert_string_equal(text, heading);
    return end + 1;
}

static char *series_of(tested_t *self)
{
    return rows_of(self, "series.csv", "time,server,stream,what,value");
}

static size_t entries_of(const char *directory)
{
    DIR *entries = opendir(directory);
    size_t count = 0;
    if (!entries)
        return 0;
    while (readdir(entries))
        count++;
    closedir(entries);
    return count - 2; /* "." and ".." */
}

static void remove_entries(const char *directory)
{
    DIR *entries = opendir(directory);
    for (const struct dirent *entry = NULL; entries && (entry = readdir(entries));)
        unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries)
        closedir(entries);
    rmdir(directory);
}

static void tested_destroy(tested_t *self)
{
    if (self->csv)
        self->csv->methods->destroy(&self->csv);
    self->collecting->methods->destroy(&self->collecting);
    report_destroy(&self->report);
    observing_destroy(&self->observing);
    remove_entries(self->directory);
    assert_int_equal(rmdir(self->folder), 0);
    free(self->pattern[0]);
    free(self->directory);
    free(self->text);
    free(self);
}

#define PUBLISHER "dserver/Pub/1"
#define STREAM    "tango://h:1/a/b/c/d.change"
#define PUSHED(pid, count)                                                                         \
    "{'version': 1, 'agent': {'pid': " #pid "}, 'server': {'event_streams': {'" STREAM             \
    "': {'pushed_event_count': " #count ", 'byte_count': 1" #count "}}}}"
#define RECEIVED(received, gaps, lost)                                                             \
    "{'version': 1, 'agent': {'pid': 7}, 'client': {'event_callbacks': {"                          \
    "'tango://h:1/a/b/c/d.idl5_change': {'event_count': " #received                                \
    ", 'missed_event_count': " #gaps ", 'lost_event_count': " #lost "}}}}"
#define AT(seconds) "2026-09-21T14:13:" seconds ".000000+00:00,"
#define P           PUBLISHER ","
#define S           "dserver/Sub/1,"
#define OF          STREAM ","

static void series_have_what_was_counted_since_the_answer_before(void **state)
{
    (void)state;
    tested_t *self = tested_new(NULL);
    poll(self,
         (const char *const[]){PUBLISHER, PUSHED(1, 5), "dserver/Sub/1", RECEIVED(4, 0, 0), NULL});
    poll(self,
         (const char *const[]){PUBLISHER, PUSHED(1, 7), "dserver/Sub/1", RECEIVED(6, 1, 3), NULL});
    poll(self, (const char *const[]){PUBLISHER, "down", "dserver/Sub/1", RECEIVED(6, 1, 3), NULL});
    poll(self,
         (const char *const[]){PUBLISHER, PUSHED(2, 3), "dserver/Sub/1", RECEIVED(6, 1, 3), NULL});
    end_well(self);
    assert_string_equal(series_of(self),
                        /* Nothing of before the first answer. */
                        AT("30") P ",answered,1\n" AT("30") S ",answered,1\n"
                        /* What isn't 0. */
                        AT("40") P ",answered,1\n" AT("40") P ",seconds,10.000000000\n" AT("40")
                            P OF "pushed,2\n" AT("40") P OF "pushed_bytes,2\n" AT("40") S
                        ",answered,1\n" AT("40") S ",seconds,10.000000000\n" AT("40") S OF
                        "received,2\n" AT("40") S OF "gaps,1\n" AT("40") S OF "lost,3\n" AT("50") P
                        ",failed,1\n" AT("50") S ",answered,1\n" AT("50") S
                        ",seconds,10.000000000\n"
                        /* Another process: all that it has counted. */
                        "2026-09-21T14:14:00.000000+00:00," P ",answered,1\n"
                        "2026-09-21T14:14:00.000000+00:00," P ",seconds,20.000000000\n"
                        "2026-09-21T14:14:00.000000+00:00," P ",restarted,1\n"
                        "2026-09-21T14:14:00.000000+00:00," P OF "pushed,3\n"
                        "2026-09-21T14:14:00.000000+00:00," P OF "pushed_bytes,13\n"
                        "2026-09-21T14:14:00.000000+00:00," S ",answered,1\n"
                        "2026-09-21T14:14:00.000000+00:00," S ",seconds,10.000000000\n");
    tested_destroy(self);
}

/* The second and third cell of the last row of a text: server and stream. */
static char *names_of_last_row(const char *rows, size_t first)
{
    const char *at = rows + strlen(rows) - 1;
    while (at > rows && at[-1] != '\n')
        at--;
    for (; first > 0; first--)
        at = strchr(at, ',') + 1;
    const char *end = strchr(strchr(at, ',') + 1, ',');
    return memory_copy(at, (size_t)(end - at));
}

static void long_names_are_the_same_in_all_tables(void **state)
{
    (void)state;
    enum { LONG = 5000 };
    tested_t *self = tested_new(NULL);
    char server[LONG + 1] = "";
    memset(server, 's', LONG);
    for (int i = 0; i < 2; i++) {
        char *answer = memory_format("{'version': 1, 'agent': {'pid': 1}, 'server': "
                                     "{'event_streams': {'%s': {'pushed_event_count': %d}}}}",
                                     server, i);
        poll(self, (const char *const[]){server, answer, NULL});
        free(answer);
    }
    end_well(self);
    char *in_series = names_of_last_row(series_of(self), 1);
    char *in_totals = names_of_last_row(text_of(self, "totals.csv"), 0);
    assert_string_equal(in_series, in_totals);
    assert_true(strlen(in_series) <= 2 * REPORT_NAME + 1);
    free(in_series);
    free(in_totals);
    tested_destroy(self);
}

/* The sum of a stream's values. */
static double sum_of(tested_t *self, const char *server, const char *stream, const char *what)
{
    char *rows = series_of(self);
    double sum = 0;
    for (char *rest = NULL, *row = strtok_r(rows, "\n", &rest); row;
         row = strtok_r(NULL, "\n", &rest)) {
        const char *cells[5];
        for (size_t i = 0; i < 5; i++)
            cells[i] = strsep(&row, ",");
        if (strcmp(cells[1], server) == 0 && strcmp(cells[2], stream) == 0 &&
            strcmp(cells[3], what) == 0)
            sum += strtod(cells[4], NULL);
    }
    return sum;
}

static void check_sums(tested_t *self, const total_t *total)
{
    const char *stream = total->kind == TOTAL_SERVER ? "" : STREAM;
    if (total->kind == TOTAL_SERVER) {
        assert_true(sum_of(self, total->server, stream, "failed") == (double)total->failures);
        assert_true(sum_of(self, total->server, stream, "restarted") == (double)total->restarts);
        assert_true(sum_of(self, total->server, stream, "seconds") == total->seconds);
        return;
    }
    const bool pushed = total->kind == TOTAL_PUBLISHED;
    const counters_t *counters = pushed ? &counters_of_publisher : &counters_of_subscription;
    const void *counts = pushed ? (const void *)&total->pushed : &total->received;
    for (size_t i = 0; i < counters->count; i++)
        if (counters->list[i].in_totals)
            assert_true(
                sum_of(self, total->server, stream, counter_table_name(&counters->list[i])) ==
                (double)counter_of(&counters->list[i], counts));
    if (!pushed)
        assert_true(sum_of(self, total->server, stream, "not_received") ==
                    (double)total_not_received(total));
}

static void assert_sums_are_the_totals(tested_t *self)
{
    size_t count = 0;
    const total_t *const *totals = totals_rows(self->observing->observation->totals, &count);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++)
        check_sums(self, totals[i]);
}

/* Whatever happens in between. */
static void sums_of_series_are_the_totals(void **state)
{
    (void)state;
    tested_t *self = tested_new(NULL);
    static const char *const polls[][5] = {
        {PUBLISHER, PUSHED(1, 5), "dserver/Sub/1", RECEIVED(4, 0, 0)},
        {PUBLISHER, PUSHED(1, 15), "dserver/Sub/1", RECEIVED(5, 0, 0)},
        {PUBLISHER, PUSHED(1, 25), "dserver/Sub/1", RECEIVED(6, 1, 2)},
        {PUBLISHER, PUSHED(1, 25), "dserver/Sub/1", RECEIVED(9, 1, 2)},
        {PUBLISHER, "down", "dserver/Sub/1", "down"},
        {PUBLISHER, PUSHED(2, 6), "dserver/Sub/1", RECEIVED(9, 1, 2)},
        {PUBLISHER, PUSHED(2, 9), "dserver/Sub/1", RECEIVED(1, 0, 0)},
        {PUBLISHER, PUSHED(2, 90), "dserver/Sub/1",
         "{'version': 1, 'agent': {'pid': 7}, 'client': {}}"},
        {PUBLISHER, PUSHED(2, 95), "dserver/Sub/1", RECEIVED(2, 0, 0)},
        {PUBLISHER, PUSHED(2, 99), "dserver/Sub/1", RECEIVED(3, 0, 0)},
    };
    for (size_t i = 0; i < sizeof polls / sizeof *polls; i++)
        poll(self, polls[i]);
    end_well(self);
    assert_sums_are_the_totals(self);
    tested_destroy(self);
}

#define WAITING(received)                                                                          \
    "{'version': 1, 'agent': {'pid': 7}, 'client': {'event_callbacks': {"                          \
    "'tango://h:1/a/b/c/d.idl5_change': {'event_count': " #received                                \
    ", 'missed_event_count': 0, 'lost_event_count': 0, 'server_counter': " #received "}}}}"

static void events_that_wait_are_added_and_taken_away(void **state)
{
    (void)state;
    tested_t *self = tested_new(NULL);
    poll(self, (const char *const[]){PUBLISHER, PUSHED(1, 5), "dserver/Sub/1", WAITING(5), NULL});
    poll(self, (const char *const[]){PUBLISHER, PUSHED(1, 15), "dserver/Sub/1", WAITING(5), NULL});
    poll(self, (const char *const[]){PUBLISHER, PUSHED(1, 15), "dserver/Sub/1", WAITING(5), NULL});
    poll(self, (const char *const[]){PUBLISHER, PUSHED(1, 15), "dserver/Sub/1", WAITING(15), NULL});
    end_well(self);
    const char *rows = series_of(self);
    assert_non_null(strstr(rows, AT("50") S OF "not_received,10\n"));
    assert_non_null(strstr(rows, S OF "received,10\n2026-09-21T14:14:00.000000+00:00," S OF
                                      "not_received,-10\n"));
    tested_destroy(self);
}

/* What a process hadn't received when it ended stays in the sum, as in the totals. */
static void what_never_came_stays_in_the_sum(void **state)
{
    (void)state;
    tested_t *self = tested_new(NULL);
    static const char *const polls[][5] = {
        {PUBLISHER, PUSHED(1, 5), "dserver/Sub/1", WAITING(5)},
        {PUBLISHER, PUSHED(1, 15), "dserver/Sub/1", WAITING(5)},
        {PUBLISHER, PUSHED(1, 15), "dserver/Sub/1", WAITING(5)},
        {PUBLISHER, PUSHED(1, 15), "dserver/Sub/1",
         "{'version': 1, 'agent': {'pid': 8}, 'client': {}}"},
        {PUBLISHER, PUSHED(1, 15), "dserver/Sub/1", WAITING(0)},
    };
    for (size_t i = 0; i < sizeof polls / sizeof *polls; i++)
        poll(self, polls[i]);
    end_well(self);
    assert_true(sum_of(self, "dserver/Sub/1", STREAM, "not_received") == 10);
    assert_sums_are_the_totals(self);
    tested_destroy(self);
}

#define HISTOGRAM(count, sum)                                                                      \
    "{'buckets': [[1024000, 1280000, " #count "]], 'count': " #count ", 'sum_nanos': " #sum        \
    ", 'max_nanos': 1200000}"
#define MEASURED(pid, events, count, sum)                                                          \
    "{'version': 1, 'agent': {'pid': " #pid "}, 'client': {'event_callbacks': {'" STREAM           \
    "': {'event_count': " #events ", 'latency_histogram': " HISTOGRAM(count, sum) "}}}}"

static void durations_are_those_of_a_poll(void **state)
{
    (void)state;
    tested_t *self = tested_new(NULL);
    poll(self, (const char *const[]){"s", MEASURED(1, 10, 10, 11000000), NULL});
    poll(self, (const char *const[]){"s", MEASURED(1, 12, 12, 13400000), NULL});
    end_well(self);
    assert_string_equal(
        strstr(series_of(self), AT("40")),
        AT("40") "s,,answered,1\n" AT("40") "s,,seconds,10.000000000\n" AT(
            "40") "s," OF
                  "received,2\n" AT("40") "s," OF "latency_events,2\n" AT(
                      "40") "s," OF
                            "latency_mean_seconds,0.001200000\n" AT(
                                "40") "s," OF
                                      "latency_p50_seconds,0.001152000\n" AT(
                                          "40") "s," OF
                                                "latency_p90_seconds,0.001152000\n" AT(
                                                    "40") "s," OF
                                                          "latency_p99_seconds,0.001152000\n" AT(
                                                              "40") "s," OF "latency_max_seconds,0."
                                                                    "001152000\n");
    tested_destroy(self);
}

static void servers_have_their_own_counters(void **state)
{
    (void)state;
    tested_t *self = tested_new("nothing");
#define OWN(uncounted, missed)                                                                     \
    "{'version': 1, 'agent': {'pid': 1, 'uncounted': " #uncounted                                  \
    "}, 'client': {'event_channels': {'c': {'heartbeat_count': 9" #missed                          \
    ", 'missed_heartbeat_count': " #missed "}, 'd': {'missed_heartbeat_count': " #missed "}}}}"
    poll(self, (const char *const[]){"s", OWN(4, 1), NULL});
    poll(self, (const char *const[]){"s", OWN(6, 2), NULL});
    end_well(self);
    assert_string_equal(strstr(series_of(self), AT("40")),
                        AT("40") "s,,answered,1\n" AT("40") "s,,seconds,10.000000000\n" AT(
                            "40") "s,,uncounted,2\n" AT("40") "s,,missed_heartbeats,2\n");
    tested_destroy(self);
}

static void streams_are_filtered_and_servers_are_not(void **state)
{
    (void)state;
    tested_t *self = tested_new("x/*");
    poll(self,
         (const char *const[]){PUBLISHER, PUSHED(1, 5), "dserver/Sub/1", RECEIVED(4, 0, 0), NULL});
    poll(self,
         (const char *const[]){PUBLISHER, PUSHED(1, 7), "dserver/Sub/1", RECEIVED(6, 1, 3), NULL});
    end_well(self);
    assert_null(strstr(series_of(self), STREAM));
    assert_non_null(strstr(series_of(self), AT("40") S ",answered,1\n"));
    tested_destroy(self);
}

#define TOTALS                                                                                     \
    "server,stream,role,publisher,topic,pushed,pushed_bytes,received,gaps,lost,lost_in_outage,"    \
    "discarded,errors,publisher_restarts,received_bytes,not_received,lost_is_minimum,"             \
    "lost_is_derived,peak_rate,worst_time,"                                                        \
    "push_events,push_p50_seconds,push_p90_seconds,push_p99_seconds,push_max_seconds,"             \
    "latency_events,latency_p50_seconds,latency_p90_seconds,latency_p99_seconds,"                  \
    "latency_max_seconds,"                                                                         \
    "processing_events,processing_p50_seconds,processing_p90_seconds,processing_p99_seconds,"      \
    "processing_max_seconds"

static void totals_join_publishers_and_subscribers(void **state)
{
    (void)state;
    tested_t *self = tested_new(NULL);
    poll(self,
         (const char *const[]){PUBLISHER, PUSHED(1, 5), "dserver/Sub/1", RECEIVED(4, 0, 0), NULL});
    poll(self,
         (const char *const[]){PUBLISHER, PUSHED(1, 25), "dserver/Sub/1", RECEIVED(6, 1, 3), NULL});
    end_well(self);
    char *rows = rows_of(self, "totals.csv", TOTALS);
    char *second = strchr(rows, '\n') + 1;
    static const char first[] = P OF "publisher," PUBLISHER ",,20,110,,,,,,,,,,,,2,,";
    static const char other[] =
        S OF "subscriber," PUBLISHER ",tango://h:1/a/b/c/d.idl5_change,,,2,1,3,0,,,,,";
    assert_memory_equal(rows, first, sizeof first - 1);
    assert_memory_equal(second, other, sizeof other - 1);
    assert_null(strchr(strchr(second, '\n') + 1, '\n'));
    tested_destroy(self);
}

static void the_other_tables_are_those_of_the_report(void **state)
{
    (void)state;
    tested_t *self = tested_new(NULL);
    poll(self, (const char *const[]){"=s,1", RECEIVED(4, 0, 0), NULL});
    poll(self, (const char *const[]){"=s,1", RECEIVED(6, 1, 3), NULL});
    poll(self, (const char *const[]){"=s,1", "no \"route\"", NULL});
    end_well(self);
    const char *rows = rows_of(self, "servers.csv",
                               "server,polls,answered,failed,restarts,failed_seconds,first_answer,"
                               "last_answer,fails,error,source,agent_version,tango_version,"
                               "agent_loaded,agent_attached,process_started,measured");
    assert_non_null(strstr(rows, "\"'=s,1\",3,2,1,0,"));
    assert_non_null(strstr(rows, ",TRUE,\"no \"\"route\"\"\",agent,,,,,,FALSE\n"));
    rows = rows_of(self, "findings.csv",
                   "rule,group,severity,state,begin,end,seconds,times,events,events_is_minimum,"
                   "server,stream,publisher,subscriber,object,text,advice,identity");
    assert_non_null(strstr(rows, "overflow,loss,fault,"));
    assert_non_null(strstr(rows, ",3,FALSE,\"'=s,1\"," STREAM ",,\"'=s,1\",,"));
    (void)rows_of(self, "incidents.csv", "kind,begin,end,seconds,lasts,server,text");
    tested_destroy(self);
}

/* ---- files ---- */

static void tables_come_when_all_of_them_are_complete(void **state)
{
    (void)state;
    tested_t *self = tested_new(NULL);
    struct stat status;
    char *series = memory_format("%s/series.csv", self->directory);
    char *other = memory_format("%s/other", self->directory);
    assert_int_equal(fclose(fopen(series, "w")), 0);
    assert_int_equal(fclose(fopen(other, "w")), 0);
    poll(self, (const char *const[]){PUBLISHER, PUSHED(1, 5), NULL});
    assert_int_equal(stat(series, &status), 0);
    assert_int_equal(status.st_size, 0); /* still the old one */
    end_well(self);
    assert_non_null(strstr(series_of(self), "answered"));
    assert_int_equal(entries_of(self->directory), 6);
    assert_int_equal(stat(series, &status), 0);
    const mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(status.st_mode & 0777, 0666 & ~mask);
    free(series);
    free(other);
    tested_destroy(self);
}

static void nothing_is_left_of_what_was_cut_short(void **state)
{
    (void)state;
    tested_t *self = tested_new(NULL);
    char *error = NULL;
    poll(self, (const char *const[]){PUBLISHER, PUSHED(1, 5), NULL});
    assert_int_equal(entries_of(self->directory), 1);
    assert_int_equal(end(self, true, &error), SINK_FAILED);
    char *expected =
        memory_format("%s: no tables were written, since not everything was read", self->directory);
    assert_string_equal(error, expected);
    assert_int_equal(entries_of(self->folder), 0);
    free(expected);
    free(error);
    tested_destroy(self);

    self = tested_new(NULL);
    self->csv->methods->destroy(&self->csv);
    assert_int_equal(entries_of(self->folder), 0);
    tested_destroy(self);

    self = tested_new(NULL);
    self->csv->methods->abandon(self->csv);
    assert_int_equal(entries_of(self->folder), 0);
    tested_destroy(self);
}

/* A limit on the size of files takes the place of a full disk. */
static void a_full_disk_is_said_once(void **state)
{
    (void)state;
    tested_t *self = tested_new(NULL);
    struct rlimit limit;
    char *error = NULL;
    signal(SIGXFSZ, SIG_IGN);
    poll(self, (const char *const[]){PUBLISHER, PUSHED(1, 5), NULL});
    getrlimit(RLIMIT_FSIZE, &limit);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 20, .rlim_max = limit.rlim_max});
    const sink_result_t result = end(self, false, &error);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(result, SINK_FAILED);
    char *expected =
        memory_format("%s/series.csv: can't write it: %s", self->directory, strerror(EFBIG));
    assert_string_equal(error, expected);
    free(expected);
    free(error);
    error = NULL;
    assert_int_equal(self->csv->methods->finish(self->csv, false, &error), SINK_OK);
    assert_null(error);
    assert_int_equal(entries_of(self->folder), 0);
    tested_destroy(self);
}

static void assert_refused(const char *directory, const char *expected)
{
    const report_options_t options = {.window = 0};
    report_t *report = report_new(&options);
    char *error = NULL;
    assert_null(report_csv_new(directory, report, &options.filter, &error));
    assert_string_equal(error, expected);
    free(error);
    report_destroy(&report);
}

static void a_directory_that_cannot_be_made_is_said(void **state)
{
    (void)state;
    assert_refused("/dev/null", "/dev/null: it is no directory for tables");
    assert_refused("/dev/null/x",
                   "/dev/null/x: can't make the directory for tables: Not a directory");
    assert_refused("/nowhere/x",
                   "/nowhere/x: can't make the directory for tables: No such file or directory");
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_quoted_where_they_must),
        cmocka_unit_test(a_row_is_one_line),
        cmocka_unit_test(nothing_is_a_formula),
        cmocka_unit_test(numbers_are_plain),
        cmocka_unit_test(series_have_what_was_counted_since_the_answer_before),
        cmocka_unit_test(long_names_are_the_same_in_all_tables),
        cmocka_unit_test(sums_of_series_are_the_totals),
        cmocka_unit_test(events_that_wait_are_added_and_taken_away),
        cmocka_unit_test(what_never_came_stays_in_the_sum),
        cmocka_unit_test(durations_are_those_of_a_poll),
        cmocka_unit_test(servers_have_their_own_counters),
        cmocka_unit_test(streams_are_filtered_and_servers_are_not),
        cmocka_unit_test(totals_join_publishers_and_subscribers),
        cmocka_unit_test(the_other_tables_are_those_of_the_report),
        cmocka_unit_test(tables_come_when_all_of_them_are_complete),
        cmocka_unit_test(nothing_is_left_of_what_was_cut_short),
        cmocka_unit_test(a_full_disk_is_said_once),
        cmocka_unit_test(a_directory_that_cannot_be_made_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
