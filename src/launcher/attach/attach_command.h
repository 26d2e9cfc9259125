/*
 * attach_command: ska-tango-event-agent attach: loads the agent into running processes.
 */
#ifndef LAUNCHER_ATTACH_COMMAND_H
#define LAUNCHER_ATTACH_COMMAND_H

/* argv[0] is the verb. Returns the exit status. */
int attach_command(int argc, char **argv);

#endif
