#include "base/outlet.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/terminal.h"

/*
 * How long outlet_put() waits for a block in an idle outlet to be written. After one that took
 * longer than PROMPT_MS it hardly waits, until that many others were prompt again: a slow reader
 * would make polls late.
 */
enum { TURN_MS = 200, SHORT_TURN_MS = 5, PROMPT_MS = 50, PROMPT_AGAIN = 100 };

typedef struct block {
    struct block *next;
    outlet_kind_t kind;
    char *data;
    size_t size;
    size_t written;
} block_t;

struct outlet {
    int fd;
    size_t users;
    bool terminal;
    bool has_thread;
    pthread_t thread;
    int done_fd; /* an eventfd: there is nothing more to wait for */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    block_t *first;
    block_t **last;
    size_t bytes[OUTLET_KINDS]; /* of the blocks that wait */
    size_t blocks[OUTLET_KINDS];
    int failure;     /* errno of the last write; 0: it went well, or is under way */
    bool again;      /* try what failed again */
    int slow;        /* 0: its reader is prompt; else how often it has to be so again */
    int64_t turn_ms; /* when the thread began with what was put into the idle outlet */
    bool closed;
    bool quit;
    bool left_behind; /* nobody waits for the thread's end: it frees everything */
};

/* ---- for the thread; each with the lock held ---- */

static void tell_done(outlet_t *self)
{
    const uint64_t one = 1;
    if (write(self->done_fd, &one, sizeof one) < 0)
        return; /* it says so already */
}

static int64_t now_ms(void)
{
    return monotonic_ns() / 1000000;
}

static void drop_first(outlet_t *self)
{
    block_t *block = self->first;
    self->first = block->next;
    if (!self->first)
        self->last = &self->first;
    self->blocks[block->kind]--;
    self->bytes[block->kind] -= block->size;
    free(block->data);
    free(block);
}

/* Somebody who shares the descriptor may have made it non-blocking. */
static void wait_for_reader(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    (void)poll(&ready, 1, -1);
}

static void take_failure(outlet_t *self, int why)
{
    /* Writes to a terminal that was closed fail for ever. */
    if (why == EPIPE || why == ECONNRESET || (why == EIO && self->terminal)) {
        self->closed = true;
        while (self->first)
            drop_first(self);
    } else {
        self->failure = why;
    }
    tell_done(self);
}

static void end_turn(outlet_t *self)
{
    if (now_ms() - self->turn_ms > PROMPT_MS)
        self->slow = PROMPT_AGAIN;
    else if (self->slow > 0)
        self->slow--;
    tell_done(self);
}

/* Writes as much as it can of the first block, releasing the lock meanwhile. */
static void write_first(outlet_t *self)
{
    block_t *block = self->first;
    pthread_mutex_unlock(&self->lock);
    const ssize_t n = write(self->fd, block->data + block->written, block->size - block->written);
    const int why = n < 0 ? errno : ENOSPC;
    if (n < 0 && why == EAGAIN)
        wait_for_reader(self->fd);
    pthread_mutex_lock(&self->lock);
    if (n < 0 && (why == EAGAIN || why == EINTR))
        return;
    if (n <= 0) {
        take_failure(self, why);
        return;
    }
    block->written += (size_t)n;
    if (block->written == block->size)
        drop_first(self);
    if (!self->first)
        end_turn(self);
}

static void write_all(outlet_t *self)
{
    while (self->first && !self->quit && (!self->failure || self->again)) {
        if (self->again)
            self->turn_ms = now_ms();
        self->again = false;
        self->failure = 0;
        write_first(self);
    }
}

/* Without the lock: nobody else uses it any more. */
static void free_all(outlet_t *self)
{
    while (self->first)
        drop_first(self);
    if (self->done_fd >= 0)
        close(self->done_fd);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void *run(void *argument)
{
    outlet_t *self = argument;
    pthread_mutex_lock(&self->lock);
    while (!self->quit) {
        write_all(self);
        if (!self->quit)
            pthread_cond_wait(&self->wake, &self->lock);
    }
    const bool left_behind = self->left_behind;
    pthread_mutex_unlock(&self->lock);
    if (left_behind)
        free_all(self);
    return NULL;
}

/* ---- for its user ---- */

static bool same_file(int fd, int other)
{
    struct stat one;
    struct stat two;
    return fstat(fd, &one) == 0 && fstat(other, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

outlet_t *outlet_new(int fd, outlet_t *other)
{
    if (other && same_file(fd, other->fd)) {
        other->users++;
        return other;
    }
    outlet_t *self = memory_new(1, sizeof *self);
    self->fd = fd;
    self->users = 1;
    self->terminal = isatty(fd);
    self->last = &self->first;
    self->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wake, NULL);
    /* If there is no thread, the caller writes: better than not at all. */
    self->has_thread = self->done_fd >= 0 && pthread_create(&self->thread, NULL, run, self) == 0;
    return self;
}

bool outlet_destroy(outlet_t **pointer)
{
    outlet_t *self = *pointer;
    *pointer = NULL;
    if (!self || --self->users > 0)
        return true;
    pthread_mutex_lock(&self->lock);
    const bool joins = self->has_thread;
    const pthread_t thread = self->thread;
    /* While there is a block to write, the thread is writing it, and may be blocked there. */
    const bool hangs = joins && self->first && !self->failure;
    self->quit = true;
    self->left_behind = hangs;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    if (hangs) {
        pthread_detach(thread);
        return false;
    }
    if (joins)
        pthread_join(thread, NULL);
    free_all(self);
    return true;
}

static void append(outlet_t *self, outlet_kind_t kind, char *data, size_t size)
{
    block_t *block = memory_new(1, sizeof *block);
    *block = (block_t){.kind = kind, .data = data, .size = size};
    *self->last = block;
    self->last = &block->next;
    self->bytes[kind] += size;
    self->blocks[kind]++;
}

/* Has the thread write, and waits a moment for it. */
static void take_turn(outlet_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->again = true;
    if (self->has_thread)
        pthread_cond_signal(&self->wake);
    else
        write_all(self);
    const int ms = self->slow > 0 ? SHORT_TURN_MS : TURN_MS;
    pthread_mutex_unlock(&self->lock);
    outlet_wait(self, ms, -1);
}

bool outlet_put(outlet_t *self, outlet_kind_t kind, char *data, size_t size, size_t capacity)
{
    /* A block that failed comes first; it makes way if it works now. */
    if (outlet_state(self) == OUTLET_FAILING)
        take_turn(self);
    pthread_mutex_lock(&self->lock);
    const bool free_to_write = !self->first;
    const bool fits =
        self->blocks[kind] == 0 || (size <= capacity && self->bytes[kind] <= capacity - size);
    const bool taken = size > 0 && fits && !self->closed && !terminal_forbids_output(self->fd);
    if (taken)
        append(self, kind, data, size);
    else
        free(data);
    pthread_mutex_unlock(&self->lock);
    if (taken && free_to_write)
        take_turn(self);
    return taken || size == 0;
}

/* With the lock held. */
static outlet_state_t state_of(const outlet_t *self)
{
    if (self->closed)
        return OUTLET_CLOSED;
    if (!self->first)
        return OUTLET_IDLE;
    if (self->failure && !self->again) { /* nobody is trying at the moment */
        errno = self->failure;
        return OUTLET_FAILING;
    }
    return OUTLET_PENDING;
}

outlet_state_t outlet_state(outlet_t *self)
{
    pthread_mutex_lock(&self->lock);
    const outlet_state_t state = state_of(self);
    pthread_mutex_unlock(&self->lock);
    return state;
}

outlet_state_t outlet_wait(outlet_t *self, int ms, int stop_fd)
{
    int64_t end_ms = ms < 0 ? INT64_MAX : now_ms() + ms;
    for (;;) {
        const outlet_state_t state = outlet_state(self);
        const int64_t now = now_ms();
        if (state != OUTLET_PENDING || now >= end_ms)
            return state;
        struct pollfd fds[2] = {{.fd = self->done_fd, .events = POLLIN},
                                {.fd = stop_fd, .events = POLLIN}};
        const int64_t left = end_ms - now;
        if (poll(fds, 2, end_ms == INT64_MAX ? -1 : (int)left) <= 0)
            continue;
        uint64_t count = 0;
        if (fds[0].revents && read(self->done_fd, &count, sizeof count) < 0)
            continue; /* it was accepted: the state says the rest */
        if (fds[1].revents) {
            /* It stays readable, since it isn't read here. */
            stop_fd = -1;
            const int64_t grace_end = now_ms() + OUTLET_GRACE_MS;
            end_ms = grace_end < end_ms ? grace_end : end_ms;
        }
    }
}

size_t outlet_pending(outlet_t *self, outlet_kind_t kind)
{
    pthread_mutex_lock(&self->lock);
    const size_t count = self->blocks[kind];
    pthread_mutex_unlock(&self->lock);
    return count;
}
