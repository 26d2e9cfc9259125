#include "report/page_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* As open() gives it to a new file, but for what the user's mask forbids. */
enum { NEW_FILE = 0666, PERMISSIONS = 0777 };

static char *cannot_write(const char *path, int error)
{
    return memory_format("%s: can't write it: %s", path, strerror(error));
}

/* The permissions of the file that is replaced, or of a new one. */
static mode_t mode_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0)
        return status.st_mode & PERMISSIONS;
    const mode_t mask = umask(0);
    umask(mask);
    return NEW_FILE & ~mask;
}

static FILE *open_beside(page_file_t *self)
{
    self->temporary = memory_format("%s.XXXXXX", self->path);
    const int fd = mkostemp(self->temporary, O_CLOEXEC);
    FILE *out = fd >= 0 && fchmod(fd, mode_of(self->path)) == 0 ? fdopen(fd, "w") : NULL;
    const int error = errno;
    if (!out && fd >= 0) {
        close(fd);
        unlink(self->temporary);
    }
    errno = error;
    return out;
}

bool page_file_open(page_file_t *self, const char *path, char **error)
{
    struct stat status;
    *self = (page_file_t){0};
    *error = NULL;
    if (strcmp(path, "-") == 0) {
        self->out = stdout;
        self->path = memory_string("standard output");
        return true;
    }
    /* What a link leads to is replaced, not the link. */
    char *real = realpath(path, NULL);
    self->path = real ? real : memory_string(path);
    const bool is_special = stat(path, &status) == 0 && !S_ISREG(status.st_mode);
    self->out = is_special ? fopen(self->path, "we") : open_beside(self);
    if (self->out)
        return true;
    *error = cannot_write(path, errno);
    free(self->temporary);
    free(self->path);
    return false;
}

/* Of a write that failed earlier, the reason isn't known any more: it is tried again. */
static bool is_written(FILE *out, int *why)
{
    const bool failed = ferror(out);
    clearerr(out);
    if (failed)
        putc('\n', out);
    errno = EIO;
    const bool good = fflush(out) == 0 && !failed;
    *why = errno;
    return good;
}

bool page_file_close(page_file_t *self, char **error)
{
    int why = 0;
    *error = NULL;
    bool good = is_written(self->out, &why);
    if (self->out != stdout && fclose(self->out) != 0 && good) {
        good = false;
        why = errno;
    }
    if (good && self->temporary && rename(self->temporary, self->path) != 0) {
        good = false;
        why = errno;
    }
    if (!good) {
        *error = cannot_write(self->path, why);
        if (self->temporary)
            unlink(self->temporary);
    }
    free(self->temporary);
    free(self->path);
    *self = (page_file_t){0};
    return good;
}
