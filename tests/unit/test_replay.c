/* What is recorded, in every way in which it can be, comes back as it was. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "monitor/recording.h"
#include "monitor/replay.h"
#include "response/memory.h"

enum { SNAPSHOTS = 7 };

static const char *const endings[] = {"", ".gz", ".zst", ".xz"};

static char folder[] = "/tmp/test_replay.XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    setenv("TZ", "XYZ-5:30", 1);
    tzset();
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* What the first server answers: counts that go on, and streams that come and go. */
static char *answer(int number)
{
    return memory_format(
        "{\"version\":1,\"server\":{\"event_counters\":{\"tango://h:1/a/b/c/x.change\":"
        "%d%s%s},\"perf\":null},\"client\":null}",
        number * 10, number % 3 == 1 ? ",\"tango://h:1/a/b/c/y.change\":7" : "",
        number % 3 == 2 ? ",\"z\":null" : "");
}

static void set_answer(reply_t *reply, char *text)
{
    reply->data = text;
    reply->data_size = strlen(text);
    reply->response = response_parse(text, strlen(text), NULL);
}

/* Two servers; the second one fails at times, and is no JSON once. */
static snapshot_t *snapshot_number(int number)
{
    snapshot_t *snapshot = snapshot_new(2);
    snapshot->time = (struct timespec){.tv_sec = 1000000000 + number, .tv_nsec = 123456000};
    snapshot->replies[0].server = memory_string("dserver/Pub/1");
    snapshot->replies[1].server = memory_string("dserver/\"Sub\"/\xc3\xa9");
    set_answer(&snapshot->replies[0], answer(number));
    if (number % 4 == 2)
        snapshot->replies[1].error = memory_string("no answer within 3 s");
    else if (number == 5)
        set_answer(&snapshot->replies[1], memory_string("Internal \"error\"\n"));
    else
        set_answer(&snapshot->replies[1], answer(number / 4));
    return snapshot;
}

static void assert_same(const snapshot_t *read, int number)
{
    snapshot_t *written = snapshot_number(number);
    assert_int_equal(read->time.tv_sec, written->time.tv_sec);
    assert_int_equal(read->time.tv_nsec, written->time.tv_nsec);
    assert_int_equal(read->reply_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const reply_t *was = &written->replies[i];
        const reply_t *is = &read->replies[i];
        assert_string_equal(is->server, was->server);
        assert_true((is->data == NULL) == (was->data == NULL));
        assert_true((is->response == NULL) == (was->response == NULL));
        if (!was->data) {
            assert_string_equal(is->error, was->error);
        } else if (was->response) {
            json_t *left = json_loads(is->data, 0, NULL);
            json_t *right = json_loads(was->data, 0, NULL);
            assert_non_null(left);
            assert_true(json_equal(left, right));
            json_decref(left);
            json_decref(right);
        } else {
            assert_string_equal(is->data, was->data);
            assert_non_null(strstr(is->error, "no JSON"));
        }
    }
    snapshot_destroy(&written);
}

static recording_t *open_recording(const recording_options_t *options)
{
    char *error = NULL;
    recording_t *recording = recording_new(options, -1, &error, NULL);
    if (!recording)
        fail_msg("%s", error);
    return recording;
}

static void record(recording_t *recording, int first, int end)
{
    for (int i = first; i < end; i++) {
        snapshot_t *snapshot = snapshot_number(i);
        char *error = NULL;
        assert_int_equal(recording_write(recording, snapshot, &error), RECORDING_OK);
        assert_null(error);
        snapshot_destroy(&snapshot);
    }
}

/* Reads a recording of snapshots from the first one on; returns how many. */
static int read_back(const char *path, int first, char **last_note)
{
    char *note = NULL;
    replay_t *replay = replay_new(path, -1, &note);
    assert_non_null(replay);
    int number = first;
    bool more = true;
    while (more) {
        snapshot_t *snapshot = NULL;
        bool damaged = false;
        more = replay_next(replay, &snapshot, &note, &damaged);
        assert_false(damaged);
        if (snapshot)
            assert_same(snapshot, number++);
        snapshot_destroy(&snapshot);
        if (note && last_note) {
            free(*last_note);
            *last_note = note;
        } else if (note) {
            fail_msg("%s", note);
        }
    }
    replay_destroy(&replay);
    return number - first;
}

static char *path_of(const char *ending)
{
    return memory_format("%s/x.jsonl%s", folder, ending);
}

static void test_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        for (int full_every = 0; full_every < 10; full_every += 3) {
            char *path = path_of(endings[i]);
            recording_options_t options = {.path = path, .full_every = full_every};
            recording_t *recording = open_recording(&options);
            record(recording, 0, 3);
            recording_destroy(&recording);
            options.append = true;
            recording = open_recording(&options);
            record(recording, 3, SNAPSHOTS);
            recording_destroy(&recording);
            assert_int_equal(read_back(path, 0, NULL), SNAPSHOTS);
            unlink(path);
            free(path);
        }
    }
}

static size_t size_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (size_t)status.st_size;
}

/* A writer that is killed leaves any part of what it would have written. */
static void test_cut_off_anywhere(void **state)
{
    (void)state;
    for (size_t i = 1; i < sizeof endings / sizeof *endings; i++) {
        char *path = path_of(endings[i]);
        recording_options_t options = {.path = path, .append = true, .full_every = 3};
        recording_t *recording = open_recording(&options);
        size_t ends[SNAPSHOTS];
        for (int number = 0; number < SNAPSHOTS; number++) {
            record(recording, number, number + 1);
            ends[number] = size_of(path);
        }
        recording_destroy(&recording);
        char *whole = memory_new(ends[SNAPSHOTS - 1], 1);
        FILE *in = fopen(path, "r");
        assert_int_equal(fread(whole, 1, ends[SNAPSHOTS - 1], in), ends[SNAPSHOTS - 1]);
        fclose(in);
        for (size_t size = ends[3]; size <= ends[4]; size++) {
            FILE *out = fopen(path, "w");
            assert_int_equal(fwrite(whole, 1, size, out), size);
            fclose(out);
            char *note = NULL;
            const int readable = read_back(path, 0, &note);
            assert_true(readable == 4 || readable == 5);
            assert_true(readable == 5 || size < ends[4]);
            free(note);
            /* And it can be gone on with: nothing that could be read is lost. */
            recording = open_recording(&options);
            record(recording, readable, SNAPSHOTS);
            recording_destroy(&recording);
            note = NULL;
            assert_int_equal(read_back(path, 0, &note), SNAPSHOTS);
            assert_null(note);
        }
        free(whole);
        unlink(path);
        free(path);
    }
}

static void test_what_is_none(void **state)
{
    (void)state;
    for (size_t i = 1; i < sizeof endings / sizeof *endings; i++) {
        char *path = path_of(endings[i]);
        FILE *out = fopen(path, "w");
        fputs("{\"time\":\"t\",\"replies\":{}}\n", out);
        fclose(out);
        char *error = NULL;
        const recording_options_t options = {.path = path, .append = true};
        assert_null(recording_new(&options, -1, &error, NULL));
        assert_non_null(strstr(error, path));
        assert_non_null(strstr(error, "move it away"));
        free(error);
        unlink(path);
        free(path);
    }
    char *path = path_of("");
    FILE *out = fopen(path, "w");
    fputs("{\"time\":\"2001-09-09T07:16:40.123456+05:30\",\"replies\":{\"s\":{\"changes\":{}}}}\n"
          "hello\n{\"time\":1}\n"
          "{\"time\":\"2001-09-09T07:16:40.123456+05:30\",\"replies\":{},\"lost_snapshots\":3}\n",
          out);
    fclose(out);
    char *note = NULL;
    bool damaged = false;
    snapshot_t *snapshot = NULL;
    replay_t *replay = replay_new(path, -1, &note);
    assert_true(replay_next(replay, &snapshot, &note, &damaged));
    assert_non_null(strstr(snapshot->replies[0].error, "not of what"));
    snapshot_destroy(&snapshot);
    for (int line = 2; line < 4; line++) {
        assert_true(replay_next(replay, &snapshot, &note, &damaged));
        assert_null(snapshot);
        assert_true(damaged);
        assert_non_null(strstr(note, line == 2 ? "line 2" : "line 3"));
        free(note);
    }
    assert_true(replay_next(replay, &snapshot, &note, &damaged));
    assert_false(damaged);
    assert_non_null(strstr(note, "3 snapshots were lost"));
    free(note);
    assert_false(replay_next(replay, &snapshot, &note, &damaged));
    assert_null(note);
    replay_destroy(&replay);
    assert_null(replay_new("/no/such/file", -1, &note));
    free(note);
    unlink(path);
    free(path);
}

static void test_rotation_by_size(void **state)
{
    (void)state;
    char *path = path_of(".gz");
    const recording_options_t options = {.path = path, .rotate_bytes = 100, .full_every = 4};
    recording_t *recording = open_recording(&options);
    record(recording, 0, SNAPSHOTS);
    recording_destroy(&recording);
    char *pattern = memory_format("%s/x-*.jsonl.gz", folder);
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, SNAPSHOTS - 1);
    /* Each can be read by itself, and none is there twice or missing: the names go by the time, and
     * within a second by a number. */
    bool seen[SNAPSHOTS] = {false};
    for (size_t i = 0; i <= found.gl_pathc; i++) {
        const char *file = i < found.gl_pathc ? found.gl_pathv[i] : path;
        char *note = NULL;
        replay_t *replay = replay_new(file, -1, &note);
        snapshot_t *snapshot = NULL;
        bool damaged = false;
        assert_true(replay_next(replay, &snapshot, &note, &damaged));
        const int number = (int)(snapshot->time.tv_sec - 1000000000);
        assert_same(snapshot, number);
        assert_false(seen[number]);
        seen[number] = true;
        snapshot_destroy(&snapshot);
        assert_false(replay_next(replay, &snapshot, &note, &damaged));
        replay_destroy(&replay);
        unlink(file);
    }
    globfree(&found);
    free(pattern);
    free(path);
}

static void test_rotation_by_time(void **state)
{
    (void)state;
    char *path = path_of("");
    recording_options_t options = {.path = path, .rotate_seconds = 3600, .append = true};
    recording_t *recording = open_recording(&options);
    record(recording, 0, 2);
    recording_destroy(&recording);
    /* It was written to an hour ago: in another stretch of time. */
    const struct timespec old[] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    recording = open_recording(&options);
    record(recording, 2, 4);
    recording_destroy(&recording);
    assert_int_equal(read_back(path, 2, NULL), 2);
    char *pattern = memory_format("%s/x-*.jsonl", folder);
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    assert_int_equal(read_back(found.gl_pathv[0], 0, NULL), 2);
    unlink(found.gl_pathv[0]);
    unlink(path);
    globfree(&found);
    free(pattern);
    char *error = NULL;
    options.path = "/dev/null";
    assert_null(recording_new(&options, -1, &error, NULL));
    assert_non_null(strstr(error, "rotated"));
    free(error);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),       cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_what_is_none),     cmocka_unit_test(test_rotation_by_size),
        cmocka_unit_test(test_rotation_by_time),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
