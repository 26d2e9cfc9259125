#include "launcher/run_command.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/agent_path.h"
#include "launcher/console.h"

/* Reads the options of run and sets the agent's environment variables accordingly. Returns the
 * index of the command in argv, or -1 after printing an error. */
static int read_run_options(int argc, char **argv)
{
    enum { PERF = 1, SCHEMA, LOG };
    static const struct option options[] = {
        {"perf", no_argument, NULL, PERF},
        {"schema", required_argument, NULL, SCHEMA},
        {"log", required_argument, NULL, LOG},
        {NULL, 0, NULL, 0},
    };
    int option = 0;

    /* "+": the options of the command are not ours. */
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        switch (option) {
        case PERF:
            setenv("SKA_TANGO_EVENT_AGENT_PERF", "1", 1);
            break;
        case SCHEMA:
            if (!schema_is_known(optarg))
                return -1;
            setenv("SKA_TANGO_EVENT_AGENT_SCHEMA", optarg, 1);
            break;
        case LOG:
            if (!log_level_is_known(optarg))
                return -1;
            setenv("SKA_TANGO_EVENT_AGENT_LOG", optarg, 1);
            break;
        default: /* getopt_long printed an error */
            return -1;
        }
    }
    if (optind >= argc) {
        complain("run: no command given; see " PROGRAM " --help");
        return -1;
    }
    return optind;
}

/* Becomes the command; returns only if that fails. exec and not fork, so that the command's pid,
 * exit status and signals are its own. */
int run_command(int argc, char **argv)
{
    char error[ERROR_SIZE];
    char *path = NULL;
    char *preload = NULL;
    int command = 0;
    int failure = 0;

    argv[0] = PROGRAM; /* for getopt's messages */
    command = read_run_options(argc, argv);
    if (command < 0)
        return EXIT_USAGE;
    path = agent_path_find(error, sizeof error);
    if (path != NULL)
        preload = agent_path_preload(path, getenv("LD_PRELOAD"), error, sizeof error);
    free(path);
    if (preload == NULL) {
        complain("%s", error);
        return EXIT_NO_AGENT;
    }
    setenv("LD_PRELOAD", preload, 1);
    free(preload);
    execvp(argv[command], argv + command);
    failure = errno;
    complain("cannot run %s: %s", argv[command], strerror(failure));
    return failure == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
