/*
 * view_options: how to print on standard output.
 */
#ifndef STEM_VIEW_OPTIONS_H
#define STEM_VIEW_OPTIONS_H

#include <stdbool.h>

#include "monitor/view/summary_options.h"

typedef enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_JSONL, FORMAT_JUNIT } format_t;

typedef struct {
    format_t format;
    bool no_color;
    bool waits;                /* for its reader, rather than leave anything out */
    summary_options_t summary; /* but its style, which is made from standard output */
} view_options_t;

#endif
