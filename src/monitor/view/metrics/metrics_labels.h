/*
 * metrics_labels: the labels of a series, as they stand between its braces.
 *
 * Values come from the network. They are shown so that no parser and no terminal takes harm, and
 * never longer than METRICS_VALUE_SIZE: what isn't printable is a '?', the excess is cut off, and a
 * hash of the whole value follows then, so that two that differ stay different. An empty value is
 * the same as no label, and left out.
 */
#ifndef STEM_METRICS_LABELS_H
#define STEM_METRICS_LABELS_H

#include <stddef.h>

enum {
    METRICS_VALUE_SIZE = 240,  /* of a value, with backslashes and hash */
    METRICS_LABELS_SIZE = 2048 /* of all labels of a series; there is room for 7 */
};

/* Begins as all 0. text doesn't end with a NUL. */
typedef struct {
    size_t size;
    char text[METRICS_LABELS_SIZE];
} metrics_labels_t;

/* Adds a label; the value may be NULL: none. */
void metrics_labels_add(metrics_labels_t *self, const char *name, const char *value);

/*
 * Adds tango_host, device, attribute and event_type, as a stream's or topic's name has them: that
 * of a device's interface has no attribute. The IDL level is none of them, nor "#dbase=no": the
 * port says it already.
 */
void metrics_labels_add_stream(metrics_labels_t *self, const char *name);

#endif
