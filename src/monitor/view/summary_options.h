/*
 * summary_options: what to show of a snapshot, in whatever format.
 */
#ifndef STEM_SUMMARY_OPTIONS_H
#define STEM_SUMMARY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/terminal.h"
#include "monitor/view/filter.h"
#include "monitor/view/ranking.h"

typedef struct {
    bool perf;       /* show how long things took (-m) */
    bool verbose;    /* in text: server counters too, and by attribute how long callbacks took */
    filter_t filter; /* which streams */
    size_t top;      /* print this many streams of all servers instead of all; 0: all */
    top_key_t top_key;
    text_style_t style;
    size_t left_out; /* summaries before this one that nobody read; for JSON */
} summary_options_t;

#endif
