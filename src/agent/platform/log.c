#include "agent/platform/log.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic int threshold = LOG_ERROR;

static const char *const level_names[] = {"off", "error", "info", "debug"};

void log_set_level(const char *name)
{
    if (!name || !*name)
        return;
    for (int i = LOG_OFF; i <= LOG_DEBUG; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            atomic_store(&threshold, i);
            return;
        }
    }
    log_line(LOG_ERROR, "SKA_TANGO_EVENT_AGENT_LOG=%.40s is unknown; use off, error, info or debug",
             name);
}

int log_enabled(log_level_t level)
{
    return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

/* Standard error may be a pipe whose reader has gone; that must not end the server. */
static void write_quietly(const char *text, size_t length)
{
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    if (write(STDERR_FILENO, text, length) < 0 && errno == EPIPE && !was_pending) {
        const struct timespec at_once = {0};
        sigtimedwait(&pipe_only, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void log_line(log_level_t level, const char *format, ...)
{
    if (!log_enabled(level))
        return;

    int saved_errno = errno;
    char line[512];
    int used = snprintf(line, sizeof line, "ska-tango-event-agent[%ld]: ", (long)getpid());
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, args);
    va_end(args);
    if (more >= 0) {
        size_t length = strlen(line);
        line[length] = '\n';
        write_quietly(line, length + 1);
    }
    errno = saved_errno;
}
