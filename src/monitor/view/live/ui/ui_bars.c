#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/plural.h"
#include "monitor/view/live/ui/ui_state.h"
#include "monitor/view/text/value_text.h"
#include "response/counters.h"

#define PROGRAM "ska-tango-event-monitor"

/* Where the next text of a line goes. */
typedef struct {
    canvas_t *canvas;
    int row;
    int column;
    int end;
} line_t;

int ui_bars_header(const ui_t *self, int rows)
{
    enum { ENOUGH_FOR_TITLE = 3, ENOUGH_FOR_NUMBERS = 6, ENOUGH_FOR_SLIDER = 8 };
    if (rows < ENOUGH_FOR_TITLE)
        return 0;
    if (rows < ENOUGH_FOR_NUMBERS)
        return 1;
    const bool has_slider = !self->status.is_live || !ui_time_follows(&self->time);
    return has_slider && rows >= ENOUGH_FOR_SLIDER ? 3 : 2;
}

/* ---- the first line ---- */

/* What goes on; "" if nothing does. The caller frees it. */
static char *describe_source(const ui_status_t *status)
{
    const double since = status->seconds_since_poll;
    if (!status->is_live)
        return status->read_part < 1 ? memory_format("read %.0f %%", 100 * status->read_part)
                                     : memory_string("");
    if (status->is_asking && since >= 1)
        return memory_format("asking..., before %.0f s ago", since);
    if (status->is_asking)
        return memory_string("asking...");
    return isnan(since) ? memory_string("")
                        : memory_format("asked %.0f s ago, every %g s", since, status->poll_period);
}

/* When it was, and what goes on. The caller frees it. */
static char *describe_time(const ui_t *self, bool in_full)
{
    const frame_t *frame = self->time.frame;
    char *when = frame ? local_time_of_day(frame->time.tv_sec, time(NULL)) : memory_string("");
    char *source = in_full ? describe_source(&self->status) : memory_string("");
    char *text = memory_format("%s%s%s ", when, *source ? "  " : "", source);
    free(when);
    free(source);
    return text;
}

/* "streams > tango://..." from the lowest screen to the one on top. */
static int draw_path(const screen_t *screen, canvas_t *canvas, int column, int end)
{
    if (screen->below) {
        column = draw_path(screen->below, canvas, column, end);
        column = canvas_text(canvas, 0, column, end - column, LOOK_TITLE, " > ");
    }
    return canvas_text(canvas, 0, column, end - column, LOOK_TITLE, screen->methods->name);
}

static bool measures(const frame_t *frame)
{
    for (size_t i = 0; frame && i < frame->server_count; i++)
        if (frame->servers[i].perf_on)
            return true;
    return false;
}

/* What was switched on, and where what is seen comes from. */
static void draw_modes(const ui_t *self, canvas_t *canvas, int column, int end)
{
    const ui_status_t *status = &self->status;
    const char *file = status->is_live ? status->recorded_into : status->read;
    if (status->perf_on || measures(self->time.frame))
        column = canvas_text(canvas, 0, column + 2, end - column - 2, LOOK_KEY, "monitoring");
    if (file)
        column = canvas_text(canvas, 0, column + 2, end - column - 2, LOOK_KEY,
                             status->is_live ? "recording into " : "reading ");
    if (file)
        canvas_name(canvas, 0, column, end - column - 1, LOOK_KEY, file);
}

static void draw_title(const ui_t *self, canvas_t *canvas)
{
    enum { ENOUGH_FOR_PROGRAM = 110, ENOUGH_FOR_ALL = 50 };
    const int columns = canvas_columns(canvas);
    char *right = describe_time(self, columns >= ENOUGH_FOR_ALL);
    const int width = canvas_width(canvas, right);
    const int end = columns - width > 0 ? columns - width : 0;
    const int column = canvas_text(canvas, 0, 0, end, LOOK_TITLE,
                                   columns < ENOUGH_FOR_PROGRAM ? " " : " " PROGRAM "  ");
    draw_modes(self, canvas, draw_path(self->screen, canvas, column, end), end);
    canvas_text(canvas, 0, end, columns - end, LOOK_TITLE, right);
    free(right);
}

/* ---- the second line ---- */

static void add(line_t *line, look_t look, char *text)
{
    if (line->column + canvas_width(line->canvas, text) <= line->end)
        line->column = 2 + canvas_text(line->canvas, line->row, line->column,
                                       line->end - line->column, look, text);
    free(text);
}

static void add_servers(line_t *line, const frame_t *frame)
{
    add(line, LOOK_PLAIN,
        memory_format("%zu server%s", frame->server_count, PLURAL(frame->server_count)));
    if (frame->failed > 0)
        add(line, LOOK_ALARM, memory_format("%zu FAILED", frame->failed));
}

/* Those that last, by the worst. */
static void add_findings(line_t *line, const frame_t *frame)
{
    size_t faults = 0;
    size_t all = 0;
    for (size_t i = 0; i < frame->finding_count; i++) {
        const frame_finding_t *finding = &frame->findings[i];
        const bool lasts = finding->state == FINDING_BEGAN || finding->state == FINDING_LASTS;
        all += lasts;
        faults += lasts && finding->severity == SEVERITY_FAULT;
    }
    if (faults > 0)
        add(line, LOOK_ALARM, memory_format("%zu FAULT%s", faults, faults == 1 ? "" : "S"));
    else if (all > 0)
        add(line, LOOK_WARNING, memory_format("%zu finding%s", all, PLURAL(all)));
}

static void add_losses(line_t *line, const frame_t *frame)
{
    const bool lost_now = frame->new_losses > 0;
    const char *step = lost_now ? " " : "";
    add(line,
        lost_now          ? LOOK_ALARM
        : frame->lost > 0 ? LOOK_WARNING
                          : LOOK_PLAIN,
        memory_format("%s %s%s%s", frame->lost > 0 || lost_now ? "LOST" : "lost",
                      value_text_count(frame->lost).text, step,
                      value_text_step(frame->new_losses).text));
}

static void add_rates(line_t *line, const frame_t *frame)
{
    add(line, LOOK_PLAIN, memory_format("pushed %s/s", value_text_rate(frame->push_rate).text));
    add(line, LOOK_PLAIN,
        memory_format("received %s/s", value_text_rate(frame->receive_rate).text));
}

static void draw_numbers(const ui_t *self, canvas_t *canvas)
{
    const frame_t *frame = self->time.frame;
    line_t line = {canvas, 1, 1, canvas_columns(canvas)};
    if (!frame) {
        add(&line, LOOK_DIM, memory_string("nothing known yet"));
        return;
    }
    add_servers(&line, frame);
    add_losses(&line, frame);
    add_findings(&line, frame);
    add_rates(&line, frame);
}

void ui_bars_draw_header(ui_t *self, canvas_t *canvas, int rows)
{
    if (rows > 0)
        draw_title(self, canvas);
    if (rows > 1)
        draw_numbers(self, canvas);
    if (rows > 2)
        ui_time_draw(self, canvas, 2);
}

/* ---- the line at the bottom ---- */

/* What a key in the list of keys is; 0: none that can be clicked. */
static int32_t key_named(const char *name)
{
    static const struct {
        const char *name;
        int32_t key;
    } names[] = {
        {"Enter", UI_KEY_ENTER},
        {"Esc", UI_KEY_ESCAPE},
        {"Tab", UI_KEY_TAB},
        {"Space", ' '},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].name) == 0)
            return names[i].key;
    return name[1] == '\0' ? name[0] : 0;
}

/* Returns the column after it; the same if it doesn't fit. */
static int draw_key(ui_t *self, canvas_t *canvas, int row, int column, const char *name,
                    const char *label)
{
    const int columns = canvas_columns(canvas);
    const int width = canvas_width(canvas, name) + 1 + canvas_width(canvas, label) + 1;
    if (column + width > columns)
        return column;
    const int start = column;
    column = canvas_text(canvas, row, column, columns - column, LOOK_KEY, name);
    column = canvas_text(canvas, row, column, 1, LOOK_TITLE, "") + 1;
    (void)canvas_text(canvas, row, column, start + width - column, LOOK_TITLE, label);
    const int32_t key = key_named(name);
    if (key)
        ui_click_is_key(self, row, start, width - 1, key);
    return start + width;
}

static void draw_keys(ui_t *self, canvas_t *canvas, int row)
{
    static const char *const help[] = {"?", "help", "Esc", "back", NULL, NULL};
    static const char *const first_help[] = {"?", "help", NULL, NULL};
    static const char *const live[] = {"p",      "pause", "m",    "monitor", "r",
                                       "record", "q",     "quit", NULL,      NULL};
    static const char *const recording[] = {"Space",  "play", "+",    "faster", "-",
                                            "slower", "q",    "quit", NULL,     NULL};
    const char *const *lists[] = {
        self->screen->below ? help : first_help,
        self->screen->methods->keys(self->screen),
        self->status.is_live ? live : recording,
    };
    canvas_text(canvas, row, 0, canvas_columns(canvas), LOOK_TITLE, "");
    int column = 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const char *const *key = lists[i]; *key; key += 2)
            column = draw_key(self, canvas, row, column, key[0], key[1]);
}

void ui_bars_draw_bottom(ui_t *self, canvas_t *canvas, int row)
{
    const int columns = canvas_columns(canvas);
    if (self->question)
        canvas_format(canvas, row, 0, columns, LOOK_BOLD, "%s (y/n) ", self->question);
    else if (self->edit.prompt)
        ui_edit_draw(&self->edit, canvas, row);
    else if (self->said)
        canvas_text(canvas, row, 0, columns, LOOK_BOLD, self->said);
    else
        draw_keys(self, canvas, row);
}
