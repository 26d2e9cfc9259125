/* Whatever is recorded, in every possible way, is read back unchanged. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "monitor/recording/line_reader.h"
#include "monitor/recording/read_ahead.h"
#include "monitor/recording/recording.h"
#include "monitor/recording/replay.h"

enum { SNAPSHOTS = 12 };

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

/* The first server's answers: counts that grow, and streams that come and go. */
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

/* Two servers; the second one fails at times, and its answer is not JSON once. */
static snapshot_t *snapshot_number(int number)
{
    snapshot_t *snapshot = snapshot_new(2);
    snapshot->time = (struct timespec){.tv_sec = 1000000000 + number, .tv_nsec = 123456000};
    snapshot->replies[0].server = memory_string("dserver/Pub/1");
    snapshot->replies[1].server = memory_string("dserver/\"Sub\"/\xc3\xa9");
    set_answer(&snapshot->replies[0], answer(number));
    snapshot->replies[0].answered = 5000 + number * 0.5;
    if (number % 4 == 2)
        snapshot->replies[1].error = memory_string("no answer within 3 s");
    else if (number == 5)
        set_answer(&snapshot->replies[1], memory_string("Internal \"error\"\n"));
    else
        set_answer(&snapshot->replies[1], answer(number / 4));
    if (number % 3 == 1) {
        check_t checks[] = {
            {CHECK_DEVICE, (char *)"tango://h:1/dserver/\"Pub\"/1", CHECK_NOT_RUNNING,
             (char *)"it has\nended", snapshot->time},
            {CHECK_ENDPOINT, (char *)"tcp://h:1", CHECK_GOOD, (char *)"", snapshot->time},
            {CHECK_ENDPOINT, (char *)"tcp://h:2", CHECK_REFUSED, (char *)"no", snapshot->time},
        };
        for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
            checks_add(&snapshot->checks, &checks[i]);
        checks_sort(&snapshot->checks);
    }
    return snapshot;
}

static void assert_same(const snapshot_t *read, int number)
{
    snapshot_t *written = snapshot_number(number);
    assert_int_equal(read->time.tv_sec, written->time.tv_sec);
    assert_int_equal(read->time.tv_nsec, written->time.tv_nsec);
    assert_int_equal(read->checks.count, written->checks.count);
    for (size_t i = 0; i < read->checks.count; i++) {
        const check_t *was = &written->checks.list[i];
        const check_t *is = checks_find(&read->checks, was->kind, was->subject);
        assert_non_null(is);
        assert_int_equal(is->outcome, was->outcome);
        assert_string_equal(is->text, was->text);
        assert_int_equal(is->time.tv_sec, was->time.tv_sec);
    }
    assert_int_equal(read->reply_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const reply_t *was = &written->replies[i];
        const reply_t *is = &read->replies[i];
        assert_string_equal(is->server, was->server);
        assert_true((is->data == NULL) == (was->data == NULL));
        assert_true((is->response == NULL) == (was->response == NULL));
        assert_true(is->answered == was->answered);
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
            assert_non_null(strstr(is->error, "not JSON"));
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
        assert_int_equal(recording_write(recording, snapshot, NULL, &error), SINK_OK);
        assert_null(error);
        snapshot_destroy(&snapshot);
    }
}

/* Reads a recording of snapshots, from the first one; returns how many there were. */
static int read_back(const char *path, int first, char **last_note)
{
    char *note = NULL;
    replay_t *replay = replay_new(path, -1, &note);
    assert_non_null(replay);
    int number = first;
    bool more = true;
    while (more) {
        source_item_t item;
        more = replay_next(replay, &item);
        assert_false(item.damaged);
        if (item.snapshot)
            assert_same(item.snapshot, number++);
        if (item.note && last_note) {
            free(*last_note);
            *last_note = memory_string(item.note);
        } else if (item.note) {
            fail_msg("%s", item.note);
        }
        source_item_clear(&item);
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

/* A writer that is killed leaves any beginning of what it would have written. */
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
            /* And it can be continued: nothing that could be read is lost. */
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
    replay_t *replay = replay_new(path, -1, &note);
    source_item_t item;
    assert_true(replay_next(replay, &item));
    assert_non_null(strstr(item.snapshot->replies[0].error, "no answer to apply it to"));
    assert_true(item.snapshot->replies[0].is_missing);
    source_item_clear(&item);
    for (int line = 2; line < 4; line++) {
        assert_true(replay_next(replay, &item));
        assert_null(item.snapshot);
        assert_true(item.damaged);
        assert_non_null(strstr(item.note, line == 2 ? "line 2" : "line 3"));
        source_item_clear(&item);
    }
    assert_true(replay_next(replay, &item));
    assert_false(item.damaged);
    assert_non_null(strstr(item.note, "3 snapshots were lost"));
    source_item_clear(&item);
    assert_false(replay_next(replay, &item));
    assert_null(item.note);
    replay_destroy(&replay);
    assert_null(replay_new("/no/such/file", -1, &note));
    free(note);
    unlink(path);
    free(path);
}

/* An answer as deep as one may be, in a line that is some levels deeper. */
static void test_deep_answers(void **state)
{
    (void)state;
    char *path = path_of("");
    for (int depth = 195; depth <= JSON_TEXT_MAX_DEPTH + 1; depth++) {
        for (int full_every = 0; full_every < 10; full_every += 3) {
            char brackets[2 * JSON_TEXT_MAX_DEPTH + 2] = "";
            memset(brackets, '[', (size_t)depth - 1);
            memset(brackets + depth - 1, ']', (size_t)depth - 1);
            recording_options_t options = {.path = path, .full_every = full_every};
            recording_t *recording = open_recording(&options);
            for (int number = 0; number < 2; number++) {
                snapshot_t *snapshot = snapshot_number(number);
                char *error = NULL;
                free(snapshot->replies[0].data);
                response_destroy(&snapshot->replies[0].response);
                set_answer(&snapshot->replies[0],
                           memory_format("{\"version\":1,\"x\":%s,\"y\":%d}", brackets, number));
                assert_int_equal(recording_write(recording, snapshot, NULL, &error), SINK_OK);
                snapshot_destroy(&snapshot);
            }
            recording_destroy(&recording);
            char *note = NULL;
            replay_t *replay = replay_new(path, -1, &note);
            source_item_t item;
            for (int number = 0; number < 2; number++) {
                assert_true(replay_next(replay, &item));
                assert_null(item.note);
                assert_true((item.snapshot->replies[0].response != NULL) ==
                            (depth <= JSON_TEXT_MAX_DEPTH));
                assert_non_null(item.snapshot->replies[1].response);
                source_item_clear(&item);
            }
            assert_false(replay_next(replay, &item));
            replay_destroy(&replay);
        }
    }
    unlink(path);
    free(path);
}

static void assert_line(line_reader_t *reader, const char *text, size_t number)
{
    line_t line;
    assert_true(line_reader_next(reader, &line));
    assert_int_equal(line.number, number);
    assert_true(line.too_long == (text == NULL));
    if (text) {
        assert_int_equal(line.size, strlen(text));
        assert_memory_equal(line.text, text, line.size);
    }
}

/* Lines longer than one read and than the maximum, one by one and again. */
static void test_lines(void **state)
{
    (void)state;
    enum { LONG = 300000 };
    char *path = path_of("");
    char *text = memory_new(LONG + 1, 1);
    memset(text, 'x', LONG);
    FILE *out = fopen(path, "w");
    fprintf(out,
            "\xef\xbb\xbf"
            "a\n\n%s\nb\n%sy\n\xef\xbb\xbf"
            "c\n%sz%s",
            text, text, text, text);
    fclose(out);
    char *error = NULL;
    line_reader_t *reader = line_reader_new(path, -1, LONG, &error);
    assert_null(error);
    assert_line(reader, "a", 1);
    assert_line(reader, "", 2);
    assert_line(reader, text, 3);
    line_reader_put_back(reader);
    assert_line(reader, text, 3);
    assert_line(reader, "b", 4);
    assert_line(reader, NULL, 5);
    assert_line(reader, "c", 6);
    assert_line(reader, NULL, 7);
    line_t line;
    assert_false(line_reader_next(reader, &line));
    assert_int_equal(line_reader_end(reader, &error), LINE_READER_WHOLE);
    assert_null(error);
    line_reader_destroy(&reader);
    unlink(path);
    free(text);
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
    /* Each file can be read on its own, and no poll is duplicated or missing. */
    for (size_t i = 0; i <= found.gl_pathc; i++) {
        const char *file = i < found.gl_pathc ? found.gl_pathv[i] : path;
        char *note = NULL;
        replay_t *replay = replay_new(file, -1, &note);
        source_item_t item;
        assert_true(replay_next(replay, &item));
        /* In the order of their names, by their bytes. */
        assert_same(item.snapshot, (int)i);
        source_item_clear(&item);
        assert_false(replay_next(replay, &item));
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
    /* It was last written an hour ago: in another period. */
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

/* A large one is read ahead where there are processors for it, which makes no difference. */
static void test_large(void **state)
{
    (void)state;
    enum { MANY = 6000 };
    for (int full_every = 0; full_every <= 50; full_every += 50) {
        char *path = path_of("");
        recording_t *recording =
            open_recording(&(recording_options_t){.path = path, .full_every = full_every});
        record(recording, 0, MANY);
        recording_destroy(&recording);
        for (size_t processors = 1; processors <= 3; processors++) {
            read_ahead_set_processors(processors);
            assert_int_equal(read_back(path, 0, NULL), MANY);
            /* Beside another one, and not to the end. */
            char *error = NULL;
            replay_t *beside = replay_new(path, -1, &error);
            source_item_t item;
            for (int i = 0; i < 3; i++) {
                assert_true(replay_next(beside, &item));
                assert_same(item.snapshot, i);
                source_item_clear(&item);
            }
            assert_int_equal(read_back(path, 0, NULL), MANY);
            assert_true(replay_part(beside) < 0.9);
            replay_destroy(&beside);
        }
        read_ahead_set_processors(0);
        unlink(path);
        free(path);
    }
}

/* Whoever is told to stop doesn't get to the end. */
static void test_large_stopped(void **state)
{
    (void)state;
    enum { MANY = 6000 };
    char *path = path_of("");
    recording_t *recording = open_recording(&(recording_options_t){.path = path});
    record(recording, 0, MANY);
    recording_destroy(&recording);
    read_ahead_set_processors(2);
    int stop[2];
    assert_int_equal(pipe(stop), 0);
    char *error = NULL;
    replay_t *replay = replay_new(path, stop[0], &error);
    source_item_t item;
    assert_true(replay_next(replay, &item));
    source_item_clear(&item);
    assert_int_equal(write(stop[1], "", 1), 1);
    int count = 1;
    while (replay_next(replay, &item)) {
        assert_same(item.snapshot, count++);
        source_item_clear(&item);
    }
    assert_null(item.note);
    assert_true(count < MANY);
    replay_destroy(&replay);
    read_ahead_set_processors(0);
    close(stop[0]);
    close(stop[1]);
    unlink(path);
    free(path);
}

/* How far it has come, for whoever waits for it. */
static void test_part(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    char *path = path_of("");
    char *error = NULL;
    FILE *out = fopen(path, "w");
    for (int i = 0; i < LINES; i++)
        fputs("{\"time\": \"2026-03-01T12:00:00+00:00\", \"replies\": {}}\n", out);
    fclose(out);
    replay_t *replay = replay_new(path, -1, &error);
    assert_non_null(replay);
    assert_true(replay_is_file(replay));
    assert_true(replay_part(replay) < 0.5);
    double last = 0;
    source_item_t item;
    while (replay_next(replay, &item)) {
        const double part = replay_part(replay);
        assert_true(part >= last && part <= 1);
        last = part;
        source_item_clear(&item);
    }
    source_item_clear(&item);
    assert_true(last > 0.999);
    replay_destroy(&replay);
    unlink(path);
    free(path);
    /* Of what isn't a file, nobody knows how long it will be. */
    replay = replay_new("/dev/zero", -1, &error);
    assert_non_null(replay);
    assert_false(replay_is_file(replay));
    assert_true(isnan(replay_part(replay)));
    replay_destroy(&replay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_rotation_by_size),
        cmocka_unit_test(test_rotation_by_time),
        cmocka_unit_test(test_deep_answers),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_part),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_large_stopped),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
