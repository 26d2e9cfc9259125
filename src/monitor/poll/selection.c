#include "monitor/poll/selection.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list_file.h"
#include "base/memory.h"
#include "response/names.h"
#include "tango/tango_client.h"

bool selection_excludes(const selection_options_t *options, const char *name)
{
    for (size_t i = 0; i < options->excluded_count; i++)
        if (fnmatch(options->excluded[i], name, FNM_CASEFOLD) == 0 ||
            fnmatch(options->excluded[i], names_without_prefix(name), FNM_CASEFOLD) == 0)
            return true;
    return false;
}

/* What went wrong first is what the user is told. */
static bool fail(char **error, char *line)
{
    if (*error)
        free(line);
    else
        *error = line;
    return false;
}

static void add(selection_t *self, const char *name, bool optional)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->targets[i].name, name) == 0) {
            self->targets[i].optional &= optional;
            return;
        }
    }
    self->targets = memory_resize(self->targets, self->count + 1, sizeof *self->targets);
    self->targets[self->count++] = (target_t){memory_string(name), optional};
}

/* The servers of the exported devices that match; given: what the user wrote for the pattern. */
static bool add_pattern(selection_t *self, const selection_options_t *options, const char *pattern,
                        const char *given, char **error)
{
    tango_match_t *matches = NULL;
    size_t count = 0;
    tango_error_t why = {0};
    if (!tango_client_match(pattern, &matches, &count, &why)) {
        fail(error, memory_format("%s: %s%s", given, why.text ? why.text : "unknown error",
                                  tango_error_advice(why.kind)));
        tango_error_clear(&why);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!selection_excludes(options, matches[i].device) &&
            !selection_excludes(options, matches[i].admin))
            add(self, matches[i].admin, true);
    tango_matches_destroy(&matches, count);
    if (count == 0)
        return fail(error,
                    memory_format("%s: the database has no exported device with that name", given));
    return true;
}

static bool add_name(selection_t *self, const selection_options_t *options, const char *name,
                     char **error)
{
    if (strchr(name, '*'))
        return add_pattern(self, options, name, name, error);
    if (!selection_excludes(options, name))
        add(self, name, options->skip_unsupported);
    return true;
}

static bool add_file(selection_t *self, const selection_options_t *options, const char *path,
                     char **error)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(error, memory_format("%s: can't read it: %s", path, strerror(errno)));
    char *line = memory_new(LIST_FILE_LINE_MAXIMUM, 1);
    bool good = true;
    for (size_t number = 1; good; number++) {
        const list_file_result_t result = list_file_next(file, line);
        if (result == LIST_FILE_END)
            break;
        const char *name = list_file_trim(line);
        if (result == LIST_FILE_TOO_LONG)
            good = fail(error, memory_format("%s: line %zu is too long", path, number));
        else if (strpbrk(name, " \t"))
            good = fail(error, memory_format("%s: line %zu: only one name per line", path, number));
        else if (*name)
            good = add_name(self, options, name, error);
    }
    if (good && ferror(file))
        good = fail(error, memory_format("%s: can't read it: %s", path, strerror(errno)));
    free(line);
    fclose(file);
    return good;
}

static selection_t make(const selection_options_t *options, char **error)
{
    selection_t self = {0};
    bool good = !options->all || add_pattern(&self, options, "dserver/*", "--all", error);
    for (size_t i = 0; good && i < options->name_count; i++) {
        const char *name = options->names[i];
        good = name[0] == '@' ? add_file(&self, options, name + 1, error)
                              : add_name(&self, options, name, error);
    }
    if (good && self.count == 0)
        fail(error, memory_string("nothing is left to watch"));
    return self;
}

/*
 * A database that accepts a connection but doesn't talk, and a file that is a pipe, would block us,
 * and a signal couldn't interrupt that: so a thread waits for them.
 */
typedef struct {
    selection_options_t options;
    selection_t made;
    char *error;
    int done[2]; /* a pipe that is closed when it is made */
} job_t;

static void *make_in_thread(void *argument)
{
    job_t *job = argument;
    job->made = make(&job->options, &job->error);
    close(job->done[1]);
    return NULL;
}

/* Returns false if stop_fd was readable first. */
static bool wait_for_job(const job_t *job, int stop_fd)
{
    struct pollfd fds[] = {{.fd = job->done[0], .events = POLLIN},
                           {.fd = stop_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0) {
        /* EINTR */
    }
    return !fds[1].revents;
}

selection_t selection_make(const selection_options_t *options, int stop_fd, char **error)
{
    *error = NULL;
    job_t *job = memory_new(1, sizeof *job);
    job->options = *options;
    pthread_t thread;
    if (pipe2(job->done, O_CLOEXEC) != 0) {
        free(job);
        return make(options, error);
    }
    const bool has_thread = pthread_create(&thread, NULL, make_in_thread, job) == 0;
    if (!has_thread)
        make_in_thread(job);
    if (!wait_for_job(job, stop_fd)) {
        if (has_thread)
            pthread_detach(thread);
        return (selection_t){.stopped = true}; /* the job is the thread's */
    }
    if (has_thread)
        pthread_join(thread, NULL);
    const selection_t made = job->made;
    *error = job->error;
    close(job->done[0]);
    free(job);
    return made;
}

void selection_clear(selection_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->targets[i].name);
    free(self->targets);
    *self = (selection_t){0};
}
