/* Recordings that were divided, in every way, come back as one. */
#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "monitor/recording/merge.h"

static char folder[] = "/tmp/test_merge.XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char *command = memory_format("rm -r '%s'", folder);
    const int status = system(command);
    free(command);
    return status;
}

static char *path_of(const char *name)
{
    return memory_format("%s/%s", folder, name);
}

/*
 * Writes a file of lines, each "SECONDS SERVER=NUMBER ..." (an answer with that counter), or
 * "SECONDS SERVER" (an error); any other line is written as it is. asked: what the monotonic clock
 * is ahead of the seconds; 0: it isn't written.
 */
static void write_file_of(const char *name, double asked, const char *const *lines)
{
    char *path = path_of(name);
    FILE *out = fopen(path, "w");
    for (; *lines; lines++) {
        int seconds = 0;
        int used = 0;
        if (sscanf(*lines, "%d%n", &seconds, &used) != 1) {
            fprintf(out, "%s\n", *lines);
            continue;
        }
        fprintf(out, "{\"time\":\"2026-03-01T12:%02d:%02d.000000+00:00\",", seconds / 60,
                seconds % 60);
        if (asked > 0)
            fprintf(out, "\"asked\":%.1f,", seconds + asked);
        fputs("\"replies\":{", out);
        char *rest = memory_string(*lines + used);
        char *save = NULL;
        const char *comma = "";
        for (char *word = strtok_r(rest, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
            char *equals = strchr(word, '=');
            if (equals)
                *equals = '\0';
            fprintf(out, "%s\"%s\":", comma, word);
            if (equals)
                fprintf(out,
                        "{\"data\":{\"version\":1,\"server\":{\"event_counters\":{\"x\":%s},"
                        "\"perf\":null},\"client\":null},\"answered\":%.1f}",
                        equals + 1, seconds + asked + 0.5);
            else
                fputs("{\"error\":\"no answer\"}", out);
            comma = ",";
        }
        fputs("}}\n", out);
        free(rest);
    }
    fclose(out);
    free(path);
}

#define WRITE(name, ...) write_file_of(name, 0, (const char *const[]){__VA_ARGS__, NULL})
#define WRITE_ASKED(name, asked, ...)                                                              \
    write_file_of(name, asked, (const char *const[]){__VA_ARGS__, NULL})

static merge_t *open_files(const char *const *names, const merge_options_t *options)
{
    char *paths[16] = {NULL};
    size_t count = 0;
    for (; names[count]; count++)
        paths[count] = path_of(names[count]);
    char *error = NULL;
    merge_t *merge = merge_new(paths, count, options, -1, &error);
    if (error)
        print_error("%s\n", error);
    assert_non_null(merge);
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    return merge;
}

static int64_t number_of(const reply_t *reply)
{
    assert_int_equal(reply->response->publisher_count, 1);
    return reply->response->publishers[0].counts.pushed_event_count;
}

/* "SECONDS SERVER=NUMBER ...", and '+' for one that is a part only. */
static void print_snapshot(FILE *out, const snapshot_t *snapshot)
{
    struct timespec noon;
    assert_true(timespec_parse("2026-03-01T12:00:00+00:00", &noon));
    fprintf(out, "%.0f%s", timespec_seconds_between(&noon, &snapshot->time),
            snapshot->is_part ? "+" : "");
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const reply_t *reply = &snapshot->replies[i];
        fprintf(out, " %s", reply->server);
        if (reply->response)
            fprintf(out, "=%d", (int)number_of(reply));
        if (reply->time.tv_sec != 0)
            fprintf(out, "@%.0f", timespec_seconds_between(&noon, &reply->time));
    }
}

/* All snapshots, notes ("!") and remarks ("?"), with "; " between. */
static char *read_all(merge_t *merge)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    source_t *source = merge_source(merge);
    source_item_t item;
    bool more = true;
    while (more) {
        more = source->methods->next(source, &item);
        if (ftell(out) > 0 && (item.note || item.remark || item.snapshot))
            fputs("; ", out);
        if (item.note)
            fputs(item.damaged ? "!!" : "!", out);
        if (item.remark)
            putc('?', out);
        if (item.snapshot)
            print_snapshot(out, item.snapshot);
        source_item_clear(&item);
    }
    memory_stream_close(out);
    return text;
}

static void assert_merged(const char *const *names, const merge_options_t *options,
                          const char *expected)
{
    merge_t *merge = open_files(names, options);
    char *text = read_all(merge);
    assert_string_equal(text, expected);
    free(text);
    assert_true(isnan(merge_part(merge)) || merge_part(merge) == 1);
    source_t *source = merge_source(merge);
    source->methods->destroy(&source);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
static const merge_options_t all = {0};

static void test_one_file(void **state)
{
    (void)state;
    WRITE("one", "0 a=1 b", "10 a=2 b=5");
    assert_merged(NAMES("one"), &all, "0 a=1 b; 10 a=2 b=5");
}

/* Whichever way they are named. */
static void test_rotated_files(void **state)
{
    (void)state;
    WRITE("r1", "0 a=1", "10 a=2");
    WRITE("r2", "20 a=3", "30 a=4");
    WRITE("r3", "40 a=5");
    const char *const expected = "0 a=1; 10 a=2; 20 a=3; 30 a=4; 40 a=5";
    assert_merged(NAMES("r1", "r2", "r3"), &all, expected);
    assert_merged(NAMES("r3", "r1", "r2"), &all, expected);
    assert_merged(NAMES("r2", "r3", "r1", "r2"), &all, expected);
}

/* Recorders that had shared the servers: one snapshot of all of them. */
static void test_shards(void **state)
{
    (void)state;
    WRITE("s1", "0 a=1", "10 a=2", "20 a=3");
    WRITE("s2", "0 b=1", "10 b=2", "20 b=3");
    assert_merged(NAMES("s1", "s2"), &all, "0 a=1 b=1; 10 a=2 b=2; 20 a=3 b=3");
    WRITE("s3", "3 b=1", "13 b=2", "23 b=3");
    assert_merged(NAMES("s1", "s3"), &all, "0 a=1 b=1@3; 10 a=2 b=2@13; 20 a=3 b=3@23");
}

/* One asks ten times as often: the other's servers are absent most of the time. */
static void test_other_periods(void **state)
{
    (void)state;
    WRITE("often", "0 a=1", "1 a=2", "2 a=3", "3 a=4");
    WRITE("seldom", "0 b=1", "3 b=2");
    assert_merged(NAMES("often", "seldom"), &all, "0 a=1 b=1; 1+ a=2; 2+ a=3; 3 a=4 b=2");
}

/* What one has after a gap of the other isn't of the time before. */
static void test_gaps_of_shards(void **state)
{
    (void)state;
    WRITE("g1", "0 a=1", "10 a=2", "20 a=3", "912 a=4", "922 a=5");
    WRITE("g2", "3 b=1", "13 b=2", "905 b=3", "915 b=4");
    assert_merged(NAMES("g1", "g2"), &all,
                  "0 a=1 b=1@3; 10 a=2 b=2@13; 20+ a=3; 905 b=3 a=4@912; 915 b=4 a=5@922");
}

/* The same servers: as if one had asked more often; of the same moment, once. */
static void test_the_same_servers(void **state)
{
    (void)state;
    WRITE("m1", "0 a=1", "10 a=3", "20 a=5");
    WRITE("m2", "5 a=2", "15 a=4");
    assert_merged(NAMES("m2", "m1"), &all, "0 a=1; 5+ a=2; 10+ a=3; 15+ a=4; 20 a=5");
    WRITE("o1", "0 a=1", "10 a=2", "20 a=3");
    WRITE("o2", "10 a=2", "20 a=3", "30 a=4");
    assert_merged(NAMES("o2", "o1"), &all, "0 a=1; 10 a=2; 20 a=3; 30 a=4");
    assert_merged(NAMES("o1", "o1"), &all, "0 a=1; 10 a=2; 20 a=3");
}

/* An answer of the agent, whose host's clock said that many seconds. */
#define AGENT(seconds, number, own)                                                                \
    "{\"time\":\"2026-03-01T12:00:" seconds                                                        \
    "+00:00\",\"replies\":{\"a\":{\"data\":{\"version\":1,"                                        \
    "\"agent\":{\"version\":\"1\",\"pid\":7,\"time\":\"2026-03-01T11:00:" own "+00:00\"},"         \
    "\"server\":{\"event_counters\":{\"x\":" number "},\"event_streams\":{\"x\":{"                 \
    "\"pushed_event_count\":" number "}},\"perf\":[]},\"client\":null}}}}"

/* The clock of one recorder is ahead by 7 s: what it has comes before what it had before. */
static void test_answers_that_come_too_late(void **state)
{
    (void)state;
    WRITE("right", AGENT("10", "1", "10"), AGENT("20", "3", "20"), AGENT("30", "5", "30"),
          AGENT("40", "7", "40"));
    WRITE("ahead", AGENT("22", "2", "15"), AGENT("32", "4", "25"));
    assert_merged(NAMES("right", "ahead"), &all, "10 a=1; 20 a=3; 30+ a=5; 40 a=7");
    /* The clock of a server's host is set back: within a file that makes no difference. */
    WRITE("set", AGENT("10", "1", "50"), AGENT("20", "2", "10"), AGENT("30", "3", "20"));
    WRITE("seldom", AGENT("25", "9", "15"));
    assert_merged(NAMES("set"), &all, "10 a=1; 20 a=2; 30 a=3");
    assert_merged(NAMES("set", "seldom"), &all, "10 a=1; 20 a=2; 25+ a=9; 30 a=3");
}

/* Of one that both asked at about the same time, an answer counts rather than an error. */
static void test_servers_in_common(void **state)
{
    (void)state;
    WRITE("c1", "0 a=1 b=1", "10 a=2 b", "20 a=3 b=3");
    WRITE("c2", "0 b=1 c=1", "10 b=2 c=2", "20 b c=3");
    assert_merged(NAMES("c1", "c2"), &all, "0 a=1 b=1 c=1; 10 a=2 b=2 c=2; 20 a=3 b=3 c=3");
}

static void test_a_clock_that_is_set_back(void **state)
{
    (void)state;
    WRITE("back", "100 a=1", "110 a=2", "20 a=3", "30 a=4");
    WRITE("other", "115 b=1", "125 b=2");
    assert_merged(NAMES("back"), &all, "100 a=1; 110 a=2; 20 a=3; 30 a=4");
    assert_merged(NAMES("other", "back"), &all,
                  "100 a=1; 110 a=2; 20 a=3; 30 a=4; 115 b=1; 125 b=2");
}

static struct timespec at(int seconds)
{
    struct timespec time;
    assert_true(timespec_parse("2026-03-01T12:00:00+00:00", &time));
    return timespec_later(&time, seconds);
}

/* What is before since is the last answer of each server. */
static void test_since_and_until(void **state)
{
    (void)state;
    WRITE("l1", "0 a=1 b=1", "10 a=2 b", "20 a=3 b", "30 a=4 b=4", "40 a=5 b=5");
    const struct timespec since = at(25);
    const struct timespec until = at(30);
    assert_merged(NAMES("l1"), &(merge_options_t){.since = &since},
                  "20 a=3 b=1@0; 30 a=4 b=4; 40 a=5 b=5");
    assert_merged(NAMES("l1"), &(merge_options_t){.until = &until},
                  "0 a=1 b=1; 10 a=2 b; 20 a=3 b; 30 a=4 b=4");
    assert_merged(NAMES("l1"), &(merge_options_t){.since = &since, .until = &until},
                  "20 a=3 b=1@0; 30 a=4 b=4");
    const struct timespec late = at(50);
    assert_merged(NAMES("l1"), &(merge_options_t){.since = &late}, "");
    const struct timespec early = at(-10);
    assert_merged(NAMES("l1"), &(merge_options_t){.until = &early}, "");
    struct timespec begin;
    merge_t *merge = open_files(NAMES("l1"), &all);
    assert_true(merge_begin(merge, &begin));
    assert_int_equal(begin.tv_sec, at(0).tv_sec);
    merge_destroy(&merge);
}

/* Lines that can't be read are told, counted, and no failure; what a recorder says is missing
 * stays at its place. */
static void test_broken_lines(void **state)
{
    (void)state;
    WRITE("broken", "rubbish", "0 a=1", "{\"time\":", "10 a=2",
          "{\"time\":\"2026-03-01T12:00:15+00:00\",\"lost_snapshots\":3,\"replies\":{}}", "20 a=3");
    merge_t *merge = open_files(NAMES("broken"), &all);
    char *text = read_all(merge);
    assert_string_equal(text, "!; 0 a=1; !; 10 a=2; !?; 20 a=3");
    assert_int_equal(merge_broken_lines(merge), 2);
    free(text);
    merge_destroy(&merge);
}

/* Whatever a recording has of them, memory is bounded. */
static void test_many_remarks(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    char *path = path_of("remarks");
    FILE *out = fopen(path, "w");
    for (int i = 0; i < MANY; i++)
        fputs("{\"time\":\"2026-03-01T12:00:00+00:00\",\"replies\":{}}\n", out);
    fclose(out);
    free(path);
    WRITE("after", "0 a=1");
    merge_t *merge = open_files(NAMES("remarks", "after"), &all);
    source_t *source = merge_source(merge);
    source_item_t item;
    int remarks = 0;
    bool any = false;
    while (source->methods->next(source, &item)) {
        remarks += item.remark != NULL;
        any |= item.snapshot != NULL;
        source_item_clear(&item);
    }
    assert_true(any);
    assert_in_range(remarks, 1, MANY / 2);
    merge_destroy(&merge);
}

static void assert_refused(const char *name, const char *part)
{
    char *path = path_of(name);
    char *error = NULL;
    assert_null(merge_new(&path, 1, &all, -1, &error));
    if (!strstr(error, part) || strstr(error, path) != error)
        fail_msg("%s", error);
    free(error);
    free(path);
}

static void test_what_is_no_recording(void **state)
{
    (void)state;
    WRITE("text", "Dear John,", "how are you?");
    assert_refused("text", "isn't a recording");
    assert_refused("missing", "No such file");
    assert_refused(".", "directory");
    WRITE("json", "{\"a\":1}", "{\"a\":2}");
    assert_refused("json", "isn't a recording");
}

static void test_empty_files(void **state)
{
    (void)state;
    write_file_of("empty", 0, NAMES(NULL));
    WRITE("full", "0 a=1");
    assert_merged(NAMES("empty"), &all, "");
    assert_merged(NAMES("empty", "full"), &all, "0 a=1");
    merge_t *merge = open_files(NAMES("empty"), &all);
    struct timespec begin;
    assert_false(merge_begin(merge, &begin));
    merge_destroy(&merge);
}

/* Hosts' monotonic clocks have nothing to do with each other. */
static void test_monotonic_clocks(void **state)
{
    (void)state;
    WRITE_ASKED("k1", 1e6, "0 a=1", "10 a=2", "20 a=3");
    WRITE_ASKED("k2", 500, "1 b=1", "11 b=2", "21 b=3");
    WRITE_ASKED("k3", 1e6, "30 a=3");
    merge_t *merge = open_files(NAMES("k2", "k1", "k3"), &all);
    source_t *source = merge_source(merge);
    source_item_t item;
    struct timespec noon = at(0);
    while (source->methods->next(source, &item)) {
        const snapshot_t *snapshot = item.snapshot;
        const double seconds = timespec_seconds_between(&noon, &snapshot->time);
        assert_true(fabs(snapshot->asked - 1e6 - seconds) < 0.01);
        for (size_t i = 0; i < snapshot->reply_count; i++) {
            const reply_t *reply = &snapshot->replies[i];
            const double own =
                reply->time.tv_sec ? timespec_seconds_between(&noon, &reply->time) : seconds;
            assert_true(fabs(reply->answered - 1e6 - own - 0.5) < 0.01);
        }
        source_item_clear(&item);
    }
    merge_destroy(&merge);
}

static void test_whether_it_reads_a_file(void **state)
{
    (void)state;
    WRITE("in", "0 a=1");
    WRITE("out", "0 a=1");
    char *in = path_of("in");
    char *out = path_of("out");
    char *link = path_of("link");
    assert_int_equal(symlink(in, link), 0);
    merge_t *merge = open_files(NAMES("in"), &all);
    assert_true(merge_reads(merge, in));
    assert_true(merge_reads(merge, link));
    assert_false(merge_reads(merge, out));
    assert_false(merge_reads(merge, "/nowhere"));
    merge_destroy(&merge);
    free(in);
    free(out);
    free(link);
}

/* Files that don't overlap aren't open at the same time. */
static void test_many_files(void **state)
{
    (void)state;
    enum { MANY = 300 };
    char *paths[MANY];
    for (int i = 0; i < MANY; i++) {
        char *name = memory_format("many-%d", i);
        char *line = memory_format("%d a=%d", i * 10, i);
        WRITE(name, line);
        paths[i] = path_of(name);
        free(name);
        free(line);
    }
    char *error = NULL;
    merge_t *merge = merge_new(paths, MANY, &all, -1, &error);
    assert_non_null(merge);
    source_t *source = merge_source(merge);
    source_item_t item;
    int count = 0;
    while (source->methods->next(source, &item)) {
        assert_int_equal(number_of(&item.snapshot->replies[0]), count++);
        source_item_clear(&item);
        const int fd = dup(0);
        assert_in_range(fd, 0, 50);
        close(fd);
    }
    assert_int_equal(count, MANY);
    merge_destroy(&merge);
    for (int i = 0; i < MANY; i++)
        free(paths[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_file),
        cmocka_unit_test(test_rotated_files),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_other_periods),
        cmocka_unit_test(test_gaps_of_shards),
        cmocka_unit_test(test_the_same_servers),
        cmocka_unit_test(test_answers_that_come_too_late),
        cmocka_unit_test(test_servers_in_common),
        cmocka_unit_test(test_a_clock_that_is_set_back),
        cmocka_unit_test(test_since_and_until),
        cmocka_unit_test(test_broken_lines),
        cmocka_unit_test(test_many_remarks),
        cmocka_unit_test(test_what_is_no_recording),
        cmocka_unit_test(test_empty_files),
        cmocka_unit_test(test_monotonic_clocks),
        cmocka_unit_test(test_whether_it_reads_a_file),
        cmocka_unit_test(test_many_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
