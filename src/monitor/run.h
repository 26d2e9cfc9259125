/*
 * run: the loop that hands what a source yields to all sinks.
 *
 * It owns everything that can be waited for: the signals, the schedule, the sinks' input. Each
 * snapshot becomes an observation, which each sink is given in turn; none waits for another one's
 * reader.
 */
#ifndef STEM_RUN_H
#define STEM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/messages.h"
#include "monitor/signals.h"
#include "monitor/sink.h"
#include "monitor/source.h"

typedef struct run run_t;

/* Without sinks. All three stay the caller's and must live as long; settings may be NULL: the
 * rules' own thresholds. Never NULL. */
run_t *run_new(signals_t *signals, messages_t *messages, const rule_settings_t *settings);

/* Frees it and its sinks and sets *self to NULL; *self may be NULL. */
void run_destroy(run_t **self);

/* Takes a sink over. Sinks are called in the order in which they were added. May be called by a
 * sink's ready(). */
void run_add(run_t *self, sink_t *sink);

/*
 * While run_go() goes on, from a sink's ready(): switches the servers' performance monitoring on or
 * off, or lets snapshots have the answers' texts from the next one on. Of a recording, they do
 * nothing. run_set_perf() returns false if that failed: messages say why.
 */
bool run_set_perf(run_t *self, bool perf);
void run_keep_texts(run_t *self);

/* The file that is recorded into; NULL: none is. */
const char *run_recorded_into(const run_t *self);

/* It ends after that time, but not before there are two snapshots; only with a schedule. */
void run_limit(run_t *self, double seconds);

/*
 * Goes on until the source ends, or has yielded count snapshots (0: any number), or nobody takes
 * any more, or a signal says to stop; makes the source stop what it started, and the sinks finish.
 * Takes the source over, and sets *source to NULL. A second signal meanwhile ends the program.
 * Returns whether everything went well: nothing was lost, and the source had what it was asked for.
 */
bool run_go(run_t *self, source_t **source, int64_t count);

/* Told to stop before there was anything to show: the sinks finish. Returns as run_go(). */
bool run_end_at_once(run_t *self);

#endif
