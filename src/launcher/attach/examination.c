#include "launcher/attach/examination.h"

#include <cpuid.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "launcher/attach/breakpoints.h"
#include "launcher/attach/seccomp_check.h"

/* __RTLD_DLOPEN, for __libc_dlopen_mode. Source: glibc 2.31, include/dlfcn.h. */
static const uint64_t dlopen_mode_flag = 0x80000000;

enum { THREAD_TRIES = 50, TRACER_TRIES = 50, XSAVE_MAX = 0x4000 };

static injection_result_t fail(injection_result_t result, char *error, size_t error_size,
                               const char *text)
{
    snprintf(error, error_size, "%s", text);
    return result;
}

/* ---- the processor, and the process ---- */

/* Whether the vector registers can be saved, in the room that the payload has for them. */
static bool has_xsave(void)
{
    unsigned int a = 0;
    unsigned int b = 0;
    unsigned int c = 0;
    unsigned int d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0)
        return false;
    return __get_cpuid_count(0xd, 0, &a, &b, &c, &d) != 0 && b <= XSAVE_MAX;
}

static injection_result_t check_program(pid_t pid, char *error, size_t error_size)
{
    char path[64];
    Elf64_Ehdr header;
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) /* target_open() says why, if it matters */
        return INJECTION_OK;
    const ssize_t length = read(file, &header, sizeof header);
    close(file);
    if (length == sizeof header && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
        (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64))
        return fail(INJECTION_32_BITS, error, error_size, "it isn't a 64-bit x86 program");
    return INJECTION_OK;
}

static bool read_status(pid_t pid, char *status, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    const ssize_t length = read(file, status, size - 1);
    close(file);
    status[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* Another attacher traces it for a moment only. */
static injection_result_t check_tracer(pid_t pid, char *error, size_t error_size)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    long long tracer = threads_status(pid, 0, "TracerPid", 10, 0);
    for (int i = 0; i < TRACER_TRIES && tracer != 0; i++) {
        nanosleep(&moment, NULL);
        tracer = threads_status(pid, 0, "TracerPid", 10, 0);
    }
    if (tracer == 0)
        return INJECTION_OK;
    snprintf(error, error_size, "process %lld traces it (a debugger?); end that first", tracer);
    return INJECTION_TRACED;
}

static injection_result_t check_status(pid_t pid, char *error, size_t error_size)
{
    char status[8192];
    if (!read_status(pid, status, sizeof status))
        return fail(INJECTION_NO_PROCESS, error, error_size, "there is no such process");
    const char *state = strstr(status, "\nState:\t");
    const char *features = strstr(status, "\nx86_Thread_features:\t");
    const char state_letter = state != NULL ? state[8] : '\0';
    if (state_letter == 'Z' || state_letter == 'X')
        return fail(INJECTION_NO_PROCESS, error, error_size, "its main thread has ended");
    if (state_letter == 'T')
        return fail(INJECTION_STOPPED, error, error_size,
                    "it is stopped; continue it first (kill -CONT)");
    if (features != NULL && memmem(features + 1, strcspn(features + 1, "\n"), "shstk", 5) != NULL)
        return fail(INJECTION_SHADOW_STACK, error, error_size,
                    "the processor guards its return addresses (shadow stack); start it with "
                    "GLIBC_TUNABLES=glibc.cpu.x86_shstk=off");
    return INJECTION_OK;
}

injection_result_t examination_begin(examination_t *self, pid_t pid, char *error, size_t error_size)
{
    *self = (examination_t){.target = {.memory = -1}};
    if (!has_xsave())
        return fail(INJECTION_NO_XSAVE, error, error_size,
                    "this processor's registers can't be saved (no XSAVE)");
    injection_result_t result = check_status(pid, error, error_size);
    if (result == INJECTION_OK)
        result = check_tracer(pid, error, error_size);
    if (result == INJECTION_OK)
        result = check_program(pid, error, error_size);
    if (result != INJECTION_OK)
        return result;
    errno = 0;
    self->is_open = target_open(&self->target, pid, error, error_size);
    if (self->is_open)
        return INJECTION_OK;
    if (errno == EACCES || errno == EPERM)
        return INJECTION_FORBIDDEN;
    return errno == ENOENT || errno == ESRCH ? INJECTION_NO_PROCESS : INJECTION_FAILED;
}

void examination_end(examination_t *self)
{
    if (self->is_open)
        target_close(&self->target);
    self->is_open = false;
}

/* ---- what is loaded ---- */

static uint64_t find_function(const target_t *target, const char *name)
{
    static const char *const libraries[] = {"libc.so", "libc-",       "libdl.so",
                                            "libdl-",  "libpthread.", "libpthread-"};
    uint64_t found = 0;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries && found == 0; i++) {
        const target_object_t *object = target_find(target, libraries[i]);
        if (object != NULL)
            found = target_symbol(target, object, name);
    }
    return found;
}

static void find_functions(const target_t *target, payload_t *payload)
{
    payload->pthread_create = find_function(target, "pthread_create");
    payload->pthread_detach = find_function(target, "pthread_detach");
    payload->errno_location = find_function(target, "__errno_location");
    payload->dlopen = find_function(target, "dlopen");
    payload->dlerror = find_function(target, "dlerror");
    payload->dlopen_flags = RTLD_NOW;
    /* Before glibc 2.34 dlopen is in libdl, which need not be loaded; this is in libc. */
    if (payload->dlopen == 0) {
        payload->dlopen = find_function(target, "__libc_dlopen_mode");
        payload->dlerror = 0; /* it says no reason */
        payload->dlopen_flags |= dlopen_mode_flag;
    }
}

static bool has_breakpoints(const target_t *target, const payload_t *payload)
{
    const uint64_t functions[] = {payload->pthread_create, payload->pthread_detach,
                                  payload->errno_location, payload->dlopen, payload->dlerror};
    return breakpoints_are_there(target, functions, sizeof functions / sizeof *functions);
}

static bool is_agent(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return strncmp(name, "libska-tango-event-agent.so", 27) == 0 ||
           strncmp(name, "memfd:ska-tango-event-agent", 27) == 0;
}

injection_result_t examination_objects(examination_t *self, char *error, size_t error_size)
{
    const target_t *target = &self->target;
    for (size_t i = 0; i < target->count; i++)
        if (is_agent(target->objects[i].path))
            return fail(INJECTION_LOADED, error, error_size, "the agent is in it already");
    if (target_find(target, "ld-musl") != NULL || target_find(target, "libc.musl") != NULL)
        return fail(INJECTION_MUSL, error, error_size,
                    "it uses musl as its C library; only glibc can do this");
    if (target_find(target, "libc.so") == NULL && target_find(target, "libc-") == NULL)
        return fail(INJECTION_STATIC, error, error_size,
                    "it is linked statically: there is no dynamic loader in it");
    payload_t *payload = &self->payload;
    find_functions(target, payload);
    if (payload->dlopen == 0 || payload->pthread_create == 0 || payload->pthread_detach == 0 ||
        payload->errno_location == 0)
        return fail(INJECTION_NO_DLOPEN, error, error_size,
                    "its C library has no dlopen or no pthread_create");
    if (has_breakpoints(target, payload))
        return fail(INJECTION_BREAKPOINTS, error, error_size,
                    "a debugger that was killed has left breakpoints in it (or a tracer has set "
                    "some), and loading anything would end it; restart it when you can");
    return INJECTION_OK;
}

/* ---- its threads ---- */

bool examination_may_interrupt(const examination_t *self, const thread_t *thread)
{
    return thread->seccomp_mode == self->seccomp_mode &&
           thread->seccomp_filters == self->seccomp_filters &&
           !waits_has_signal_frame(&self->target, thread->wait.stack);
}

static injection_result_t check_seccomp(examination_t *self, const thread_t *thread, char *error,
                                        size_t error_size)
{
    self->seccomp_mode = thread->seccomp_mode;
    self->seccomp_filters = thread->seccomp_filters;
    if (thread->seccomp_mode == 0)
        return INJECTION_OK;
    if (thread->seccomp_mode == 1)
        return fail(INJECTION_SECCOMP, error, error_size,
                    "it may only read and write (strict seccomp mode)");
    switch (seccomp_check_thread(thread->thread, error, error_size)) {
    case SECCOMP_ALLOWED:
        return INJECTION_OK;
    case SECCOMP_DENIED:
        return INJECTION_SECCOMP;
    case SECCOMP_UNKNOWN:
        return INJECTION_SECCOMP_UNKNOWN;
    default:
        return INJECTION_NO_THREAD;
    }
}

static injection_result_t try_threads(examination_t *self, char *error, size_t error_size)
{
    thread_t *threads = calloc(EXAMINATION_THREADS_MAX, sizeof *threads);
    if (threads == NULL)
        return fail(INJECTION_FAILED, error, error_size, "out of memory");
    const size_t count = threads_find(&self->target, threads, EXAMINATION_THREADS_MAX);
    injection_result_t result = INJECTION_NO_THREAD;
    for (size_t i = 0; i < count && result == INJECTION_NO_THREAD; i++)
        if (!waits_has_signal_frame(&self->target, threads[i].wait.stack))
            result = check_seccomp(self, &threads[i], error, error_size);
    free(threads);
    return result;
}

injection_result_t examination_threads(examination_t *self, char *error, size_t error_size)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    injection_result_t result = INJECTION_NO_THREAD;
    for (int i = 0; i < THREAD_TRIES && result == INJECTION_NO_THREAD; i++) {
        if (i > 0)
            nanosleep(&moment, NULL);
        result = try_threads(self, error, error_size);
    }
    if (result == INJECTION_NO_THREAD)
        return fail(result, error, error_size,
                    "none of its threads waits where it can safely be interrupted; try again");
    return result;
}
