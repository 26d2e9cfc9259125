#include "launcher/attach/targets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/attach/facts.h"
#include "launcher/console.h"
#include "process/process_list.h"

/* How long a server's agent may take to say what it is. */
static const double patience_s = 2;

static targets_result_t add(targets_t *self, pid_t pid)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->pids[i] == pid)
            return TARGETS_OK;
    pid_t *more = realloc(self->pids, (self->count + 1) * sizeof *more);
    if (more == NULL) {
        complain("out of memory");
        return TARGETS_NOT_FOUND;
    }
    self->pids = more;
    self->pids[self->count++] = pid;
    return TARGETS_OK;
}

targets_result_t targets_add_pid(targets_t *self, const char *text)
{
    char shown[128];
    char *end = NULL;
    errno = 0;
    const long pid = strtol(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && pid > 0 &&
        pid <= 0x7fffffff)
        return add(self, (pid_t)pid);
    show_text(text, shown, sizeof shown);
    complain_of_usage("'%s' is no process id; for a server's name use --server SERVER/INSTANCE",
                      shown);
    return TARGETS_WRONG;
}

/* The ids of all that have the name: "12, 34". */
static void list_pids(const process_list_t *list, const char *name, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (const process_t *found = NULL;
         (found = process_list_next_server(list, name, found)) != NULL && used + 16 < size;)
        used += (size_t)snprintf(text + used, size - used, "%s%ld", used > 0 ? ", " : "",
                                 (long)found->pid);
}

/* How a server that wasn't found might be found all the same: "" if it couldn't be. */
static const char *chance_of(const process_list_t *list)
{
    facts_t ourselves;
    facts_read(&ourselves, &facts_of_this_machine, getpid());
    if (list->unseen == 0 || facts_may_trace_all(&ourselves))
        return "";
    return geteuid() == 0 ? ", as far as can be seen: if it belongs to another user, "
                            "CAP_SYS_PTRACE is missing here"
                          : ", as far as can be seen: if it belongs to another user, run this as "
                            "root";
}

static targets_result_t add_found(targets_t *self, const process_list_t *list, const char *name)
{
    char pids[256];
    char shown[256];
    show_text(name, shown, sizeof shown);
    const process_t *found = process_list_next_server(list, name, NULL);
    if (found == NULL) {
        complain("no server %s is running here%s; see " PROGRAM " list", shown, chance_of(list));
        return TARGETS_NOT_FOUND;
    }
    if (process_list_next_server(list, name, found) != NULL) {
        list_pids(list, name, pids, sizeof pids);
        complain("several processes are server %s: %s; give the process id of one", shown, pids);
        return TARGETS_NOT_FOUND;
    }
    return add(self, found->pid);
}

targets_result_t targets_add_server(targets_t *self, const char *name)
{
    char shown[256];
    char error[ERROR_SIZE];
    process_list_t list;
    targets_result_t result = TARGETS_NOT_FOUND;
    if (strchr(name, '/') == NULL) {
        show_text(name, shown, sizeof shown);
        complain_of_usage("--server needs SERVER/INSTANCE, not '%s'", shown);
        return TARGETS_WRONG;
    }
    if (process_list_read(&list, PROCESS_PROC, error, sizeof error)) {
        process_list_ask(&list, patience_s);
        result = add_found(self, &list, name);
    } else {
        complain("%s", error);
    }
    process_list_clear(&list);
    return result;
}

void targets_clear(targets_t *self)
{
    free(self->pids);
    *self = (targets_t){0};
}
