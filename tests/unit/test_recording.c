#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "monitor/recording/recording.h"
#include "monitor/recording/recording_line.h"

static char folder[] = "/tmp/test_recording.XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    setenv("TZ", "XYZ-5:30", 1); /* five and a half hours ahead */
    tzset();
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static char *path_of(const char *name)
{
    return memory_format("%s/%s", folder, name);
}

/* A snapshot of one server; data of any bytes, or NULL; error or NULL. */
static snapshot_t *snapshot_of(const char *server, const char *data, size_t size, const char *error)
{
    snapshot_t *snapshot = snapshot_new(1);
    snapshot->time = (struct timespec){.tv_sec = 1000000000, .tv_nsec = 123456789};
    snapshot->replies[0].server = memory_string(server);
    if (data) {
        snapshot->replies[0].data = memory_new(size + 1, 1);
        memcpy(snapshot->replies[0].data, data, size);
        snapshot->replies[0].data_size = size;
    }
    snapshot->replies[0].error = memory_string(error);
    return snapshot;
}

/* The line for an answer, checked to be one line of strict JSON that ends with a line feed. */
static char *line_of(const char *data, size_t size)
{
    snapshot_t *snapshot = snapshot_of("dserver/a/b", data, size, NULL);
    size_t line_size = 0;
    char *line = recording_line(snapshot, NULL, NULL, true, &line_size);
    snapshot_destroy(&snapshot);
    assert_true(line_size > 0);
    assert_int_equal(line[line_size - 1], '\n');
    assert_ptr_equal(memchr(line, '\n', line_size), line + line_size - 1);
    char *why = NULL;
    if (!json_text_is_valid(line, line_size, 0, &why))
        fail_msg("%s: %s", why, line);
    return line;
}

static void data_becomes(const char *data, const char *expected)
{
    char *line = line_of(data, strlen(data));
    char *whole = memory_format("{\"time\":\"2001-09-09T07:16:40.123456+05:30\",\"replies\":"
                                "{\"dserver/a/b\":{%s}}}\n",
                                expected);
    assert_string_equal(line, whole);
    free(whole);
    free(line);
}

static void test_data_is_kept_as_it_came(void **state)
{
    (void)state;
    data_becomes("{ \"b\" : [ 1, 2.50, 1e3, -0 ],\n\t\"a\":\"x  y\\n\\\" \\u00e9\" }\r\n",
                 "\"data\":{\"b\":[1,2.50,1e3,-0],\"a\":\"x  y\\n\\\" \\u00e9\"}");
    data_becomes("{\"n\":123456789012345678901234567890,\"z\":\"a\\u0000b\",\"z\":1}",
                 "\"data\":{\"n\":123456789012345678901234567890,\"z\":\"a\\u0000b\",\"z\":1}");
    data_becomes(" null ", "\"data\":null");
    data_becomes("[]", "\"data\":[]");
    data_becomes("\"caf\xc3\xa9\"", "\"data\":\"caf\xc3\xa9\"");
}

static void error_of(const char *data, size_t size, const char *text)
{
    char *line = line_of(data, size);
    assert_non_null(strstr(line, "{\"error\":\"the answer is not JSON: "));
    char *expected = memory_format(",\"text\":\"%s\"}}}\n", text);
    const size_t length = strlen(expected);
    assert_true(strlen(line) > length);
    assert_string_equal(line + strlen(line) - length, expected);
    free(expected);
    free(line);
}

static void test_broken_answers_stay_readable(void **state)
{
    (void)state;
    error_of("", 0, "");
    error_of("{\"a\":", 5, "{\\\"a\\\":");
    error_of("no\njson\t\x01\x7f\\", 11, "no\\u000ajson\\u0009\\u0001\\u007f\\\\");
    error_of("{} {}", 5, "{} {}");
    error_of("{\"a\":\"\x01\"}", 9, "{\\\"a\\\":\\\"\\u0001\\\"}");
    error_of("\"\xff\xfe\"", 4, "\\\"\\ufffd\\\"");
    error_of("\"\xc3\"", 3, "\\\"\\ufffd\\\"");             /* cut off */
    error_of("\"\xc0\x80\"", 4, "\\\"\\ufffd\\\"");         /* overlong NUL */
    error_of("\"\xed\xa0\x80\"", 5, "\\\"\\ufffd\\\"");     /* a surrogate */
    error_of("\"\xf4\x90\x80\x80\"", 6, "\\\"\\ufffd\\\""); /* beyond Unicode */
    error_of("\"\\ud800\"", 8, "\\\"\\\\ud800\\\"");        /* half a pair */
    error_of("\xe2\x82\xac\xf0\x9f\x98\x80\xff", 8, "\xe2\x82\xac\xf0\x9f\x98\x80\\ufffd");
    error_of("a\0b", 3, "a\\u0000b");
}

static void test_deep_and_long_answers(void **state)
{
    (void)state;
    const size_t size = 10u << 20;
    char *brackets = memory_new(size, 1);
    memset(brackets, '[', size);
    char *line = line_of(brackets, size);
    assert_non_null(strstr(line, "levels deep"));
    free(line);
    memset(brackets, ' ', size);
    brackets[0] = '[';
    brackets[size - 1] = ']';
    line = line_of(brackets, size);
    assert_non_null(strstr(line, "{\"data\":[]}"));
    free(line);
    memset(brackets + 1, 'x', size - 2);
    brackets[0] = '"';
    brackets[size - 1] = '"';
    line = line_of(brackets, size);
    assert_true(strlen(line) > size);
    free(line);
    memset(brackets, 0xff, size);
    free(line_of(brackets, size));
    free(brackets);
}

static void test_errors_and_names_of_any_bytes(void **state)
{
    (void)state;
    snapshot_t *snapshot =
        snapshot_of("dserver/\xe9/\"1\"", NULL, 0, "caf\xe9 \"x\"\n\x1b[31m\\ \xed\xbf\xbf");
    size_t size = 0;
    char *line = recording_line(snapshot, NULL, NULL, true, &size);
    char *why = NULL;
    assert_true(json_text_is_valid(line, size, 0, &why));
    assert_non_null(strstr(line, "{\"dserver/\\ufffd/\\\"1\\\"\":{\"error\":\"caf\\ufffd \\\"x\\\""
                                 "\\u000a\\u001b[31m\\\\ \\ufffd\"}}}\n"));
    free(line);
    snapshot_destroy(&snapshot);
}

/* Every line of a file must be JSON, and its last byte a line feed. Returns how many there are. */
static size_t count_lines(const char *path)
{
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    char *line = NULL;
    size_t capacity = 0;
    size_t lines = 0;
    ssize_t size = 0;
    while ((size = getline(&line, &capacity, in)) > 0) {
        assert_int_equal(line[size - 1], '\n');
        json_t *value = json_loadb(line, (size_t)size, JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        assert_true(json_is_string(json_object_get(value, "time")));
        assert_true(json_is_object(json_object_get(value, "replies")));
        json_decref(value);
        lines++;
    }
    free(line);
    fclose(in);
    return lines;
}

static recording_t *open_recording(const char *path, bool append, char **note)
{
    char *error = NULL;
    recording_t *recording =
        recording_new(&(recording_options_t){.path = path, .append = append}, -1, &error, note);
    if (!recording)
        fail_msg("%s", error);
    return recording;
}

static void write_one(recording_t *recording, const char *data)
{
    snapshot_t *snapshot = snapshot_of("dserver/a/b", data, strlen(data), NULL);
    char *error = NULL;
    assert_int_equal(recording_write(recording, snapshot, NULL, &error), SINK_OK);
    assert_null(error);
    snapshot_destroy(&snapshot);
}

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void test_truncates_or_appends(void **state)
{
    (void)state;
    char *path = path_of("lines");
    for (int i = 0; i < 2; i++) {
        recording_t *recording = open_recording(path, false, NULL);
        write_one(recording, "{}");
        write_one(recording, "[\n]");
        recording_destroy(&recording);
        assert_null(recording);
        assert_true(count_lines(path) == 2);
    }
    char *note = NULL;
    recording_t *recording = open_recording(path, true, &note);
    assert_null(note);
    write_one(recording, "{}");
    recording_destroy(&recording);
    assert_true(count_lines(path) == 3);
    unlink(path);
    free(path);
}

static void test_append_after_a_crash(void **state)
{
    (void)state;
    char *path = path_of("cut");
    write_file(path, "{\"time\":\"t\",\"replies\":{}}\n{\"time\":\"t\",\"repl");
    char *note = NULL;
    recording_t *recording = open_recording(path, true, &note);
    assert_non_null(note);
    assert_non_null(strstr(note, path));
    free(note);
    assert_true(count_lines(path) == 2);
    write_one(recording, "{}");
    recording_destroy(&recording);
    assert_true(count_lines(path) == 3);
    FILE *in = fopen(path, "r");
    char text[1000] = "";
    assert_true(fread(text, 1, sizeof text - 1, in) > 0);
    fclose(in);
    assert_non_null(
        strstr(text, "\"replies\":{},\"cut_off\":\"{\\\"time\\\":\\\"t\\\",\\\"repl\"}\n"));

    /* Only the line feed is missing. */
    write_file(path, "{\"time\":\"t\",\"replies\":{}}");
    recording = open_recording(path, true, &note);
    assert_null(note);
    write_one(recording, "{}");
    recording_destroy(&recording);
    assert_true(count_lines(path) == 2);
    unlink(path);
    free(path);
}

static void cannot_open(const char *path, const char *expected)
{
    char *error = NULL;
    assert_null(
        recording_new(&(recording_options_t){.path = path, .append = false}, -1, &error, NULL));
    assert_non_null(error);
    if (!strstr(error, path) || !strstr(error, expected))
        fail_msg("\"%s\" is not in: %s", expected, error);
    free(error);
}

static void test_outputs_that_cannot_be_opened(void **state)
{
    (void)state;
    char *missing = path_of("no/such/folder");
    cannot_open(missing, "No such file");
    cannot_open(folder, "Is a directory");
    char *fifo = path_of("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    cannot_open(fifo, "nobody reads");
    unlink(fifo);
    char *path = path_of("taken");
    recording_t *first = open_recording(path, false, NULL);
    write_one(first, "{}");
    cannot_open(path, "another monitor");
    assert_true(count_lines(path) == 1);
    recording_destroy(&first);
    unlink(path);
    free(path);
    free(fifo);
    free(missing);
}

/* A limit on file sizes stands in for a full disk: a short write, then an error. */
static void test_a_short_write_leaves_whole_lines(void **state)
{
    (void)state;
    char *path = path_of("full");
    recording_t *recording = open_recording(path, false, NULL);
    write_one(recording, "{}");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    const struct rlimit small = {.rlim_cur = 700, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    char big[1000];
    memset(big, '1', sizeof big);
    snapshot_t *snapshot = snapshot_of("dserver/a/b", big, sizeof big, NULL);
    char *error = NULL;
    assert_int_equal(recording_write(recording, snapshot, NULL, &error), SINK_FAILED);
    assert_non_null(error);
    assert_non_null(strstr(error, path));
    free(error);
    assert_true(count_lines(path) == 1);
    /* The same again is lost without another message; a line that fits is written. */
    assert_int_equal(recording_write(recording, snapshot, NULL, &error), SINK_FAILED);
    assert_null(error);
    snapshot_t *little = snapshot_of("dserver/a/b", "[]", 2, NULL);
    assert_int_equal(recording_write(recording, little, NULL, &error), SINK_OK);
    assert_non_null(strstr(error, "recording again"));
    free(error);
    /* With a line before it that says what is missing. */
    assert_true(count_lines(path) == 3);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(recording_write(recording, snapshot, NULL, &error), SINK_OK);
    assert_null(error);
    assert_true(count_lines(path) == 4);
    snapshot_destroy(&little);
    snapshot_destroy(&snapshot);
    recording_destroy(&recording);
    unlink(path);
    free(path);
}

static void *read_slowly(void *argument)
{
    const int fd = *(int *)argument;
    char block[1000];
    size_t *total = memory_new(1, sizeof *total);
    for (;;) {
        const ssize_t n = read(fd, block, sizeof block);
        if (n <= 0)
            return total;
        *total += (size_t)n;
    }
}

static void test_pipes(void **state)
{
    (void)state;
    char *fifo = path_of("pipe");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    int stop[2];
    assert_int_equal(pipe(stop), 0);
    char *error = NULL;
    recording_t *recording =
        recording_new(&(recording_options_t){.path = fifo, .append = false}, stop[0], &error, NULL);
    assert_non_null(recording);

    /* More than a pipe holds goes through while somebody reads. */
    fcntl(reader, F_SETFL, 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
    const size_t size = 1u << 20;
    char *big = memory_new(size, 1);
    memset(big, '7', size);
    snapshot_t *snapshot = snapshot_of("dserver/a/b", big, size, NULL);
    assert_int_equal(recording_write(recording, snapshot, NULL, &error), SINK_OK);
    recording_destroy(&recording);
    size_t *total = NULL;
    pthread_join(thread, (void **)&total);
    assert_true(*total > size);
    free(total);

    /* Nobody reads: some of it waits for a reader, then whole snapshots are lost. */
    recording =
        recording_new(&(recording_options_t){.path = fifo, .append = false}, stop[0], &error, NULL);
    assert_non_null(recording);
    size_t kept = 0;
    while (recording_write(recording, snapshot, NULL, &error) == SINK_OK)
        kept++;
    assert_in_range(kept, 2, 50);
    assert_non_null(strstr(error, fifo));
    assert_non_null(strstr(error, "nobody reads it"));
    free(error);
    assert_int_equal(recording_write(recording, snapshot, NULL, &error), SINK_FAILED);
    assert_null(error);

    /* When somebody reads, all that waited is there, and the loss is reported. */
    assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
    assert_int_equal(recording_finish(recording, false, &error), SINK_FAILED);
    assert_non_null(strstr(error, "the last 2 snapshots are lost"));
    free(error);
    recording_destroy(&recording);
    pthread_join(thread, (void **)&total);
    assert_in_range(*total, kept * size, (kept + 1) * size);
    free(total);

    /* Nobody reads, and the monitor is told to stop. */
    recording =
        recording_new(&(recording_options_t){.path = fifo, .append = false}, stop[0], &error, NULL);
    assert_int_equal(recording_write(recording, snapshot, NULL, &error), SINK_OK);
    assert_int_equal(write(stop[1], "x", 1), 1);
    assert_int_equal(recording_finish(recording, false, &error), SINK_FAILED);
    assert_non_null(strstr(error, "the last 1 snapshot is lost"));
    free(error);

    /* The reader goes away. */
    close(reader);
    assert_int_equal(recording_write(recording, snapshot, NULL, &error), SINK_CLOSED);
    assert_non_null(strstr(error, "reader has gone"));
    free(error);
    assert_int_equal(recording_finish(recording, false, &error), SINK_OK);
    recording_destroy(&recording);
    snapshot_destroy(&snapshot);
    close(stop[0]);
    close(stop[1]);
    free(big);
    unlink(fifo);
    free(fifo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_is_kept_as_it_came),
        cmocka_unit_test(test_broken_answers_stay_readable),
        cmocka_unit_test(test_deep_and_long_answers),
        cmocka_unit_test(test_errors_and_names_of_any_bytes),
        cmocka_unit_test(test_truncates_or_appends),
        cmocka_unit_test(test_append_after_a_crash),
        cmocka_unit_test(test_outputs_that_cannot_be_opened),
        cmocka_unit_test(test_a_short_write_leaves_whole_lines),
        cmocka_unit_test(test_pipes),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
