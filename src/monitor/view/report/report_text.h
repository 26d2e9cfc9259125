/*
 * report_text: a report as a page of text.
 */
#ifndef STEM_REPORT_TEXT_H
#define STEM_REPORT_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "base/terminal.h"
#include "monitor/view/report/collect/report.h"

typedef struct {
    size_t top;   /* entries of each list; of more, it is said how many there are */
    size_t files; /* that were read; 0: isn't told */
    text_style_t style;
} report_text_options_t;

void report_text_write(FILE *out, const report_t *self, const report_text_options_t *options);

#endif
