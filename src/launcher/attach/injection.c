#include "launcher/attach/injection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "launcher/attach/examination.h"
#include "launcher/attach/memory_file.h"
#include "launcher/attach/place.h"
#include "launcher/attach/tracing.h"
#include "process/seconds.h"

#define FILE_NAME   "ska-tango-event-agent"
#define THREAD_NAME "ska-event-agent"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

enum { RUN_TRIES = 200, SYSCALL = 0x050f };

/* How long we wait: for another attacher, and for one of other containers, of which only the
 * program may be known; for the thread to run the code; for the loader; for a place that is left.
 */
static const double lock_patience_s = 20;
static const double program_lock_patience_s = 1;
static const double run_patience_s = 5;
static const double load_patience_s = 5;
static const double clean_patience_s = 0.02;

typedef struct {
    examination_t examination;
    place_t place;
    mailbox_t mailbox; /* as it was last read */
    uint64_t nonce;
    unsigned char code[1024];
    bool poke; /* the code can only be written while a thread is stopped */
    injection_times_t *times;
    char *error;
    size_t error_size;
} injection_t;

static void wait_a_moment(long microseconds)
{
    const struct timespec moment = {.tv_nsec = microseconds * 1000};
    nanosleep(&moment, NULL);
}

static injection_result_t fail(const injection_t *self, injection_result_t result, const char *text)
{
    snprintf(self->error, self->error_size, "%s", text);
    return result;
}

static injection_result_t fail_errno(const injection_t *self, injection_result_t result,
                                     const char *text, int number)
{
    snprintf(self->error, self->error_size, "%s: %s", text, strerror(number));
    return result;
}

/* ---- one at a time ---- */

static bool lock(int file, double patience_s)
{
    const double began = seconds_now();
    while (flock(file, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || seconds_now() - began > patience_s)
            return false;
        wait_a_moment(1000);
    }
    return true;
}

/* Locks the program's file, too; other processes' attachers may have it, and so may anybody, so it
 * isn't waited for long. Returns the descriptor, or -1. */
static int lock_program(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0)
        lock(file, program_lock_patience_s);
    return file;
}

/* ---- making the thread run the code ---- */

typedef struct {
    const injection_t *injection;
    const thread_t *thread;
    bool sent;
} order_t;

/* The kernel returns what is there, so it must be ours: the process may have started another
 * program since. Not by /proc/PID/mem, which would show the old one's memory. */
static bool is_ours(const injection_t *self, pid_t thread)
{
    errno = 0;
    const long nonce = ptrace(PTRACE_PEEKDATA, thread, self->place.mailbox, 0);
    return errno == 0 && (uint64_t)nonce == self->nonce;
}

static bool poke_code(const injection_t *self, pid_t thread)
{
    for (size_t at = 0; at < payload_size(); at += sizeof(long)) {
        long word = 0;
        memcpy(&word, self->code + at, sizeof word);
        if (ptrace(PTRACE_POKETEXT, thread, self->place.code + at, word) != 0)
            return false;
    }
    return true;
}

static bool is_syscall(const injection_t *self, uint64_t address)
{
    uint16_t instruction = 0;
    return target_read(&self->examination.target, address, &instruction, sizeof instruction) &&
           instruction == SYSCALL;
}

/* Since Linux 5.2 a tracer sees the mask that a thread will have after its wait. */
static bool sees_masks(void)
{
    struct utsname system;
    unsigned int major = 0;
    unsigned int minor = 0;
    return uname(&system) == 0 && sscanf(system.release, "%u.%u", &major, &minor) == 2 &&
           (major > 5 || (major == 5 && minor >= 2));
}

/* How the thread has to continue, and whether it may be interrupted: as before, but now it can't
 * change any more. WAITS_NOT_INTERRUPTED: not. */
static int64_t look_at_stopped(const injection_t *self, const thread_t *thread,
                               const struct user_regs_struct *registers)
{
    const target_t *target = &self->examination.target;
    const wait_t wait = {.number = (int64_t)registers->orig_rax,
                         .arguments = {registers->rdi, registers->rsi, registers->rdx,
                                       registers->r10, registers->r8, registers->r9},
                         .stack = registers->rsp,
                         .at = registers->rip};
    const wait_kind_t kind = waits_kind(target, &wait);
    if (kind == WAIT_BAD || (kind == WAIT_STREAM && !thread->no_handlers) ||
        !is_syscall(self, wait.at - 2) || waits_has_signal_frame(target, wait.stack) ||
        (waits_has_mask(target, &wait) && !sees_masks()))
        return WAITS_NOT_INTERRUPTED;
    return waits_continuation(&wait, (int64_t)registers->rax);
}

/* Puts the thread's mask where the payload finds it. */
static bool hand_over_mask(const injection_t *self, pid_t thread)
{
    const target_t *target = &self->examination.target;
    const uint64_t at = self->place.mailbox;
    const uint32_t has_mask = 1;
    uint64_t mask = 0;
    return ptrace(PTRACE_GETSIGMASK, thread, sizeof mask, &mask) == 0 &&
           place_write(target, at + offsetof(mailbox_t, mask), &mask, sizeof mask) &&
           place_write(target, at + offsetof(mailbox_t, has_mask), &has_mask, sizeof has_mask);
}

/* A signal that comes before the payload has blocked it would have its handler run first, and the
 * wait, which it should end, would be repeated; so they are blocked from the beginning. If we are
 * killed just before that, it is the payload that blocks them. */
static void send_thread(pid_t thread, void *data)
{
    order_t *order = data;
    const injection_t *self = order->injection;
    const uint64_t signals = PAYLOAD_SIGNALS;
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, thread, 0, &registers) != 0 || !is_ours(self, thread))
        return;
    const int64_t continuation = look_at_stopped(self, order->thread, &registers);
    if (continuation == WAITS_NOT_INTERRUPTED || (self->poke && !poke_code(self, thread)) ||
        !hand_over_mask(self, thread))
        return;
    registers.rax = (uint64_t)continuation;
    registers.rcx = continuation >= 0 ? registers.rip - 2 : registers.rip;
    registers.rip = self->place.code + payload_entry();
    registers.rsp -= PAYLOAD_STACK_GAP;
    registers.orig_rax = (uint64_t)-1; /* so that the kernel doesn't restart anything itself */
    order->sent = ptrace(PTRACE_SETREGS, thread, 0, &registers) == 0;
    if (order->sent)
        ptrace(PTRACE_SETSIGMASK, thread, sizeof signals, &signals);
}

static bool write_mailbox(const injection_t *self, const thread_t *thread)
{
    const mailbox_t mailbox = {.nonce = self->nonce,
                               .waiter_state = thread != NULL ? WAITER_GIVEN : WAITER_NONE,
                               .waiter_thread = thread != NULL ? thread->inner : 0};
    return place_write(&self->examination.target, self->place.mailbox, &mailbox, sizeof mailbox);
}

/* The code first: without a mailbox it means nothing. */
static bool write_all(injection_t *self)
{
    static const mailbox_t empty;
    const target_t *target = &self->examination.target;
    payload_make(&self->examination.payload, self->code);
    if (!place_write(target, self->place.mailbox, &empty, sizeof empty))
        return false;
    self->poke = !place_write(target, self->place.code, self->code, payload_size());
    return write_mailbox(self, NULL);
}

static void take_back(const injection_t *self)
{
    static const unsigned char zeros[sizeof self->code];
    place_write(&self->examination.target, self->place.mailbox, zeros, sizeof(mailbox_t));
    if (!self->poke)
        place_write(&self->examination.target, self->place.code, zeros, payload_size());
}

/* INJECTION_NO_THREAD: try again. */
static injection_result_t send_one(injection_t *self, const thread_t *thread)
{
    order_t order = {.injection = self, .thread = thread};
    double stopped_us = 0;
    if (!write_mailbox(self, thread))
        return fail(self, INJECTION_CHANGED, "it ended, or runs another program");
    const tracing_result_t result = tracing_stop(thread->thread, send_thread, &order, &stopped_us);
    if (stopped_us > self->times->stopped_us)
        self->times->stopped_us = stopped_us;
    if (order.sent)
        return INJECTION_OK;
    switch (result) {
    case TRACING_FORBIDDEN:
        return fail(self, INJECTION_FORBIDDEN, "its threads may not be stopped (or are traced)");
    case TRACING_STUCK:
        return fail(self, INJECTION_NO_ANSWER,
                    "the thread that was to be interrupted doesn't stop; nothing was changed");
    case TRACING_FAILED:
        return fail(self, INJECTION_FAILED, "no thread can be started to stop one of its");
    default:
        return fail(self, INJECTION_NO_THREAD,
                    "none of its threads waits where it can safely be interrupted; try again");
    }
}

static injection_result_t send_any(injection_t *self)
{
    injection_result_t result = INJECTION_NO_THREAD;
    thread_t *threads = calloc(EXAMINATION_THREADS_MAX, sizeof *threads);
    if (threads == NULL)
        return fail(self, INJECTION_FAILED, "out of memory");
    for (int try = 0; try < RUN_TRIES && result == INJECTION_NO_THREAD; try++) {
        if (try > 0)
            wait_a_moment(5000);
        const size_t count =
            threads_find(&self->examination.target, threads, EXAMINATION_THREADS_MAX);
        for (size_t i = 0; i < count && result == INJECTION_NO_THREAD; i++)
            if (examination_may_interrupt(&self->examination, &threads[i]))
                result = send_one(self, &threads[i]);
        if (count == 0)
            fail(self, result, "none of its threads waits where it can safely be interrupted");
    }
    free(threads);
    if (result != INJECTION_OK)
        take_back(self);
    return result;
}

/* ---- what comes of it ---- */

/* False: the process has ended, or runs another program. */
static bool read_mailbox(injection_t *self)
{
    return target_read(&self->examination.target, self->place.mailbox, &self->mailbox,
                       sizeof self->mailbox) &&
           self->mailbox.nonce == self->nonce;
}

static bool has_file(const mailbox_t *mailbox)
{
    return mailbox->loader_state >= LOADER_FILE || mailbox->created != 0;
}

static bool is_done(const mailbox_t *mailbox)
{
    return mailbox->loader_state == LOADER_DONE;
}

static injection_result_t wait_for(injection_t *self, bool (*condition)(const mailbox_t *),
                                   double patience_s, injection_result_t late,
                                   const char *late_text)
{
    const double began = seconds_now();
    for (;;) {
        if (!read_mailbox(self))
            return fail(self, INJECTION_CHANGED, "it ended meanwhile, or runs another program");
        if (condition(&self->mailbox))
            return INJECTION_OK;
        if (seconds_now() - began > patience_s)
            return fail(self, late, late_text);
        wait_a_moment(20);
    }
}

static injection_result_t judge_file(const injection_t *self)
{
    const int64_t created = self->mailbox.created;
    if (created < 0)
        return fail_errno(self, INJECTION_FAILED, "it gets no memory", (int)-created);
    if (created > 0)
        return fail_errno(self, INJECTION_NO_CLONE, "it can't start another thread", (int)created);
    if (self->mailbox.file >= 0)
        return INJECTION_OK;
    const int number = (int)-self->mailbox.file;
    if (number == EACCES)
        return fail(self, INJECTION_NO_MEMORY_FILE,
                    "it may not make an executable memory file (sysctl vm.memfd_noexec, or its "
                    "security policy)");
    return fail_errno(self, INJECTION_NO_MEMORY_FILE, "it can't make a memory file", number);
}

static bool write_file(int file, const char *data, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(file, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return true;
}

/* If this fails, the loader gives up by itself after a few seconds. */
static injection_result_t fill_file(const injection_t *self, const void *library, size_t size)
{
    const target_t *target = &self->examination.target;
    const uint32_t go = LOADER_GO;
    char path[sizeof self->mailbox.path];
    const int file = memory_file_open(target->pid, self->mailbox.file, FILE_NAME);
    const bool ok = file >= 0 && write_file(file, library, size);
    const int number = errno;
    if (file >= 0)
        close(file);
    if (!ok)
        return fail_errno(self, INJECTION_NO_MEMORY_FILE,
                          "the library can't be written into a memory file of its", number);
    snprintf(path, sizeof path, "/proc/thread-self/fd/%d", (int)self->mailbox.file);
    if (place_write(target, self->place.mailbox + offsetof(mailbox_t, path), path, sizeof path) &&
        place_write(target, self->place.mailbox + offsetof(mailbox_t, go), &go, sizeof go))
        return INJECTION_OK;
    return fail(self, INJECTION_CHANGED, "it ended meanwhile, or runs another program");
}

/* It is another process's. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text == 0x7f)
            *text = '?';
}

static injection_result_t judge_loader(injection_t *self)
{
    mailbox_t *mailbox = &self->mailbox;
    if (mailbox->handle != 0)
        return INJECTION_OK;
    if (mailbox->file < 0)
        return fail(
            self, INJECTION_NO_MEMORY_FILE,
            "it closes files that it doesn't know, and has closed the library's; try again");
    if (mailbox->go == LOADER_GO_LATE)
        return fail(self, INJECTION_FAILED, "this machine is too busy; try again");
    mailbox->text[sizeof mailbox->text - 1] = '\0';
    make_printable(mailbox->text);
    snprintf(self->error, self->error_size, "its loader says: %s",
             mailbox->text[0] != '\0' ? mailbox->text : "no");
    return INJECTION_LOADER;
}

/* Once the threads have left the place, it is made as it was. Otherwise it remains as it is, which
 * harms nobody. */
static void clean(const injection_t *self)
{
    const double began = seconds_now();
    while (!place_clean(&self->examination.target, &self->place) &&
           seconds_now() - began < clean_patience_s)
        wait_a_moment(200);
}

static injection_result_t load(injection_t *self, const void *library, size_t size)
{
    injection_result_t result =
        wait_for(self, has_file, run_patience_s, INJECTION_NO_ANSWER,
                 "it doesn't go on where it was interrupted (stopped?); it will do so by itself");
    if (result == INJECTION_OK)
        result = judge_file(self);
    if (result == INJECTION_OK)
        result = fill_file(self, library, size);
    if (result == INJECTION_OK)
        result = wait_for(self, is_done, load_patience_s, INJECTION_TIMEOUT,
                          "its loader hasn't loaded the library yet, because it is busy with "
                          "another; it may do so later");
    if (result == INJECTION_OK)
        result = judge_loader(self);
    return result;
}

/* ---- all of it ---- */

static void make_payload(injection_t *self)
{
    payload_t *payload = &self->examination.payload;
    /* Linux before 6.3 doesn't know MFD_EXEC, without which a later one may forbid it. */
    const int file = memfd_create("", MFD_CLOEXEC | MFD_EXEC);
    payload->memfd_flags = MFD_CLOEXEC | (file < 0 && errno == EINVAL ? 0 : MFD_EXEC);
    if (file >= 0)
        close(file);
    payload->mailbox = self->place.mailbox;
    snprintf(payload->file_name, sizeof payload->file_name, "%s", FILE_NAME);
    snprintf(payload->thread_name, sizeof payload->thread_name, "%s", THREAD_NAME);
    if (getrandom(&self->nonce, sizeof self->nonce, GRND_NONBLOCK) != sizeof self->nonce)
        self->nonce = (uint64_t)(seconds_now() * 1e9) ^ (uint64_t)getpid() << 32;
    self->nonce |= 1;
}

/* Waits until nobody else is at it. */
static injection_result_t find_place(injection_t *self)
{
    const double began = seconds_now();
    for (;;) {
        switch (place_find(&self->examination.target, &self->place)) {
        case PLACE_FOUND:
            return INJECTION_OK;
        case PLACE_NONE:
            return fail(self, INJECTION_NO_GAP,
                        "its libraries have no room for a few hundred bytes of code");
        default:
            break;
        }
        if (seconds_now() - began > lock_patience_s)
            return fail(self, INJECTION_BUSY, "somebody else attaches to it just now; try again");
        wait_a_moment(2000);
    }
}

/* What is loaded is only looked at then: it may be what another one has loaded. */
static injection_result_t examine(injection_t *self)
{
    examination_t *examination = &self->examination;
    if (!target_reload(&examination->target, self->error, self->error_size))
        return INJECTION_FAILED;
    injection_result_t result = examination_objects(examination, self->error, self->error_size);
    if (result == INJECTION_OK)
        result = examination_threads(examination, self->error, self->error_size);
    return result;
}

static injection_result_t inject(injection_t *self, const void *library, size_t size,
                                 bool may_be_lost)
{
    if (!lock(self->examination.target.memory, lock_patience_s))
        return fail(self, INJECTION_BUSY, "somebody else attaches to it just now; try again");
    injection_result_t result = find_place(self);
    if (result == INJECTION_OK)
        result = examine(self);
    if (result == INJECTION_SECCOMP_UNKNOWN && may_be_lost)
        result = INJECTION_OK;
    if (result != INJECTION_OK)
        return result;
    make_payload(self);
    if (!write_all(self))
        return fail_errno(self, INJECTION_FORBIDDEN, "its memory can't be written", errno);
    result = send_any(self);
    if (result == INJECTION_OK)
        result = load(self, library, size);
    return result;
}

injection_result_t injection_load(pid_t pid, const void *library, size_t size, bool may_be_lost,
                                  injection_times_t *times, char *error, size_t error_size)
{
    injection_t self = {.times = times, .error = error, .error_size = error_size};
    const double began = seconds_now();
    *times = (injection_times_t){0};
    injection_result_t result = examination_begin(&self.examination, pid, error, error_size);
    const int program = result == INJECTION_OK ? lock_program(pid) : -1;
    if (result == INJECTION_OK)
        result = inject(&self, library, size, may_be_lost);
    times->total_us = (seconds_now() - began) * 1e6;
    if (self.nonce != 0 && result != INJECTION_TIMEOUT && result != INJECTION_NO_ANSWER)
        clean(&self);
    if (program >= 0)
        close(program);
    examination_end(&self.examination);
    return result;
}
