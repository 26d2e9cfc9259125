/*
 * summary_parts: shared by the parts of a summary; only they include it.
 */
#ifndef STEM_SUMMARY_PARTS_H
#define STEM_SUMMARY_PARTS_H

#include <stdbool.h>
#include <stdio.h>

#include "monitor/view/shown.h"
#include "monitor/view/summary_options.h"
#include "monitor/view/text/text_table.h"

#define SUMMARY_INDENT "  "

typedef struct {
    FILE *out;
    const summary_options_t *options;
    char *prefix; /* left out of all names; NULL: none */
    const shown_t *shown;
} summary_t;

/* Prints text from elsewhere. */
void summary_print_text(const summary_t *self, const char *text);

/* A name without the prefix. */
const char *summary_short_name(const summary_t *self, const char *name);

/* Prints a table, indented, and destroys it. */
void summary_print_table(const summary_t *self, text_table_t *table);

/*
 * What a row begins with for an entry that is new or gone; "" for others. first: everything is new.
 */
const char *summary_tag(change_kind_t kind, bool first);

/* Whether a counter has a column: those that only the agent has are never known for others. */
bool summary_shows_counter(const counter_t *counter, const server_part_t *part);

/* ---- summary_streams.c ---- */

/* Print the tables of what a server pushes and of what it has subscribed to. */
void summary_print_publishers(const summary_t *self, const shown_server_t *server);
void summary_print_subscriptions(const summary_t *self, const shown_server_t *server);

/* ---- summary_connections.c ---- */

/* Print the tables of its event channels and of what isn't connected. */
void summary_print_channels(const summary_t *self, const server_part_t *part);
void summary_print_not_connected(const summary_t *self, const shown_server_t *server);

/* ---- summary_perf.c ---- */

/* Prints the samples of a server. */
void summary_print_perf(const summary_t *self, const response_t *response);

#endif
