/*
 * list_command: ska-tango-event-agent list: the processes of this machine that use Tango.
 */
#ifndef LAUNCHER_LIST_COMMAND_H
#define LAUNCHER_LIST_COMMAND_H

/* argv[0] is the verb. Returns the exit status. */
int list_command(int argc, char **argv);

#endif
