/* ska-tango-event-agent: starts a command with the agent loaded, or puts it into a PyTango wheel.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/agent_path.h"
#include "launcher/patch_wheel.h"
#include "version.h"

#define PROGRAM    "ska-tango-event-agent"
#define ERROR_SIZE 8192

/* As in shells: what a caller expects of a command that starts another. */
enum {
    EXIT_USAGE = 2,
    EXIT_NO_AGENT = 125,
    EXIT_CANNOT_RUN = 126,
    EXIT_NOT_FOUND = 127,
};

static const char *const log_levels[] = {"off", "error", "info", "debug", NULL};
static const char *const schemas[] = {"1", "legacy", NULL};

static const char usage_text[] =
    "usage: " PROGRAM " run [OPTION ...] [--] COMMAND [ARGUMENT ...]\n"
    "       " PROGRAM " path\n"
    "       " PROGRAM " patch-wheel [-o DIRECTORY] WHEEL\n"
    "       " PROGRAM " --help | --version\n"
    "\n"
    "run   starts COMMAND, a Tango device server, with the event agent loaded. Its admin\n"
    "      device then has the commands QueryEventSystem, QueryEventAgent,\n"
    "      StartEventSystemPerfMon, StopEventSystemPerfMon and EnableEventSystemPerfMon.\n"
    "path  prints the path of the agent.\n"
    "patch-wheel\n"
    "      makes pytango-VERSION+events-....whl from a PyTango wheel: the same PyTango, with\n"
    "      the agent inside, which \"import tango\" loads. It is put next to WHEEL, or into\n"
    "      DIRECTORY.\n"
    "\n"
    "Options of run:\n"
    "  --perf           take performance samples from the start\n"
    "  --schema SCHEMA  how QueryEventSystem answers: 1 (the default), as cppTango 10.1 and later\n"
    "                   do, or legacy, as the older patched servers did\n"
    "  --log LEVEL      what the agent logs to standard error: off, error (the default), info\n"
    "                   or debug\n"
    "\n"
    "Exit status of run: that of COMMAND; 125 if there is no agent, 126 if COMMAND cannot be run,\n"
    "127 if it is not found; 2 for wrong usage.\n";

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    va_list args;

    fputs(PROGRAM ": ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* Standard output may be a full disk or a closed pipe: that is not success. */
static int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    complain("cannot write to standard output: %s", strerror(errno));
    return EXIT_FAILURE;
}

static int is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0)
            return 1;
    return 0;
}

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
            if (!is_one_of(optarg, schemas)) {
                complain("--schema must be 1 or legacy, not '%s'", optarg);
                return -1;
            }
            setenv("SKA_TANGO_EVENT_AGENT_SCHEMA", optarg, 1);
            break;
        case LOG:
            if (!is_one_of(optarg, log_levels)) {
                complain("--log must be off, error, info or debug, not '%s'", optarg);
                return -1;
            }
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
static int run(int argc, char **argv)
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

/* The agent's path, which the caller frees; or NULL after printing an error. */
static char *find_agent(void)
{
    char error[ERROR_SIZE];
    char *path = agent_path_find(error, sizeof error);

    if (path == NULL)
        complain("%s", error);
    return path;
}

static int print_path(void)
{
    char *path = find_agent();

    if (path == NULL)
        return EXIT_NO_AGENT;
    puts(path);
    free(path);
    return finish_output();
}

static int make_patched_wheel(int argc, char **argv)
{
    char message[ERROR_SIZE];
    const char *folder = NULL;
    char *agent = NULL;
    char *made = NULL;
    int option = 0;

    argv[0] = PROGRAM; /* for getopt's messages */
    while ((option = getopt(argc, argv, "o:")) != -1) {
        if (option != 'o')
            return EXIT_USAGE;
        folder = optarg;
    }
    if (folder != NULL && folder[0] == '\0') {
        complain("patch-wheel: -o needs a directory");
        return EXIT_USAGE;
    }
    if (optind + 1 != argc) {
        complain("patch-wheel: needs exactly one wheel; see " PROGRAM " --help");
        return EXIT_USAGE;
    }
    agent = find_agent();
    if (agent == NULL)
        return EXIT_NO_AGENT;
    made = patch_wheel(argv[optind], agent, folder, message, sizeof message);
    free(agent);
    if (message[0] != '\0')
        complain("%s", message);
    if (made == NULL)
        return EXIT_FAILURE;
    puts(made);
    free(made);
    return finish_output();
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";

    if (strcmp(verb, "run") == 0)
        return run(argc - 1, argv + 1);
    if (strcmp(verb, "patch-wheel") == 0)
        return make_patched_wheel(argc - 1, argv + 1);
    if (argc == 2 && strcmp(verb, "path") == 0)
        return print_path();
    if (argc == 2 && (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0)) {
        fputs(usage_text, stdout);
        return finish_output();
    }
    if (argc == 2 && strcmp(verb, "--version") == 0) {
        puts(PROGRAM " " STEM_VERSION);
        return finish_output();
    }
    if (argc < 2)
        complain("no command given; see " PROGRAM " --help");
    else
        complain("unknown argument '%s'; see " PROGRAM " --help", argc > 2 ? argv[2] : verb);
    return EXIT_USAGE;
}
