/* Blocks of bytes written to files that accept all, some, or nothing of them. */
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/output.h"

static int new_file(void)
{
    char path[] = "/tmp/test_output.XXXXXX";
    const int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    return fd;
}

static void assert_holds(int fd, const char *expected)
{
    char text[64] = "";
    assert_int_equal(pread(fd, text, sizeof text - 1, 0), strlen(expected));
    assert_string_equal(text, expected);
}

static void test_writes_one_block_behind_the_other(void **state)
{
    (void)state;
    const int fd = new_file();
    size_t written = 99;
    assert_true(output_write(fd, "one ", 4, &written));
    assert_int_equal(written, 4);
    assert_true(output_write(fd, "", 0, &written));
    assert_int_equal(written, 0);
    assert_true(output_write(fd, "two\0 three", 3, &written));
    assert_holds(fd, "one two");
    close(fd);
}

static void test_fails_without_a_file(void **state)
{
    (void)state;
    size_t written = 99;
    errno = 0;
    assert_false(output_write(-1, "one", 3, &written));
    assert_int_equal(errno, EBADF);
    assert_int_equal(written, 0);
}

static void test_a_full_disk_takes_nothing(void **state)
{
    (void)state;
    const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    size_t written = 99;
    assert_false(output_write(fd, "one", 3, &written));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(written, 0);
    close(fd);
}

/* A limit on file sizes stands in for a disk that becomes full in the middle of a block. */
static void test_says_how_much_of_a_block_was_written(void **state)
{
    (void)state;
    const int fd = new_file();
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = 6, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    size_t written = 99;
    size_t more = 99;
    const bool good = output_write(fd, "one two three", 13, &written);
    const int why = errno;
    const bool more_good = output_write(fd, "four", 4, &more);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(good);
    assert_int_equal(why, EFBIG);
    assert_int_equal(written, 6);
    assert_false(more_good);
    assert_int_equal(more, 0);
    assert_holds(fd, "one tw");
    close(fd);
}

/* ---- a pipe, which takes a block bit by bit, with signals in between ---- */

enum { BLOCK_SIZE = 1 << 20 };

typedef struct {
    int fd;
    pthread_t writer;
    char *block;
} reader_t;

static void do_nothing(int number)
{
    (void)number;
}

/* Reads a block, and interrupts the writer again and again. */
static void *read_block(void *argument)
{
    reader_t *self = argument;
    /* Now and then while the pipe is full, too: then the call has written nothing so far. */
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        pthread_kill(self->writer, SIGUSR1);
    }
    size_t size = 0;
    ssize_t n = 0;
    while (size < BLOCK_SIZE && (n = read(self->fd, self->block + size, 4096)) > 0) {
        pthread_kill(self->writer, SIGUSR1);
        size += (size_t)n;
    }
    return NULL;
}

static void test_writes_all_of_it_however_often_it_is_interrupted(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = do_nothing}; /* no SA_RESTART */
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    char *block = memory_new(BLOCK_SIZE, 1);
    for (size_t i = 0; i < BLOCK_SIZE; i++)
        block[i] = (char)(i * 2654435761u >> 24);
    reader_t reader = {ends[0], pthread_self(), memory_new(BLOCK_SIZE, 1)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_block, &reader), 0);
    size_t written = 0;
    assert_true(output_write(ends[1], block, BLOCK_SIZE, &written));
    pthread_join(thread, NULL);
    assert_int_equal(written, BLOCK_SIZE);
    assert_memory_equal(reader.block, block, BLOCK_SIZE);
    int more = 0;
    assert_int_equal(ioctl(ends[0], FIONREAD, &more), 0);
    assert_int_equal(more, 0);
    close(ends[0]);
    close(ends[1]);
    free(reader.block);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_one_block_behind_the_other),
        cmocka_unit_test(test_fails_without_a_file),
        cmocka_unit_test(test_a_full_disk_takes_nothing),
        cmocka_unit_test(test_says_how_much_of_a_block_was_written),
        cmocka_unit_test(test_writes_all_of_it_however_often_it_is_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
