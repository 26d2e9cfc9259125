/* Selections, with a database that is a function. */
#include "cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "fake_servers.h"
#include "monitor/poll/selection.h"

static selection_options_t options;
static char *excluded[4];
static char *names[4];

/* A file with names in it, and "@" before its path, as the user would write it. */
static char file_argument[] = "@/tmp/test_selection.XXXXXX";

static int setup(void **state)
{
    (void)state;
    fake_servers_clear();
    fake_server_new("test/pub/1", "dserver/pub/1");
    fake_server_new("test/pub/2", "dserver/pub/1");
    fake_server_new("test/sub/1", "dserver/sub/1");
    options = (selection_options_t){.names = names, .excluded = excluded};
    return 0;
}

static int group_setup(void **state)
{
    (void)state;
    const int fd = mkstemp(file_argument + 1);
    return fd < 0 ? -1 : close(fd);
}

static int group_teardown(void **state)
{
    (void)state;
    return unlink(file_argument + 1);
}

static void name(const char *text)
{
    names[options.name_count++] = (char *)text;
}

static void exclude(const char *text)
{
    excluded[options.excluded_count++] = (char *)text;
}

static void write_file(const char *text)
{
    FILE *file = fopen(file_argument + 1, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* The targets, with a blank between them, and a '?' behind those that are optional; or the error.
 */
static void assert_selected(const char *expected)
{
    char *error = NULL;
    selection_t made = selection_make(&options, -1, &error);
    assert_false(made.stopped);
    char *text = memory_string(error ? error : "");
    for (size_t i = 0; i < made.count && !error; i++) {
        const target_t *target = &made.targets[i];
        char *longer = memory_format("%s%s%s%s", text, i > 0 ? " " : "", target->name,
                                     target->optional ? "?" : "");
        free(text);
        text = longer;
    }
    assert_string_equal(text, expected);
    free(text);
    free(error);
    selection_clear(&made);
    assert_null(made.targets);
}

static void test_names_stay_as_they_were_written(void **state)
{
    (void)state;
    name("test/pub/1");
    name("tango://host:1/a/b/c#dbase=no");
    name("alias");
    assert_selected("test/pub/1 tango://host:1/a/b/c#dbase=no alias");
    /* No database was asked. */
    assert_int_equal(fake_server_begun(fake_database(), FAKE_MATCH), 0);
}

static void test_nothing_is_named(void **state)
{
    (void)state;
    assert_selected("nothing is left to watch");
}

static void test_a_pattern_is_the_servers_of_the_devices(void **state)
{
    (void)state;
    name("TEST/*/1");
    assert_selected("dserver/pub/1? dserver/sub/1?");
}

static void test_a_pattern_of_another_database(void **state)
{
    (void)state;
    name("tango://host:1/test/pub/*");
    assert_selected("tango://host:1/dserver/pub/1?");
}

static void test_a_pattern_matches_nothing(void **state)
{
    (void)state;
    name("no/such/*");
    assert_selected("no/such/*: the database has no exported device with that name");
}

static void test_all_are_all_servers(void **state)
{
    (void)state;
    options.all = true;
    assert_selected("dserver/pub/1? dserver/sub/1?");
    fake_servers_clear();
    assert_selected("--all: the database has no exported device with that name");
}

/* dserver/pub/1 is in 5/5, dserver/sub/1 in 4/5. What was named is decided on by the poller. */
static void test_patterns_find_what_is_in_the_shard(void **state)
{
    (void)state;
    options.all = true;
    options.shard = (shard_t){5, 5};
    assert_selected("dserver/pub/1?");
    options.shard = (shard_t){4, 5};
    assert_selected("dserver/sub/1?");
    options.shard = (shard_t){1, 5};
    assert_selected("");
    name("test/pub/1");
    assert_selected("test/pub/1");
}

static void test_the_database_says_why(void **state)
{
    (void)state;
    fake_server_fail(fake_database(), FAKE_MATCH, TANGO_ERROR_DATABASE);
    options.all = true;
    assert_selected("--all: it fails as it was told");
    options.all = false;
    name("a/b/c");
    name("a/*");
    fake_server_fail(fake_database(), FAKE_MATCH, TANGO_ERROR_NO_DEVICE);
    assert_selected("a/*: it fails as it was told: check the name");
}

static void test_a_name_is_selected_once(void **state)
{
    (void)state;
    name("a/b/c");
    name("dserver/*");
    name("a/b/c");
    name("dserver/sub/1"); /* somebody wants it: it isn't optional any more */
    assert_selected("a/b/c dserver/pub/1? dserver/sub/1");
}

static void test_all_may_be_optional(void **state)
{
    (void)state;
    options.skip_unsupported = true;
    name("a/b/c");
    name("test/sub/*");
    assert_selected("a/b/c? dserver/sub/1?");
}

static void test_what_is_excluded(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *excluded;
        const char *selected;
    } cases[] = {
        /* The name that the user wrote. */
        {"a/b/c", "a/b/?", "nothing is left to watch"},
        {"a/b/c", "A/*", "nothing is left to watch"},
        {"a/b/c", "b", "a/b/c"},
        /* A device that a pattern matched, or its server. */
        {"test/pub/*", "test/pub/2", "dserver/pub/1?"},
        {"test/*", "test/pub/?", "dserver/sub/1?"},
        {"test/*", "dserver/pub/*", "dserver/sub/1?"},
        /* With its database, or without. */
        {"tango://host:1/a/b/c", "a/b/c", "nothing is left to watch"},
        {"tango://host:1/a/b/c", "tango://host:1/*", "nothing is left to watch"},
        {"tango://host:1/a/b/c", "TANGO://HOST:1/*", "nothing is left to watch"},
        {"tango://host:1/test/*", "tango://host:1/test/pub/*", "tango://host:1/dserver/sub/1?"},
        {"tango://host:1/test/*", "dserver/sub/1", "tango://host:1/dserver/pub/1?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        options.name_count = options.excluded_count = 0;
        name(cases[i].name);
        exclude(cases[i].excluded);
        assert_selected(cases[i].selected);
    }
}

static void test_several_patterns_exclude(void **state)
{
    (void)state;
    name("test/*");
    name("a/b/c");
    exclude("nothing");
    exclude("dserver/sub/1");
    exclude("a/*");
    assert_selected("dserver/pub/1?");
}

/* ---- files ---- */

static void test_a_file_has_a_name_or_a_pattern_a_line(void **state)
{
    (void)state;
    name("a/b/c");
    name(file_argument);
    name("d/e/f");
    write_file("# devices\n\n  x/y/1\t\r\nx/y/2#dbase=no  # one without a database\n\t# x/y/3\n"
               "test/sub/*\nx/y/4");
    assert_selected("a/b/c x/y/1 x/y/2#dbase=no dserver/sub/1? x/y/4 d/e/f");
}

static void test_a_file_has_two_names_in_a_line(void **state)
{
    (void)state;
    name(file_argument);
    write_file("x/y/1\nx/y/2 x/y/3\n");
    char *expected = memory_format("%s: line 2: only one name per line", file_argument + 1);
    assert_selected(expected);
    free(expected);
}

static void test_a_file_is_empty(void **state)
{
    (void)state;
    name(file_argument);
    write_file("# nobody\n");
    assert_selected("nothing is left to watch");
}

static void test_a_file_cannot_be_read(void **state)
{
    (void)state;
    name("@/no/such/file");
    assert_selected("/no/such/file: can't read it: No such file or directory");
    options.name_count = 0;
    name("@/dev/zero");
    assert_selected("/dev/zero: line 1 is too long");
    options.name_count = 0;
    name("@/tmp");
    assert_selected("/tmp: can't read it: Is a directory");
}

static void test_what_a_file_names_is_excluded(void **state)
{
    (void)state;
    name(file_argument);
    write_file("x/y/1\nx/y/2\n");
    exclude("*/1");
    assert_selected("x/y/2");
}

static void test_a_pattern_in_a_file_fails(void **state)
{
    (void)state;
    name(file_argument);
    write_file("x/y/1\nno/such/*\nx/y/2 x/y/3\n");
    assert_selected("no/such/*: the database has no exported device with that name");
}

/* ---- a database that hangs ---- */

static void test_is_called_off(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[1]);
    fake_server_hang(fake_database(), FAKE_MATCH, true);
    name("test/*");
    char *error = NULL;
    selection_t made = selection_make(&options, ends[0], &error);
    assert_true(made.stopped);
    assert_int_equal(made.count, 0);
    assert_null(error);
    selection_clear(&made);
    close(ends[0]);
    /* The thread that was left behind hangs until the end of this program, and uses the options. */
}

static void test_is_not_called_off_when_nobody_does(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    name("test/*");
    char *error = NULL;
    selection_t made = selection_make(&options, ends[0], &error);
    assert_false(made.stopped);
    assert_int_equal(made.count, 2);
    assert_null(error);
    selection_clear(&made);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_names_stay_as_they_were_written, setup),
        cmocka_unit_test_setup(test_nothing_is_named, setup),
        cmocka_unit_test_setup(test_a_pattern_is_the_servers_of_the_devices, setup),
        cmocka_unit_test_setup(test_a_pattern_of_another_database, setup),
        cmocka_unit_test_setup(test_a_pattern_matches_nothing, setup),
        cmocka_unit_test_setup(test_all_are_all_servers, setup),
        cmocka_unit_test_setup(test_patterns_find_what_is_in_the_shard, setup),
        cmocka_unit_test_setup(test_the_database_says_why, setup),
        cmocka_unit_test_setup(test_a_name_is_selected_once, setup),
        cmocka_unit_test_setup(test_all_may_be_optional, setup),
        cmocka_unit_test_setup(test_what_is_excluded, setup),
        cmocka_unit_test_setup(test_several_patterns_exclude, setup),
        cmocka_unit_test_setup(test_a_file_has_a_name_or_a_pattern_a_line, setup),
        cmocka_unit_test_setup(test_a_file_has_two_names_in_a_line, setup),
        cmocka_unit_test_setup(test_a_file_is_empty, setup),
        cmocka_unit_test_setup(test_a_file_cannot_be_read, setup),
        cmocka_unit_test_setup(test_what_a_file_names_is_excluded, setup),
        cmocka_unit_test_setup(test_a_pattern_in_a_file_fails, setup),
        cmocka_unit_test_setup(test_is_not_called_off_when_nobody_does, setup),
        cmocka_unit_test_setup(test_is_called_off, setup),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
