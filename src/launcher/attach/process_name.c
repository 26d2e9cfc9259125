#include "launcher/attach/process_name.h"

#include <stdio.h>

#include "launcher/console.h"

void process_name(const process_t *process, char *name, size_t size)
{
    char text[sizeof process->server + 16];
    if (process->is_server && process->server[0] != '\0')
        snprintf(text, sizeof text, "dserver/%s", process->server);
    else
        snprintf(text, sizeof text, "%s", process->program);
    show_text(text, name, size);
}

void process_name_with_pid(const process_t *process, char *name, size_t size)
{
    char shown[512];
    process_name(process, shown, sizeof shown);
    if (shown[0] != '\0')
        snprintf(name, size, "%ld (%s)", (long)process->pid, shown);
    else
        snprintf(name, size, "%ld", (long)process->pid);
}
