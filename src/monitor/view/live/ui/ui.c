#include "monitor/view/live/ui/ui.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/plural.h"
#include "monitor/view/live/ui/ui_state.h"

/* For how long a line at the bottom stays. */
#define SAID_SECONDS 6.0

enum { KEY_CTRL_C = 3, KEY_CTRL_L = 12 };

ui_t *ui_new(timeline_t *timeline, top_key_t key, const filter_t *filter)
{
    ui_t *self = memory_new(1, sizeof *self);
    ui_time_init(&self->time, timeline);
    self->filter = filter;
    self->typed = memory_string("");
    self->status = UI_STATUS_NONE;
    self->spots.item_size = sizeof(ui_spot_t);
    self->screen = screen_main_new(key);
    return self;
}

static void destroy_screens(screen_t **top)
{
    while (*top) {
        screen_t *screen = *top;
        *top = screen->below;
        screen->methods->destroy(&screen);
    }
}

void ui_destroy(ui_t **self)
{
    ui_t *ui = *self;
    if (!ui)
        return;
    destroy_screens(&ui->screen);
    destroy_screens(&ui->closed);
    ui_time_clear(&ui->time);
    ui_edit_clear(&ui->edit);
    free(ui->typed);
    free(ui->typed_pattern);
    free(ui->recorded_into);
    free(ui->read);
    free(ui->message);
    free(ui->question);
    free(ui->said);
    free(ui->spots.items);
    free(ui->record_path);
    free(ui);
    *self = NULL;
}

/* Who goes round in circles forgets where that began: each screen may keep a frame. */
static void forget_oldest(ui_t *self)
{
    enum { SCREENS_MOST = 12 };
    size_t count = 0;
    screen_t **link = &self->screen; /* to the one that was opened first */
    for (screen_t **at = link; (*at)->below; at = &(*at)->below, count++)
        link = at;
    if (count < SCREENS_MOST)
        return;
    screen_t *oldest = *link;
    *link = oldest->below;
    oldest->methods->destroy(&oldest);
}

void ui_push(ui_t *self, screen_t *screen)
{
    screen->below = self->screen;
    self->screen = screen;
    forget_oldest(self);
}

void ui_pop(ui_t *self)
{
    screen_t *screen = self->screen;
    if (!screen->below)
        return;
    self->screen = screen->below;
    /* It may be the one that takes a key right now. */
    screen->below = self->closed;
    self->closed = screen;
}

const frame_t *ui_frame(const ui_t *self)
{
    return self->time.frame;
}

const ui_status_t *ui_status(const ui_t *self)
{
    return &self->status;
}

bool ui_wants_perf(const ui_t *self)
{
    return self->wants_perf;
}

const char *ui_record_path(const ui_t *self)
{
    return self->record_path;
}

size_t ui_wanted(const ui_t *self)
{
    return self->time.wanted;
}

void ui_say(ui_t *self, const char *line)
{
    char *copy = memory_string(line);
    free(self->said);
    self->said = copy;
    self->said_until = NAN; /* from the next tick on */
}

void ui_ask(ui_t *self, const char *question, ui_request_t (*yes)(ui_t *self))
{
    free(self->question);
    self->question = memory_string(question);
    self->yes = yes;
}

/* ---- filters ---- */

bool ui_takes(const ui_t *self, const char *stream_name)
{
    return !self->filter || filter_takes(self->filter, stream_name);
}

bool ui_matches(const ui_t *self, const char *text)
{
    if (self->typed_pattern)
        return fnmatch(self->typed_pattern, text, FNM_CASEFOLD) == 0;
    return !*self->typed || strcasestr(text, self->typed);
}

const char *ui_typed(const ui_t *self)
{
    return self->typed;
}

unsigned ui_filter_version(const ui_t *self)
{
    return self->filter_version;
}

static void set_typed(ui_t *self, const char *text)
{
    char *copy = memory_string(text);
    free(self->typed);
    free(self->typed_pattern);
    self->typed = copy;
    self->typed_pattern = strpbrk(copy, "*?") ? memory_format("*%s*", copy) : NULL;
    self->filter_version++;
}

static ui_request_t typed_filter(ui_t *self, const char *text)
{
    set_typed(self, text ? text : "");
    return UI_NOTHING;
}

/* ---- keys ---- */

static ui_request_t switch_perf_on(ui_t *self)
{
    self->wants_perf = true;
    return UI_SET_PERF;
}

static ui_request_t toggle_perf(ui_t *self)
{
    if (!self->status.is_live) {
        ui_say(self, "this is a recording: there is nothing to switch");
        return UI_NOTHING;
    }
    if (self->status.perf_on) {
        self->wants_perf = false;
        return UI_SET_PERF;
    }
    const size_t servers = self->time.frame ? self->time.frame->server_count : 0;
    char *question =
        memory_format("Switch performance monitoring on in %zu server%s, until the end?", servers,
                      PLURAL(servers));
    ui_ask(self, question, switch_perf_on);
    free(question);
    return UI_NOTHING;
}

static ui_request_t record(ui_t *self, const char *path)
{
    if (!path || !*path)
        return UI_NOTHING;
    free(self->record_path);
    self->record_path = memory_string(path);
    return UI_RECORD;
}

static void ask_for_recording(ui_t *self)
{
    if (self->status.recorded_into) {
        char *line = memory_format("recording into %s", self->status.recorded_into);
        ui_say(self, line);
        free(line);
        return;
    }
    if (!self->status.is_live) {
        ui_say(self, "this is a recording already");
        return;
    }
    const time_t now = time(NULL);
    struct tm fields;
    char path[64] = "events.jsonl";
    if (localtime_r(&now, &fields))
        (void)strftime(path, sizeof path, "events-%Y%m%dT%H%M%S.jsonl", &fields);
    ui_edit(self, "Record into: ", path, NULL, record);
}

static void go_back(ui_t *self)
{
    if (self->screen->below)
        ui_pop(self);
    else if (*self->typed)
        set_typed(self, "");
}

/* Keys that mean the same on all screens. */
static ui_request_t common_input(ui_t *self, const ui_input_t *input)
{
    if (ui_time_input(&self->time, input, self->status.is_live))
        return UI_NOTHING;
    switch (input->key) {
    case 'q':
    case KEY_CTRL_C:
        return UI_QUIT;
    case KEY_CTRL_L:
        return UI_REDRAW;
    case UI_KEY_ESCAPE:
        go_back(self);
        break;
    case '?':
    case 'h':
        ui_push(self, screen_help_new());
        break;
    case '/':
        ui_edit(self, "Filter: ", self->typed, set_typed, typed_filter);
        break;
    case 'S':
        ui_push(self, screen_servers_new());
        break;
    case 'm':
        return toggle_perf(self);
    case 'r':
        ask_for_recording(self);
        break;
    default:
        break;
    }
    return UI_NOTHING;
}

static ui_request_t answer_question(ui_t *self, int32_t key)
{
    free(self->question);
    self->question = NULL;
    if (key == KEY_CTRL_C)
        return UI_QUIT;
    return key == 'y' || key == 'Y' ? self->yes(self) : UI_NOTHING;
}

void ui_click_is_key(ui_t *self, int row, int column, int width, int32_t key)
{
    *(ui_spot_t *)vector_add(&self->spots) = (ui_spot_t){row, column, width, key};
}

/* What a click means, where it means a key. */
static ui_input_t without_spots(const ui_t *self, const ui_input_t *input)
{
    const ui_spot_t *spots = self->spots.items;
    if (input->key == UI_KEY_CLICK || input->key == UI_KEY_DOUBLE_CLICK)
        for (size_t i = 0; i < self->spots.count; i++)
            if (input->row == spots[i].row && input->column >= spots[i].column &&
                input->column - spots[i].column < spots[i].width)
                return (ui_input_t){.key = spots[i].key,
                                    .column = input->column - spots[i].column,
                                    .row = spots[i].width};
    return *input;
}

/* While a filter is typed, one can look at what it leaves. */
static bool moves_behind_filter(const ui_t *self, const ui_input_t *input)
{
    static const int32_t keys[] = {UI_KEY_UP,        UI_KEY_DOWN,     UI_KEY_PAGE_UP,
                                   UI_KEY_PAGE_DOWN, UI_KEY_WHEEL_UP, UI_KEY_WHEEL_DOWN};
    for (size_t i = 0; self->edit.changed && i < sizeof keys / sizeof *keys; i++)
        if (input->key == keys[i])
            return true;
    return false;
}

ui_request_t ui_input(ui_t *self, const ui_input_t *original)
{
    const ui_input_t input = without_spots(self, original);
    ui_request_t request = UI_NOTHING;
    if (self->question)
        request = answer_question(self, input.key);
    else if (self->edit.prompt && !moves_behind_filter(self, &input))
        request = ui_edit_input(self, &input);
    else if (input.key == KEY_CTRL_C)
        request = UI_QUIT;
    else if (!self->screen->methods->input(self->screen, self, &input, &request))
        request = common_input(self, &input);
    destroy_screens(&self->closed);
    return request;
}

double ui_tick(ui_t *self, double now)
{
    self->now = now;
    double next = ui_time_tick(&self->time, now);
    if (isnan(self->said_until))
        self->said_until = now + SAID_SECONDS;
    if (self->said && now >= self->said_until) {
        free(self->said);
        self->said = NULL;
    }
    if (self->said)
        next = fmin(isnan(next) ? SAID_SECONDS : next, self->said_until - now);
    return next;
}

/* ---- drawing ---- */

static const char *keep(char **copy, const char *text)
{
    if (!text || !*copy || strcmp(*copy, text) != 0) {
        free(*copy);
        *copy = memory_string(text);
    }
    return *copy;
}

static void take_status(ui_t *self, const ui_status_t *status)
{
    if (status->message && (!self->message || strcmp(self->message, status->message) != 0))
        ui_say(self, status->message);
    self->status = *status;
    self->status.recorded_into = keep(&self->recorded_into, status->recorded_into);
    self->status.read = keep(&self->read, status->read);
    self->status.message = keep(&self->message, status->message);
}

void ui_draw(ui_t *self, canvas_t *canvas, const ui_status_t *status)
{
    take_status(self, status);
    ui_time_update(&self->time, status->can_read_again);
    if (self->time.has_forgotten)
        ui_say(self, "polls before this one aren't kept");
    self->time.has_forgotten = false;
    self->spots.count = 0;
    const int rows = canvas_rows(canvas);
    canvas_clear(canvas, rows, canvas_columns(canvas));
    const int top = ui_bars_header(self, rows);
    const int bottom = rows > 1 ? rows - 1 : rows;
    if (top < bottom)
        self->screen->methods->draw(self->screen, self, canvas, top, bottom, self->time.frame);
    ui_bars_draw_header(self, canvas, top);
    if (rows > 1)
        ui_bars_draw_bottom(self, canvas, rows - 1);
}

void ui_trend(const ui_t *self, uint64_t id, trend_t kind, double *values, size_t count)
{
    const size_t last = self->time.frame ? self->time.frame->number : SIZE_MAX;
    timeline_trend(self->time.timeline, id, kind, last, values, count);
}

void ui_frame_values(const ui_t *self, double *values, size_t count,
                     double (*value)(const frame_t *frame, const void *context),
                     const void *context)
{
    const size_t polls = self->time.frame ? self->time.frame->number + 1 : 0;
    for (size_t i = 0; i < count; i++) {
        const size_t back = count - i; /* 1: the one shown */
        const frame_t *frame =
            back <= polls ? timeline_frame(self->time.timeline, polls - back) : NULL;
        values[i] = frame ? value(frame, context) : NAN;
        frame_release(&frame);
    }
}
