/*
 * The live view's screens about one thing: what they show of frames, as text, and what keys do.
 * tests/data/live-*.txt has what is expected; WRITE_SCREENS=1 writes them anew.
 */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/view/live/ui/page.h"
#include "monitor/view/live/ui/ui_state.h"
#include "observing.h"

#define PUB  "dserver/Pub/1"
#define SUB  "dserver/Sub/1"
#define SUB2 "dserver/Sub/2"

typedef struct {
    observing_t *observing;
    frame_maker_t *maker;
    timeline_t *timeline;
    ui_t *ui;
    screen_t *screen; /* the one that is tested; NULL: the UI's own */
    canvas_t *canvas;
} seen_t;

static seen_t seen_new(void)
{
    seen_t self = {.observing = observing_new(NULL),
                   .maker = frame_maker_new(),
                   .timeline = timeline_new(100000000),
                   .canvas = canvas_new(24, 80, true)};
    self.ui = ui_new(self.timeline, TOP_LOSS, NULL);
    return self;
}

static void seen_clear(seen_t *self)
{
    if (self->screen)
        self->screen->methods->destroy(&self->screen);
    ui_destroy(&self->ui);
    timeline_destroy(&self->timeline);
    frame_maker_destroy(&self->maker);
    observing_destroy(&self->observing);
    canvas_destroy(&self->canvas);
}

/* The UI takes over what is new. */
static const frame_t *update(seen_t *self)
{
    canvas_t *any = canvas_new(24, 80, true);
    ui_status_t status = {.is_live = true};
    ui_draw(self->ui, any, &status);
    canvas_destroy(&any);
    return ui_frame(self->ui);
}

static const frame_t *poll(seen_t *self, const char *const *servers_and_answers)
{
    observing_poll(self->observing, servers_and_answers);
    timeline_add(self->timeline, frame_make(self->maker, self->observing->observation));
    return update(self);
}

/* What the screen shows of the newest frame, in that size. The caller frees it. */
static char *look(seen_t *self, int rows, int columns, bool utf8)
{
    canvas_destroy(&self->canvas);
    self->canvas = canvas_new(rows, columns, utf8);
    self->screen->methods->draw(self->screen, self->ui, self->canvas, 0, rows, ui_frame(self->ui));
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    canvas_print(self->canvas, out);
    memory_stream_close(out);
    return text;
}

static bool press(seen_t *self, int32_t key)
{
    ui_request_t request = UI_NOTHING;
    const ui_input_t input = {.key = key};
    return self->screen->methods->input(self->screen, self->ui, &input, &request);
}

/* The screen that the last key opened. */
static const char *opened(const seen_t *self)
{
    return self->ui->screen->methods->name;
}

static uint64_t stream_id(const frame_t *frame, const char *short_name)
{
    for (size_t i = 0; i < frame->stream_count; i++)
        if (strcmp(frame->streams[i].short_name, short_name) == 0)
            return frame->streams[i].id;
    fail_msg("no stream %s", short_name);
    return 0;
}

static uint64_t server_id(const frame_t *frame, const char *name)
{
    for (size_t i = 0; i < frame->server_count; i++)
        if (strcmp(frame->servers[i].name, name) == 0)
            return frame->servers[i].id;
    fail_msg("no server %s", name);
    return 0;
}

static const char *finding_identity(const frame_t *frame, const char *rule)
{
    for (size_t i = 0; i < frame->finding_count; i++)
        if (strcmp(frame->findings[i].rule, rule) == 0)
            return frame->findings[i].identity;
    fail_msg("no finding of %s", rule);
    return NULL;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;
    if (!file || getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = memory_string("");
    }
    if (file)
        fclose(file);
    return text;
}

static void assert_screen(seen_t *self, int rows, int columns, bool utf8, const char *file)
{
    char *path = memory_format("%s/%s", TEST_DATA_DIR, file);
    char *text = look(self, rows, columns, utf8);
    if (getenv("WRITE_SCREENS")) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fputs(text, out);
        fclose(out);
    }
    char *expected = read_file(path);
    assert_string_equal(text, expected);
    free(expected);
    free(text);
    free(path);
}

static void assert_has(seen_t *self, const char *text)
{
    char *screen = look(self, canvas_rows(self->canvas), canvas_columns(self->canvas), true);
    if (!strstr(screen, text))
        fail_msg("'%s' isn't in:\n%s", text, screen);
    free(screen);
}

/* ---- a small system ---- */

#define NAME "tango://db:10000/sys/motor/1/position"

static char *publisher(int pushed)
{
    return memory_format(
        "{'version': 1, 'agent': {'pid': 4711, 'version': '1.2.0', 'tango_version': '10.0.0', "
        "'attached': '2026-09-21T00:00:00.000+00:00'}, 'server': {'event_streams': {'" NAME
        ".change': {'pushed_event_count': %d, 'byte_count': %d, 'has_subscribers': true, "
        "'last_event': '2026-09-21T14:13:20.500+00:00', 'push_event_histogram': {'count': %d, "
        "'sum_nanos': %d, 'max_nanos': 60000, 'buckets': [[20480, 22528, %d], [57344, 61440, "
        "1]]}}, '" NAME
        ".periodic': {'pushed_event_count': 7, 'byte_count': 700, 'has_subscribers': false, "
        "'last_event': null}}, 'perf': []}}",
        pushed, pushed * 145, pushed, pushed * 21000, pushed - 1);
}

/* state: of the consumer thread. */
static char *subscriber(int received, int lost, const char *state, const char *more)
{
    return memory_format(
        "{'version': 1, 'agent': {'pid': 4712, 'version': '1.2.0', 'tango_version': '9.3.4', "
        "'attached': '2026-09-21T00:00:00.000+00:00', 'time': '2026-09-21T14:13:30.000+00:00'}, "
        "'client': {'perf': [], 'event_channels': {'tango://db:10000/" PUB
        "': {'endpoint': 'tcp://10.0.0.7:42713', 'event_endpoint': 'tcp://10.0.0.7:42714', "
        "'last_heartbeat': '2026-09-21T14:13:25.500+00:00', 'heartbeat_count': 66, "
        "'missed_heartbeat_count': 2}}, %s %s 'event_callbacks': {'" NAME
        ".idl5_change': {'channel_name': 'tango://db:10000/" PUB
        "', 'server_counter': %d, 'event_count': %d, 'missed_event_count': %d, "
        "'lost_event_count': %d, 'outage_lost_event_count': 0, 'discarded_event_count': 0, "
        "'callback_count': 1, 'byte_count': %d, 'publisher_restart_count': 0, "
        "'last_event': '2026-09-21T14:13:20.600+00:00', "
        "'latency_histogram': {'count': %d, 'sum_nanos': 1, 'max_nanos': 1900000, 'buckets': "
        "[[524288, 589824, %d], [1048576, 1179648, %d]]}, "
        "'processing_histogram': {'count': %d, 'sum_nanos': 1, 'max_nanos': 300000, 'buckets': "
        "[[262144, 294912, %d]]}}}}}",
        state, more, received + lost, received, lost > 0, lost, received * 145, received,
        received - received / 4, received / 4, received, received);
}

#define POLLING "'consumer_thread': {'state': 'polling', 'state_micros': 250000},"
#define STUCK                                                                                      \
    "'consumer_thread': {'state': 'callbacks', 'topic': '" NAME                                    \
    ".idl5_change', 'since': '2026-09-21T14:13:00.000+00:00', 'state_micros': 42500000, "          \
    "'longest_callback_micros': 42500000, 'longest_callback_topic': '" NAME ".idl5_change'},"
#define NOT_CONNECTED                                                                              \
    "'not_connected': [{'device': 'tango://db:10000/sys/gone/1', 'attribute': 'speed', "           \
    "'event_type': 'change', 'last_heartbeat': '2026-09-21T14:00:00+00:00'}],"

/* Polls in which the first subscriber loses so many more; state is that of the second. */
static const frame_t *poll_system(seen_t *self, int pushed, int lost, const char *state)
{
    char *pub = publisher(pushed);
    char *one = subscriber(pushed - lost, lost, POLLING, "");
    char *two = subscriber(pushed, 0, state, NOT_CONNECTED);
    const frame_t *frame = poll(self, (const char *[]){PUB, pub, SUB, one, SUB2, two, NULL});
    free(pub);
    free(one);
    free(two);
    return frame;
}

static const frame_t *poll_some(seen_t *self, const char *state)
{
    poll_system(self, 1000, 0, state);
    poll_system(self, 1100, 0, state);
    poll_system(self, 1300, 5, state);
    return poll_system(self, 1400, 12, state);
}

/* ---- a stream ---- */

static void test_stream(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, POLLING);
    self.screen = screen_stream_new(stream_id(frame, "sys/motor/1/position.change"));
    assert_screen(&self, 64, 100, true, "live-stream.txt");
    assert_screen(&self, 20, 80, true, "live-stream-80.txt");
    assert_screen(&self, 46, 60, true, "live-stream-60.txt"); /* a table */
    assert_screen(&self, 40, 400, true, "live-stream-400.txt");
    setlocale(LC_CTYPE, "C");
    assert_screen(&self, 40, 80, false, "live-stream-ascii.txt");
    setlocale(LC_CTYPE, "C.UTF-8");
    seen_clear(&self);
}

/* ---- a server ---- */

static void test_server(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, STUCK);
    self.screen = screen_server_new(server_id(frame, SUB2));
    assert_screen(&self, 24, 120, true, "live-server.txt");
    assert_screen(&self, 20, 80, true, "live-server-80.txt");
    self.screen->methods->destroy(&self.screen);
    self.screen = screen_server_new(server_id(frame, PUB));
    assert_screen(&self, 15, 80, true, "live-server-publisher.txt");
    seen_clear(&self);
}

/* ---- a finding ---- */

static void test_finding(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, STUCK);
    self.screen = screen_finding_new(finding_identity(frame, "stuck-callback"));
    assert_screen(&self, 26, 120, true, "live-finding.txt");
    assert_screen(&self, 20, 80, true, "live-finding-80.txt");
    seen_clear(&self);
}

/* ---- keys ---- */

/* The line that the cursor is on; "": none. Valid until the next call. */
static const char *cursor_line(seen_t *self)
{
    static char line[512];
    line[0] = '\0';
    char *screen = look(self, canvas_rows(self->canvas), canvas_columns(self->canvas), true);
    char *rest = screen;
    for (int row = 0; row < canvas_rows(self->canvas); row++) {
        const char *text = strsep(&rest, "\n");
        bool selected = false;
        for (int column = 0; column < canvas_columns(self->canvas); column++)
            selected |= canvas_cell(self->canvas, row, column)->look == LOOK_SELECTED;
        if (selected && text)
            snprintf(line, sizeof line, "%s", text);
    }
    free(screen);
    return line;
}

static void assert_on(seen_t *self, const char *text)
{
    const char *line = cursor_line(self);
    if (!strstr(line, text))
        fail_msg("the cursor isn't on '%s', but on '%s'", text, line);
}

static void test_enter_opens_what_is_under_the_cursor(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, POLLING);
    self.screen = screen_stream_new(stream_id(frame, "sys/motor/1/position.change"));
    assert_false(press(&self, UI_KEY_ENTER)); /* nothing was drawn yet */
    assert_false(press(&self, UI_KEY_DOWN));
    free(look(&self, 50, 60, true));
    assert_on(&self, "lost 12");
    assert_true(press(&self, UI_KEY_ENTER));
    assert_string_equal(opened(&self), "finding");
    assert_true(press(&self, UI_KEY_DOWN));
    assert_on(&self, PUB);
    assert_true(press(&self, UI_KEY_ENTER));
    assert_string_equal(opened(&self), "server");
    assert_true(press(&self, UI_KEY_DOWN));
    assert_on(&self, "b/1 ");
    assert_true(press(&self, 'j'));
    assert_on(&self, "b/2 ");
    assert_true(press(&self, 'k'));
    assert_on(&self, "b/1 ");
    assert_true(press(&self, UI_KEY_HOME));
    assert_on(&self, "lost 12");
    assert_true(press(&self, 'G'));
    assert_true(press(&self, 'g'));
    assert_on(&self, "lost 12");
    ui_pop(self.ui);
    ui_pop(self.ui);
    assert_string_equal(opened(&self), "streams");
    assert_true(press(&self, 'u'));
    assert_string_equal(opened(&self), "server");
    assert_false(press(&self, 'x'));
    seen_clear(&self);
}

/* Each screen may keep a frame, which may be large. */
static void test_going_round_in_circles(void **state)
{
    (void)state;
    seen_t self = seen_new();
    poll_some(&self, POLLING);
    for (int i = 0; i < 100; i++) { /* the stream, its publisher, its stream, ... */
        (void)ui_input(self.ui, &(ui_input_t){.key = i % 2 ? 'u' : UI_KEY_ENTER});
        update(&self);
        (void)ui_input(self.ui, &(ui_input_t){.key = 'G'});
        update(&self);
    }
    size_t depth = 0;
    for (const screen_t *screen = self.ui->screen; screen; screen = screen->below)
        depth++;
    assert_in_range(depth, 10, 15);
    for (size_t i = 1; i < depth; i++)
        (void)ui_input(self.ui, &(ui_input_t){.key = UI_KEY_ESCAPE});
    assert_string_equal(opened(&self), "streams");
    seen_clear(&self);
}

static void test_cursor_stays_on_its_thing(void **state)
{
    (void)state;
    seen_t self = seen_new();
    poll_system(&self, 1000, 0, POLLING);
    const frame_t *frame = poll_system(&self, 1100, 0, POLLING);
    self.screen = screen_stream_new(stream_id(frame, "sys/motor/1/position.change"));
    free(look(&self, 50, 60, true));
    press(&self, UI_KEY_DOWN);
    press(&self, UI_KEY_DOWN);
    assert_on(&self, "b/2 ");
    poll_system(&self, 1200, 12, POLLING); /* there is a finding above now */
    assert_on(&self, "b/2 ");
    seen_clear(&self);
}

static void test_pages_and_sections(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, POLLING);
    self.screen = screen_stream_new(stream_id(frame, "sys/motor/1/position.change"));
    free(look(&self, 12, 100, true));
    assert_has(&self, "rows 1-11 of ");
    assert_true(press(&self, UI_KEY_TAB));
    assert_has(&self, "Publisher ");
    assert_true(press(&self, UI_KEY_TAB));
    char *screen = look(&self, 12, 100, true);
    assert_memory_equal(screen, "Subscribers (2)", 15);
    free(screen);
    assert_true(press(&self, UI_KEY_BACK_TAB));
    screen = look(&self, 12, 100, true);
    assert_memory_equal(screen, "Publisher", 9);
    free(screen);
    assert_true(press(&self, UI_KEY_END));
    assert_has(&self, "Pushing of all events");
    assert_true(press(&self, UI_KEY_HOME));
    assert_has(&self, "rows 1-11 of ");
    for (int i = 0; i < 200; i++)
        press(&self, i < 100 ? UI_KEY_DOWN : UI_KEY_PAGE_UP);
    assert_has(&self, "rows 1-11 of ");
    for (int i = 0; i < 100; i++)
        press(&self, UI_KEY_WHEEL_DOWN);
    assert_has(&self, "Pushing of all events");
    seen_clear(&self);
}

static void test_clicks(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, POLLING);
    self.screen = screen_stream_new(stream_id(frame, "sys/motor/1/position.change"));
    char *screen = look(&self, 40, 100, true);
    const char *at = strstr(screen, SUB2);
    int row = 0;
    for (const char *from = screen; from < at; from++)
        row += *from == '\n';
    free(screen);
    ui_request_t request = UI_NOTHING;
    const ui_input_t click = {.key = UI_KEY_DOUBLE_CLICK, .row = row, .column = 65};
    assert_true(self.screen->methods->input(self.screen, self.ui, &click, &request));
    assert_on(&self, SUB2);
    assert_string_equal(opened(&self), "server");
    seen_clear(&self);
}

/* ---- what isn't there any more ---- */

static void test_what_is_gone_is_still_shown(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, STUCK);
    const uint64_t stream = stream_id(frame, "sys/motor/1/position.change");
    const uint64_t server = server_id(frame, SUB2);
    char *identity = memory_string(finding_identity(frame, "stuck-callback"));
    screen_t *screens[] = {screen_stream_new(stream), screen_server_new(server),
                           screen_finding_new(identity)};
    static const char *const known[] = {NAME, SUB2, "has been running for"};
    for (size_t i = 0; i < 3; i++) {
        self.screen = screens[i];
        free(look(&self, 40, 100, true));
    }
    for (int i = 0; i < 3; i++)
        poll(&self, (const char *[]){PUB, "doesn't answer", NULL});
    for (size_t i = 1; i < 3; i++) {
        self.screen = screens[i];
        assert_has(&self, known[i]);
    }
    self.screen = screens[1];
    assert_has(&self, "has nothing of this server; this is of 14:");
    for (size_t i = 0; i < 3; i++) {
        self.screen = screens[i];
        for (int32_t key = UI_KEY_UP; key <= UI_KEY_WHEEL_DOWN; key++) {
            press(&self, key);
            free(look(&self, 15, 80, true));
        }
        self.screen->methods->destroy(&self.screen);
    }
    free(identity);
    seen_clear(&self);
}

static void test_what_was_never_there(void **state)
{
    (void)state;
    seen_t self = seen_new();
    screen_t *screens[] = {screen_stream_new(1), screen_server_new(2), screen_finding_new("x")};
    for (size_t i = 0; i < 3; i++) {
        self.screen = screens[i];
        free(look(&self, 5, 60, true)); /* no frame at all */
    }
    poll_system(&self, 5, 0, POLLING);
    for (size_t i = 0; i < 3; i++) {
        self.screen = screens[i];
        assert_has(&self, "has nothing of this");
        press(&self, UI_KEY_DOWN);
        press(&self, UI_KEY_ENTER);
        self.screen->methods->destroy(&self.screen);
    }
    seen_clear(&self);
}

static void test_server_that_fails(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, POLLING);
    self.screen = screen_server_new(server_id(frame, SUB2));
    char *pub = publisher(2000);
    for (int i = 0; i < 3; i++)
        poll(&self, (const char *[]){PUB, pub, SUB2, "timeout after 3 s", NULL});
    free(pub);
    free(look(&self, 30, 100, true));
    assert_has(&self, "It doesn't answer since 14:14:10: timeout after 3 s");
    assert_has(&self, "What follows is of its last answer.");
    assert_has(&self, "sys/gone/1/speed");
    seen_clear(&self);
}

/* Its numbers may be old. */
static void test_subscriber_that_fails(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, POLLING);
    self.screen = screen_stream_new(stream_id(frame, "sys/motor/1/position.change"));
    char *one = subscriber(1500, 12, POLLING, "");
    poll(&self, (const char *[]){PUB, "timeout", SUB, one, SUB2, "timeout", NULL});
    free(one);
    free(look(&self, 40, 100, true));
    assert_has(&self, "It doesn't answer; what follows is of its last answer.");
    assert_has(&self, "state              answers                                 DOESN'T ANSWER");
    free(look(&self, 40, 60, true));
    assert_has(&self, " NO ANSWER  dserver/Sub/2 ");
    seen_clear(&self);
}

static void type(seen_t *self, const char *text)
{
    for (; *text; text++)
        (void)ui_input(self->ui, &(ui_input_t){.key = *text});
    (void)ui_input(self->ui, &(ui_input_t){.key = UI_KEY_ENTER});
}

static void test_filter(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, POLLING);
    self.screen = screen_server_new(server_id(frame, PUB));
    free(look(&self, 20, 100, true));
    assert_has(&self, "What it publishes (2) ");
    type(&self, "/periodic");
    assert_has(&self, "What it publishes (1 of 2 match the filter) ");
    type(&self, "/xxx");
    assert_has(&self, "What it publishes (0 of 2 match the filter) ");
    seen_clear(&self);
}

/* ---- what servers may say ---- */

static void test_hostile_names(void **state)
{
    (void)state;
    seen_t self = seen_new();
    static const char answer[] =
        "{'version': 1, 'agent': {'pid': 1, 'version': '\\u001b[2J', 'tango_version': '\\n\\n'}, "
        "'server': {'event_streams': {'\\u001b[31m\\u202ex\\ny': {'pushed_event_count': "
        "9223372036854775807, 'last_event': '\\t\\t', 'push_event_histogram': {'count': 5, "
        "'buckets': [[null, null, 9223372036854775807], [-5, 0, 3], [0, 1e308, 2], [5, 4, "
        "9223372036854775807], [null, 1024, 7], [7, null, 1]]}}}}, "
        "'client': {'consumer_thread': {'state': '\\u001b[0m', 'topic': '\\u0007', 'state_micros': "
        "1e300, 'delayed_micros': 1e300, 'longest_callback_micros': 1e300, "
        "'longest_callback_topic': '\\r\\n'}, 'not_connected': [{'device': '\\u009b1m', "
        "'attribute': '%s%n', 'event_type': ''}], 'event_channels': {'\\u001b]0;x\\u0007': "
        "{'endpoint': '\\u001bc'}}, 'event_callbacks': {'\\u001b[31m\\u202ex\\ny': {'event_count': "
        "3, "
        "'channel_name': '\\u001b[H', 'last_event': '\\b\\b'}}}}";
    poll(&self, (const char *[]){"dserver/\033[2J/\n", answer, NULL});
    const frame_t *frame = poll(&self, (const char *[]){"dserver/\033[2J/\n", answer, NULL});
    screen_t *screens[] = {screen_stream_new(frame->streams[0].id),
                           screen_server_new(frame->servers[0].id)};
    for (size_t i = 0; i < 2; i++) {
        self.screen = screens[i];
        for (int columns = 1; columns < 200; columns += 13) {
            char *text = look(&self, 100, columns, columns % 2);
            for (const char *at = text; *at; at++)
                assert_true(*at == '\n' || (unsigned char)*at >= ' ');
            free(text);
        }
        self.screen->methods->destroy(&self.screen);
    }
    seen_clear(&self);
}

static void test_any_size(void **state)
{
    (void)state;
    seen_t self = seen_new();
    const frame_t *frame = poll_some(&self, STUCK);
    screen_t *screens[] = {screen_stream_new(stream_id(frame, "sys/motor/1/position.change")),
                           screen_server_new(server_id(frame, SUB2)),
                           screen_finding_new(finding_identity(frame, "stuck-callback"))};
    for (size_t i = 0; i < 3; i++) {
        self.screen = screens[i];
        for (int rows = 0; rows < 30; rows++)
            for (int columns = 0; columns < 60; columns += 1 + columns / 8) {
                free(look(&self, rows, columns, true));
                press(&self, (rows + columns) % 2 ? UI_KEY_DOWN : UI_KEY_TAB);
            }
        self.screen->methods->destroy(&self.screen);
    }
    seen_clear(&self);
}

/* ---- many ---- */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A stream with 1000 subscribers, and a server with 10,000 streams. */
static void test_many_rows(void **state)
{
    (void)state;
    enum { SUBSCRIBERS = 1000, STREAMS = 10000, DRAWINGS = 50 };
    seen_t self = seen_new();
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    fputs("{'version': 1, 'agent': {'pid': 1}, 'server': {'event_streams': {", out);
    for (int i = 0; i < STREAMS; i++)
        fprintf(out, "%s'tango://db:1/a/b/%d/x.change': {'pushed_event_count': %d}", i ? "," : "",
                i, i);
    fputs("}}}", out);
    memory_stream_close(out);
    const char **answers = memory_new(2 * SUBSCRIBERS + 3, sizeof *answers);
    char **names = memory_new(SUBSCRIBERS, sizeof *names);
    answers[0] = PUB;
    answers[1] = text;
    for (int i = 0; i < SUBSCRIBERS; i++) {
        names[i] = memory_format("dserver/Sub/%d", i);
        answers[2 * i + 2] = names[i];
        answers[2 * i + 3] = "{'version': 1, 'agent': {'pid': 1}, 'client': {'event_callbacks': "
                             "{'tango://db:1/a/b/5/x.idl5_change': {'event_count': 3}}}}";
    }
    poll(&self, answers);
    poll(&self, answers);
    self.observing->period = 60;
    answers[3] = "{'version': 1, 'agent': {'pid': 1}, 'client': {'not_connected': [{'device': "
                 "'x', 'attribute': 'y'}], 'event_callbacks': {}}}";
    poll(&self, answers);
    const frame_t *frame = poll(&self, answers);
    screen_t *screens[] = {screen_stream_new(stream_id(frame, "a/b/5/x.change")),
                           screen_server_new(server_id(frame, PUB)),
                           screen_finding_new(finding_identity(frame, "not-connected"))};
    for (size_t i = 0; i < sizeof screens / sizeof *screens; i++) {
        self.screen = screens[i];
        free(look(&self, 60, 200, true));
        const double before = seconds_now();
        for (int j = 0; j < DRAWINGS; j++) {
            press(&self, UI_KEY_PAGE_DOWN);
            free(look(&self, 60, 200, true));
        }
        const double each = (seconds_now() - before) / DRAWINGS;
        print_message("%.2f ms to draw\n", each * 1e3);
        assert_true(each < 0.1);
        self.screen->methods->destroy(&self.screen);
    }
    for (int i = 0; i < SUBSCRIBERS; i++)
        free(names[i]);
    free(names);
    free(answers);
    free(text);
    seen_clear(&self);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_server),
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_enter_opens_what_is_under_the_cursor),
        cmocka_unit_test(test_going_round_in_circles),
        cmocka_unit_test(test_cursor_stays_on_its_thing),
        cmocka_unit_test(test_pages_and_sections),
        cmocka_unit_test(test_clicks),
        cmocka_unit_test(test_what_is_gone_is_still_shown),
        cmocka_unit_test(test_what_was_never_there),
        cmocka_unit_test(test_server_that_fails),
        cmocka_unit_test(test_subscriber_that_fails),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_any_size),
        cmocka_unit_test(test_many_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
