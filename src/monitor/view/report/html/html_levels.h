/*
 * html_levels: how much of everything is shown, so that the page isn't too large. Only for files of
 * this folder.
 */
#ifndef STEM_HTML_LEVELS_H
#define STEM_HTML_LEVELS_H

#include "monitor/view/report/html/html_page.h"

/* Level 0 shows most; the last one fits into any budget that makes sense. */
enum { HTML_LEVELS = 36 };

html_limits_t html_limits(size_t level);

/* The next level to try after one at which the page was so many times too large: more than 1. */
size_t html_level_after(size_t level, double excess);

#endif
