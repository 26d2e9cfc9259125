#include "process/process_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The id that a folder of /proc is named after; 0 if it is another folder. */
static pid_t pid_of(const char *name)
{
    char *end = NULL;
    errno = 0;
    const long pid = strtol(name, &end, 10);
    return name[0] >= '1' && name[0] <= '9' && *end == '\0' && errno == 0 && pid <= 0x7fffffff
               ? (pid_t)pid
               : 0;
}

static bool add(process_list_t *self, const process_t *process)
{
    process_t *more = realloc(self->processes, (self->count + 1) * sizeof *more);
    if (more == NULL)
        return false;
    self->processes = more;
    self->processes[self->count++] = *process;
    return true;
}

static int compare(const void *a, const void *b)
{
    const pid_t first = ((const process_t *)a)->pid;
    const pid_t second = ((const process_t *)b)->pid;
    return first < second ? -1 : first > second;
}

bool process_list_read(process_list_t *self, const char *proc, char *error, size_t error_size)
{
    bool ok = true;
    *self = (process_list_t){0};
    DIR *folder = opendir(proc);
    if (folder == NULL) {
        snprintf(error, error_size, "cannot read %s: %s", proc, strerror(errno));
        return false;
    }
    for (const struct dirent *entry = NULL; ok && (entry = readdir(folder)) != NULL;) {
        process_t process;
        const pid_t pid = pid_of(entry->d_name);
        const process_result_t result = pid != 0 ? process_read(&process, proc, pid) : PROCESS_GONE;
        if (result == PROCESS_READ)
            ok = add(self, &process);
        /* Kernel threads and zombies have no arguments. */
        else if (result == PROCESS_FORBIDDEN && process.program[0] != '\0')
            self->unseen++;
    }
    closedir(folder);
    if (self->count > 0)
        qsort(self->processes, self->count, sizeof *self->processes, compare);
    if (!ok)
        snprintf(error, error_size, "out of memory");
    return ok;
}

void process_list_ask(process_list_t *self, double timeout_seconds)
{
    double left = 3 * timeout_seconds;
    for (size_t i = 0; i < self->count; i++)
        process_ask_within(&self->processes[i], timeout_seconds, &left);
}

static const process_t *next(const process_list_t *self, const process_t *after)
{
    const process_t *found = after != NULL ? after + 1 : self->processes;
    return self->count > 0 && found < self->processes + self->count ? found : NULL;
}

const process_t *process_list_next_server(const process_list_t *self, const char *server,
                                          const process_t *after)
{
    static const char prefix[] = "dserver/";
    if (strncasecmp(server, prefix, sizeof prefix - 1) == 0)
        server += sizeof prefix - 1;
    for (const process_t *found = after; (found = next(self, found)) != NULL;)
        if (found->is_server && strcasecmp(found->server, server) == 0)
            return found;
    return NULL;
}

const process_t *process_list_next_client(const process_list_t *self, const char *program,
                                          const process_t *after)
{
    for (const process_t *found = after; (found = next(self, found)) != NULL;)
        if (!found->is_server && strcmp(found->program, program) == 0)
            return found;
    return NULL;
}

void process_list_clear(process_list_t *self)
{
    free(self->processes);
    *self = (process_list_t){0};
}
