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
#include "base/reasons.h"
#include "monitor/poll/local_process.h"
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

static bool is_client(const local_process_t *process)
{
    return process->answers && !process->admin;
}

bool selection_excludes_process(const selection_options_t *options, const local_process_t *process)
{
    char *names[] = {
        memory_format("pid:%ld", (long)process->pid),
        is_client(process) ? local_process_client_name(process, true) : NULL,
        is_client(process) ? local_process_client_name(process, false) : NULL,
        process->admin && process->tango_host
            ? memory_format("tango://%s/%s", process->tango_host, process->admin)
            : memory_string(process->admin),
    };
    bool excluded = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        excluded |= names[i] && selection_excludes(options, names[i]);
        free(names[i]);
    }
    return excluded;
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

/* The new target, or the one that is there under that name. */
static target_t *add(selection_t *self, const char *name, bool optional)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->targets[i].name, name) == 0) {
            self->targets[i].optional &= optional;
            return &self->targets[i];
        }
    }
    self->targets = memory_resize(self->targets, self->count + 1, sizeof *self->targets);
    self->targets[self->count] = (target_t){.name = memory_string(name), .optional = optional};
    return &self->targets[self->count++];
}

/* ---- processes of this machine ---- */

/* What is made, and what it is made of. */
typedef struct {
    selection_t selection;
    const selection_options_t *options;
    bool has_processes;
    local_processes_t processes;
    char *error;
} making_t;

static const local_processes_t *processes_of(making_t *self)
{
    if (!self->has_processes)
        self->processes = local_processes_find(self->options->timeout, NULL, NULL);
    self->has_processes = true;
    return &self->processes;
}

/* How many processes run the same program. */
static size_t count_clients(const local_processes_t *all, const char *program)
{
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += is_client(&all->items[i]) && strcmp(all->items[i].program, program) == 0;
    return count;
}

/* The name of a process, if it is to be watched; else NULL. The caller frees it. */
static char *name_of_process(const making_t *self, const local_process_t *process)
{
    const selection_options_t *options = self->options;
    if (selection_excludes_process(options, process))
        return NULL;
    if (!is_client(process))
        return !process->admin || shard_has(&options->shard, process->admin)
                   ? memory_format("pid:%ld", (long)process->pid)
                   : NULL;
    char *name =
        local_process_client_name(process, count_clients(&self->processes, process->program) > 1);
    if (shard_has(&options->shard, name))
        return name;
    free(name);
    return NULL;
}

static bool add_local(making_t *self)
{
    const local_processes_t *all = processes_of(self);
    bool any = false;
    self->selection.forbidden = all->forbidden;
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].is_detached)
            continue;
        any = true;
        char *name = name_of_process(self, &all->items[i]);
        if (name) {
            target_t *target = add(&self->selection, name, true);
            target->pid = all->items[i].pid;
            target->is_local = true;
        }
        free(name);
    }
    if (any)
        return true;
    if (all->forbidden > 0)
        return fail(&self->error, memory_format("--local: this user may ask none of the %zu "
                                                "processes that have an agent: run as root",
                                                all->forbidden));
    return fail(&self->error,
                memory_string("--local: no process that may be asked from here has an agent that "
                              "counts: ska-tango-event-agent list shows those that use Tango, and "
                              "ska-tango-event-agent attach PID loads it"));
}

/* "client:PATTERN" */
static bool add_clients(making_t *self, const char *given, const char *pattern)
{
    const local_processes_t *all = processes_of(self);
    bool any = false;
    for (size_t i = 0; i < all->count; i++) {
        if (!is_client(&all->items[i]) || fnmatch(pattern, all->items[i].program, 0) != 0)
            continue;
        char *name = name_of_process(self, &all->items[i]);
        if (name)
            add(&self->selection, name, true);
        free(name);
        any = true;
    }
    return any || fail(&self->error, memory_format("%s: " REASON_NO_CLIENT, given));
}

/* One that nobody has now may come. */
static bool add_process(making_t *self, const char *name)
{
    local_name_t parsed;
    const selection_options_t *options = self->options;
    if (!local_name_parse(name, &parsed))
        return fail(
            &self->error,
            memory_format("%s: must be pid:NUMBER, client:NAME or client:NAME:NUMBER", name));
    bool good = true;
    if (parsed.program && strpbrk(parsed.program, "*?")) {
        good = add_clients(self, name, parsed.program);
    } else if (parsed.program && parsed.pid == 0 &&
               count_clients(processes_of(self), parsed.program) > 1) {
        for (size_t i = 0; i < self->processes.count; i++) {
            const local_process_t *process = &self->processes.items[i];
            if (!is_client(process) || strcmp(process->program, parsed.program) != 0 ||
                selection_excludes_process(options, process))
                continue;
            char *with_pid = local_process_client_name(process, true);
            add(&self->selection, with_pid, options->skip_unsupported);
            free(with_pid);
        }
    } else if (!selection_excludes(options, name)) {
        add(&self->selection, name, options->skip_unsupported);
    }
    local_name_clear(&parsed);
    return good;
}

/* ---- devices ---- */

/* The servers of the exported devices that match; given: what the user wrote for the pattern. */
static bool add_pattern(making_t *self, const char *pattern, const char *given)
{
    const selection_options_t *options = self->options;
    tango_match_t *matches = NULL;
    size_t count = 0;
    tango_error_t why = {0};
    if (!tango_client_match(pattern, &matches, &count, &why)) {
        fail(&self->error, memory_format("%s: %s%s", given, why.text ? why.text : "unknown error",
                                         tango_error_advice(why.kind)));
        tango_error_clear(&why);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!selection_excludes(options, matches[i].device) &&
            !selection_excludes(options, matches[i].admin) &&
            shard_has(&options->shard, matches[i].admin))
            add(&self->selection, matches[i].admin, true);
    tango_matches_destroy(&matches, count);
    if (count == 0)
        return fail(&self->error,
                    memory_format("%s: the database has no exported device with that name", given));
    return true;
}

static bool add_name(making_t *self, const char *name)
{
    if (local_name_is(name))
        return add_process(self, name);
    if (strchr(name, '*'))
        return add_pattern(self, name, name);
    if (!selection_excludes(self->options, name))
        add(&self->selection, name, self->options->skip_unsupported);
    return true;
}

static bool add_file(making_t *self, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(&self->error, memory_format("%s: can't read it: %s", path, strerror(errno)));
    char *line = memory_new(LIST_FILE_LINE_MAXIMUM, 1);
    bool good = true;
    for (size_t number = 1; good; number++) {
        const list_file_result_t result = list_file_next(file, line);
        if (result == LIST_FILE_END)
            break;
        const char *name = list_file_trim(line);
        if (result == LIST_FILE_TOO_LONG)
            good = fail(&self->error, memory_format("%s: line %zu is too long", path, number));
        else if (strpbrk(name, " \t") && !local_name_is(name))
            good = fail(&self->error,
                        memory_format("%s: line %zu: only one name per line", path, number));
        else if (*name)
            good = add_name(self, name);
    }
    if (good && ferror(file))
        good = fail(&self->error, memory_format("%s: can't read it: %s", path, strerror(errno)));
    free(line);
    fclose(file);
    return good;
}

static selection_t make(const selection_options_t *options, char **error)
{
    making_t self = {.options = options};
    bool good = !options->all || add_pattern(&self, "dserver/*", "--all");
    good = good && (!options->local || add_local(&self));
    for (size_t i = 0; good && i < options->name_count; i++) {
        const char *name = options->names[i];
        good = name[0] == '@' ? add_file(&self, name + 1) : add_name(&self, name);
    }
    if (good && self.selection.count == 0 && options->shard.count == 0)
        fail(&self.error, memory_string("nothing is left to watch"));
    local_processes_clear(&self.processes);
    *error = self.error;
    return self.selection;
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
