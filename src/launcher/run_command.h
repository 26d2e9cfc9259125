/*
 * run_command: ska-tango-event-agent run: starts a command with the agent loaded.
 */
#ifndef LAUNCHER_RUN_COMMAND_H
#define LAUNCHER_RUN_COMMAND_H

/* argv[0] is the verb. Returns the exit status, if the command can't be started. */
int run_command(int argc, char **argv);

#endif
