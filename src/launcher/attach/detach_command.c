#include "launcher/attach/detach_command.h"

#include <stdlib.h>

#include "launcher/attach/asking.h"
#include "launcher/attach/targets.h"
#include "launcher/console.h"
#include "launcher/options.h"

/* How long an agent may take to say what it is, and to stop watching: it may have to wait for the
 * admin device. */
static const double identify_s = 2;
static const double detach_s = 10;

/* An exit status, or -1 to go on. */
static int read_options(targets_t *targets, int argc, char **argv)
{
    enum { SERVER = 1 };
    static const struct option options[] = {
        {"server", required_argument, NULL, SERVER},
        OPTIONS_HELP,
        {NULL, 0, NULL, 0},
    };
    targets_result_t result = TARGETS_OK;
    int status = -1;
    while (result == TARGETS_OK &&
           options_next(argc, argv, OPTIONS_LETTERS, options, &status) == SERVER)
        result = targets_add_server(targets, optarg);
    if (status >= 0)
        return status;
    for (; result == TARGETS_OK && optind < argc; optind++)
        result = targets_add_pid(targets, argv[optind]);
    if (result != TARGETS_OK)
        return result == TARGETS_WRONG ? EXIT_USAGE : EXIT_FAILURE;
    return targets->count > 0 ? -1 : complain_of_usage("no process given");
}

static bool detach(pid_t pid)
{
    process_t process;
    size_t size = 0;
    const process_result_t result = process_read(&process, PROCESS_PROC, pid);
    if (result == PROCESS_GONE)
        return asking_failed(&process, "there is no such process");
    process_ask(&process, identify_s);
    if (result == PROCESS_READ && process.agent == PROCESS_AGENT_NONE)
        return asking_no_agent(&process);
    if (process.state == PROCESS_DETACHED) {
        asking_done(&process, "was detached already");
        return true;
    }
    char *answer = asking_ask(&process, "Detach", detach_s, &size);
    if (answer == NULL)
        return false;
    free(answer);
    asking_done(&process, "detached: nothing is counted any more");
    return true;
}

int detach_command(int argc, char **argv)
{
    targets_t targets = {0};
    int status = read_options(&targets, argc, argv);
    if (status < 0) {
        status = EXIT_SUCCESS;
        for (size_t i = 0; i < targets.count; i++)
            if (!detach(targets.pids[i]))
                status = EXIT_FAILURE;
        const int output = finish_output();
        status = status == EXIT_SUCCESS ? output : status;
    }
    targets_clear(&targets);
    return status;
}
