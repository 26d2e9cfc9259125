/*
 * identity_program: what a process's program is called. The launcher and the monitor, which see
 * processes without an agent, too, have the same rule, by this file.
 */
#ifndef STEM_AGENT_IDENTITY_PROGRAM_H
#define STEM_AGENT_IDENTITY_PROGRAM_H

#include <stddef.h>

/*
 * The name of a program, into text, by its arguments as in /proc/PID/cmdline (length bytes, and a
 * NUL after them): its base name; or of what a Python runs: of the script ("archiver.py"), the
 * module (python3 -m), or the folder (of __main__.py); or, if the arguments were overwritten with a
 * title, its first word. Control characters become "?". "" if there are no arguments.
 */
void identity_program_of(char *text, size_t size, const char *line, size_t length);

#endif
