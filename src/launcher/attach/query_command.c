#include "launcher/attach/query_command.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "launcher/attach/asking.h"
#include "launcher/attach/json_text.h"
#include "launcher/attach/targets.h"
#include "launcher/console.h"
#include "launcher/options.h"

/* How long the agent may take to answer. */
static const double answer_s = 10;

/* A request is a line of at most so many bytes, with its end: see agent/answer/socket.h. */
enum { REQUEST_SIZE = 256 };

typedef struct {
    bool pretty;
    targets_t targets;
    char request[REQUEST_SIZE];
} query_t;

/* The only command with an argument. "": it isn't one of its values. */
static const char *take_switch(const char *argument)
{
    static const char *const values[] = {"true", "false"};
    for (size_t i = 0; argument != NULL && i < sizeof values / sizeof *values; i++)
        if (strcasecmp(argument, values[i]) == 0)
            return values[i];
    return "";
}

/* An exit status, or -1 to go on. */
static int make_request(query_t *self, const char *command, const char *argument)
{
    if (strcmp(command, "EnableEventSystemPerfMon") == 0) {
        argument = take_switch(argument);
        if (*argument == '\0')
            return complain_of_usage("EnableEventSystemPerfMon needs true or false");
    }
    const int length = snprintf(self->request, sizeof self->request, "%s%s%s", command,
                                argument != NULL ? " " : "", argument != NULL ? argument : "");
    if (length > 0 && length + 1 < REQUEST_SIZE && strpbrk(self->request, "\r\n") == NULL &&
        strchr(command, ' ') == NULL)
        return -1;
    return complain_of_usage("that is no command of the agent's");
}

/* Likewise. */
static int read_words(query_t *self, int count, char **words)
{
    if (self->targets.count == 0 && count > 0) {
        const targets_result_t result = targets_add_pid(&self->targets, words[0]);
        if (result != TARGETS_OK)
            return result == TARGETS_WRONG ? EXIT_USAGE : EXIT_FAILURE;
        words++;
        count--;
    }
    if (self->targets.count != 1 || count > 2) {
        complain_of_usage("needs one process, and at most a command with an argument");
        return EXIT_USAGE;
    }
    return make_request(self, count > 0 ? words[0] : "QueryEventAgent",
                        count > 1 ? words[1] : NULL);
}

/* Likewise. */
static int read_options(query_t *self, int argc, char **argv)
{
    enum { SERVER = 1, PRETTY };
    static const struct option options[] = {
        {"server", required_argument, NULL, SERVER},
        {"pretty", no_argument, NULL, PRETTY},
        OPTIONS_HELP,
        {NULL, 0, NULL, 0},
    };
    targets_result_t result = TARGETS_OK;
    int status = -1;
    for (int option = 0;
         (option = options_next(argc, argv, OPTIONS_LETTERS, options, &status)) != -1;) {
        if (option == PRETTY)
            self->pretty = true;
        else
            result = targets_add_server(&self->targets, optarg);
        if (result != TARGETS_OK)
            return result == TARGETS_WRONG ? EXIT_USAGE : EXIT_FAILURE;
    }
    return status >= 0 ? status : read_words(self, argc - optind, argv + optind);
}

/* On a terminal, what a process answers must not move the cursor, or more. JSON has no such bytes.
 */
static void make_harmless(char *answer, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (answer[i] != '\n' && ((unsigned char)answer[i] < ' ' || answer[i] == '\x7f'))
            answer[i] = '?';
}

static void print_answer(const query_t *self, char *answer, size_t size)
{
    if (isatty(STDOUT_FILENO))
        make_harmless(answer, size);
    if (self->pretty && size > 0) {
        json_text_print_indented(answer, size);
    } else {
        fwrite(answer, 1, size, stdout);
        if (size > 0 && answer[size - 1] != '\n')
            putchar('\n');
    }
}

static int query(const query_t *self)
{
    process_t process;
    size_t size = 0;
    const process_result_t result = process_read(&process, PROCESS_PROC, self->targets.pids[0]);
    if (result == PROCESS_GONE) {
        asking_failed(&process, "there is no such process");
        return EXIT_FAILURE;
    }
    char *answer = asking_ask(&process, self->request, answer_s, &size);
    if (answer == NULL)
        return EXIT_FAILURE;
    print_answer(self, answer, size);
    free(answer);
    return finish_output();
}

int query_command(int argc, char **argv)
{
    query_t self = {0};
    int status = read_options(&self, argc, argv);
    if (status < 0)
        status = query(&self);
    targets_clear(&self.targets);
    return status;
}
