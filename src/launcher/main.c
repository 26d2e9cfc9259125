/* ska-tango-event-agent: starts a command with the agent loaded, loads it into running processes
 * and asks it there, or puts it into a PyTango wheel.
 */
#include <locale.h>
#include <stdbool.h>
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
#include "launcher/options.h"
#include "launcher/patch_wheel.h"
#include "launcher/run_command.h"
#include "launcher/usage.h"
#include "version.h"

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
    static const struct option options[] = {OPTIONS_HELP, {NULL, 0, NULL, 0}};
    char message[ERROR_SIZE];
    const char *folder = NULL;
    char *agent = NULL;
    char *made = NULL;
    int status = -1;

    while (options_next(argc, argv, OPTIONS_LETTERS "o:", options, &status) == 'o')
        folder = optarg;
    if (status >= 0)
        return status;
    if (folder != NULL && folder[0] == '\0')
        return complain_of_usage("-o needs a directory");
    if (optind + 1 != argc)
        return complain_of_usage("needs exactly one wheel");
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

static int print_version(void)
{
    puts(PROGRAM " " STEM_VERSION);
    return finish_output();
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* One without arguments. */
static int run_alone(int (*run)(void), int argc, char **argv)
{
    char shown[128];
    if (argc == 1)
        return run();
    if (argc == 2 && is_help(argv[1]))
        return usage_print();
    show_text(argv[1], shown, sizeof shown);
    return complain_of_usage("unknown argument '%s'", shown);
}

static int complain_of_command(const char *verb)
{
    char shown[128];
    show_text(verb, shown, sizeof shown);
    if (verb[0] == '-')
        return complain_of_usage("%s can't come before the command", shown);
    return complain_of_usage("unknown command '%s'", shown);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *verb;
        int (*run)(int argc, char **argv);
        int (*run_alone)(void);
    } commands[] = {
        {"run", run_command, NULL},       {"list", list_command, NULL},
        {"attach", attach_command, NULL}, {"detach", detach_command, NULL},
        {"query", query_command, NULL},   {"patch-wheel", make_patched_wheel, NULL},
        {"path", NULL, print_path},       {"--version", NULL, print_version},
        {"--help", NULL, usage_print},    {"-h", NULL, usage_print},
    };

    /* Names of processes are shown; nothing else depends on it. */
    setlocale(LC_CTYPE, "");
    if (argc < 2)
        return complain_of_usage("no command given");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].verb) != 0)
            continue;
        console_begin(argv[1]);
        return commands[i].run != NULL ? commands[i].run(argc - 1, argv + 1)
                                       : run_alone(commands[i].run_alone, argc - 1, argv + 1);
    }
    return complain_of_command(argv[1]);
}
