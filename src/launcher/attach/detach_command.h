/*
 * detach_command: ska-tango-event-agent detach: the agents in running processes stop watching.
 */
#ifndef LAUNCHER_DETACH_COMMAND_H
#define LAUNCHER_DETACH_COMMAND_H

/* argv[0] is the verb. Returns the exit status. */
int detach_command(int argc, char **argv);

#endif
