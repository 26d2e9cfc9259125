#include "monitor/view/live/stray.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum { OUTPUT, ERRORS, KINDS, LINE_SIZE = 1024 };

static const int standard[KINDS] = {STDOUT_FILENO, STDERR_FILENO};

struct stray {
    int pipe;         /* our end */
    int saved[KINDS]; /* where each went; -1: still goes */
    char line[LINE_SIZE];
    size_t size; /* of what there is of a line */
};

static bool same_terminal(int a, int b)
{
    struct stat one;
    struct stat other;
    return isatty(a) && isatty(b) && fstat(a, &one) == 0 && fstat(b, &other) == 0 &&
           one.st_rdev == other.st_rdev;
}

stray_t *stray_new(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return NULL;
    stray_t *self = memory_new(1, sizeof *self);
    self->pipe = ends[0];
    /* stdio's buffers: what is in them was printed before. */
    (void)fflush(stdout);
    for (int i = KINDS - 1; i >= 0; i--) {
        self->saved[i] = same_terminal(standard[i], STDOUT_FILENO)
                             ? fcntl(standard[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
                             : -1;
        if (self->saved[i] >= 0)
            dup2(ends[1], standard[i]);
    }
    close(ends[1]);
    return self;
}

static void restore(const stray_t *self)
{
    for (int i = 0; i < KINDS; i++)
        if (self->saved[i] >= 0)
            dup2(self->saved[i], standard[i]);
}

void stray_destroy(stray_t **self)
{
    stray_t *stray = *self;
    if (!stray)
        return;
    (void)fflush(stdout);
    restore(stray);
    for (int i = 0; i < KINDS; i++)
        if (stray->saved[i] >= 0)
            close(stray->saved[i]);
    close(stray->pipe);
    free(stray);
    *self = NULL;
}

int stray_fd(const stray_t *self)
{
    return self->pipe;
}

bool stray_has_errors(const stray_t *self)
{
    return self->saved[ERRORS] >= 0;
}

/* Takes the first bytes out as a line. */
static char *take(stray_t *self, size_t size, size_t with_end)
{
    char *line = memory_copy(self->line, size);
    self->size -= with_end;
    memmove(self->line, self->line + with_end, self->size);
    return line;
}

char *stray_line(stray_t *self)
{
    for (;;) {
        const char *end = memchr(self->line, '\n', self->size);
        if (end)
            return take(self, (size_t)(end - self->line), (size_t)(end - self->line) + 1);
        if (self->size == LINE_SIZE)
            return take(self, LINE_SIZE, LINE_SIZE);
        const ssize_t size = read(self->pipe, self->line + self->size, LINE_SIZE - self->size);
        if (size <= 0)
            return NULL;
        self->size += (size_t)size;
    }
}

char *stray_rest(stray_t *self)
{
    return self->size > 0 ? take(self, self->size, self->size) : NULL;
}

void stray_abandon(const stray_t *self)
{
    char text[LINE_SIZE];
    ssize_t size = 0;
    restore(self);
    while ((size = read(self->pipe, text, sizeof text)) > 0)
        if (write(STDERR_FILENO, text, (size_t)size) < 0)
            return;
}
