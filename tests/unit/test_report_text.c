/* A report as a page of text, compared with expected pages in tests/data. */
#include "cmocka_all.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "monitor/analysis/findings/rules.h"
#include "monitor/view/report/report_text.h"

static int set_up(void **state)
{
    (void)state;
    setenv("TZ", "XYZ-1", 1);
    tzset();
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

enum { NIGHT = 1772398800 }; /* 2026-03-01T22:00:00+01:00 */

static struct timespec at(int seconds)
{
    return (struct timespec){.tv_sec = NIGHT + seconds};
}

#define PREFIX "tango://host:10000/"

static report_server_t servers[] = {
    {.name = (char *)PREFIX "dserver/Weather/1", .polls = 3600},
    {.name = (char *)PREFIX "dserver/Archiver/1", .polls = 3600, .failures = 12},
    {.name = (char *)PREFIX "dserver/Evil/\033[31m\n<b>", .polls = 3600},
};

static const report_percentiles_t none = {
    .median = NAN, .percentile_90 = NAN, .percentile_99 = NAN, .maximum = NAN};
static const report_percentiles_t some = {.count = 1234567,
                                          .median = 0.0012,
                                          .percentile_90 = 0.003,
                                          .percentile_99 = 0.2,
                                          .maximum = 3.5};

static report_row_t published = {.is_published = true, .server = 0};
static report_row_t evil = {.is_published = true, .server = 2};
static report_row_t received[] = {{.server = 1, .sum = {.lost = 12}}, {.server = 2}};
static report_row_t *rows[] = {&published, &received[0], &received[1], &evil};

static report_stream_t streams[] = {
    {.name = PREFIX "lab/weather/1/wind.change",
     .publisher_count = 1,
     .first_subscription = 1,
     .subscription_count = 2,
     .pushed = 1000000,
     .received = 1999988,
     .lost = 12,
     .lost_is_minimum = true,
     .lost_is_derived = true,
     .not_received = 3},
    {.name = PREFIX "lab/evil/\033]0;x\007/\xff.change",
     .first_publisher = 3,
     .publisher_count = 1,
     .pushed = 7,
     .received = RESPONSE_UNKNOWN,
     .lost = RESPONSE_UNKNOWN,
     .not_received = RESPONSE_UNKNOWN},
    {.name = PREFIX "lab/elsewhere/1/x.change",
     .first_subscription = 1,
     .subscription_count = 1,
     .pushed = RESPONSE_UNKNOWN,
     .received = 5,
     .lost = 0,
     .not_received = RESPONSE_UNKNOWN},
};

static report_incident_t incidents[] = {
    {.kind = INCIDENT_OUTAGE, .server = 1, .text = (char *)"no answer within 3 s"},
    {.kind = INCIDENT_RESTART, .server = 0},
    {.kind = INCIDENT_GAP, .server = REPORT_NONE},
    {.kind = INCIDENT_OUTAGE, .server = 2, .lasts = true, .text = (char *)"\033[2J went\naway"},
};

static report_minute_t minutes[] = {
    {.pushed = 6000,
     .received = 11988,
     .lost = 12,
     .failures = 2,
     .latency = 0.25F,
     .processing = NAN,
     .stream = (char *)PREFIX "lab/weather/1/wind.change"},
    {.pushed = 6000, .received = 12000, .restarts = 1, .latency = NAN, .processing = NAN},
    {.pushed = 6000, .received = 12000, .latency = NAN, .processing = NAN},
};

static finding_t found[3];
static const finding_t *const findings[] = {&found[0], &found[1], &found[2]};

static void make_findings(void)
{
    found[0] = (finding_t){.rule = &rules[0],
                           .severity = SEVERITY_FAULT,
                           .about = {.server = PREFIX "dserver/Archiver/1"},
                           .text = (char *)"lost 12 of 90 on " PREFIX "lab/weather/1/wind.change",
                           .times = 1,
                           .since = at(600),
                           .first = at(600),
                           .seen = at(635),
                           .seconds_in_all = 35};
    found[1] = (finding_t){.rule = &rules[1],
                           .severity = SEVERITY_FAULT,
                           .text = (char *)"a \033[1mbold\nlie",
                           .times = 3,
                           .since = at(9000),
                           .first = at(60),
                           .seen = at(9010),
                           .events_in_all = 15,
                           .seconds_in_all = 70};
    found[2] = (finding_t){.rule = &rules[2],
                           .severity = SEVERITY_WARNING,
                           .times = 1,
                           .since = at(35000),
                           .first = at(35000),
                           .seen = at(36000),
                           .seconds_in_all = 1000};
}

static report_t report_of_a_night(void)
{
    make_findings();
    for (size_t i = 0; i < REPORT_DURATIONS; i++) {
        published.percentiles[i] = evil.percentiles[i] = received[1].percentiles[i] = none;
        received[0].percentiles[i] = some;
    }
    received[0].worst = at(600);
    for (int i = 0; i < 4; i++) {
        incidents[i].begin = at(1000 * (i + 1));
        incidents[i].end = at(1000 * (i + 1) + 100 * (4 - i));
    }
    for (int i = 0; i < 3; i++)
        minutes[i].begin = at(600 * (i + 1));
    return (report_t){
        .first = at(0),
        .last = at(36000),
        .period = 10,
        .polls = 3600,
        .lost_polls = 2,
        .broken_lines = 1,
        .gap_seconds = 200,
        .pushed = {.events = 1000007},
        .received = {.events = 1999993, .lost = 12, .lost_in_outage = 5},
        .knows_lost = true,
        .lost_is_minimum = true,
        .servers = servers,
        .server_count = 3,
        .rows = rows,
        .row_count = 4,
        .streams = streams,
        .stream_count = 3,
        .stream_rows = rows,
        .incidents = incidents,
        .incident_count = 4,
        .minutes = minutes,
        .minute_count = 3,
        .findings = findings,
        .finding_count = 3,
        .percentiles = {[REPORT_PUSH] = none, [REPORT_LATENCY] = some, [REPORT_PROCESSING] = none},
        .streams_left_out = 4,
        .findings_left_out = 1,
        .incidents_left_out = 1,
    };
}

static char *text_of(const report_t *report, const report_text_options_t *options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    report_text_write(out, report, options);
    memory_stream_close(out);
    return text;
}

static void assert_file(const report_text_options_t *options, const char *file)
{
    const report_t report = report_of_a_night();
    char *text = text_of(&report, options);
    char *path = memory_format("%s/%s", TEST_DATA_DIR, file);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    char expected[16384] = "";
    const size_t size = fread(expected, 1, sizeof expected - 1, in);
    expected[size] = '\0';
    fclose(in);
    assert_string_equal(text, expected);
    free(path);
    free(text);
}

static void test_all_of_it(void **state)
{
    (void)state;
    assert_file(&(report_text_options_t){.top = 10, .files = 3}, "report-text.txt");
}

static void test_on_a_narrow_terminal(void **state)
{
    (void)state;
    assert_file(&(report_text_options_t){.top = 10, .style = {.width = 80}}, "report-text-80.txt");
}

/* Of each list, what matters most; and how much is left out. */
static void test_the_top(void **state)
{
    (void)state;
    assert_file(&(report_text_options_t){.top = 1}, "report-text-top.txt");
}

/* What comes from the network moves no cursor and breaks no line. */
static void test_hostile_names(void **state)
{
    (void)state;
    const report_t report = report_of_a_night();
    char *text = text_of(&report, &(report_text_options_t){.top = 10});
    for (const char *at_byte = text; *at_byte; at_byte++)
        assert_true((unsigned char)*at_byte >= ' ' || *at_byte == '\n');
    assert_non_null(strstr(text, "dserver/Evil/?[31m?<b>"));
    assert_non_null(strstr(text, "a ?[1mbold?lie"));
    free(text);
}

static void test_colours(void **state)
{
    (void)state;
    const report_t report = report_of_a_night();
    char *text = text_of(&report, &(report_text_options_t){.top = 10, .style = {.color = true}});
    assert_non_null(strstr(text, "\n\033[1mFound\033[0m\n\033[1;31mFAULT    lost 12 of 90 on"));
    assert_non_null(strstr(text, "\n\033[33mWARNING  "));
    free(text);
}

static void test_nothing_wrong(void **state)
{
    (void)state;
    const report_t report = {.first = at(0),
                             .last = at(10),
                             .period = NAN,
                             .polls = 1,
                             .servers = servers,
                             .server_count = 1,
                             .percentiles = {none, none, none}};
    char *text = text_of(&report, &(report_text_options_t){.top = 10, .files = 1});
    assert_string_equal(text,
                        "From 2026-03-01T22:00:00+01:00 to 2026-03-01T22:00:10+01:00: 10.0 s\n"
                        "1 poll of 1 server\n"
                        "0 events pushed, 0 received, whether events were LOST isn't known\n"
                        "Names are without tango://host:10000/\n"
                        "\n"
                        "Nothing was found\n"
                        "\n"
                        "Streams\n"
                        "  none\n"
                        "\n"
                        "How long events took\n"
                        "  isn't known: record with -m, so that servers measure it\n");
    free(text);
}

/* Names of two databases are shown in full. */
static void test_two_databases(void **state)
{
    (void)state;
    report_t report = report_of_a_night();
    report_server_t two[] = {servers[0], {.name = (char *)"tango://other:10000/dserver/Weather/1"}};
    report.servers = two;
    report.server_count = 2;
    report.incident_count = 0;
    char *text = text_of(&report, &(report_text_options_t){.top = 10});
    assert_null(strstr(text, "Names are without"));
    assert_non_null(strstr(text, "  " PREFIX "lab/weather/1/wind.change  "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),     cmocka_unit_test(test_on_a_narrow_terminal),
        cmocka_unit_test(test_the_top),       cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_colours),       cmocka_unit_test(test_nothing_wrong),
        cmocka_unit_test(test_two_databases),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
