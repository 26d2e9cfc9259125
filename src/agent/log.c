#include "agent/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
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
        ssize_t ignored = write(STDERR_FILENO, line, length + 1);
        (void)ignored;
    }
    errno = saved_errno;
}
