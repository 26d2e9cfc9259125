#include "launcher/attach/attach_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "launcher/attach/asking.h"
#include "launcher/attach/facts.h"
#include "launcher/attach/injection.h"
#include "launcher/attach/library.h"
#include "launcher/attach/refusal.h"
#include "launcher/attach/targets.h"
#include "launcher/console.h"
#include "launcher/options.h"
#include "process/seconds.h"

/* How long an agent may take to answer a request; to answer at all, once it is loaded; and to add
 * its commands to the admin device, which may be busy. */
static const double request_s = 2;
static const double begin_s = 5;
static const double commands_s = 5;

typedef struct {
    bool dry_run, may_be_lost, perf;
    const char *schema, *log; /* NULL: as in the environment of the process */
    targets_t targets;
    library_t library;
} attach_t;

static void wait_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    nanosleep(&moment, NULL);
}

/* ---- the options ---- */

/* An exit status, or -1 to go on. */
static int take_target(attach_t *self, const char *server, const char *pid)
{
    const targets_result_t result = server != NULL ? targets_add_server(&self->targets, server)
                                                   : targets_add_pid(&self->targets, pid);
    return result == TARGETS_OK ? -1 : result == TARGETS_WRONG ? EXIT_USAGE : EXIT_FAILURE;
}

static int read_options(attach_t *self, int argc, char **argv)
{
    enum { DRY_RUN = 1, PERF, SCHEMA, LOG, SERVER, MAY_BE_LOST };
    static const struct option options[] = {
        {"dry-run", no_argument, NULL, DRY_RUN},
        {"perf", no_argument, NULL, PERF},
        {"schema", required_argument, NULL, SCHEMA},
        {"log", required_argument, NULL, LOG},
        {"server", required_argument, NULL, SERVER},
        {"yes-i-may-lose-it", no_argument, NULL, MAY_BE_LOST},
        OPTIONS_HELP,
        {NULL, 0, NULL, 0},
    };
    int status = -1;
    for (int option = 0; status < 0 && (option = options_next(argc, argv, OPTIONS_LETTERS, options,
                                                              &status)) != -1;)
        if (option == DRY_RUN)
            self->dry_run = true;
        else if (option == PERF)
            self->perf = true;
        else if (option == MAY_BE_LOST)
            self->may_be_lost = true;
        else if (option == SERVER)
            status = take_target(self, optarg, NULL);
        else if (option == SCHEMA && schema_is_known(optarg))
            self->schema = optarg;
        else if (option == LOG && log_level_is_known(optarg))
            self->log = optarg;
        else
            status = EXIT_USAGE;
    for (; status < 0 && optind < argc; optind++)
        status = take_target(self, NULL, argv[optind]);
    if (status < 0 && self->targets.count == 0)
        status = complain_of_usage("no process given");
    return status;
}

static int read_library(attach_t *self)
{
    char error[ERROR_SIZE];
    if (!library_read(&self->library, error, sizeof error)) {
        complain("%s", error);
        return EXIT_NO_AGENT;
    }
    late_options_t *options = self->library.options;
    options->perf = self->perf;
    if (self->log != NULL)
        snprintf(options->log, sizeof options->log, "%s", self->log);
    if (self->schema != NULL)
        snprintf(options->schema, sizeof options->schema, "%s", self->schema);
    return -1;
}

/* ---- one process ---- */

/* Whether the agent watches. */
static bool wait_for_agent(process_t *process)
{
    const double deadline = seconds_now() + begin_s;
    process->agent = PROCESS_AGENT_LATE;
    do {
        process_ask(process, request_s);
        if (process->state == PROCESS_WATCHING)
            return true;
        wait_a_moment();
    } while (seconds_now() < deadline && getpgid(process->pid) >= 0);
    return false;
}

static bool wait_for_commands(process_t *process)
{
    const double deadline = seconds_now() + commands_s;
    while (process->commands == PROCESS_COMMANDS_MISSING && seconds_now() < deadline) {
        wait_a_moment();
        process_ask(process, request_s);
    }
    return process->commands != PROCESS_COMMANDS_MISSING;
}

/* It has been done: waits until the agent watches, and says how it can be asked. */
static bool finish(process_t *process, const char *done)
{
    char line[512];
    if (!wait_for_agent(process)) {
        if (process->state == PROCESS_ASLEEP)
            snprintf(line, sizeof line,
                     "%s, but the agent doesn't answer within %.0f s; see what it says on standard "
                     "error of the process",
                     done, begin_s);
        else
            snprintf(line, sizeof line, "%s, but it has ended, or can't be asked", done);
        return asking_failed(process, line);
    }
    if (!process->is_server)
        snprintf(line, sizeof line, "%s; ask it: " PROGRAM " query %ld", done, (long)process->pid);
    else if (wait_for_commands(process))
        snprintf(line, sizeof line, "%s; its commands are on the admin device", done);
    else
        snprintf(line, sizeof line,
                 "%s; its admin device is busy: the commands are added with the next one that it "
                 "executes; until then: " PROGRAM " query %ld",
                 done, (long)process->pid);
    asking_done(process, line);
    return true;
}

static bool ask(const process_t *process, const char *request)
{
    size_t size = 0;
    char *answer = asking_ask(process, request, begin_s, &size);
    free(answer);
    return answer != NULL;
}

/* A detached agent is asked to watch again: nothing is loaded. */
static bool attach_again(const attach_t *self, process_t *process)
{
    if (self->dry_run) {
        asking_done(process,
                    "would be attached again: its agent is detached, and only has to be told");
        return true;
    }
    if (!ask(process, "Attach") || (self->perf && !ask(process, "EnableEventSystemPerfMon true")))
        return false;
    return finish(process, self->schema != NULL || self->log != NULL
                               ? "attached again (--schema and --log are as they were)"
                               : "attached again");
}

/* It watches, or will: nothing is loaded, and nothing is wrong. */
static bool attached_already(const attach_t *self, process_t *process)
{
    char done[128];
    const bool is_changed = self->perf || self->schema != NULL || self->log != NULL;
    snprintf(done, sizeof done, "attached already%s%s",
             process->agent == PROCESS_AGENT_AT_START ? ", since it was started" : "",
             is_changed ? " (--perf, --schema and --log are as they were)" : "");
    if (!self->dry_run)
        return finish(process, done);
    asking_done(process, done);
    return true;
}

static bool load(const attach_t *self, process_t *process)
{
    char error[ERROR_SIZE];
    char done[128];
    injection_times_t times = {0};
    injection_result_t result = INJECTION_OK;
    if (self->dry_run) {
        result = injection_check(process->pid, error, sizeof error);
        if (result == INJECTION_OK || (result == INJECTION_SECCOMP_UNKNOWN && self->may_be_lost)) {
            asking_done(process, "would be attached");
            return true;
        }
        return result == INJECTION_LOADED ? attached_already(self, process)
                                          : asking_failed(process, error);
    }
    result = injection_load(process->pid, self->library.data, self->library.size, self->may_be_lost,
                            &times, error, sizeof error);
    if (result == INJECTION_LOADED) /* by somebody else, meanwhile */
        return attached_already(self, process);
    if (result != INJECTION_OK)
        return asking_failed(process, error);
    snprintf(done, sizeof done, "attached, %.1f ms", times.stopped_us / 1000);
    return finish(process, done);
}

static bool attach_to(const attach_t *self, pid_t pid)
{
    facts_t facts;
    refusal_t refusal;
    facts_read(&facts, &facts_of_this_machine, pid);
    process_ask(&facts.process, request_s);
    if (facts.process.state == PROCESS_WATCHING)
        return attached_already(self, &facts.process);
    if (refusal_find(&facts, &refusal))
        return asking_failed(&facts.process, refusal.line);
    return facts.process.agent != PROCESS_AGENT_NONE ? attach_again(self, &facts.process)
                                                     : load(self, &facts.process);
}

static int attach_to_all(const attach_t *self)
{
    int status = EXIT_SUCCESS;
    for (size_t i = 0; i < self->targets.count; i++)
        if (!attach_to(self, self->targets.pids[i]))
            status = EXIT_FAILURE;
    const int output = finish_output();
    return status == EXIT_SUCCESS ? output : status;
}

int attach_command(int argc, char **argv)
{
    attach_t self = {0};
    int status = read_options(&self, argc, argv);
    if (status < 0)
        status = read_library(&self);
    if (status < 0)
        status = attach_to_all(&self);
    library_clear(&self.library);
    targets_clear(&self.targets);
    return status;
}
