#include "monitor/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "monitor/messages.h"

/*
 * If we were started with one of the standard descriptors closed, the next file opened would get
 * its number, and our output would go there. That file may be opened before main(): one of the
 * ORB's libraries opens pipes when it is loaded. Only .preinit_array runs before all libraries.
 */
static void fill_standard_descriptors(void)
{
    int fd = 0;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const before_all_libraries)(void) = fill_standard_descriptors;

void program_complain(const char *program, char *line)
{
    char *whole = messages_line(program, line);
    fputs(whole, stderr);
    free(whole);
    free(line);
}

int program_finish_printing(const char *program)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    program_complain(program, memory_format("standard output: %s", strerror(errno)));
    return EXIT_FAILURE;
}
