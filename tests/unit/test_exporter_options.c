/* The exporter's command line, as far as the monitor's doesn't have it. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/exporter_options.h"
#include "exporter/web/listen.h"

#define MAX_ARGS 16

static exporter_options_result_t parse(exporter_options_t *options, char **error,
                                       const char *const *words)
{
    static char *argv[MAX_ARGS + 1];
    int argc = 0;
    argv[argc++] = (char *)"ska-tango-event-exporter";
    while (words[argc - 1] && argc < MAX_ARGS) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    argv[argc] = NULL;
    return exporter_options_parse(options, argc, argv, error);
}

static void wrong(const char *expected, const char *const *words)
{
    exporter_options_t options;
    char *error = NULL;
    assert_int_equal(parse(&options, &error, words), EXPORTER_WRONG);
    assert_non_null(error);
    if (!strstr(error, expected))
        fail_msg("\"%s\" is not in: %s", expected, error);
    assert_null(strchr(error, '\n'));
    free(error);
    exporter_options_clear(&options);
}

static void test_defaults(void **state)
{
    (void)state;
    exporter_options_t options;
    char *error = NULL;
    assert_int_equal(parse(&options, &error, (const char *const[]){"a/b/c", NULL}), EXPORTER_RUN);
    assert_int_equal(options.web.address_count, 1);
    assert_string_equal(options.web.addresses[0], "127.0.0.1:9751");
    assert_string_equal(options.web.telemetry_path, "/metrics");
    assert_null(options.web.config_file);
    assert_int_equal(options.limit, 200000);
    assert_int_equal(options.watch.selection.name_count, 1);
    exporter_options_clear(&options);
}

static void test_everything(void **state)
{
    (void)state;
    exporter_options_t options;
    char *error = NULL;
    const char *const words[] = {"--web.listen-address=:9751",
                                 "a/b/c",
                                 "--web.listen-address",
                                 "[::1]:0",
                                 "--web.telemetry-path=/a/b",
                                 "--web.config.file",
                                 "web.yml",
                                 "--limit=7",
                                 "-m",
                                 "--poll-period=2",
                                 "--only=x*",
                                 "d/e/f",
                                 NULL};
    assert_int_equal(parse(&options, &error, words), EXPORTER_RUN);
    assert_int_equal(options.web.address_count, 2);
    assert_string_equal(options.web.addresses[0], ":9751");
    assert_string_equal(options.web.addresses[1], "[::1]:0");
    assert_string_equal(options.web.telemetry_path, "/a/b");
    assert_string_equal(options.web.config_file, "web.yml");
    assert_int_equal(options.limit, 7);
    assert_true(options.watch.perf && options.watch.poll_period == 2);
    assert_int_equal(options.watch.filter.count, 1);
    assert_int_equal(options.watch.selection.name_count, 2);
    exporter_options_clear(&options);
    static const char *const others[] = {"--help", "-h", "--version", "-V"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(parse(&options, &error, (const char *const[]){others[i], NULL}),
                         i < 2 ? EXPORTER_HELP : EXPORTER_VERSION);
        exporter_options_clear(&options);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const good[] = {":9751",  "localhost:0", "[::1]:65535",
                                       "[::]:1", "a.b:80",      "0.0.0.0:1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(listen_check(good[i]));
    static const char *const bad[] = {"",     "localhost", "9751",  "a:",       "a:x",  "a:65536",
                                      "a:-1", "::1:9751",  "[::1]", "[::1:975", "[]:1", ":",
                                      "a:1 ", "a: 1",      "a:+1",  "a:123456", "[a:1", "]:1:"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *error = listen_check(bad[i]);
        if (!error)
            fail_msg("\"%s\" was accepted", bad[i]);
        free(error);
    }
    wrong("--web.listen-address 9751: needs a port",
          (const char *const[]){"--web.listen-address", "9751", "a/b/c", NULL});
}

static void test_wrong_lines(void **state)
{
    (void)state;
    wrong("no device given", (const char *const[]){NULL});
    wrong("--output: no such option", (const char *const[]){"--output", "a", "a/b/c", NULL});
    wrong("-q: no such option", (const char *const[]){"-q", "a/b/c", NULL});
    wrong("--limit 0: not a number of series", (const char *const[]){"--limit", "0", "a", NULL});
    wrong("needs a value", (const char *const[]){"a/b/c", "--web.config.file", NULL});
    wrong("the file name is empty", (const char *const[]){"--web.config.file=", "a", NULL});
    wrong("not a number of seconds", (const char *const[]){"--poll-period=x", "a", NULL});
    static const char *const paths[] = {"",          "metrics", "//a/b",    "/a?b",
                                        "/a b",      "/a%20",   "/-/ready", "/a#b",
                                        "/\xc3\xa4", "/a\"b",   "/<"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        wrong("--web.telemetry-path",
              (const char *const[]){"--web.telemetry-path", paths[i], "a/b/c", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_wrong_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
