/* The live view's screens: keys are pressed, and what is drawn is compared with tests/data. */
#include "monitor/view/live/ui/ui.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/view/live/frames/timeline.h"
#include "monitor/view/live/ui/columns.h"
#include "observing.h"

#define PUB  "dserver/Pub/1"
#define SUB  "dserver/Sub/1"
#define GONE "dserver/Gone/1"

enum { STREAMS = 40 };

typedef struct {
    observing_t *observing;
    frame_maker_t *maker;
    timeline_t *timeline;
    ui_t *ui;
    canvas_t *canvas;
    ui_status_t status;
    double now;
    ui_request_t request; /* of the last key */
} world_t;

static world_t world_new(int rows, int columns)
{
    world_t self = {
        .observing = observing_new(NULL),
        .maker = frame_maker_new(),
        .timeline = timeline_new(100 << 20),
        .canvas = canvas_new(rows, columns, true),
        .status = UI_STATUS_NONE,
        .now = 1000,
    };
    self.ui = ui_new(self.timeline, TOP_LOSS, NULL);
    self.status.is_live = true;
    self.status.poll_period = 10;
    self.status.seconds_since_poll = 3;
    self.status.seconds_to_poll = 7;
    return self;
}

static void world_clear(world_t *self)
{
    ui_destroy(&self->ui);
    timeline_destroy(&self->timeline);
    frame_maker_destroy(&self->maker);
    observing_destroy(&self->observing);
    canvas_destroy(&self->canvas);
}

static void see(world_t *self, const char *const *servers_and_answers)
{
    observing_poll(self->observing, servers_and_answers);
    timeline_add(self->timeline, frame_make(self->maker, self->observing->observation));
}

/* Stream n gets 10 n events in each poll, and stream 3 loses 5 of its events in polls 2 and 4. */
static char *publisher(int poll)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    fputs("{'version': 1, 'agent': {'pid': 5, 'version': '1.2', 'tango_version': '9.3.4', "
          "'attached': '2026-01-01T00:00:00.000000Z'}, 'server': {'event_streams': {",
          out);
    for (int i = 0; i < STREAMS; i++)
        fprintf(out, "%s'tango://db:10000/a/b/%d/value_%d.change': {'pushed_event_count': %d}",
                i ? ", " : "", i, i, 100 + 10 * i * poll);
    fputs("}}}", out);
    memory_stream_close(out);
    return text;
}

static char *subscriber(int poll)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    fputs("{'version': 1, 'agent': {'pid': 7, 'attached': '2026-01-01T00:00:00.000000Z'}, "
          "'client': {'event_channels': {'" PUB "': {'endpoint': 'tcp://1.2.3.4:5', "
          "'heartbeat_count': 3}}, 'event_callbacks': {",
          out);
    const int lost = poll >= 4 ? 10 : poll >= 2 ? 5 : 0;
    for (int i = 0; i < STREAMS / 2; i++)
        fprintf(out,
                "%s'tango://db:10000/a/b/%d/value_%d.idl5_change': {'channel_name': '" PUB
                "', 'server_counter': %d, 'event_count': %d, 'missed_event_count': %d, "
                "'lost_event_count': %d, 'outage_lost_event_count': 0, "
                "'discarded_event_count': 0}",
                i ? ", " : "", i, i, 100 + 10 * i * poll, 100 + 10 * i * poll - (i == 3 ? lost : 0),
                i == 3 ? lost / 5 : 0, i == 3 ? lost : 0);
    fputs("}}}", out);
    memory_stream_close(out);
    return text;
}

/* The polls [from, to). */
static void see_polls(world_t *self, int from, int to, bool with_failure)
{
    for (int poll = from; poll < to; poll++) {
        char *pub = publisher(poll);
        char *sub = subscriber(poll);
        see(self, (const char *[]){PUB, pub, SUB, sub, with_failure ? GONE : NULL,
                                   "can't connect to it", NULL});
        free(pub);
        free(sub);
    }
}

static void draw(world_t *self)
{
    ui_tick(self->ui, self->now);
    ui_draw(self->ui, self->canvas, &self->status);
}

static void press_key(world_t *self, int32_t key)
{
    draw(self);
    self->request = ui_input(self->ui, &(ui_input_t){.key = key});
    draw(self);
}

/* Presses the key of each character. */
static void press(world_t *self, const char *keys)
{
    for (; *keys; keys++)
        press_key(self, *keys);
}

static void click(world_t *self, int32_t key, int row, int column)
{
    draw(self);
    self->request = ui_input(self->ui, &(ui_input_t){.key = key, .row = row, .column = column});
    draw(self);
}

static char *screen_text(world_t *self)
{
    char *text = NULL;
    size_t size = 0;
    draw(self);
    FILE *out = memory_stream_open(&text, &size);
    canvas_print(self->canvas, out);
    memory_stream_close(out);
    return text;
}

/* Compares with tests/data/live-NAME.txt; with UPDATE in the environment it is written anew. */
static void assert_screen(world_t *self, const char *name)
{
    char *path = memory_format("%s/live-%s.txt", TEST_DATA_DIR, name);
    char *text = screen_text(self);
    FILE *file = fopen(path, getenv("UPDATE") ? "w+" : "r");
    assert_non_null(file);
    if (getenv("UPDATE")) {
        fputs(text, file);
        rewind(file);
    }
    char *expected = memory_new(1 << 20, 1);
    (void)fread(expected, 1, (1 << 20) - 1, file);
    fclose(file);
    assert_string_equal(text, expected);
    free(expected);
    free(text);
    free(path);
}

static bool shows(world_t *self, const char *text)
{
    char *screen = screen_text(self);
    const bool found = strstr(screen, text) != NULL;
    free(screen);
    return found;
}

/* The row that has a text; -1: none. */
static int row_with(world_t *self, const char *text)
{
    char *screen = screen_text(self);
    int row = -1;
    int number = 0;
    char *rest = screen;
    for (char *line = strsep(&rest, "\n"); line && row < 0; line = strsep(&rest, "\n"), number++)
        if (strstr(line, text))
            row = number;
    free(screen);
    return row;
}

/* The row of the cursor; -1: there is none. */
static int selected_row(world_t *self)
{
    draw(self);
    for (int row = 0; row < canvas_rows(self->canvas); row++)
        if (canvas_cell(self->canvas, row, 0)->look == LOOK_SELECTED)
            return row;
    return -1;
}

/* ---- tests ---- */

static void test_nothing_yet(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    assert_true(shows(&self, "waiting for the first answers"));
    press(&self, "jkGgs<>IuF\n\t");
    press_key(&self, UI_KEY_ENTER);
    press_key(&self, UI_KEY_TAB);
    press_key(&self, UI_KEY_LEFT);
    press_key(&self, UI_KEY_RIGHT);
    world_clear(&self);
}

static void test_main_screen(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    see_polls(&self, 0, 5, true);
    assert_screen(&self, "main-24x80");
    canvas_clear(self.canvas, 30, 200);
    assert_screen(&self, "main-30x200");
    canvas_clear(self.canvas, 30, 400);
    assert_screen(&self, "main-30x400");
    canvas_clear(self.canvas, 8, 40);
    assert_screen(&self, "main-8x40");
    world_clear(&self);
}

static void test_cursor_stays_on_its_stream(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    see_polls(&self, 0, 2, false);
    /* At the top it is on the worst. */
    draw(&self);
    assert_int_equal(selected_row(&self), row_with(&self, "a/b/23/"));
    press(&self, "jj");
    assert_int_equal(selected_row(&self), row_with(&self, "a/b/25/"));
    see_polls(&self, 2, 5, false);
    assert_true(row_with(&self, "!1 a/b/3/") < row_with(&self, "a/b/25/"));
    assert_int_equal(selected_row(&self), row_with(&self, "a/b/25/"));
    press(&self, "N");
    assert_int_equal(selected_row(&self), row_with(&self, "a/b/25/"));
    press(&self, "g");
    assert_int_equal(selected_row(&self), row_with(&self, "a/b/0/"));
    press(&self, "H");
    assert_int_equal(selected_row(&self), row_with(&self, "!1 a/b/3/"));
    world_clear(&self);
}

static void test_sorting(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    see_polls(&self, 0, 5, false);
    press(&self, "N");
    assert_true(shows(&self, "stream (40)\u25b2"));
    assert_true(row_with(&self, "a/b/2/") < row_with(&self, "a/b/10/"));
    press(&self, "I");
    assert_true(shows(&self, "stream (40)\u25bc"));
    assert_true(row_with(&self, "a/b/39/") < row_with(&self, "a/b/38/"));
    /* The sparkline is of what is looked at. */
    canvas_clear(self.canvas, 24, 200);
    press(&self, "T");
    assert_true(shows(&self, "trend: latency"));
    press(&self, "L");
    assert_false(shows(&self, "trend: "));
    canvas_clear(self.canvas, 24, 80);
    assert_true(shows(&self, "lost\u25bc"));
    const int row = row_with(&self, "lost\u25bc");
    assert_int_equal(row_with(&self, "!1 a/b/3/"), row + 1);
    /* A click on the heading of the stream's name, and another one. */
    click(&self, UI_KEY_CLICK, row, 5);
    assert_true(shows(&self, "stream (40)\u25b2"));
    click(&self, UI_KEY_CLICK, row, 5);
    assert_true(shows(&self, "stream (40)\u25bc"));
    for (int i = 0; i < 30; i++)
        press(&self, i < 15 ? ">" : "<");
    assert_true(shows(&self, "stream (40)\u25b2"));
    world_clear(&self);
}

static void test_filter(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    see_polls(&self, 0, 2, false);
    press(&self, "/ALUE_3");
    assert_true(shows(&self, "Filter: ALUE_3"));
    assert_true(shows(&self, "11 of 40 streams"));
    const int top = selected_row(&self);
    press_key(&self, UI_KEY_DOWN); /* while it is typed */
    assert_int_equal(selected_row(&self), top + 1);
    press_key(&self, UI_KEY_UP);
    press_key(&self, UI_KEY_ENTER);
    assert_false(shows(&self, "Filter: "));
    assert_true(shows(&self, "11 of 40 streams with \"ALUE_3\""));
    press_key(&self, UI_KEY_ESCAPE);
    assert_true(shows(&self, "stream (40)"));
    press(&self, "/b/1?/*9");
    assert_true(shows(&self, "1 of 40 streams"));
    press_key(&self, UI_KEY_ESCAPE);
    assert_true(shows(&self, "stream (40)"));
    /* Its publisher's name counts as well. */
    press(&self, "/pub/1");
    assert_true(shows(&self, "40 of 40 streams"));
    press(&self, "nobody has this q");
    assert_int_equal(self.request, UI_NOTHING);
    assert_true(shows(&self, "none: Esc shows all again"));
    press_key(&self, UI_KEY_BACKSPACE);
    press_key(&self, UI_KEY_ENTER);
    press_key(&self, UI_KEY_ENTER); /* there is nothing to open */
    world_clear(&self);
}

static void test_opening_and_going_back(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    see_polls(&self, 0, 5, true);
    press_key(&self, UI_KEY_ENTER);
    assert_true(shows(&self, " streams > stream"));
    press(&self, "?");
    assert_true(shows(&self, " > help"));
    press(&self, "q"); /* of the help only */
    assert_int_equal(self.request, UI_NOTHING);
    press_key(&self, UI_KEY_ESCAPE);
    assert_false(shows(&self, " > "));
    press_key(&self, UI_KEY_ESCAPE);
    press_key(&self, UI_KEY_TAB);
    assert_int_equal(selected_row(&self), 2);
    press_key(&self, UI_KEY_ENTER);
    assert_true(shows(&self, " streams > finding"));
    press_key(&self, UI_KEY_ESCAPE);
    press(&self, "S");
    assert_true(shows(&self, " streams > servers"));
    assert_screen(&self, "servers-24x80");
    press_key(&self, UI_KEY_ENTER);
    assert_true(shows(&self, " streams > servers > server"));
    press_key(&self, UI_KEY_ESCAPE);
    press_key(&self, UI_KEY_ESCAPE);
    press_key(&self, UI_KEY_TAB);
    const int row = row_with(&self, "a/b/27/");
    click(&self, UI_KEY_CLICK, row, 10);
    assert_int_equal(selected_row(&self), row);
    click(&self, UI_KEY_DOUBLE_CLICK, row, 10);
    assert_true(shows(&self, " streams > stream"));
    assert_true(shows(&self, "a/b/27/value_27"));
    /* A key in the bar at the bottom. */
    click(&self, UI_KEY_CLICK, 23, 8);
    assert_false(shows(&self, " > "));
    press(&self, "q");
    assert_int_equal(self.request, UI_QUIT);
    world_clear(&self);
}

static void test_help(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    press(&self, "?");
    assert_screen(&self, "help-24x80");
    press_key(&self, UI_KEY_PAGE_DOWN);
    press_key(&self, UI_KEY_PAGE_DOWN);
    assert_true(shows(&self, "in a trend, where each poll has a bar"));
    assert_false(shows(&self, "Moving"));
    press(&self, "g");
    assert_true(shows(&self, "Moving"));
    canvas_clear(self.canvas, 24, 160);
    assert_true(shows(&self, "Moving"));
    assert_true(shows(&self, "in a trend, where each poll has a bar"));
    press(&self, "?");
    assert_false(shows(&self, "Moving"));
    world_clear(&self);
}

static void test_pause(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    see_polls(&self, 0, 2, false);
    press(&self, "p");
    assert_true(shows(&self, "PAUSED, 0 polls since"));
    see_polls(&self, 2, 5, false);
    assert_true(shows(&self, "PAUSED, 3 polls since"));
    assert_true(shows(&self, " poll 2/5 "));
    assert_false(shows(&self, "LOST"));
    press_key(&self, UI_KEY_RIGHT);
    assert_true(shows(&self, " poll 3/5 "));
    assert_true(shows(&self, "LOST 5 (+5)"));
    assert_screen(&self, "paused-24x80");
    press_key(&self, UI_KEY_LEFT);
    press_key(&self, UI_KEY_LEFT);
    press_key(&self, UI_KEY_LEFT);
    assert_true(shows(&self, " poll 1/5 "));
    press(&self, "}");
    assert_true(shows(&self, " poll 3/5 "));
    press(&self, "}");
    assert_true(shows(&self, " poll 5/5 "));
    press(&self, "[");
    assert_true(shows(&self, " poll 1/5 "));
    press(&self, "p");
    assert_false(shows(&self, "PAUSED"));
    see_polls(&self, 5, 6, false);
    press_key(&self, UI_KEY_LEFT);
    assert_true(shows(&self, " poll 5/6 "));
    press(&self, "]");
    assert_false(shows(&self, "PAUSED"));
    world_clear(&self);
}

/* So many polls that the first ones aren't kept. */
static void test_going_back_too_far(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    timeline_destroy(&self.timeline);
    ui_destroy(&self.ui);
    self.timeline = timeline_new(200000);
    self.ui = ui_new(self.timeline, TOP_LOSS, NULL);
    see_polls(&self, 0, 30, false);
    press(&self, "p[");
    assert_false(shows(&self, " poll 1/30 "));
    assert_true(shows(&self, "polls before this one aren't kept"));
    assert_int_equal(ui_wanted(self.ui), SIZE_MAX);
    /* Of a recording they can be had. */
    press(&self, "]");
    self.status.is_live = false;
    self.status.can_read_again = true;
    press(&self, "[");
    assert_int_equal(ui_wanted(self.ui), 0);
    assert_true(shows(&self, "reading it once more"));
    world_clear(&self);
}

static void test_playing_a_recording(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    self.status.is_live = false;
    self.status.read = "/a/long/path/to/some/recording/of/today.jsonl.zst";
    self.status.read_part = 1;
    see_polls(&self, 0, 5, false);
    assert_screen(&self, "recording-24x80");
    press(&self, " ");
    assert_true(shows(&self, " poll 1/5 "));
    assert_true(shows(&self, "plays 1 poll/s"));
    self.now += 1;
    assert_true(shows(&self, " poll 2/5 "));
    press(&self, "++");
    self.now += 0.5;
    assert_true(shows(&self, " poll 4/5 "));
    press(&self, " ");
    self.now += 1;
    assert_true(shows(&self, " poll 4/5 "));
    press(&self, " ");
    self.now += 1;
    assert_true(shows(&self, " poll 5/5 "));
    assert_false(shows(&self, "plays"));
    assert_true(isnan(ui_tick(self.ui, self.now)));
    /* On the slider. */
    press(&self, "[");
    click(&self, UI_KEY_CLICK, 2, 50);
    assert_false(shows(&self, " poll 1/5 "));
    press(&self, "m");
    assert_int_equal(self.request, UI_NOTHING);
    assert_true(shows(&self, "this is a recording"));
    self.now += 60;
    assert_false(shows(&self, "this is a recording"));
    world_clear(&self);
}

static void test_what_is_asked_of_the_monitor(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    see_polls(&self, 0, 2, false);
    press(&self, "m");
    assert_int_equal(self.request, UI_NOTHING);
    assert_true(shows(&self, "(y/n)"));
    press(&self, "n");
    assert_int_equal(self.request, UI_NOTHING);
    press(&self, "my");
    assert_int_equal(self.request, UI_SET_PERF);
    assert_true(ui_wants_perf(self.ui));
    self.status.perf_on = true;
    press(&self, "m");
    assert_int_equal(self.request, UI_SET_PERF);
    assert_false(ui_wants_perf(self.ui));
    press(&self, "r");
    assert_true(shows(&self, "Record into: events-"));
    press_key(&self, 21); /* Ctrl-U */
    press(&self, "fille");
    press_key(&self, UI_KEY_LEFT);
    press_key(&self, UI_KEY_BACKSPACE);
    press_key(&self, UI_KEY_ENTER);
    assert_int_equal(self.request, UI_RECORD);
    assert_string_equal(ui_record_path(self.ui), "file");
    self.status.recorded_into = "file";
    canvas_clear(self.canvas, 24, 120);
    assert_true(shows(&self, "recording into file"));
    press(&self, "r");
    assert_int_equal(self.request, UI_NOTHING);
    press(&self, "/");
    press_key(&self, 3); /* Ctrl-C */
    assert_int_equal(self.request, UI_QUIT);
    press_key(&self, UI_KEY_ESCAPE);
    self.status.message = "something happened";
    assert_true(shows(&self, "something happened"));
    draw(&self);
    self.now += 60;
    assert_false(shows(&self, "something happened"));
    world_clear(&self);
}

static void test_columns(void **state)
{
    (void)state;
    static const column_t columns[] = {
        {"a", 2, 3, 2, false, false}, {"b", 10, 20, 0, false, false}, {"c", 5, 100, 1, true, true}};
    column_place_t places[3];
    columns_place(columns, 3, 40, places);
    assert_int_equal(places[0].width, 3);
    assert_int_equal(places[1].start, 4);
    assert_int_equal(places[1].width, 20);
    assert_int_equal(places[2].start, 25);
    assert_int_equal(places[2].width, 15); /* the rest */
    columns_place(columns, 3, 16, places);
    assert_int_equal(places[0].width, 0);
    assert_int_equal(places[1].start, 0);
    assert_int_equal(places[1].width, 10);
    assert_int_equal(places[2].width, 5);
    columns_place(columns, 3, 4, places);
    assert_int_equal(places[1].width, 4);
    assert_int_equal(places[2].width, 0);
    columns_place(columns, 3, 0, places);
    assert_int_equal(places[1].width, 0);
}

static void assert_number(int width, const char *text, const char *expected)
{
    canvas_t *canvas = canvas_new(1, 12, true);
    char *shown = NULL;
    size_t size = 0;
    columns_draw_number(canvas, 0, &(column_place_t){0, width}, LOOK_PLAIN, text);
    FILE *out = memory_stream_open(&shown, &size);
    canvas_print(canvas, out);
    memory_stream_close(out);
    shown[size - 1] = '\0'; /* the line feed */
    assert_string_equal(shown, expected);
    free(shown);
    canvas_destroy(&canvas);
}

static void test_numbers_are_never_cut(void **state)
{
    (void)state;
    assert_number(6, "123456", "123456");
    assert_number(6, "1234567", "  1.2M");
    assert_number(4, "1234567", "1.2M");
    assert_number(4, "99999", "100k");
    assert_number(4, "999999", "1.0M");
    assert_number(4, "9223372036854775807", "9.2E");
    assert_number(6, "(+4138)", " +4.1k");
    assert_number(6, ">=12345", "  >12k");
    assert_number(3, "12345.6", "12k");
    assert_number(3, "123456.7", "  #");
    assert_number(4, "123.4", " 123");
    assert_number(5, "-", "    -");
}

static void test_any_size(void **state)
{
    (void)state;
    world_t self = world_new(24, 80);
    see_polls(&self, 0, 5, true);
    static const int32_t keys[] = {UI_KEY_ENTER,  UI_KEY_ESCAPE, 'S',           UI_KEY_ENTER,
                                   UI_KEY_ESCAPE, UI_KEY_ESCAPE, '?',           UI_KEY_ESCAPE,
                                   UI_KEY_TAB,    UI_KEY_ENTER,  UI_KEY_ESCAPE, 'p',
                                   '/',           'x',           UI_KEY_ENTER,  UI_KEY_ESCAPE};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        for (int rows = 0; rows < 30; rows++)
            for (int columns = 0; columns < 130; columns += 1 + columns / 8) {
                canvas_clear(self.canvas, rows, columns);
                draw(&self);
            }
        press_key(&self, keys[i]);
    }
    world_clear(&self);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_yet),
        cmocka_unit_test(test_main_screen),
        cmocka_unit_test(test_cursor_stays_on_its_stream),
        cmocka_unit_test(test_sorting),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_opening_and_going_back),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_going_back_too_far),
        cmocka_unit_test(test_playing_a_recording),
        cmocka_unit_test(test_what_is_asked_of_the_monitor),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_numbers_are_never_cut),
        cmocka_unit_test(test_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
