/* What nobody reads: outlet.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmocka_all.h"

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/outlet.h"
#include "monitor/messages.h"

enum { LARGE = 200000, VERY_LARGE = 5 * LARGE, CAPACITY = 1000 };

/* A block of one letter, with a line feed at its end. */
static char *block_of(char letter, size_t size)
{
    char *block = memory_new(size, 1);
    memset(block, letter, size);
    block[size - 1] = '\n';
    return block;
}

static bool put(outlet_t *outlet, char letter, size_t size)
{
    return outlet_put(outlet, OUTLET_RESULT, block_of(letter, size), size, CAPACITY);
}

/* Reads a block and checks that it is whole. */
static void expect_block(int fd, char letter, size_t size)
{
    char *expected = block_of(letter, size);
    char *got = memory_new(size, 1);
    for (size_t have = 0; have < size;) {
        const ssize_t n = read(fd, got + have, size - have);
        assert_true(n > 0);
        have += (size_t)n;
    }
    assert_memory_equal(got, expected, size);
    free(got);
    free(expected);
}

static void test_a_reader_that_reads(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    outlet_t *outlet = outlet_new(fds[1], NULL);
    for (int letter = 'a'; letter <= 'z'; letter++) {
        assert_true(put(outlet, (char)letter, 100));
        assert_int_equal(outlet_wait(outlet, -1, -1), OUTLET_IDLE);
        expect_block(fds[0], (char)letter, 100);
    }
    assert_true(outlet_destroy(&outlet));
    assert_null(outlet);
    close(fds[0]);
    close(fds[1]);
}

static void test_a_reader_that_does_not_read(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    outlet_t *outlet = outlet_new(fds[1], NULL);
    /* One block in any case, and others up to the capacity; each kind has its own. */
    assert_true(put(outlet, 'a', LARGE));
    assert_int_equal(outlet_state(outlet), OUTLET_PENDING);
    assert_false(put(outlet, 'b', 10));
    assert_int_equal(outlet_pending(outlet, OUTLET_RESULT), 1);
    assert_true(outlet_put(outlet, OUTLET_MESSAGE, block_of('c', 600), 600, CAPACITY));
    assert_false(outlet_put(outlet, OUTLET_MESSAGE, block_of('d', 600), 600, CAPACITY));
    assert_true(outlet_put(outlet, OUTLET_MESSAGE, block_of('e', 400), 400, CAPACITY));
    /* That takes no time. */
    const int64_t begun = monotonic_ns();
    for (int i = 0; i < 1000; i++)
        assert_false(put(outlet, 'f', 10));
    assert_true(monotonic_ns() - begun < 10 * NS_PER_SECOND);
    assert_int_equal(outlet_wait(outlet, 10, -1), OUTLET_PENDING);
    /* What it accepted arrives whole and in order, what it refused not at all. */
    expect_block(fds[0], 'a', LARGE);
    expect_block(fds[0], 'c', 600);
    expect_block(fds[0], 'e', 400);
    assert_int_equal(outlet_wait(outlet, -1, -1), OUTLET_IDLE);
    assert_true(put(outlet, 'g', 10));
    expect_block(fds[0], 'g', 10);
    outlet_destroy(&outlet);
    close(fds[0]);
    close(fds[1]);
}

/* A slow reader is waited for once, or every poll would be late. */
static void test_a_slow_reader_is_not_waited_for_again(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    outlet_t *outlet = outlet_new(fds[1], NULL);
    const int64_t begun = monotonic_ns();
    assert_true(put(outlet, 'a', LARGE));
    const int64_t waited = monotonic_ns() - begun;
    int64_t shortest = waited;
    for (int i = 0; i < 5; i++) {
        expect_block(fds[0], 'a', LARGE);
        assert_int_equal(outlet_wait(outlet, -1, -1), OUTLET_IDLE);
        const int64_t start = monotonic_ns();
        assert_true(put(outlet, 'a', LARGE));
        const int64_t took = monotonic_ns() - start;
        shortest = took < shortest ? took : shortest;
    }
    assert_true(shortest < waited / 2);
    expect_block(fds[0], 'a', LARGE);
    /* Once it has read promptly, it is waited for again. */
    outlet_state_t after = OUTLET_PENDING;
    for (int i = 0; i < 50 && after != OUTLET_IDLE; i++) {
        assert_int_equal(outlet_wait(outlet, -1, -1), OUTLET_IDLE);
        assert_true(put(outlet, 'b', 10));
        after = outlet_state(outlet);
        expect_block(fds[0], 'b', 10);
    }
    assert_int_equal(after, OUTLET_IDLE);
    assert_true(outlet_destroy(&outlet));
    close(fds[0]);
    close(fds[1]);
}

static void test_told_to_stop_while_it_waits(void **state)
{
    (void)state;
    int fds[2];
    int stop[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(pipe(stop), 0);
    outlet_t *outlet = outlet_new(fds[1], NULL);
    assert_true(put(outlet, 'a', LARGE));
    assert_int_equal(write(stop[1], "x", 1), 1);
    assert_int_equal(outlet_wait(outlet, -1, stop[0]), OUTLET_PENDING);
    /* It ends although its thread is blocked; so the writing end stays open. */
    assert_false(outlet_destroy(&outlet));
    close(fds[0]);
    close(stop[0]);
    close(stop[1]);
}

static void test_a_reader_that_goes_away(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    outlet_t *outlet = outlet_new(fds[1], NULL);
    assert_true(put(outlet, 'a', LARGE));
    close(fds[0]);
    assert_int_equal(outlet_wait(outlet, -1, -1), OUTLET_CLOSED);
    assert_int_equal(outlet_pending(outlet, OUTLET_RESULT), 0);
    assert_false(put(outlet, 'b', 10));
    outlet_destroy(&outlet);
    close(fds[1]);
}

static void test_a_descriptor_that_somebody_made_non_blocking(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    outlet_t *outlet = outlet_new(fds[1], NULL);
    assert_true(put(outlet, 'a', LARGE));
    assert_int_equal(outlet_state(outlet), OUTLET_PENDING);
    fcntl(fds[0], F_SETFL, 0);
    expect_block(fds[0], 'a', LARGE);
    assert_int_equal(outlet_wait(outlet, -1, -1), OUTLET_IDLE);
    outlet_destroy(&outlet);
    close(fds[0]);
    close(fds[1]);
}

/* A file that may not grow stands in for a full disk. A line that was begun is finished later. */
static void test_a_file_that_is_full_for_a_while(void **state)
{
    (void)state;
    struct rlimit before;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    outlet_t *outlet = outlet_new(fileno(file), NULL);
    struct rlimit small = before;
    small.rlim_cur = 150;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_true(put(outlet, 'a', 100));
    assert_true(put(outlet, 'b', 100));
    const outlet_state_t failing = outlet_wait(outlet, -1, -1);
    const int why = errno;
    const bool more = put(outlet, 'c', 100);
    const bool too_much = put(outlet, 'd', CAPACITY);
    outlet_wait(outlet, -1, -1);
    setrlimit(RLIMIT_FSIZE, &before); /* before anything is printed */
    assert_int_equal(failing, OUTLET_FAILING);
    assert_int_equal(why, EFBIG);
    assert_true(more);
    assert_false(too_much);
    assert_int_equal(outlet_pending(outlet, OUTLET_RESULT), 2);
    assert_true(put(outlet, 'e', 100));
    assert_int_equal(outlet_wait(outlet, -1, -1), OUTLET_IDLE);
    outlet_destroy(&outlet);
    rewind(file);
    for (const char *letter = "abce"; *letter; letter++)
        expect_block(fileno(file), *letter, 100);
    char rest = 0;
    assert_int_equal(read(fileno(file), &rest, 1), 0);
    fclose(file);
}

static void test_two_descriptors_of_one_pipe(void **state)
{
    (void)state;
    int fds[2];
    int other[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(pipe(other), 0);
    const int copy = dup(fds[1]);
    outlet_t *one = outlet_new(fds[1], NULL);
    outlet_t *same = outlet_new(copy, one);
    outlet_t *another = outlet_new(other[1], one);
    assert_ptr_equal(same, one);
    assert_ptr_not_equal(another, one);
    outlet_destroy(&one);
    assert_true(put(same, 'a', 10));
    expect_block(fds[0], 'a', 10);
    outlet_destroy(&same);
    outlet_destroy(&another);
    close(copy);
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        close(other[i]);
    }
}

/* Lines that nobody reads are counted, and the next one that can be read says how many. */
static void test_messages_that_nobody_reads(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    messages_t *messages = messages_new(fds[1], "ska-tango-event-monitor");
    const size_t count = 10000;
    for (size_t i = 0; i < count; i++) {
        char *line = memory_format("a line that is to be read, number %zu", i);
        messages_say(messages, line);
        free(line);
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    size_t lines = 0;
    size_t left_out = 0;
    char *text = memory_new(VERY_LARGE, 1);
    char *end = text;
    for (bool said = false;;) {
        const bool idle = outlet_wait(messages_outlet(messages), 10, -1) == OUTLET_IDLE;
        const ssize_t n = read(fds[0], end, LARGE);
        if (n > 0) {
            end += n;
        } else if (idle) {
            if (said)
                break;
            messages_say(messages, "the last one\e");
            said = true;
        }
    }
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        const char *what = strchr(line, ':');
        assert_non_null(what);
        assert_int_equal(strncmp(line, "ska-tango-event-monitor: ", 25), 0);
        lines++;
        if (strstr(line, "left out here"))
            left_out = strtoul(what + 2, NULL, 10);
    }
    assert_true(left_out > 0);
    assert_int_equal(lines - 2 + left_out, count);
    free(text);
    messages_destroy(&messages);
    close(fds[0]);
    close(fds[1]);
}

static int ignore_signals(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reader_that_reads),
        cmocka_unit_test(test_a_reader_that_does_not_read),
        cmocka_unit_test(test_a_slow_reader_is_not_waited_for_again),
        cmocka_unit_test(test_told_to_stop_while_it_waits),
        cmocka_unit_test(test_a_reader_that_goes_away),
        cmocka_unit_test(test_a_descriptor_that_somebody_made_non_blocking),
        cmocka_unit_test(test_a_file_that_is_full_for_a_while),
        cmocka_unit_test(test_two_descriptors_of_one_pipe),
        cmocka_unit_test(test_messages_that_nobody_reads),
    };
    return cmocka_run_group_tests(tests, ignore_signals, NULL);
}
