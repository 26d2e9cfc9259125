/* screen_servers: a line for each server that is watched, those that failed first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/view/live/ui/columns.h"
#include "monitor/view/text/value_text.h"
#include "response/names.h"

enum { KEY_COLUMN = UI_KEY_FIRST + 3000, WIDEST_NAME = 80 };

typedef enum {
    SERVER_STATE, /* sorted by it: by what hurts */
    SERVER_NAME,
    SERVER_SOURCE,
    SERVER_PUBLISHED,
    SERVER_SUBSCRIBED,
    SERVER_PUSHED,
    SERVER_RECEIVED,
    SERVER_LOST,
    SERVER_NEW_LOSSES,
    SERVER_FINDINGS,
    SERVER_CONSUMER,
    SERVER_TREND,
    SERVER_COLUMNS
} server_column_t;

typedef struct {
    screen_t screen;
    server_column_t sorted;
    bool inverted;

    /* What the rows were made of. */
    uint64_t serial; /* of a frame; 0: of none */
    unsigned filter_version;
    bool is_stale;
    size_t *rows;
    size_t count;
    int name_width;
    size_t prefix; /* so much of each name isn't drawn: "tango://host:port/", the same in all */

    ui_list_t list;
    bool has_server; /* the cursor was moved, to: */
    uint64_t server;
    int top, height; /* as drawn last */
} screen_servers_t;

/* ---- values ---- */

static const char *state_of(const frame_server_t *server)
{
    if (server->error)
        return "FAILED";
    return server->restarted ? "restarted" : server->not_connected_count > 0 ? "not conn." : "ok";
}

/* The higher, the worse. */
static double badness(const frame_server_t *server)
{
    return server->error ? 3 : server->not_connected_count > 0 ? 2 : server->restarted ? 1 : 0;
}

static double value_of(const frame_server_t *server, server_column_t column)
{
    switch (column) {
    case SERVER_STATE:
        return badness(server);
    case SERVER_PUBLISHED:
        return (double)server->published;
    case SERVER_SUBSCRIBED:
        return (double)server->subscribed;
    case SERVER_PUSHED:
        return server->push_rate;
    case SERVER_RECEIVED:
        return server->receive_rate;
    case SERVER_LOST:
        return columns_value(server->lost);
    case SERVER_NEW_LOSSES:
        return columns_value(server->new_losses);
    case SERVER_FINDINGS:
        return (double)server->findings;
    case SERVER_CONSUMER:
        return server->consumer_state ? server->consumer_seconds : NAN;
    case SERVER_TREND:
        return fmax(server->push_rate, server->receive_rate);
    default:
        return NAN;
    }
}

/* ---- order ---- */

typedef struct {
    const frame_t *frame;
    server_column_t sorted;
    bool inverted;
} order_t;

static int compare_texts(const char *left, const char *right)
{
    return strverscmp(left ? left : "", right ? right : "");
}

static int compare_by(const frame_server_t *left, const frame_server_t *right,
                      server_column_t column)
{
    if (column == SERVER_NAME)
        return compare_texts(left->name, right->name);
    if (column == SERVER_SOURCE)
        return compare_texts(left->source, right->source);
    int order = columns_compare(value_of(left, column), value_of(right, column));
    if (order == 0 && column == SERVER_STATE)
        order = columns_compare(value_of(left, SERVER_FINDINGS), value_of(right, SERVER_FINDINGS));
    if (order == 0 && column == SERVER_STATE)
        order = columns_compare(value_of(left, SERVER_LOST), value_of(right, SERVER_LOST));
    return order;
}

static int compare_rows(const void *left, const void *right, void *context)
{
    const order_t *order = context;
    const frame_server_t *a = &order->frame->servers[*(const size_t *)left];
    const frame_server_t *b = &order->frame->servers[*(const size_t *)right];
    const int result = compare_by(a, b, order->sorted);
    if (result != 0)
        return order->inverted ? -result : result;
    return compare_texts(a->name, b->name);
}

static bool ascends(const screen_servers_t *self)
{
    return (self->sorted == SERVER_NAME || self->sorted == SERVER_SOURCE) != self->inverted;
}

/* ---- rows ---- */

/* How long the "tango://host:port/" is that all names begin with; 0: they don't. */
static size_t shared_prefix(const frame_t *frame)
{
    const char *first = frame->server_count > 0 ? frame->servers[0].name : "";
    const size_t size = names_prefix_length(first);
    for (size_t i = 1; i < frame->server_count; i++)
        if (strncmp(frame->servers[i].name, first, size) != 0)
            return 0;
    return size;
}

static void update_rows(screen_servers_t *self, const ui_t *ui, const frame_t *frame)
{
    if (!self->is_stale && self->serial == frame->serial &&
        self->filter_version == ui_filter_version(ui))
        return;
    self->serial = frame->serial;
    self->filter_version = ui_filter_version(ui);
    self->is_stale = false;
    self->rows = memory_resize(self->rows, frame->server_count, sizeof *self->rows);
    self->count = 0;
    self->name_width = 0;
    self->prefix = shared_prefix(frame);
    for (size_t i = 0; i < frame->server_count; i++) {
        const char *name = frame->servers[i].name;
        if (!ui_matches(ui, name))
            continue;
        self->rows[self->count++] = i;
        const int width = (int)strnlen(name + self->prefix, WIDEST_NAME);
        if (width > self->name_width)
            self->name_width = width;
    }
    order_t order = {frame, self->sorted, self->inverted};
    qsort_r(self->rows, self->count, sizeof *self->rows, compare_rows, &order);
    for (size_t i = 0; self->has_server && i < self->count; i++)
        if (frame->servers[self->rows[i]].id == self->server) {
            ui_list_follow(&self->list, i);
            break;
        }
}

static void remember(screen_servers_t *self, const frame_t *frame)
{
    self->has_server = self->list.cursor > 0 && self->list.cursor < self->count;
    if (self->has_server)
        self->server = frame->servers[self->rows[self->list.cursor]].id;
}

/* ---- keys ---- */

static void sort_by(screen_servers_t *self, server_column_t column, bool inverted)
{
    self->sorted = column;
    self->inverted = inverted;
    self->is_stale = true;
}

static bool sort_input(screen_servers_t *self, int32_t key)
{
    const int sorted = (int)self->sorted;
    if (key >= KEY_COLUMN && key < KEY_COLUMN + SERVER_COLUMNS)
        sort_by(self, (server_column_t)(key - KEY_COLUMN),
                key - KEY_COLUMN == sorted && !self->inverted);
    else if (key == 's' || key == '>')
        sort_by(self, (server_column_t)((sorted + 1) % SERVER_COLUMNS), false);
    else if (key == '<')
        sort_by(self, (server_column_t)((sorted + SERVER_COLUMNS - 1) % SERVER_COLUMNS), false);
    else if (key == 'I' || key == 'R')
        sort_by(self, self->sorted, !self->inverted);
    else if (key == 'H')
        sort_by(self, SERVER_STATE, false);
    else if (key == 'N')
        sort_by(self, SERVER_NAME, false);
    else if (key == 'L')
        sort_by(self, SERVER_LOST, false);
    else if (key == 'P')
        sort_by(self, SERVER_PUSHED, false);
    else if (key == 'V')
        sort_by(self, SERVER_RECEIVED, false);
    else
        return false;
    return true;
}

static void open_cursor(const screen_servers_t *self, ui_t *ui, const frame_t *frame)
{
    if (self->list.cursor < self->count)
        ui_push(ui, screen_server_new(frame->servers[self->rows[self->list.cursor]].id));
}

static bool mouse_input(screen_servers_t *self, ui_t *ui, const ui_input_t *input,
                        const frame_t *frame)
{
    if (input->row < self->top || input->row >= self->top + self->height)
        return false;
    const size_t row = self->list.first + (size_t)(input->row - self->top);
    if (row >= self->count)
        return false;
    const bool was_there = self->list.cursor == row;
    self->list.cursor = row;
    remember(self, frame);
    if (input->key == UI_KEY_DOUBLE_CLICK && was_there)
        open_cursor(self, ui, frame);
    return true;
}

static bool servers_input(screen_t *screen, ui_t *ui, const ui_input_t *input,
                          ui_request_t *request)
{
    (void)request;
    screen_servers_t *self = (screen_servers_t *)screen;
    const frame_t *frame = ui_frame(ui);
    if (input->key == 'S') {
        ui_pop(ui);
        return true;
    }
    if (sort_input(self, input->key))
        return true;
    if (!frame)
        return false;
    update_rows(self, ui, frame);
    if (ui_list_input(&self->list, input, self->count, (size_t)self->height)) {
        remember(self, frame);
        return true;
    }
    if (input->key == UI_KEY_CLICK || input->key == UI_KEY_DOUBLE_CLICK)
        return mouse_input(self, ui, input, frame);
    if (input->key != UI_KEY_ENTER)
        return false;
    open_cursor(self, ui, frame);
    return true;
}

/* ---- drawing ---- */

/* "callbacks for 12 s", or why it failed. The caller frees it. */
static char *consumer_of(const frame_server_t *server)
{
    if (server->error)
        return memory_string(server->error);
    if (!server->consumer_state)
        return memory_string("-");
    if (strcmp(server->consumer_state, "polling") == 0)
        return memory_string("idle");
    if (!(server->consumer_seconds >= 0.001))
        return memory_string(server->consumer_state);
    return memory_format("%s for %s", server->consumer_state,
                         value_text_duration(server->consumer_seconds).text);
}

static void draw_cell(const screen_servers_t *self, const ui_t *ui, canvas_t *canvas, int row,
                      server_column_t column, const column_place_t *place,
                      const frame_server_t *server)
{
    const look_t look = server->error ? LOOK_DIM : LOOK_PLAIN;
    char *consumer = NULL;
    switch (column) {
    case SERVER_STATE:
        canvas_text(canvas, row, place->start, place->width,
                    server->error         ? LOOK_ALARM
                    : badness(server) > 0 ? LOOK_WARNING
                                          : LOOK_GOOD,
                    state_of(server));
        break;
    case SERVER_NAME:
        canvas_name(canvas, row, place->start, place->width,
                    server->error ? LOOK_ALARM : LOOK_PLAIN, server->name + self->prefix);
        break;
    case SERVER_SOURCE:
        canvas_text(canvas, row, place->start, place->width, look,
                    server->source ? server->source : "-");
        break;
    case SERVER_PUBLISHED:
    case SERVER_SUBSCRIBED:
        columns_draw_number(canvas, row, place, look,
                            value_text_count(server->has_answer ? (int64_t)value_of(server, column)
                                                                : RESPONSE_UNKNOWN)
                                .text);
        break;
    case SERVER_PUSHED:
    case SERVER_RECEIVED:
        columns_draw_number(canvas, row, place, look,
                            value_text_rate(value_of(server, column)).text);
        break;
    case SERVER_LOST:
        columns_draw_number(canvas, row, place, server->lost > 0 ? LOOK_WARNING : look,
                            value_text_count(server->lost).text);
        break;
    case SERVER_NEW_LOSSES:
        columns_draw_number(canvas, row, place, LOOK_ALARM,
                            value_text_step(server->new_losses).text);
        break;
    case SERVER_FINDINGS:
        if (server->findings > 0)
            canvas_format(canvas, row, place->start, place->width, LOOK_ALARM, "!%zu",
                          server->findings);
        break;
    case SERVER_CONSUMER:
        consumer = consumer_of(server);
        canvas_text(canvas, row, place->start, place->width,
                    server->error ? LOOK_ALARM : LOOK_PLAIN, consumer);
        free(consumer);
        break;
    case SERVER_TREND:
        columns_draw_trend(ui, canvas, row, place, server->id, TREND_KINDS);
        break;
    default:
        break;
    }
}

static void draw_headings(const screen_servers_t *self, ui_t *ui, canvas_t *canvas, int row,
                          column_place_t *places)
{
    char *name = memory_format("server (%zu)", self->count);
    const column_t columns[SERVER_COLUMNS] = {
        [SERVER_STATE] = {"state", 10, 10, 1, false, false},
        [SERVER_NAME] = {name, 20, self->name_width, 0, false, false},
        [SERVER_SOURCE] = {"answers by", 17, 17, 11, false, false},
        [SERVER_PUBLISHED] = {"streams", 8, 8, 8, true, false},
        [SERVER_SUBSCRIBED] = {"subscr.", 8, 8, 9, true, false},
        [SERVER_PUSHED] = {"pushed/s", 9, 10, 4, true, false},
        [SERVER_RECEIVED] = {"recvd/s", 8, 10, 5, true, false},
        [SERVER_LOST] = {"lost", 6, 9, 3, true, false},
        [SERVER_NEW_LOSSES] = {"+new", 6, 8, 6, true, false},
        [SERVER_FINDINGS] = {"!", 2, 3, 2, false, false},
        [SERVER_CONSUMER] = {"consumer thread", 14, 60, 7, false, true},
        [SERVER_TREND] = {"trend", 6, COLUMNS_WIDEST_TREND, 10, false, true},
    };
    columns_place(columns, SERVER_COLUMNS, canvas_columns(canvas), places);
    columns_draw(ui, canvas, row, columns, places, SERVER_COLUMNS, self->sorted, ascends(self),
                 KEY_COLUMN);
    free(name);
}

static void servers_draw(screen_t *screen, ui_t *ui, canvas_t *canvas, int top, int bottom,
                         const frame_t *frame)
{
    screen_servers_t *self = (screen_servers_t *)screen;
    self->top = top + 1;
    self->height = bottom - top - 1;
    if (!frame || self->height < 1) {
        self->height = 0;
        return;
    }
    update_rows(self, ui, frame);
    column_place_t places[SERVER_COLUMNS];
    draw_headings(self, ui, canvas, top, places);
    ui_list_settle(&self->list, self->count, (size_t)self->height);
    if (self->count == 0)
        canvas_text(canvas, self->top, 0, canvas_columns(canvas), LOOK_DIM,
                    frame->server_count ? "none with that name" : "none");
    for (int i = 0; i < self->height && self->list.first + (size_t)i < self->count; i++) {
        const size_t row = self->list.first + (size_t)i;
        for (int column = 0; column < SERVER_COLUMNS; column++)
            if (places[column].width > 0)
                draw_cell(self, ui, canvas, self->top + i, (server_column_t)column, &places[column],
                          &frame->servers[self->rows[row]]);
        if (row == self->list.cursor)
            canvas_set_look(canvas, self->top + i, 0, canvas_columns(canvas), LOOK_SELECTED);
    }
}

static const char *const *servers_keys(const screen_t *self)
{
    (void)self;
    static const char *const keys[] = {"Enter", "open", "/", "filter", "s", "sort", NULL, NULL};
    return keys;
}

static void servers_destroy(screen_t **screen)
{
    free(((screen_servers_t *)*screen)->rows);
    free(*screen);
    *screen = NULL;
}

screen_t *screen_servers_new(void)
{
    static const screen_methods_t methods = {"servers", servers_input, servers_draw, servers_keys,
                                             servers_destroy};
    screen_servers_t *self = memory_new(1, sizeof *self);
    self->screen.methods = &methods;
    return &self->screen;
}
