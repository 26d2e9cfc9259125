/*
 * metrics_page: what a scrape is answered: the newest observation as text that Prometheus reads.
 *
 * The store is filled by the metrics sink, in the thread of the loop, and read by others, which
 * never wait for a poll: each page is of the newest observation there is.
 */
#ifndef STEM_METRICS_PAGE_H
#define STEM_METRICS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { METRICS_TEXT, METRICS_OPENMETRICS } metrics_format_t;

/* For the HTTP header. */
const char *metrics_content_type(metrics_format_t format);

/* The format that an Accept header prefers (NULL: none was sent). */
metrics_format_t metrics_accepted(const char *accept);

typedef struct metrics_store metrics_store_t;
typedef struct metrics_page metrics_page_t;

/* Whether there was an observation yet. Any thread. */
bool metrics_store_is_ready(metrics_store_t *self);

/* A page of now, owned by the caller; before the first observation it has the exporter's own
 * metrics only. Any thread. Never NULL. */
metrics_page_t *metrics_store_page(metrics_store_t *self, metrics_format_t format);

/* Its size in bytes. */
uint64_t metrics_page_size(const metrics_page_t *self);

/* Copies at most size bytes of it, from a position on; returns how many, 0 at its end. */
size_t metrics_page_read(const metrics_page_t *self, uint64_t position, char *buffer, size_t size);

/* Frees it and sets *self to NULL; *self may be NULL. Any thread. */
void metrics_page_destroy(metrics_page_t **self);

#endif
