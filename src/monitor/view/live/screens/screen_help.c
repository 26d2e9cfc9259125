/* screen_help: all keys, and what marks mean. */
#include <stdlib.h>

#include "base/memory.h"
#include "monitor/view/live/ui/ui_parts.h"

typedef struct {
    const char *keys; /* NULL: a heading, or an empty line */
    const char *text;
} help_line_t;

static const help_line_t lines[] = {
    {NULL, "Moving"},
    {"Up Down j k", "one line"},
    {"PgUp PgDn", "one page"},
    {"Home End g G", "top, bottom"},
    {"Enter, 2 clicks", "open the stream, server or finding"},
    {"Esc", "back; on the first screen: show all streams again"},
    {"Tab", "to the findings or the streams; elsewhere: the next section"},
    {NULL, ""},
    {NULL, "Streams"},
    {"/", "filter by a part of a name, or a pattern with * and ?"},
    {"s < >", "sort by another column; or click on its heading"},
    {"I R", "invert the order"},
    {"H", "what hurts first: losses, findings, not received, rate"},
    {"N L P V T C", "by name, lost, pushed, received, latency, processing"},
    {"F", "the cursor stays on its stream, or in its line"},
    {"u", "the server that pushes the stream"},
    {"S", "all servers"},
    {NULL, ""},
    {NULL, "Time"},
    {"p", "pause; servers are asked, and recorded, nevertheless"},
    {"Left Right", "a poll back, forward; or click on the line at the top"},
    {"[ ]", "to the first poll that is kept, to the newest"},
    {"{ }", "to where something went wrong before, after"},
    {"Space", "play from here, or stop"},
    {"+ -", "play faster, slower"},
    {NULL, ""},
    {NULL, "What else"},
    {"m", "performance monitoring on or off, in all servers"},
    {"r", "record from now on"},
    {"? h", "this help"},
    {"Ctrl-L", "draw everything anew"},
    {"q Ctrl-C", "quit"},
    {"Shift + mouse", "in most terminals: select text, to copy it"},
    {NULL, ""},
    {NULL, "Marks"},
    {"!", "events were lost now; with a number: so many findings"},
    {"x", "the publisher doesn't answer: these are old numbers"},
    {"-", "not known; as the mark of a stream: nobody has it now"},
    {"! x ~", "in the line of time: losses, failed servers, findings"},
    {"!", "in a trend, where each poll has a bar: losses"},
};

enum { LINES = sizeof lines / sizeof *lines, KEYS_WIDTH = 18, WIDTH = 80 };

typedef struct {
    screen_t screen;
    int first; /* the line at the top */
    int shown; /* as drawn last: so many */
} screen_help_t;

static void scroll(screen_help_t *self, int by)
{
    const int last = LINES > self->shown ? LINES - self->shown : 0;
    self->first += by;
    if (self->first > last)
        self->first = last;
    if (self->first < 0)
        self->first = 0;
}

static bool help_input(screen_t *screen, ui_t *ui, const ui_input_t *input, ui_request_t *request)
{
    (void)request;
    screen_help_t *self = (screen_help_t *)screen;
    switch (input->key) {
    case UI_KEY_UP:
    case UI_KEY_WHEEL_UP:
    case 'k':
        scroll(self, -1);
        return true;
    case UI_KEY_DOWN:
    case UI_KEY_WHEEL_DOWN:
    case 'j':
        scroll(self, 1);
        return true;
    case UI_KEY_PAGE_UP:
        scroll(self, -self->shown);
        return true;
    case UI_KEY_PAGE_DOWN:
        scroll(self, self->shown);
        return true;
    case UI_KEY_HOME:
    case 'g':
        scroll(self, -LINES);
        return true;
    case UI_KEY_END:
    case 'G':
        scroll(self, LINES);
        return true;
    case '?':
    case 'h':
    case 'q':
    case UI_KEY_ESCAPE:
    case UI_KEY_ENTER:
        ui_pop(ui);
        return true;
    default:
        return false;
    }
}

static void draw_line(canvas_t *canvas, int row, int column, int end, const help_line_t *line)
{
    if (!line->keys) {
        canvas_text(canvas, row, column, end - column, LOOK_BOLD, line->text);
        return;
    }
    canvas_text(canvas, row, column + 2, end - column - 2, LOOK_GOOD, line->keys);
    column += KEYS_WIDTH;
    canvas_text(canvas, row, column, end - column, LOOK_PLAIN, line->text);
}

static void help_draw(screen_t *screen, ui_t *ui, canvas_t *canvas, int top, int bottom,
                      const frame_t *frame)
{
    (void)ui;
    (void)frame;
    screen_help_t *self = (screen_help_t *)screen;
    const int height = bottom - top;
    /* Side by side, as far as that goes. */
    const int columns = canvas_columns(canvas) < 2 * WIDTH ? 1 : canvas_columns(canvas) / WIDTH;
    self->shown = columns * height;
    scroll(self, 0);
    for (int i = 0; i < self->shown && self->first + i < LINES; i++) {
        const int column = i / height * WIDTH;
        const int end = columns > 1 ? column + WIDTH - 2 : canvas_columns(canvas);
        draw_line(canvas, top + i % height, column, end, &lines[self->first + i]);
    }
}

static const char *const *help_keys(const screen_t *screen)
{
    const screen_help_t *self = (const screen_help_t *)screen;
    static const char *const more[] = {"Down", "more", NULL, NULL};
    return LINES > self->shown ? more : more + 2;
}

static void help_destroy(screen_t **self)
{
    free(*self);
    *self = NULL;
}

screen_t *screen_help_new(void)
{
    static const screen_methods_t methods = {"help", help_input, help_draw, help_keys,
                                             help_destroy};
    screen_help_t *self = memory_new(1, sizeof *self);
    self->screen.methods = &methods;
    return &self->screen;
}
