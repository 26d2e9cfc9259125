/*
 * stream_rows: which streams of a frame are shown, in which order, and what their columns are.
 */
#ifndef STEM_STREAM_ROWS_H
#define STEM_STREAM_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/view/live/ui/columns.h"
#include "monitor/view/live/ui/ui_parts.h"

typedef enum {
    STREAM_TROUBLE, /* a mark; sorted by it: by what hurts */
    STREAM_NAME,
    STREAM_PUBLISHER,
    STREAM_SUBSCRIBERS,
    STREAM_PUSHED,
    STREAM_RECEIVED,
    STREAM_LOST,
    STREAM_NEW_LOSSES,
    STREAM_NOT_RECEIVED,
    STREAM_LATENCY,
    STREAM_PROCESSING,
    STREAM_TREND,
    STREAM_COLUMNS
} stream_column_t;

typedef struct {
    size_t *rows; /* indices in the frame */
    size_t count;
    stream_column_t sorted;
    bool share_prefix; /* all have the same "tango://host:port/" */
    int name_width;    /* of the longest name, in bytes */
    int publisher_width;
} stream_rows_t;

/* Zero-initialized, it is of no frame. */
void stream_rows_clear(stream_rows_t *self);

/* Those that the UI's filters take, sorted. inverted: the other way round than is usual. */
void stream_rows_update(stream_rows_t *self, const ui_t *ui, const frame_t *frame,
                        stream_column_t sorted, bool inverted);

/* The row of a stream; FRAME_NONE: it has none. */
size_t stream_rows_find(const stream_rows_t *self, const frame_t *frame, uint64_t id);

/* The "tango://host:port/" that all have; 0 bytes: there is none. */
size_t stream_rows_prefix(const stream_rows_t *self, const frame_t *frame, const char **prefix);

/* Whether a column usually has the lowest value at the top. */
bool stream_rows_ascends(stream_column_t column);

/* Draws its headings; places gets STREAM_COLUMNS members. */
void stream_rows_draw_headings(const stream_rows_t *self, ui_t *ui, canvas_t *canvas, int row,
                               bool ascending, int32_t first_key, column_place_t *places);

void stream_rows_draw(const stream_rows_t *self, ui_t *ui, canvas_t *canvas, int row,
                      const frame_t *frame, const frame_stream_t *stream,
                      const column_place_t *places);

#endif
