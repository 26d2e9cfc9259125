/*
 * leaving: keeps the agent's own threads out of libtango when the process ends: exit() runs the
 * destructors of libtango's variables while other threads run on.
 */
#ifndef STEM_AGENT_LEAVING_H
#define STEM_AGENT_LEAVING_H

#include <stdbool.h>

/* From now on exit() is noticed. One that has begun already is, too, as soon as what it is doing
 * just then is done. */
void leaving_prepare(void);

/* A thread of the agent is going to call libtango. False: it must not, since the process is ending.
 * Otherwise leaving_done() is due, and exit() waits for that, 5 s at most. */
bool leaving_not_yet(void);

void leaving_done(void);

/* It ends, or begins to: from now on, no thread may; waits for one that is in there, 5 s at most.
 */
void leaving_begins(void);

/* In a child of the process: nobody is in there. */
void leaving_forget(void);

#endif
