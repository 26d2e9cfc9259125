#include "monitor/view/live/screens/stream_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/view/text/value_text.h"
#include "response/names.h"

/* More than that no screen needs. */
enum { WIDEST_NAME = 160, WIDEST_PUBLISHER = 60 };

void stream_rows_clear(stream_rows_t *self)
{
    free(self->rows);
    *self = (stream_rows_t){0};
}

/* ---- values ---- */

/* A server's name without what all have. */
static const char *short_server(const char *name)
{
    static const char admin[] = "dserver/";
    name = names_without_prefix(name);
    return strncasecmp(name, admin, sizeof admin - 1) == 0 ? name + sizeof admin - 1 : name;
}

static const char *publisher_of(const frame_stream_t *stream)
{
    return stream->publisher_name ? short_server(stream->publisher_name) : "-";
}

static double rate_of(const frame_stream_t *stream)
{
    return fmax(stream->push_rate, stream->receive_rate); /* of a number and NAN the number */
}

static double value_of(const frame_stream_t *stream, stream_column_t column)
{
    switch (column) {
    case STREAM_SUBSCRIBERS:
        return (double)stream->subscription_count;
    case STREAM_PUSHED:
        return stream->push_rate;
    case STREAM_RECEIVED:
        return stream->receive_rate;
    case STREAM_LOST:
        return columns_value(stream->lost);
    case STREAM_NEW_LOSSES:
        return columns_value(stream->new_losses);
    case STREAM_NOT_RECEIVED:
        return columns_value(stream->not_received);
    case STREAM_LATENCY:
        return stream->latency_seconds;
    case STREAM_PROCESSING:
        return stream->processing_seconds;
    case STREAM_TREND:
        return rate_of(stream);
    default:
        return NAN;
    }
}

/* ---- order ---- */

typedef struct {
    const frame_t *frame;
    stream_column_t sorted;
    bool inverted;
} order_t;

/* Rates that are nearly the same count as the same: rows would change places in each poll. */
static double coarse(double rate)
{
    return rate > 0 ? round(log2(rate)) : isnan(rate) ? NAN : -INFINITY;
}

/* What isn't known is no trouble. */
static double trouble(int64_t count)
{
    return count > 0 ? (double)count : 0;
}

static int compare_trouble(const frame_stream_t *left, const frame_stream_t *right)
{
    int order = columns_compare(trouble(left->new_losses), trouble(right->new_losses));
    if (order == 0)
        order = columns_compare(trouble(left->lost), trouble(right->lost));
    if (order == 0)
        order = columns_compare((double)left->findings, (double)right->findings);
    if (order == 0)
        order = columns_compare(trouble(left->not_received), trouble(right->not_received));
    if (order == 0)
        order = columns_compare(coarse(rate_of(left)), coarse(rate_of(right)));
    return order;
}

static int compare_by(const frame_stream_t *left, const frame_stream_t *right,
                      stream_column_t column)
{
    switch (column) {
    case STREAM_TROUBLE:
        return compare_trouble(left, right);
    case STREAM_NAME:
        return strverscmp(left->short_name, right->short_name);
    case STREAM_PUBLISHER:
        return strverscmp(publisher_of(left), publisher_of(right));
    default:
        return columns_compare(value_of(left, column), value_of(right, column));
    }
}

static int compare_rows(const void *left, const void *right, void *context)
{
    const order_t *order = context;
    const frame_stream_t *a = &order->frame->streams[*(const size_t *)left];
    const frame_stream_t *b = &order->frame->streams[*(const size_t *)right];
    int result = compare_by(a, b, order->sorted);
    if (order->inverted)
        result = -result;
    if (result == 0)
        result = strverscmp(a->short_name, b->short_name);
    return result ? result : strcmp(a->name, b->name);
}

bool stream_rows_ascends(stream_column_t column)
{
    return column == STREAM_NAME || column == STREAM_PUBLISHER;
}

/* ---- rows ---- */

static bool takes(const ui_t *ui, const frame_stream_t *stream)
{
    return ui_takes(ui, stream->name) &&
           (ui_matches(ui, stream->name) ||
            (stream->publisher_name && ui_matches(ui, stream->publisher_name)));
}

static size_t prefix_size(const frame_stream_t *stream)
{
    return (size_t)(stream->short_name - stream->name);
}

static bool have_same_prefix(const frame_stream_t *left, const frame_stream_t *right)
{
    const size_t size = prefix_size(left);
    return size == prefix_size(right) && memcmp(left->name, right->name, size) == 0;
}

static int width_of(const char *text, int widest)
{
    return (int)strnlen(text, (size_t)widest);
}

void stream_rows_update(stream_rows_t *self, const ui_t *ui, const frame_t *frame,
                        stream_column_t sorted, bool inverted)
{
    self->rows = memory_resize(self->rows, frame->stream_count, sizeof *self->rows);
    self->count = 0;
    self->sorted = sorted;
    self->share_prefix = true;
    self->name_width = self->publisher_width = 0;
    for (size_t i = 0; i < frame->stream_count; i++) {
        const frame_stream_t *stream = &frame->streams[i];
        if (!have_same_prefix(stream, &frame->streams[0]))
            self->share_prefix = false;
        if (takes(ui, stream))
            self->rows[self->count++] = i;
    }
    for (size_t i = 0; i < self->count; i++) {
        const frame_stream_t *stream = &frame->streams[self->rows[i]];
        const int name =
            width_of(self->share_prefix ? stream->short_name : stream->name, WIDEST_NAME);
        const int publisher = width_of(publisher_of(stream), WIDEST_PUBLISHER);
        if (name > self->name_width)
            self->name_width = name;
        if (publisher > self->publisher_width)
            self->publisher_width = publisher;
    }
    order_t order = {frame, sorted, inverted};
    qsort_r(self->rows, self->count, sizeof *self->rows, compare_rows, &order);
}

size_t stream_rows_find(const stream_rows_t *self, const frame_t *frame, uint64_t id)
{
    const size_t stream = frame_find_stream(frame, id);
    for (size_t i = 0; stream != FRAME_NONE && i < self->count; i++)
        if (self->rows[i] == stream)
            return i;
    return FRAME_NONE;
}

size_t stream_rows_prefix(const stream_rows_t *self, const frame_t *frame, const char **prefix)
{
    if (!self->share_prefix || frame->stream_count == 0)
        return 0;
    *prefix = frame->streams[0].name;
    return prefix_size(&frame->streams[0]);
}

/* ---- columns ---- */

/* What the sparkline shows: what is looked at. */
static trend_t trend_of(stream_column_t sorted)
{
    switch (sorted) {
    case STREAM_PUSHED:
        return TREND_PUSH_RATE;
    case STREAM_RECEIVED:
        return TREND_RECEIVE_RATE;
    case STREAM_LATENCY:
        return TREND_LATENCY;
    case STREAM_PROCESSING:
        return TREND_PROCESSING;
    default:
        return TREND_KINDS;
    }
}

static const char *trend_heading(stream_column_t sorted)
{
    switch (trend_of(sorted)) {
    case TREND_PUSH_RATE:
        return "trend: pushed/s";
    case TREND_RECEIVE_RATE:
        return "trend: recvd/s";
    case TREND_LATENCY:
        return "trend: latency";
    case TREND_PROCESSING:
        return "trend: process";
    default:
        return "trend";
    }
}

void stream_rows_draw_headings(const stream_rows_t *self, ui_t *ui, canvas_t *canvas, int row,
                               bool ascending, int32_t first_key, column_place_t *places)
{
    char *name = memory_format("stream (%zu)", self->count);
    const column_t columns[STREAM_COLUMNS] = {
        [STREAM_TROUBLE] = {"!", 2, 3, 4, false, false},
        [STREAM_NAME] = {name, 20, self->name_width, 0, false, false},
        [STREAM_PUBLISHER] = {"publisher", 12, self->publisher_width, 9, false, false},
        [STREAM_SUBSCRIBERS] = {"subs", 5, 5, 10, true, false},
        [STREAM_PUSHED] = {"pushed/s", 9, 10, 3, true, false},
        [STREAM_RECEIVED] = {"recvd/s", 8, 10, 2, true, false},
        [STREAM_LOST] = {"lost", 6, 9, 1, true, false},
        [STREAM_NEW_LOSSES] = {"+new", 6, 8, 5, true, false},
        [STREAM_NOT_RECEIVED] = {"not recvd", 10, 10, 11, true, false},
        [STREAM_LATENCY] = {"latency", 8, 9, 6, true, false},
        [STREAM_PROCESSING] = {"process", 8, 9, 8, true, false},
        [STREAM_TREND] = {trend_heading(self->sorted), 6, COLUMNS_WIDEST_TREND, 7, false, true},
    };
    columns_place(columns, STREAM_COLUMNS, canvas_columns(canvas), places);
    columns_draw(ui, canvas, row, columns, places, STREAM_COLUMNS, self->sorted, ascending,
                 first_key);
    free(name);
}

static void draw_trouble(canvas_t *canvas, int row, const column_place_t *place,
                         const frame_t *frame, const frame_stream_t *stream)
{
    const bool failed = stream->publisher != FRAME_NONE && frame->servers[stream->publisher].error;
    if (stream->findings > 0)
        canvas_format(canvas, row, place->start, place->width, LOOK_ALARM, "!%zu",
                      stream->findings);
    else if (stream->new_losses > 0)
        canvas_text(canvas, row, place->start, place->width, LOOK_ALARM, "!");
    else if (failed)
        canvas_text(canvas, row, place->start, place->width, LOOK_ALARM, "x");
    else if (stream->is_gone)
        canvas_text(canvas, row, place->start, place->width, LOOK_DIM, "-");
}

static void draw_subscribers(canvas_t *canvas, int row, const column_place_t *place,
                             const frame_stream_t *stream)
{
    if (stream->subscription_count > 0 || stream->has_subscribers == RESPONSE_NO)
        columns_draw_number(canvas, row, place, LOOK_PLAIN,
                            value_text_count((int64_t)stream->subscription_count).text);
    else
        canvas_text_right(canvas, row, place->start, place->width, LOOK_DIM,
                          stream->has_subscribers == RESPONSE_YES ? "some" : "-");
}

static void draw_cell(const stream_rows_t *self, const ui_t *ui, canvas_t *canvas, int row,
                      stream_column_t column, const column_place_t *place, const frame_t *frame,
                      const frame_stream_t *stream)
{
    const look_t look = stream->is_gone ? LOOK_DIM : LOOK_PLAIN;
    switch (column) {
    case STREAM_TROUBLE:
        draw_trouble(canvas, row, place, frame, stream);
        break;
    case STREAM_NAME:
        canvas_name(canvas, row, place->start, place->width, look,
                    self->share_prefix ? stream->short_name : stream->name);
        break;
    case STREAM_PUBLISHER:
        canvas_name(canvas, row, place->start, place->width, look, publisher_of(stream));
        break;
    case STREAM_SUBSCRIBERS:
        draw_subscribers(canvas, row, place, stream);
        break;
    case STREAM_PUSHED:
    case STREAM_RECEIVED:
        columns_draw_number(canvas, row, place, look,
                            value_text_rate(value_of(stream, column)).text);
        break;
    case STREAM_LOST:
        columns_draw_number(canvas, row, place, stream->lost > 0 ? LOOK_WARNING : look,
                            value_text_count(stream->lost).text);
        break;
    case STREAM_NEW_LOSSES:
        columns_draw_number(canvas, row, place, LOOK_ALARM,
                            value_text_step(stream->new_losses).text);
        break;
    case STREAM_NOT_RECEIVED:
        columns_draw_number(canvas, row, place, look, value_text_count(stream->not_received).text);
        break;
    case STREAM_LATENCY:
    case STREAM_PROCESSING:
        columns_draw_number(canvas, row, place, look,
                            value_text_duration(value_of(stream, column)).text);
        break;
    case STREAM_TREND:
        columns_draw_trend(ui, canvas, row, place, stream->id, trend_of(self->sorted));
        break;
    default:
        break;
    }
}

void stream_rows_draw(const stream_rows_t *self, ui_t *ui, canvas_t *canvas, int row,
                      const frame_t *frame, const frame_stream_t *stream,
                      const column_place_t *places)
{
    for (int column = 0; column < STREAM_COLUMNS; column++)
        if (places[column].width > 0)
            draw_cell(self, ui, canvas, row, (stream_column_t)column, &places[column], frame,
                      stream);
}
