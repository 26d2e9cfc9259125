/*
 * watch: connects to servers and keeps them connected while a run goes on; what all programs do
 * that watch servers.
 */
#ifndef STEM_WATCH_H
#define STEM_WATCH_H

#include <stdbool.h>

#include "monitor/messages.h"
#include "monitor/poll/poller.h"
#include "monitor/signals.h"
#include "monitor/source.h"
#include "monitor/watch_options.h"

typedef struct {
    const watch_options_t *options;
    bool keeps_texts;  /* somebody reads the answers' texts, besides the parsed ones */
    bool may_be_empty; /* goes on also if no server is in the shard */
    bool tries_again;  /* every poll period if it can't begin, because of a database, say; not with
                          --list */
    signals_t *signals;
    messages_t *messages;
    /* Each gets context, and returns the exit status where it returns an int. */
    void *context;
    bool (*begin)(void *context);                             /* connected: false to give up */
    int (*go)(void *context, source_t **source);              /* runs; it takes the source over */
    int (*end_at_once)(void *context);                        /* told to stop before that */
    int (*print_list)(void *context, const poller_t *poller); /* instead of these, with --list */
} watch_t;

/*
 * Selects servers, connects to them, and lets the run go on. Returns the exit status; ends the
 * program with it if a thread hangs in a call of the Tango library.
 */
int watch_servers(const watch_t *self);

/*
 * Prints what would be watched, and waits for its reader; false, after saying why, if that can't be
 * written, and also if something that was named can't be watched.
 */
bool watch_print_list(const poller_t *poller, outlet_t *output, messages_t *messages,
                      const signals_t *signals);

#endif
