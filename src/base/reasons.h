/*
 * reasons: texts of errors that programs read, too. A recording has nothing but the text.
 */
#ifndef STEM_REASONS_H
#define STEM_REASONS_H

/* A server ended in an orderly way, on SIGTERM or by its command Kill: it said so to the database.
 */
#define REASON_STOPPED "its server was stopped (the Tango database lists it as not exported)"

/* Nothing accepts connections there: it crashed, was killed, or its host can't be reached. */
#define REASON_NOT_RUNNING "its server is not running or can't be reached"

/* A name is wrong, or the device was removed. */
#define REASON_NO_DEVICE "the Tango database has no such device or alias"

/* A server answers, but has none of the commands to ask; more text follows each of these. */
#define REASON_NO_COMMAND   "has neither QueryEventAgent nor QueryEventSystem"
#define REASON_COMMAND_GONE "it was restarted without the agent"

/* Of a process of this machine: it is no more, or has no agent; a remedy follows that. */
#define REASON_ENDED    "its process has ended"
#define REASON_NO_AGENT "it has no agent that can be asked"

/* No process that runs a program has an agent that can be asked. */
#define REASON_NO_CLIENT "no process of that name has an agent"

#endif
