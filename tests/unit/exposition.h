/*
 * exposition: whether a page of metrics is one that Prometheus takes whole: for unit tests and
 * fuzzers.
 */
#ifndef STEM_TEST_EXPOSITION_H
#define STEM_TEST_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/view/metrics/metrics_page.h"

/*
 * What is wrong with a page, as a new string; NULL: nothing. It is made of lines; each family has
 * its head once, and its series together behind it; labels are UTF-8 and well escaped; values are
 * numbers, of counters none below 0; no series is there twice; buckets go up, and the last one is
 * the count.
 */
char *exposition_fault(const char *text, size_t size, metrics_format_t format);

/* Reads a page, in pieces of that size, and destroys it; the caller frees the text, which ends with
 * a NUL. NULL if its size isn't what the page said. */
char *exposition_read(metrics_page_t **page, size_t piece, size_t *size);

#endif
