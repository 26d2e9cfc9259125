#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/plural.h"
#include "monitor/view/live/ui/ui_state.h"

/* What a poll had; see timeline_mark_t. */
enum { HAD_FAILURE = 1, HAD_FINDING = 2, HAD_LOSS = 4 };

/* How many polls a play shows in a second. */
#define SLOWEST 0.25
#define USUAL   1.0
#define FASTEST 64.0

void ui_time_init(ui_time_t *self, timeline_t *timeline)
{
    *self = (ui_time_t){
        .timeline = timeline,
        .number = SIZE_MAX,
        .wanted = SIZE_MAX,
        .polls_per_second = USUAL,
    };
}

void ui_time_clear(ui_time_t *self)
{
    frame_release(&self->frame);
    free(self->trouble);
}

bool ui_time_follows(const ui_time_t *self)
{
    return self->number == SIZE_MAX;
}

static unsigned char trouble_of(const timeline_mark_t *mark)
{
    return (unsigned char)((mark->failed ? HAD_FAILURE : 0) | (mark->findings ? HAD_FINDING : 0) |
                           (mark->new_losses > 0 ? HAD_LOSS : 0));
}

/* Takes over what the polls since the last time had. */
static void update_trouble(ui_time_t *self, size_t count)
{
    enum { AT_A_TIME = 256 };
    timeline_mark_t marks[AT_A_TIME];
    if (count > self->trouble_capacity) {
        self->trouble_capacity = 2 * count;
        self->trouble = memory_resize(self->trouble, self->trouble_capacity, 1);
    }
    while (self->trouble_count < count) {
        const size_t left = count - self->trouble_count;
        const size_t got = timeline_marks(self->timeline, self->trouble_count, marks,
                                          left < AT_A_TIME ? left : AT_A_TIME);
        if (got == 0)
            return;
        for (size_t i = 0; i < got; i++)
            self->trouble[self->trouble_count++] = trouble_of(&marks[i]);
    }
}

static void show(ui_time_t *self, const frame_t *frame)
{
    frame_release(&self->frame);
    self->frame = frame;
    self->wanted = SIZE_MAX;
}

/* The first poll from `number` on that is kept, now shown; false: there is none. */
static bool show_next_kept(ui_time_t *self, size_t number, size_t count)
{
    for (; number < count; number++) {
        const frame_t *frame = timeline_frame(self->timeline, number);
        if (!frame)
            continue;
        show(self, frame);
        return true;
    }
    return false;
}

void ui_time_update(ui_time_t *self, bool can_read_again)
{
    const size_t count = timeline_count(self->timeline);
    update_trouble(self, count);
    if (count == 0)
        return;
    const size_t number = self->number < count ? self->number : count - 1;
    if (self->frame && self->frame->number == number) {
        self->wanted = SIZE_MAX;
        return;
    }
    const frame_t *frame = timeline_frame(self->timeline, number);
    if (frame) {
        show(self, frame);
    } else if (ui_time_follows(self)) {
        /* It was skipped: the next one will come. */
    } else if (can_read_again) {
        self->wanted = number;
    } else {
        self->has_forgotten = true;
        if (show_next_kept(self, number, count))
            self->number = self->frame->number;
        else
            self->number = SIZE_MAX;
    }
}

void ui_time_go(ui_time_t *self, size_t number)
{
    const size_t count = timeline_count(self->timeline);
    if (count == 0)
        return;
    self->number = number == SIZE_MAX || number < count ? number : count - 1;
    self->wanted = SIZE_MAX;
    timeline_want(self->timeline, self->number);
}

/* The poll that is to be shown. */
static size_t present(const ui_time_t *self)
{
    const size_t count = timeline_count(self->timeline);
    if (self->number < count)
        return self->number;
    return self->frame ? self->frame->number : count > 0 ? count - 1 : 0;
}

static void stop(ui_time_t *self)
{
    self->plays = false;
    if (ui_time_follows(self))
        ui_time_go(self, present(self));
}

static void step_back(ui_time_t *self)
{
    self->plays = false;
    const size_t number = present(self);
    ui_time_go(self, number > 0 ? number - 1 : 0);
}

static void step_forward(ui_time_t *self)
{
    self->plays = false;
    if (ui_time_follows(self))
        return;
    const size_t number = present(self);
    if (number + 1 < timeline_count(self->timeline))
        ui_time_go(self, number + 1);
}

/* To the nearest poll that had losses, findings or failures, and begins a series of such. */
static void go_to_trouble(ui_time_t *self, bool forward)
{
    self->plays = false;
    size_t number = present(self);
    while (forward ? number + 1 < self->trouble_count : number > 0) {
        number = forward ? number + 1 : number - 1;
        if (number >= self->trouble_count)
            continue;
        const unsigned char before = number > 0 ? self->trouble[number - 1] : 0;
        if (self->trouble[number] & ~before || self->trouble[number] & HAD_LOSS) {
            ui_time_go(self, number);
            return;
        }
    }
}

static void play(ui_time_t *self, bool is_live)
{
    if (self->plays || (ui_time_follows(self) && is_live)) {
        stop(self);
        return;
    }
    const size_t count = timeline_count(self->timeline);
    const bool at_end = ui_time_follows(self) || self->number + 1 >= count;
    if (at_end && is_live) {
        ui_time_go(self, SIZE_MAX);
        return;
    }
    if (at_end)
        ui_time_go(self, 0);
    self->plays = true;
    self->moved_at = NAN; /* from the next tick on */
}

static void go_to_click(ui_time_t *self, int column, int width)
{
    const size_t count = timeline_count(self->timeline);
    if (count == 0)
        return;
    self->plays = false;
    const double part = width > 1 ? (double)column / (width - 1) : 0;
    ui_time_go(self, (size_t)(part * (double)(count - 1) + 0.5));
}

bool ui_time_input(ui_time_t *self, const ui_input_t *input, bool is_live)
{
    switch (input->key) {
    case UI_KEY_LEFT:
        step_back(self);
        break;
    case UI_KEY_RIGHT:
        step_forward(self);
        break;
    case '[':
        self->plays = false;
        ui_time_go(self, 0);
        break;
    case ']':
        self->plays = false;
        ui_time_go(self, SIZE_MAX);
        break;
    case '{':
        go_to_trouble(self, false);
        break;
    case '}':
        go_to_trouble(self, true);
        break;
    case 'p':
        if (is_live && !ui_time_follows(self)) {
            self->plays = false;
            ui_time_go(self, SIZE_MAX);
            break;
        }
        play(self, is_live);
        break;
    case ' ':
        play(self, is_live);
        break;
    case '+':
        self->polls_per_second = fmin(2 * self->polls_per_second, FASTEST);
        break;
    case '-':
        self->polls_per_second = fmax(self->polls_per_second / 2, SLOWEST);
        break;
    case UI_KEY_SLIDER:
        go_to_click(self, input->column, input->row);
        break;
    default:
        return false;
    }
    return true;
}

double ui_time_tick(ui_time_t *self, double now)
{
    if (!self->plays)
        return NAN;
    const double step = 1 / self->polls_per_second;
    if (isnan(self->moved_at) || self->wanted != SIZE_MAX)
        self->moved_at = now; /* it waits for that one */
    if (self->wanted != SIZE_MAX)
        return step;
    const size_t count = timeline_count(self->timeline);
    while (self->plays && now - self->moved_at >= step) {
        self->moved_at += step;
        /* After the machine was suspended, say, it goes on from here. */
        if (now - self->moved_at > 1 + step)
            self->moved_at = now;
        if (self->number + 1 < count)
            ui_time_go(self, self->number + 1);
        else
            self->plays = false;
    }
    return self->plays ? fmax(step - (now - self->moved_at), 0) : NAN;
}

char *ui_time_state(const ui_time_t *self)
{
    if (self->wanted != SIZE_MAX)
        return memory_string("reading it once more");
    if (self->plays)
        return memory_format("plays %g poll%s/s", self->polls_per_second,
                             self->polls_per_second > 1 ? "s" : "");
    if (ui_time_follows(self))
        return NULL;
    const size_t count = timeline_count(self->timeline);
    const size_t since = self->number + 1 < count ? count - 1 - self->number : 0;
    return memory_format("PAUSED, %zu poll%s since", since, PLURAL(since));
}

/* What any of the polls [from, to) had. */
static unsigned char trouble_between(const ui_time_t *self, size_t from, size_t to)
{
    unsigned char had = 0;
    for (size_t i = from; i < to && i < self->trouble_count; i++)
        had |= self->trouble[i];
    return had;
}

static void draw_slider(ui_t *ui, canvas_t *canvas, int row, int column, int width)
{
    const ui_time_t *self = &ui->time;
    const size_t count = self->trouble_count;
    const size_t cells = (size_t)width;
    const size_t shown = self->wanted != SIZE_MAX ? self->wanted : present(self);
    const char *line = canvas_is_utf8(canvas) ? "\u2500" : "-";
    for (size_t i = 0; i < cells; i++) {
        const size_t from = i * count / cells;
        const size_t to = (i + 1) * count / cells;
        const unsigned char had = trouble_between(self, from, to > from ? to : from + 1);
        canvas_text(canvas, row, column + (int)i, 1,
                    had & HAD_LOSS ? LOOK_ALARM
                    : had          ? LOOK_WARNING
                                   : LOOK_DIM,
                    had & HAD_LOSS      ? "!"
                    : had & HAD_FAILURE ? "x"
                    : had & HAD_FINDING ? "~"
                                        : line);
    }
    if (count > 0) {
        const size_t at = count > 1 ? shown * (cells - 1) / (count - 1) : 0;
        canvas_text(canvas, row, column + (int)at, 1, LOOK_SELECTED,
                    canvas_is_utf8(canvas) ? "\u25c6" : "O");
    }
    ui_click_is_key(ui, row, column, width, UI_KEY_SLIDER);
}

void ui_time_draw(ui_t *ui, canvas_t *canvas, int row)
{
    const ui_time_t *self = &ui->time;
    const int columns = canvas_columns(canvas);
    const size_t count = timeline_count(self->timeline);
    char *state = ui_time_state(self);
    char *left =
        memory_format(" %s poll %zu/%zu ", self->plays ? ">" : "=", present(self) + 1, count);
    char *right = memory_format(" %s ", state ? state : "");
    const int left_width = canvas_text(canvas, row, 0, columns, LOOK_BOLD, count > 0 ? left : " ");
    int right_width = canvas_width(canvas, right);
    if (right_width > columns - left_width)
        right_width = columns - left_width;
    const int width = columns - left_width - right_width;
    if (width > 0)
        draw_slider(ui, canvas, row, left_width, width);
    canvas_text(canvas, row, columns - right_width, right_width, LOOK_BOLD, right);
    free(state);
    free(left);
    free(right);
}
