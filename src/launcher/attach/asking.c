#include "launcher/attach/asking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/attach/facts.h"
#include "launcher/attach/process_name.h"
#include "launcher/attach/refusal.h"
#include "launcher/console.h"
#include "process/agent_socket.h"
#include "process/user_name.h"

bool asking_failed(const process_t *process, const char *line)
{
    char name[640];
    process_name_with_pid(process, name, sizeof name);
    fflush(stdout);
    complain("%s: %s", name, line);
    return false;
}

void asking_done(const process_t *process, const char *line)
{
    char name[640];
    process_name_with_pid(process, name, sizeof name);
    printf("%s: %s\n", name, line);
    fflush(stdout);
}

bool asking_no_agent(const process_t *process)
{
    facts_t facts;
    refusal_t refusal;
    char name[64];
    char shown[64];
    char line[512];
    facts_read(&facts, &facts_of_this_machine, process->pid);
    facts.process.state = PROCESS_ASLEEP;
    if (facts.result == PROCESS_FORBIDDEN) {
        user_name(facts.process.user, name, sizeof name);
        show_text(name, shown, sizeof shown);
        snprintf(line, sizeof line,
                 "it has no agent, as far as can be seen: it belongs to user %s: run this as root",
                 shown);
    } else if (facts.result == PROCESS_NO_LIBTANGO) {
        snprintf(line, sizeof line, "it has no agent, and doesn't use Tango");
    } else if (facts.result == PROCESS_READ && facts.process.agent == PROCESS_AGENT_NONE) {
        snprintf(line, sizeof line, "it has no agent; load it: " PROGRAM " attach %ld",
                 (long)process->pid);
    } else {
        refusal_find(&facts, &refusal);
        snprintf(line, sizeof line, "%s", refusal.line);
    }
    return asking_failed(process, line);
}

char *asking_ask(const process_t *process, const char *request, double timeout_seconds,
                 size_t *size)
{
    char error[512];
    char shown[512];
    char line[640];
    char *answer = NULL;
    int connection = -1;
    agent_socket_result_t result =
        agent_socket_connect(process->pid, timeout_seconds, &connection, error, sizeof error);
    if (result == AGENT_SOCKET_OK) {
        result = agent_socket_ask(connection, request, timeout_seconds, &answer, size, error,
                                  sizeof error);
        close(connection);
    }
    if (result == AGENT_SOCKET_OK)
        return answer;
    show_text(error, shown, sizeof shown);
    snprintf(line, sizeof line, "%s", shown);
    /* As agent/answer/commands.c has it. */
    if (result == AGENT_SOCKET_REFUSED && strcmp(error, "the agent is detached") == 0)
        snprintf(line, sizeof line, "%s: " PROGRAM " attach %ld makes it count again", shown,
                 (long)process->pid);
    if (result == AGENT_SOCKET_NO_AGENT)
        asking_no_agent(process);
    else
        asking_failed(process, line);
    return NULL;
}
