/* The command line of ska-tango-event-report, and the times that it takes. */
#include "cmocka_all.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "report/progress.h"
#include "report/report_options.h"

static int set_zone(void **state)
{
    (void)state;
    setenv("TZ", "XYZ-5:30", 1);
    tzset();
    return 0;
}

enum { MOST = 16 };

static report_options_result_t parse(report_program_options_t *options, char **error,
                                     const char *const *words)
{
    static char program[] = "ska-tango-event-report";
    static char *argv[MOST + 2];
    memset(argv, 0, sizeof argv);
    argv[0] = program;
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    return report_options_parse(options, argc, argv, error);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_the_defaults(void **state)
{
    (void)state;
    report_program_options_t options;
    char *error = NULL;
    assert_int_equal(parse(&options, &error, WORDS("a", "b")), REPORT_OPTIONS_RUN);
    assert_null(error);
    assert_int_equal(options.file_count, 2);
    assert_string_equal(options.files[1], "b");
    assert_int_equal(options.format, FORMAT_TEXT);
    assert_int_equal(options.top, 10);
    assert_null(options.html);
    assert_null(options.csv);
    assert_false(options.since.is_given || options.until.is_given || options.quiet ||
                 options.no_color || options.fail_on.is_given);
    report_options_clear(&options);
}

static void test_all_of_them(void **state)
{
    (void)state;
    report_program_options_t options;
    char *error = NULL;
    assert_int_equal(parse(&options, &error,
                           WORDS("--html", "x", "--csv=d", "--only=*a*", "--only", "b", "--top",
                                 "3", "-q", "--no-color", "--fail-on", "loss", "-")),
                     REPORT_OPTIONS_RUN);
    assert_string_equal(options.html, "x");
    assert_string_equal(options.csv, "d");
    assert_int_equal(options.filter.count, 2);
    assert_string_equal(options.filter.patterns[1], "b");
    assert_int_equal(options.top, 3);
    assert_true(options.quiet && options.no_color && options.fail_on.is_given);
    assert_string_equal(options.files[0], "-");
    report_options_clear(&options);
    assert_int_equal(parse(&options, &error, WORDS("--format=json", "x")), REPORT_OPTIONS_RUN);
    assert_int_equal(options.format, FORMAT_JSON);
    report_options_clear(&options);
    assert_int_equal(parse(&options, &error, WORDS("-h")), REPORT_OPTIONS_HELP);
    report_options_clear(&options);
    assert_int_equal(parse(&options, &error, WORDS("--version")), REPORT_OPTIONS_VERSION);
    report_options_clear(&options);
}

static void assert_wrong(const char *const *words, const char *expected)
{
    report_program_options_t options;
    char *error = NULL;
    assert_int_equal(parse(&options, &error, words), REPORT_OPTIONS_WRONG);
    if (strncmp(error, expected, strlen(expected)) != 0)
        fail_msg("%s", error);
    free(error);
    report_options_clear(&options);
}

static void test_what_is_wrong(void **state)
{
    (void)state;
    assert_wrong(WORDS("--top", "0", "x"), "--top 0: not a number of entries, 1 or more");
    assert_wrong(WORDS("-q"), "no recording given");
    assert_wrong(WORDS("--format", "xml", "x"), "--format xml: must be text or json");
    assert_wrong(WORDS("--html", "", "x"), "--html: the name is empty");
    assert_wrong(WORDS("--csv=", "x"), "--csv: the name is empty");
    assert_wrong(WORDS("--since", "soon", "x"), "--since soon: must be a time of day (23:30)");
    assert_wrong(WORDS("--until", "25:00", "x"), "--until 25:00: must be");
    assert_wrong(WORDS("--since=2026-03-02", "--until=2026-03-01", "x"), "--until: is before");
    assert_wrong(WORDS("--threshold", "x=1", "x"), "--threshold: ");
    assert_wrong(WORDS("--thresholds", "/nowhere", "x"), "--thresholds: /nowhere: can't read it");
    assert_wrong(WORDS("--fail-on", "x", "x"), "--fail-on: ");
    assert_wrong(WORDS("--html=-", "--format=json", "x"), "--html -: ");
    assert_wrong(WORDS("--wrong", "x"), "--wrong: no such option");
    assert_wrong(WORDS("--html"), "--html: ");
}

static void assert_time(const char *text, const char *expected)
{
    time_option_t time;
    struct timespec wanted;
    assert_true(time_option_parse(text, &time));
    assert_true(timespec_parse(expected, &wanted));
    assert_false(time.is_of_day);
    assert_true(timespec_seconds_between(&time.time, &wanted) == 0);
}

static void test_times(void **state)
{
    (void)state;
    assert_time("2026-03-01T12:00:00.250000+01:00", "2026-03-01T11:00:00.250000Z");
    assert_time("2026-03-01T12:00:00", "2026-03-01T06:30:00Z");
    assert_time("2026-03-01 12:00:30", "2026-03-01T06:30:30Z");
    assert_time("2026-03-01T12:00", "2026-03-01T06:30:00Z");
    assert_time("2026-03-01T12:00Z", "2026-03-01T12:00:00Z");
    assert_time("2026-03-01 12:00+02:00", "2026-03-01T10:00:00Z");
    assert_time("2026-03-01", "2026-02-28T18:30:00Z");
    time_option_t time;
    static const char *const wrong[] = {
        "",           "12",          "12:",          "24:61", "12:00:00x", "2026-3",
        "2026-02-30", "2026-03-01T", "2026-03-01Tx", "-2h",   "now"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (time_option_parse(wrong[i], &time))
            fail_msg("%s", wrong[i]);
}

static void assert_of_day(const char *text, const char *after, const char *since, const char *until)
{
    time_option_t time;
    struct timespec from;
    struct timespec wanted;
    assert_true(time_option_parse(text, &time));
    assert_true(time.is_of_day);
    assert_true(timespec_parse(after, &from));
    assert_true(timespec_parse(since, &wanted));
    assert_int_equal(time_option_since(&time, &from).tv_sec, wanted.tv_sec);
    assert_true(timespec_parse(until, &wanted));
    assert_int_equal(time_option_until(&time, &from).tv_sec, wanted.tv_sec);
}

static void test_times_of_day(void **state)
{
    (void)state;
    static const char begin[] = "2026-03-01T22:00:30.25";
    assert_of_day("23:30", begin, "2026-03-01T23:30:00", "2026-03-01T23:30:00");
    assert_of_day("01:15:30", begin, "2026-03-02T01:15:30", "2026-03-02T01:15:30");
    assert_of_day("00:00", begin, "2026-03-02T00:00:00", "2026-03-02T00:00:00");
    /* It began in that minute, or second. */
    assert_of_day("22:00", begin, "2026-03-01T22:00:00", "2026-03-02T22:00:00");
    assert_of_day("22:00:30", begin, "2026-03-01T22:00:30", "2026-03-02T22:00:30");
    assert_of_day("22:00:29", begin, "2026-03-02T22:00:29", "2026-03-02T22:00:29");
    assert_of_day("21:59", begin, "2026-03-02T21:59:00", "2026-03-02T21:59:00");
    assert_of_day("22:00", "2026-03-01T22:00:00", "2026-03-01T22:00:00", "2026-03-02T22:00:00");
    assert_of_day("00:00", "2026-03-02T00:00:20", "2026-03-02T00:00:00", "2026-03-03T00:00:00");
}

static void assert_progress(double part, double bytes, double seconds, size_t width,
                            const char *expected)
{
    char *text = progress_text(part, bytes, 1234, seconds, width);
    assert_string_equal(text, expected);
    assert_true(strlen(text) < width);
    free(text);
}

static void test_progress(void **state)
{
    (void)state;
    assert_progress(0.25, 25e6, 1, 60,
                    "Reading [######                  ]  25 %  25 MB/s  3 s left");
    assert_progress(0.25, 25e6, 1, 40, "Reading  25 %  25 MB/s  3 s left");
    assert_progress(0.25, 25e6, 1, 20, "Reading  25 %  25 M");
    assert_progress(1, 1e9, 10, 50, "Reading [#############] 100 %  100 MB/s  0 s left");
    assert_progress(0, 0, 1, 50, "Reading [                     ]   0 %  0 B/s");
    assert_progress((double)NAN, 0, 1, 50, "Reading: 1234 polls");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_defaults),  cmocka_unit_test(test_all_of_them),
        cmocka_unit_test(test_what_is_wrong), cmocka_unit_test(test_times),
        cmocka_unit_test(test_times_of_day),  cmocka_unit_test(test_progress),
    };
    return cmocka_run_group_tests(tests, set_zone, NULL);
}
