/*
 * query_command: ska-tango-event-agent query: what the agent in a running process answers.
 */
#ifndef LAUNCHER_QUERY_COMMAND_H
#define LAUNCHER_QUERY_COMMAND_H

/* argv[0] is the verb. Returns the exit status. */
int query_command(int argc, char **argv);

#endif
