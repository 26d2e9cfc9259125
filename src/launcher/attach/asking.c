#include "launcher/attach/asking.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "launcher/attach/process_name.h"
#include "launcher/console.h"
#include "process/agent_socket.h"

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

char *asking_ask(const process_t *process, const char *request, double timeout_seconds,
                 size_t *size)
{
    char error[512];
    char shown[512];
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
    asking_failed(process, shown);
    return NULL;
}
