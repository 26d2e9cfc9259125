/* ska-tango-event-agent: starts a command with the agent loaded, loads it into running processes
 * and asks it there, or puts it into a PyTango wheel.
 */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/agent_path.h"
#include "launcher/attach/attach_command.h"
#include "launcher/attach/detach_command.h"
#include "launcher/attach/list_command.h"
#include "launcher/attach/query_command.h"
#include "launcher/console.h"
#include "launcher/patch_wheel.h"
#include "launcher/run_command.h"
#include "version.h"

static const char usage_text[] =
    "usage: " PROGRAM " run [OPTION ...] [--] COMMAND [ARGUMENT ...]\n"
    "       " PROGRAM " list [--format FORMAT]\n"
    "       " PROGRAM " attach [OPTION ...] PID ...\n"
    "       " PROGRAM " attach [OPTION ...] --server SERVER/INSTANCE\n"
    "       " PROGRAM " query [--pretty] PID [COMMAND [ARGUMENT]]\n"
    "       " PROGRAM " detach PID ...\n"
    "       " PROGRAM " path\n"
    "       " PROGRAM " patch-wheel [-o DIRECTORY] WHEEL\n"
    "       " PROGRAM " --help | --version\n"
    "\n"
    "run    starts COMMAND, a Tango device server or client, with the event agent\n"
    "       loaded. The admin device of a server then has the commands\n"
    "       QueryEventSystem, QueryEventAgent, StartEventSystemPerfMon,\n"
    "       StopEventSystemPerfMon and EnableEventSystemPerfMon.\n"
    "list   shows the processes of this machine that use Tango: the server or\n"
    "       program, Tango's version, whether it has an agent, and whether one could\n"
    "       be attached.\n"
    "attach loads the agent into processes that are running. It counts from then on,\n"
    "       and the admin device has its commands, too. One thread waits for less\n"
    "       than a millisecond meanwhile. What is not allowed, or not safe, is\n"
    "       refused.\n"
    "query  asks the agent in a process, through a socket of its own: COMMAND is\n"
    "       QueryEventAgent (the default) or another of those above, or Identify.\n"
    "detach makes an agent stop counting, and takes its commands away. attach makes\n"
    "       it count again.\n"
    "path   prints the path of the agent.\n"
    "patch-wheel\n"
    "       makes pytango-VERSION+events-....whl from a PyTango wheel: the same\n"
    "       PyTango, with the agent inside, which \"import tango\" loads. It is put\n"
    "       next to WHEEL, or into DIRECTORY.\n"
    "\n"
    "Options of run and attach:\n"
    "  --perf           take performance samples from the start\n"
    "  --schema SCHEMA  how QueryEventSystem answers: 1 (the default), as cppTango\n"
    "                   10.1 and later do, or legacy, as the older patched servers\n"
    "                   did\n"
    "  --log LEVEL      what the agent logs to standard error: off, error (the\n"
    "                   default), info or debug\n"
    "\n"
    "Options of attach, query and detach:\n"
    "  --server SERVER/INSTANCE\n"
    "                   that server, instead of a process id\n"
    "\n"
    "Options of attach:\n"
    "  --dry-run        say whether it would work, and do nothing\n"
    "  --yes-i-may-lose-it\n"
    "                   attach also if it can't be known whether the system lets the\n"
    "                   process live (seccomp filters that can't be read)\n"
    "\n"
    "Options of list:\n"
    "  --format FORMAT  text (the default) or json\n"
    "\n"
    "Options of query:\n"
    "  --pretty         indent the answer\n"
    "\n"
    "Exit status of run: that of COMMAND; 125 if there is no agent, 126 if COMMAND\n"
    "cannot be run, 127 if it is not found; 2 for wrong usage. Of the others: 0 if\n"
    "all was done, 1 if something failed, 2 for wrong usage, 125 if there is no\n"
    "agent.\n";

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
    static const struct {
        const char *verb;
        int (*run)(int argc, char **argv);
    } commands[] = {
        {"run", run_command},       {"list", list_command},   {"attach", attach_command},
        {"detach", detach_command}, {"query", query_command}, {"patch-wheel", make_patched_wheel},
    };
    const char *verb = argc > 1 ? argv[1] : "";

    /* Names of processes are shown; nothing else depends on it. */
    setlocale(LC_CTYPE, "");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(verb, commands[i].verb) == 0)
            return commands[i].run(argc - 1, argv + 1);
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
