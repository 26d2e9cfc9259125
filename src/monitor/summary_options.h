/*
 * summary_options: what to show of a snapshot, in whatever format.
 */
#ifndef STEM_SUMMARY_OPTIONS_H
#define STEM_SUMMARY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/comparison.h"
#include "monitor/terminal.h"

/* What streams are put in order by. */
typedef enum { TOP_LOSS, TOP_RATE, TOP_LATENCY, TOP_PROCESSING } top_key_t;

typedef struct {
    bool perf;              /* show how long things took (-m) */
    stream_filter_t filter; /* for what the comparison doesn't filter */
    size_t top;             /* print so many streams of all servers instead of all; 0: all */
    top_key_t top_key;
    text_style_t style;
} summary_options_t;

#endif
