#include "launcher/attach/library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/agent_path.h"

static bool read_file(library_t *self, const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    rewind(file);
    self->data = size > 0 ? malloc((size_t)size) : NULL;
    if (self->data != NULL)
        self->size = fread(self->data, 1, (size_t)size, file);
    const bool ok = self->data != NULL && self->size == (size_t)size;
    fclose(file);
    return ok;
}

bool library_read(library_t *self, char *error, size_t error_size)
{
    *self = (library_t){0};
    char *path = agent_path_find(error, error_size);
    if (path == NULL)
        return false;
    errno = 0;
    const bool was_read = read_file(self, path);
    if (was_read)
        self->options = memmem(self->data, self->size, LATE_OPTIONS_MAGIC, LATE_OPTIONS_MAGIC_SIZE);
    const char *end = was_read ? (const char *)self->data + self->size : NULL;
    const bool ok = self->options != NULL &&
                    (size_t)(end - (const char *)self->options) >= sizeof *self->options;
    if (!was_read)
        snprintf(error, error_size, "cannot read the agent, %s: %s", path, strerror(errno));
    else if (!ok)
        snprintf(error, error_size,
                 "%s is no agent that can be attached, or one of another release", path);
    else
        self->options->is_late = 1;
    free(path);
    return ok;
}

void library_clear(library_t *self)
{
    free(self->data);
    *self = (library_t){0};
}
