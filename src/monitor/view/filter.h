/*
 * filter: which streams are shown (--only).
 */
#ifndef STEM_FILTER_H
#define STEM_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "response/response.h"

typedef struct {
    char *const *patterns; /* with '*', '?'; see filter_takes() */
    size_t count;          /* 0: all */
} filter_t;

/*
 * Whether a stream or topic, or a device's attribute, is to be shown: if its name matches one of
 * the patterns, with or without "tango://host:port/", IDL level and event type, without regard to
 * case.
 */
bool filter_takes(const filter_t *self, const char *name);

/* The same for what is not connected, by device and attribute. */
bool filter_takes_attribute(const filter_t *self, const response_not_connected_t *entry);

#endif
