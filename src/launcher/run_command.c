#include "launcher/run_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/agent_path.h"
#include "launcher/console.h"
#include "launcher/options.h"

/* Reads the options of run and sets the agent's environment variables accordingly. An exit status,
 * or -1 to go on. */
static int read_run_options(int argc, char **argv)
{
    enum { PERF = 1, SCHEMA, LOG };
    static const struct option options[] = {
        {"perf", no_argument, NULL, PERF},
        {"schema", required_argument, NULL, SCHEMA},
        {"log", required_argument, NULL, LOG},
        OPTIONS_HELP,
        {NULL, 0, NULL, 0},
    };
    int status = -1;
    int option = 0;

    /* "+": the options of the command are not ours. */
    while ((option = options_next(argc, argv, "+" OPTIONS_LETTERS, options, &status)) != -1)
        if (option == PERF)
            setenv("SKA_TANGO_EVENT_AGENT_PERF", "1", 1);
        else if (option == SCHEMA && schema_is_known(optarg))
            setenv("SKA_TANGO_EVENT_AGENT_SCHEMA", optarg, 1);
        else if (option == LOG && log_level_is_known(optarg))
            setenv("SKA_TANGO_EVENT_AGENT_LOG", optarg, 1);
        else
            return EXIT_USAGE;
    if (status < 0 && optind >= argc)
        status = complain_of_usage("no command given");
    return status;
}

/* Becomes the command; returns only if that fails. exec and not fork, so that the command's pid,
 * exit status and signals are its own. */
int run_command(int argc, char **argv)
{
    char error[ERROR_SIZE];
    char *path = NULL;
    char *preload = NULL;
    int failure = 0;
    const int status = read_run_options(argc, argv);

    if (status >= 0)
        return status;
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
    execvp(argv[optind], argv + optind);
    failure = errno;
    complain("cannot run %s: %s", argv[optind], strerror(failure));
    return failure == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
