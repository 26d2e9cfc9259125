/*
 * service: what this process's agent does when it is asked through its socket (answer/socket.h):
 *
 * request                           answer
 * QueryEventSystem, QueryEventAgent  as the commands of that name
 * StartEventSystemPerfMon, StopEventSystemPerfMon, EnableEventSystemPerfMon true|false
 *                                    empty, as the commands
 * Identify                           a JSON object: what this process is, see service.c
 * Detach                             empty: the hooks are out, nothing is counted any more
 * Attach                             empty: after a Detach, they are in again
 *
 * This is how ska-tango-event-agent and the monitor reach processes without an admin device.
 */
#ifndef STEM_AGENT_SERVICE_H
#define STEM_AGENT_SERVICE_H

/*
 * From now on, a child that is forked has nothing of the agent's locked or under way, and exit() is
 * noticed. Due before the commands are added, which may take seconds; does nothing the second time.
 */
void service_prepare(void);

/*
 * Opens the socket, unless that was done, and answers in a thread of the agent's own. Nothing
 * happens if SKA_TANGO_EVENT_AGENT_SOCKET=off, which an agent that was attached ignores, or if it
 * can't: that is reported once.
 *
 * A child that was forked answers nobody until it subscribes to something, if its parent's agent
 * was attached, or until it calls this itself; one without exec that was made by a bare clone()
 * keeps its parent's address in use, and nobody accepts there. Once exit() has been called, all
 * requests are refused.
 */
void service_begin(void);

/* The same in the calling thread, for ever; returns if it was done before, or can't be. */
void service_serve(void);

#endif
