#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/options.h"

#define MAX_ARGS 16

/* Parses a command line given as words; the words may be reordered, so they are copied. */
static options_result_t parse(options_t *options, char **error, const char *const *words)
{
    static char *argv[MAX_ARGS + 1];
    int argc = 0;
    argv[argc++] = (char *)"ska-tango-event-monitor";
    while (words[argc - 1] && argc < MAX_ARGS) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    argv[argc] = NULL;
    return options_parse(options, argc, argv, error);
}

static void wrong(const char *expected, const char *const *words)
{
    options_t options;
    char *error = NULL;
    assert_int_equal(parse(&options, &error, words), OPTIONS_WRONG);
    assert_non_null(error);
    if (!strstr(error, expected))
        fail_msg("\"%s\" is not in: %s", expected, error);
    assert_null(strchr(error, '\n'));
    free(error);
    options_clear(&options);
}

static void test_defaults(void **state)
{
    (void)state;
    options_t options;
    char *error = NULL;
    const char *const words[] = {"foo/bar/pub", NULL};
    assert_int_equal(parse(&options, &error, words), OPTIONS_RUN);
    assert_null(error);
    assert_true(options.watch.poll_period == 10.0);
    assert_true(options.watch.timeout == 3.0);
    assert_true(options.count == 0);
    assert_null(options.recording.path);
    assert_false(options.recording.append || options.watch.perf || options.quiet);
    assert_true(options.watch.selection.name_count == 1);
    assert_string_equal(options.watch.selection.names[0], "foo/bar/pub");
    assert_false(options.watch.selection.all || options.watch.selection.skip_unsupported ||
                 options.watch.list);
    assert_true(options.watch.selection.excluded_count == 0);
    options_clear(&options);
}

static void test_what_to_watch(void **state)
{
    (void)state;
    options_t options;
    char *error = NULL;
    const char *const words[] = {
        "--all",  "--exclude", "a/*",   "--exclude=b/?", "--skip-unsupported",
        "--list", "--follow",  "@file", "c/*/*",         NULL};
    assert_int_equal(parse(&options, &error, words), OPTIONS_RUN);
    assert_true(options.watch.selection.all && options.watch.selection.skip_unsupported &&
                options.watch.list);
    assert_true(options.watch.follow);
    assert_true(options.watch.selection.excluded_count == 2);
    assert_string_equal(options.watch.selection.excluded[0], "a/*");
    assert_string_equal(options.watch.selection.excluded[1], "b/?");
    assert_true(options.watch.selection.name_count == 2);
    assert_string_equal(options.watch.selection.names[0], "@file");
    options_clear(&options);
    assert_false(options.watch.selection.local);
    /* --all names enough, and so does --local. */
    assert_int_equal(parse(&options, &error, (const char *const[]){"--all", NULL}), OPTIONS_RUN);
    options_clear(&options);
    assert_int_equal(parse(&options, &error, (const char *const[]){"--local", NULL}), OPTIONS_RUN);
    assert_true(options.watch.selection.local);
    options_clear(&options);
}

static void test_everything(void **state)
{
    (void)state;
    options_t options;
    char *error = NULL;
    const char *const words[] = {"a/b/c", "--poll-period", "0.5",   "-amqv",     "-o",
                                 "file",  "--count=7",     "d/e/f", "--timeout", "1e1",
                                 "--",    "-odd",          NULL};
    assert_int_equal(parse(&options, &error, words), OPTIONS_RUN);
    assert_true(options.watch.poll_period == 0.5);
    assert_true(options.watch.timeout == 10.0);
    assert_true(options.count == 7);
    assert_string_equal(options.recording.path, "file");
    assert_true(options.recording.append && options.watch.perf && options.quiet);
    assert_true(options.view.summary.verbose);
    assert_true(options.watch.selection.name_count == 3);
    assert_string_equal(options.watch.selection.names[0], "a/b/c");
    assert_string_equal(options.watch.selection.names[1], "d/e/f");
    assert_string_equal(options.watch.selection.names[2], "-odd");
    options_clear(&options);
}

static void test_the_recording(void **state)
{
    (void)state;
    static const struct {
        const char *rotation;
        int64_t bytes;
        int64_t seconds;
    } rotations[] = {
        {"1k", 1024, 0},  {"100M", 104857600, 0}, {"2G", INT64_C(2) << 30, 0},
        {"30s", 0, 30},   {"5min", 0, 300},       {"12h", 0, 43200},
        {"1d", 0, 86400},
    };
    options_t options;
    char *error = NULL;
    for (size_t i = 0; i < sizeof rotations / sizeof *rotations; i++) {
        const char *const words[] = {"-o", "f", "--rotate", rotations[i].rotation, "a/b/c", NULL};
        assert_int_equal(parse(&options, &error, words), OPTIONS_RUN);
        assert_int_equal(options.recording.rotate_bytes, rotations[i].bytes);
        assert_int_equal(options.recording.rotate_seconds, rotations[i].seconds);
        options_clear(&options);
    }
    assert_int_equal(
        parse(&options, &error, (const char *const[]){"-o", "f", "--changes", "a/b/c", NULL}),
        OPTIONS_RUN);
    assert_int_equal(options.recording.full_every, 100);
    options_clear(&options);
    assert_int_equal(
        parse(&options, &error, (const char *const[]){"-o", "f", "--changes=7", "a/b/c", NULL}),
        OPTIONS_RUN);
    assert_int_equal(options.recording.full_every, 7);
    options_clear(&options);
    assert_int_equal(parse(&options, &error, (const char *const[]){"--read", "f", NULL}),
                     OPTIONS_RUN);
    assert_string_equal(options.read, "f");
    options_clear(&options);
    static const char *const bad[] = {"",     "0",   "5",   "0M", "1T",
                                      "1.5M", "-1d", "1 d", "d",  "9223372036854775807G"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        wrong("neither a size", (const char *const[]){"-o", "f", "--rotate", bad[i], "a/b", NULL});
    wrong("--rotate: needs --output", (const char *const[]){"--rotate", "1d", "a/b/c", NULL});
    wrong("--changes: needs --output", (const char *const[]){"--changes", "a/b/c", NULL});
    wrong("not a number of polls", (const char *const[]){"-o", "f", "--changes=0", "a/b/c", NULL});
    wrong("--changes=50",
          (const char *const[]){"a/b/c", "-o", "f", "--changes", "50", "a/b/c", NULL});
    wrong("--changes=50", (const char *const[]){"-o", "f", "--changes", "50", NULL});
    wrong("shows a recording, so no device", (const char *const[]){"--read", "f", "a/b/c", NULL});
    wrong("--follow, --shard or --list can be given",
          (const char *const[]){"--read", "f", "--follow", NULL});
}

static void test_what_to_print(void **state)
{
    (void)state;
    options_t options;
    char *error = NULL;
    const char *const words[] = {"--only",     "a*",          "--only=b", "--top",    "3",
                                 "--by",       "latency",     "-m",       "--format", "jsonl",
                                 "--no-color", "--no-checks", "a/b/c",    NULL};
    assert_int_equal(parse(&options, &error, words), OPTIONS_RUN);
    const summary_options_t *summary = &options.view.summary;
    assert_true(summary->filter.count == 2 && summary->top == 3 && summary->perf);
    assert_string_equal(summary->filter.patterns[1], "b");
    assert_int_equal(summary->top_key, TOP_LATENCY);
    assert_int_equal(options.view.format, FORMAT_JSONL);
    assert_true(options.view.no_color);
    assert_true(options.watch.no_checks);
    options_clear(&options);
    wrong("--format xml: must be text, json, jsonl or junit",
          (const char *const[]){"--format", "xml", "a/b/c", NULL});
    wrong("--by size: must be loss, rate", (const char *const[]){"--by", "size", "a/b/c", NULL});
    wrong("--top 0: not a number of streams", (const char *const[]){"--top", "0", "a/b/c", NULL});
}

static double threshold_of(const options_t *options, const char *rule)
{
    return rule_threshold(rules_find(rule), &options->watch.rules);
}

static const char *thresholds_file(const char *text)
{
    static char path[] = "/tmp/test_options.XXXXXX";
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void test_thresholds(void **state)
{
    (void)state;
    options_t options;
    char *error = NULL;
    const char *path = thresholds_file("# ours\n\n  stuck-callback=0.5 # short\noverflow=9\r\n");
    const char *const words[] = {"--threshold", "stuck-callback=3", "--thresholds", path,
                                 "--threshold", "overflow=2e1",     "a/b/c",        NULL};
    assert_int_equal(parse(&options, &error, words), OPTIONS_RUN);
    assert_true(threshold_of(&options, "stuck-callback") == 0.5);
    assert_true(threshold_of(&options, "overflow") == 20);
    options_clear(&options);
    assert_int_equal(parse(&options, &error, (const char *const[]){"a/b/c", NULL}), OPTIONS_RUN);
    assert_true(threshold_of(&options, "stuck-callback") == 10);
    options_clear(&options);
    unlink(path);
}

static void test_wrong_thresholds(void **state)
{
    (void)state;
    wrong("--threshold: 'overflow' is not RULE=VALUE",
          (const char *const[]){"--threshold", "overflow", "a/b/c", NULL});
    wrong("--threshold: there is no rule 'overfl'",
          (const char *const[]){"--threshold", "overfl=1", "a/b/c", NULL});
    wrong("the rule 'uncounted' has no threshold",
          (const char *const[]){"--threshold", "uncounted=1", "a/b/c", NULL});
    static const char *const bad[] = {"overflow=",    "overflow=-1",  "overflow=nan",
                                      "overflow=inf", "overflow=1x",  "overflow=0x1",
                                      "overflow= 1",  "overflow=1 ",  "overflow==1",
                                      "overflow=+1",  "overflow=--1", "overflow=1e999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        wrong("the threshold of 'overflow' is a number of at least 0 (events)",
              (const char *const[]){"--threshold", bad[i], "a/b/c", NULL});
    const char *path = thresholds_file("\noverflow=1\nbogus=1\n");
    wrong(": line 3: there is no rule 'bogus'",
          (const char *const[]){"--thresholds", path, "a/b/c", NULL});
    unlink(path);
    wrong("--thresholds: /nonexistent/file: can't read it: No such file",
          (const char *const[]){"--thresholds", "/nonexistent/file", "a/b/c", NULL});
    wrong("--thresholds: /: can't read it: Is a directory",
          (const char *const[]){"--thresholds", "/", "a/b/c", NULL});
    wrong("--thresholds: /dev/zero: line 1 is too long",
          (const char *const[]){"--thresholds", "/dev/zero", "a/b/c", NULL});
}

static void test_diagnose(void **state)
{
    (void)state;
    static const struct {
        const char *words[4];
        double duration;
        double period;
    } cases[] = {
        {{"--diagnose", "a/b/c"}, 15, 1.5},
        {{"--diagnose=600", "a/b/c"}, 600, 2},
        {{"--diagnose=1", "a/b/c"}, 1, 0.2},
        {{"--diagnose=60", "--poll-period=7", "a/b/c"}, 60, 7},
        {{"--diagnose", "-n4", "a/b/c"}, 0, 1.5},
    };
    options_t options;
    char *error = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(&options, &error, cases[i].words), OPTIONS_RUN);
        assert_true(options.diagnose && options.watch.perf && !options.fail_on.is_given);
        assert_true(options.duration == cases[i].duration);
        assert_true(options.watch.poll_period == cases[i].period);
        options_clear(&options);
    }
    const char *const read[] = {"--diagnose", "--read",       "f", "--format", "junit",
                                "--fail-on",  "loss,warning", NULL};
    assert_int_equal(parse(&options, &error, read), OPTIONS_RUN);
    assert_true(options.duration == 0 && options.fail_on.is_given);
    assert_int_equal(options.view.format, FORMAT_JUNIT);
    options_clear(&options);
    const char *const explain[] = {"--explain", "overflow", "--explain=stuck", NULL};
    assert_int_equal(parse(&options, &error, explain), OPTIONS_EXPLAIN);
    assert_int_equal(options.explained_count, 2);
    options_clear(&options);
    wrong("--diagnose=0.5", (const char *const[]){"--diagnose", "0.5", "a/b/c", NULL});
    wrong("not a number of seconds", (const char *const[]){"--diagnose=0", "a/b/c", NULL});
    wrong("needs --diagnose", (const char *const[]){"--fail-on", "none", "a/b/c", NULL});
    wrong("neither a rule nor a group", (const char *const[]){"--fail-on", "a", "b", NULL});
}

static void test_help_and_version(void **state)
{
    (void)state;
    options_t options;
    char *error = NULL;
    assert_int_equal(parse(&options, &error, (const char *const[]){"--help", NULL}), OPTIONS_HELP);
    options_clear(&options);
    assert_int_equal(parse(&options, &error, (const char *const[]){"-h", NULL}), OPTIONS_HELP);
    options_clear(&options);
    assert_int_equal(parse(&options, &error, (const char *const[]){"--version", NULL}),
                     OPTIONS_VERSION);
    options_clear(&options);
}

static void test_numbers_are_checked(void **state)
{
    (void)state;
    static const char *const bad_seconds[] = {"nan", "NAN", "inf",  "-1",   "+1",  "",   " 1",
                                              "1 ",  "1s",  "0x10", "0",    "1,5", "1e", "1e99",
                                              "--",  ".",   "1e-9", "2..5", "e5"};
    for (size_t i = 0; i < sizeof bad_seconds / sizeof bad_seconds[0]; i++) {
        wrong("not a number of seconds",
              (const char *const[]){"--poll-period", bad_seconds[i], "a/b/c", NULL});
        wrong("not a number of seconds",
              (const char *const[]){"--timeout", bad_seconds[i], "a/b/c", NULL});
    }
    static const char *const bad_counts[] = {
        "0", "-1", "+1", "1.5", "1x", "", "nan", " 1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad_counts / sizeof bad_counts[0]; i++)
        wrong("not a number of polls", (const char *const[]){"-n", bad_counts[i], "a/b/c", NULL});
}

static void test_wrong_lines(void **state)
{
    (void)state;
    wrong("no device given", (const char *const[]){NULL});
    static const char *const shards[] = {"0/3", "4/3", "a/b", "3", ""};
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++)
        wrong("must be N/M", (const char *const[]){"--shard", shards[i], "a/b/c", NULL});
    wrong("--follow: leads out of a shard",
          (const char *const[]){"--shard=1/2", "--follow", "a/b/c", NULL});
    wrong("no device, --all, --local, --follow, --shard or --list",
          (const char *const[]){"--read", "f", "--shard=1/2", NULL});
    wrong("no device, --all, --local", (const char *const[]){"--read", "f", "--local", NULL});
    wrong("no device given", (const char *const[]){"-q", NULL});
    wrong("device name is empty", (const char *const[]){"a/b/c", "", NULL});
    wrong("--bogus: no such option", (const char *const[]){"--bogus", "a/b/c", NULL});
    wrong("-z: no such option", (const char *const[]){"-qz", "a/b/c", NULL});
    wrong("--quiet=1: takes no value", (const char *const[]){"--quiet=1", "a/b/c", NULL});
    wrong("-o: needs a value", (const char *const[]){"a/b/c", "-o", NULL});
    wrong("--timeout: needs a value", (const char *const[]){"a/b/c", "--timeout", NULL});
    wrong("--append: needs --output", (const char *const[]){"-a", "a/b/c", NULL});
    wrong("file name is empty", (const char *const[]){"-o", "", "a/b/c", NULL});
}

static void test_live(void **state)
{
    (void)state;
    options_t options;
    char *error = NULL;
    const char *const words[] = {"--live", "--by", "rate", "-o", "f", "-m", "a/b/c", NULL};
    assert_int_equal(parse(&options, &error, words), OPTIONS_RUN);
    assert_true(options.live);
    assert_true(options.watch.poll_period == 2);
    assert_int_equal(options.view.summary.top_key, TOP_RATE);
    options_clear(&options);
    const char *const slow[] = {"--poll-period", "7", "--live", "a/b/c", NULL};
    assert_int_equal(parse(&options, &error, slow), OPTIONS_RUN);
    assert_true(options.watch.poll_period == 7);
    options_clear(&options);
    const char *const read[] = {"--live", "--read", "f", NULL};
    assert_int_equal(parse(&options, &error, read), OPTIONS_RUN);
    options_clear(&options);
    wrong("--diagnose can't be given", (const char *const[]){"--live", "--diagnose", "a", NULL});
    wrong("--format can't be given",
          (const char *const[]){"--live", "--format", "text", "a", NULL});
    wrong("--quiet can't be given", (const char *const[]){"-q", "--live", "a/b/c", NULL});
    wrong("--list can't be given", (const char *const[]){"--live", "--list", "a/b/c", NULL});
    wrong("--top can't be given", (const char *const[]){"--live", "--top", "3", "a/b/c", NULL});
    wrong("--output - can't be given", (const char *const[]){"--live", "-o", "-", "a/b/c", NULL});
    wrong("no device given", (const char *const[]){"--live", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_what_to_watch),
        cmocka_unit_test(test_the_recording),
        cmocka_unit_test(test_what_to_print),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_wrong_thresholds),
        cmocka_unit_test(test_diagnose),
        cmocka_unit_test(test_live),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_numbers_are_checked),
        cmocka_unit_test(test_wrong_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
