/*
 * screen_main: findings on top, and a line for each stream.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/view/live/screens/finding_rows.h"
#include "monitor/view/live/screens/stream_rows.h"

/* A click on the heading of a column. */
enum { KEY_COLUMN = UI_KEY_FIRST + 2000 };

/* So many findings that are past are still there to be seen. */
enum { PAST_ROWS = 3 };

typedef struct {
    screen_t screen;
    stream_column_t sorted;
    bool inverted;
    bool stays; /* the cursor stays in its place, instead of on its stream */
    bool on_findings;

    /* What the rows were made of. */
    uint64_t serial; /* of a frame; 0: of none */
    unsigned filter_version;
    bool is_stale;
    stream_rows_t streams;
    finding_rows_t findings;

    ui_list_t stream_list;
    ui_list_t finding_list;
    bool has_stream; /* the cursor was moved, to: */
    uint64_t stream;
    char *finding; /* likewise; or NULL */

    /* As drawn last. */
    int finding_top, finding_height;
    int stream_top, stream_height;
} screen_main_t;

/* ---- rows ---- */

static void forget_rows(screen_main_t *self)
{
    self->serial = 0;
    self->streams.count = self->findings.count = self->findings.lasting = 0;
}

static void follow(ui_list_t *list, size_t row)
{
    if (row != FRAME_NONE)
        ui_list_follow(list, row);
}

static void update_rows(screen_main_t *self, const ui_t *ui, const frame_t *frame)
{
    if (!frame) {
        forget_rows(self);
        return;
    }
    if (!self->is_stale && self->serial == frame->serial &&
        self->filter_version == ui_filter_version(ui))
        return;
    self->serial = frame->serial;
    self->filter_version = ui_filter_version(ui);
    self->is_stale = false;
    stream_rows_update(&self->streams, ui, frame, self->sorted, self->inverted);
    finding_rows_update(&self->findings, ui, frame);
    if (self->has_stream && !self->stays)
        follow(&self->stream_list, stream_rows_find(&self->streams, frame, self->stream));
    if (self->finding)
        follow(&self->finding_list, finding_rows_find(&self->findings, frame, self->finding));
}

/* What the cursor is on counts from now on, unless it is at the top, to see the worst. */
static void remember_stream(screen_main_t *self, const frame_t *frame)
{
    const size_t row = self->stream_list.cursor;
    self->has_stream = row > 0 && row < self->streams.count;
    if (self->has_stream)
        self->stream = frame->streams[self->streams.rows[row]].id;
}

static void remember_finding(screen_main_t *self, const frame_t *frame)
{
    const size_t row = self->finding_list.cursor;
    free(self->finding);
    self->finding = row > 0 && row < self->findings.count
                        ? memory_string(frame->findings[self->findings.rows[row]].identity)
                        : NULL;
}

/* The stream or finding under the cursor; NULL: there is none. */
static const frame_stream_t *stream_at_cursor(const screen_main_t *self, const frame_t *frame)
{
    const size_t row = self->stream_list.cursor;
    return row < self->streams.count ? &frame->streams[self->streams.rows[row]] : NULL;
}

static const frame_finding_t *finding_at_cursor(const screen_main_t *self, const frame_t *frame)
{
    const size_t row = self->finding_list.cursor;
    return row < self->findings.count ? &frame->findings[self->findings.rows[row]] : NULL;
}

/* ---- keys ---- */

static void sort_by(screen_main_t *self, stream_column_t column)
{
    self->inverted = column == self->sorted && !self->inverted;
    self->sorted = column;
    self->is_stale = true;
}

/* To the next column, or the one before. */
static void sort_by_neighbour(screen_main_t *self, int step)
{
    const int column = ((int)self->sorted + step + STREAM_COLUMNS) % STREAM_COLUMNS;
    self->inverted = false;
    self->sorted = (stream_column_t)column;
    self->is_stale = true;
}

static bool sort_input(screen_main_t *self, int32_t key)
{
    static const struct {
        int32_t key;
        stream_column_t column;
    } keys[] = {
        {'H', STREAM_TROUBLE},    {'N', STREAM_NAME}, {'P', STREAM_PUSHED},
        {'V', STREAM_RECEIVED},   {'L', STREAM_LOST}, {'T', STREAM_LATENCY},
        {'C', STREAM_PROCESSING},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (key == keys[i].key) {
            self->inverted = false;
            self->sorted = keys[i].column;
            self->is_stale = true;
            return true;
        }
    if (key >= KEY_COLUMN && key < KEY_COLUMN + STREAM_COLUMNS)
        sort_by(self, (stream_column_t)(key - KEY_COLUMN));
    else if (key == 's' || key == '>')
        sort_by_neighbour(self, 1);
    else if (key == '<')
        sort_by_neighbour(self, -1);
    else if (key == 'I' || key == 'R')
        sort_by(self, self->sorted);
    else
        return false;
    return true;
}

static void open_cursor(const screen_main_t *self, ui_t *ui, const frame_t *frame)
{
    const frame_finding_t *finding = finding_at_cursor(self, frame);
    const frame_stream_t *stream = stream_at_cursor(self, frame);
    if (self->on_findings && finding)
        ui_push(ui, screen_finding_new(finding->identity));
    else if (!self->on_findings && stream)
        ui_push(ui, screen_stream_new(stream->id));
}

static void open_publisher(const screen_main_t *self, ui_t *ui, const frame_t *frame)
{
    const frame_stream_t *stream = stream_at_cursor(self, frame);
    if (stream && stream->publisher != FRAME_NONE)
        ui_push(ui, screen_server_new(frame->servers[stream->publisher].id));
    else
        ui_say(ui, "its publisher isn't watched");
}

static bool is_inside(int row, int top, int height)
{
    return row >= top && row < top + height;
}

/* Puts the cursor where a click or the wheel is; false: it is in no list. */
static bool point(screen_main_t *self, const ui_input_t *input, bool *was_there)
{
    const bool on_findings = is_inside(input->row, self->finding_top, self->finding_height);
    if (!on_findings && !is_inside(input->row, self->stream_top, self->stream_height))
        return false;
    ui_list_t *list = on_findings ? &self->finding_list : &self->stream_list;
    const size_t row =
        list->first + (size_t)(input->row - (on_findings ? self->finding_top : self->stream_top));
    if (row >= (on_findings ? self->findings.count : self->streams.count))
        return false;
    *was_there = self->on_findings == on_findings && list->cursor == row;
    self->on_findings = on_findings;
    if (input->key != UI_KEY_WHEEL_UP && input->key != UI_KEY_WHEEL_DOWN)
        list->cursor = row;
    return true;
}

static bool mouse_input(screen_main_t *self, ui_t *ui, const ui_input_t *input,
                        const frame_t *frame)
{
    bool was_there = false;
    if (!point(self, input, &was_there))
        return false;
    if (self->on_findings)
        remember_finding(self, frame);
    else
        remember_stream(self, frame);
    if (input->key == UI_KEY_DOUBLE_CLICK && was_there)
        open_cursor(self, ui, frame);
    return true;
}

static bool list_input(screen_main_t *self, const ui_input_t *input, const frame_t *frame)
{
    bool was_there = false;
    if (input->key == UI_KEY_WHEEL_UP || input->key == UI_KEY_WHEEL_DOWN)
        (void)point(self, input, &was_there);
    if (self->on_findings && ui_list_input(&self->finding_list, input, self->findings.count,
                                           (size_t)self->finding_height)) {
        remember_finding(self, frame);
        return true;
    }
    if (!self->on_findings && ui_list_input(&self->stream_list, input, self->streams.count,
                                            (size_t)self->stream_height)) {
        remember_stream(self, frame);
        return true;
    }
    return false;
}

static bool main_input(screen_t *screen, ui_t *ui, const ui_input_t *input, ui_request_t *request)
{
    (void)request;
    screen_main_t *self = (screen_main_t *)screen;
    const frame_t *frame = ui_frame(ui);
    if (sort_input(self, input->key))
        return true;
    if (!frame)
        return false;
    update_rows(self, ui, frame);
    if (list_input(self, input, frame))
        return true;
    switch (input->key) {
    case UI_KEY_CLICK:
    case UI_KEY_DOUBLE_CLICK:
        return mouse_input(self, ui, input, frame);
    case UI_KEY_TAB:
    case UI_KEY_BACK_TAB:
        self->on_findings = !self->on_findings && self->findings.count > 0;
        return true;
    case UI_KEY_ENTER:
        open_cursor(self, ui, frame);
        return true;
    case 'u':
        open_publisher(self, ui, frame);
        return true;
    case 'F':
        self->stays = !self->stays;
        ui_say(ui, self->stays ? "the cursor stays in its line" : "the cursor stays on its stream");
        return true;
    default:
        return false;
    }
}

/* ---- drawing ---- */

/* Draws the findings from top on; returns the row after them. */
static int draw_findings(screen_main_t *self, canvas_t *canvas, int top, int bottom,
                         const frame_t *frame)
{
    const int most = (bottom - top) / 3;
    const size_t past = self->findings.count - self->findings.lasting;
    const size_t rows = self->findings.lasting + (past < PAST_ROWS ? past : PAST_ROWS);
    self->finding_top = top;
    self->finding_height = rows < (size_t)most ? (int)rows : most;
    if (most < 1)
        return top;
    if (self->findings.count == 0) {
        self->on_findings = false;
        finding_rows_draw_none(canvas, top, frame);
        return top + 1;
    }
    const char *shared = NULL;
    const size_t prefix_size = stream_rows_prefix(&self->streams, frame, &shared);
    char *prefix = shared ? memory_copy(shared, prefix_size) : NULL;
    ui_list_t *list = &self->finding_list;
    ui_list_settle(list, self->findings.count, (size_t)self->finding_height);
    for (int i = 0; i < self->finding_height; i++) {
        const size_t row = list->first + (size_t)i;
        finding_rows_draw(canvas, top + i, &frame->findings[self->findings.rows[row]], prefix);
        if (self->on_findings && row == list->cursor)
            canvas_set_look(canvas, top + i, 0, canvas_columns(canvas), LOOK_SELECTED);
    }
    free(prefix);
    return top + self->finding_height;
}

/* If something is filtered, says so; returns the row after it. */
static int draw_filter(const screen_main_t *self, const ui_t *ui, canvas_t *canvas, int top,
                       int bottom, const frame_t *frame)
{
    if (!*ui_typed(ui) || bottom - top < 3)
        return top;
    canvas_format(canvas, top, 0, canvas_columns(canvas), LOOK_BOLD,
                  "%zu of %zu streams with \"%s\"", self->streams.count, frame->stream_count,
                  ui_typed(ui));
    return top + 1;
}

static void draw_streams(screen_main_t *self, ui_t *ui, canvas_t *canvas, int top, int bottom,
                         const frame_t *frame)
{
    self->stream_top = top + 1;
    self->stream_height = bottom - top - 1;
    if (self->stream_height < 1) {
        self->stream_height = 0;
        return;
    }
    column_place_t places[STREAM_COLUMNS];
    stream_rows_draw_headings(&self->streams, ui, canvas, top,
                              stream_rows_ascends(self->sorted) != self->inverted, KEY_COLUMN,
                              places);
    if (self->streams.count == 0)
        canvas_text(canvas, top + 1, 0, canvas_columns(canvas), LOOK_DIM,
                    *ui_typed(ui)         ? "none: Esc shows all again"
                    : frame->stream_count ? "none of them matches --only"
                    : frame->failed       ? "no server has answered with a stream: press S"
                                          : "no server pushes or receives an event");
    ui_list_t *list = &self->stream_list;
    ui_list_settle(list, self->streams.count, (size_t)self->stream_height);
    for (int i = 0; i < self->stream_height; i++) {
        const size_t row = list->first + (size_t)i;
        if (row >= self->streams.count)
            break;
        const frame_stream_t *stream = &frame->streams[self->streams.rows[row]];
        stream_rows_draw(&self->streams, ui, canvas, self->stream_top + i, frame, stream, places);
        if (!self->on_findings && row == list->cursor)
            canvas_set_look(canvas, self->stream_top + i, 0, canvas_columns(canvas), LOOK_SELECTED);
    }
}

static void main_draw(screen_t *screen, ui_t *ui, canvas_t *canvas, int top, int bottom,
                      const frame_t *frame)
{
    screen_main_t *self = (screen_main_t *)screen;
    update_rows(self, ui, frame);
    if (!frame) {
        canvas_text(canvas, top, 0, canvas_columns(canvas), LOOK_DIM,
                    ui_status(ui)->is_live ? "waiting for the first answers" : "reading");
        return;
    }
    top = draw_findings(self, canvas, top, bottom, frame);
    top = draw_filter(self, ui, canvas, top, bottom, frame);
    draw_streams(self, ui, canvas, top, bottom, frame);
}

static const char *const *main_keys(const screen_t *screen)
{
    const screen_main_t *self = (const screen_main_t *)screen;
    static const char *const keys[] = {"Enter", "open", "/",       "filter", "s",
                                       "sort",  "S",    "servers", NULL,     NULL};
    static const char *const on_findings[] = {"Enter", "explain", "Tab", "streams",
                                              "S",     "servers", NULL,  NULL};
    return self->on_findings ? on_findings : keys;
}

static void main_destroy(screen_t **screen)
{
    screen_main_t *self = (screen_main_t *)*screen;
    stream_rows_clear(&self->streams);
    finding_rows_clear(&self->findings);
    free(self->finding);
    free(self);
    *screen = NULL;
}

screen_t *screen_main_new(top_key_t key)
{
    static const screen_methods_t methods = {"streams", main_input, main_draw, main_keys,
                                             main_destroy};
    static const stream_column_t columns[] = {[TOP_LOSS] = STREAM_TROUBLE,
                                              [TOP_RATE] = STREAM_TREND,
                                              [TOP_LATENCY] = STREAM_LATENCY,
                                              [TOP_PROCESSING] = STREAM_PROCESSING};
    screen_main_t *self = memory_new(1, sizeof *self);
    self->screen.methods = &methods;
    self->sorted = columns[key];
    return &self->screen;
}
