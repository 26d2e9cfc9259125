/*
 * The live view: whatever keys are pressed, names servers have and sizes the screen has, what is
 * drawn lies on the screen, and is printable.
 */
#include <jansson.h>
#include <math.h>

#include "answering.h"
#include "base/memory.h"
#include "base/printable.h"
#include "fuzz.h"
#include "monitor/analysis/observation.h"
#include "monitor/view/live/frames/frame.h"
#include "monitor/view/live/frames/timeline.h"
#include "monitor/view/live/ui/ui.h"

enum { NAMES = 8, SERVERS = 3, MOST_STEPS = 100, MOST_ROWS = 40, MOST_COLUMNS = 140 };

/* So little that older frames are forgotten. */
enum { BUDGET = 100000 };

typedef struct {
    input_t input;
    json_t *names[NAMES]; /* of streams; NULL: the usual one */
    char *message;
    int64_t counts[NAMES];
    observation_t *observation;
    frame_maker_t *maker;
    timeline_t *timeline;
    ui_t *ui;
    ui_status_t status;
    canvas_t *canvas;
    double now;
} world_t;

/* ---- what servers say ---- */

static char *name_of(const world_t *self, unsigned i)
{
    const char *name = json_string_value(self->names[i]);
    return name ? memory_string(name) : memory_format("tango://host:10000/a/b/c/value_%u", i);
}

static json_t *publisher(world_t *self)
{
    json_t *streams = json_object();
    for (unsigned i = 0; i < NAMES; i++) {
        char *name = name_of(self, i);
        char *stream = memory_format("%s.change", name);
        json_object_set_new(streams, stream,
                            json_pack("{sI}", "pushed_event_count", (json_int_t)self->counts[i]));
        free(stream);
        free(name);
    }
    return json_pack("{si, s{si}, s{so}}", "version", 1, "agent", "pid", 5, "server",
                     "event_streams", streams);
}

static json_t *subscriber(world_t *self)
{
    const unsigned lost = input_byte(&self->input);
    json_t *topics = json_object();
    for (unsigned i = 0; i < NAMES; i++) {
        char *name = name_of(self, i);
        char *topic = memory_format("%s.idl5_change", name);
        const json_int_t received = self->counts[i] - (lost >> i & 1 ? (json_int_t)lost : 0);
        json_object_set_new(topics, topic,
                            json_pack("{ss, sI, sI, si, si, si, si}", "channel_name",
                                      "dserver/Pub/1", "server_counter",
                                      (json_int_t)self->counts[i], "event_count",
                                      received > 0 ? received : 0, "missed_event_count", lost > 0,
                                      "lost_event_count", (int)lost, "outage_lost_event_count", 0,
                                      "discarded_event_count", 0));
        free(topic);
        free(name);
    }
    return json_pack("{si, s{si}, s{so}}", "version", 1, "agent", "pid", 7, "client",
                     "event_callbacks", topics);
}

static void poll(world_t *self)
{
    static const char *const servers[SERVERS] = {"dserver/Pub/1", "dserver/Sub/1",
                                                 "dserver/Gone/1"};
    const unsigned failing = input_byte(&self->input);
    self->now += 1 + failing % 16;
    snapshot_t *snapshot = snapshot_new(SERVERS);
    snapshot->asked = self->now;
    snapshot->time.tv_sec = 1790000000 + (time_t)self->now;
    for (unsigned i = 0; i < SERVERS; i++) {
        reply_t *reply = &snapshot->replies[i];
        reply->server = memory_string(servers[i]);
        if (failing >> (4 + i) & 1)
            reply->error = answering_text(input_bytes(&self->input, 30));
        else
            answering_set(reply, i == 0 ? publisher(self) : subscriber(self), self->now);
    }
    for (unsigned i = 0; i < NAMES; i++)
        self->counts[i] += (int64_t)i * failing;
    observation_renew(self->observation, &snapshot, true);
    timeline_add(self->timeline, frame_make(self->maker, self->observation));
}

/* ---- what must hold ---- */

static void check_cell(const canvas_t *canvas, int row, int column)
{
    const cell_t *cell = canvas_cell(canvas, row, column);
    REQUIRE(cell->look < LOOK_KINDS);
    if (cell->character == L' ')
        return;
    if (cell->character == 0) {
        REQUIRE(column > 0);
        const cell_t *first = canvas_cell(canvas, row, column - 1);
        REQUIRE(first->character && printable_cells((uint32_t)first->character) == 2);
        return;
    }
    const uint32_t character = (uint32_t)cell->character;
    REQUIRE(printable_shows(character));
    REQUIRE(canvas_is_utf8(canvas) || character < 0x80);
    REQUIRE(!cell->mark || printable_cells((uint32_t)cell->mark) == 0);
    const size_t cells = printable_cells(character);
    REQUIRE(cells == 1 || cells == 2);
    if (cells == 2)
        REQUIRE(column + 1 < canvas_columns(canvas) &&
                canvas_cell(canvas, row, column + 1)->character == 0);
}

static void draw(world_t *self)
{
    const int rows = canvas_rows(self->canvas);
    const int columns = canvas_columns(self->canvas);
    const double next = ui_tick(self->ui, self->now);
    REQUIRE(isnan(next) || next >= 0);
    ui_draw(self->ui, self->canvas, &self->status);
    REQUIRE(canvas_rows(self->canvas) == rows && canvas_columns(self->canvas) == columns);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            check_cell(self->canvas, row, column);
    REQUIRE(ui_wanted(self->ui) == SIZE_MAX ||
            ui_wanted(self->ui) < timeline_count(self->timeline));
}

/* ---- what the user does ---- */

static int32_t key_of(input_t *input)
{
    static const char usual[] = "q/?hSmrpsFuIRHNLPVTC<>[]{}+- jkgGyn*x";
    const uint8_t byte = input_byte(input);
    if (byte < sizeof usual - 1)
        return usual[byte];
    if (byte < 128)
        return UI_KEY_FIRST + byte % (UI_KEY_WHEEL_DOWN - UI_KEY_FIRST + 1);
    return byte < 240 ? byte - 128 : (int32_t)(input_number(input) % 0x110000);
}

static void press(world_t *self)
{
    ui_input_t input = {.key = key_of(&self->input)};
    input.row = input_byte(&self->input);
    input.column = input_byte(&self->input);
    if (ui_input(self->ui, &input) == UI_RECORD)
        REQUIRE(*ui_record_path(self->ui));
}

static void resize(world_t *self)
{
    const int rows = input_byte(&self->input) % MOST_ROWS;
    const int columns = input_byte(&self->input) % MOST_COLUMNS;
    const bool utf8 = input_byte(&self->input) % 4;
    /* A new one has exactly the memory that it needs. */
    canvas_destroy(&self->canvas);
    self->canvas = canvas_new(rows, columns, utf8);
}

static void change_status(world_t *self)
{
    const uint8_t bits = input_byte(&self->input);
    free(self->message);
    self->message = answering_text(input_bytes(&self->input, 20));
    self->status.is_live = bits & 1;
    self->status.is_asking = bits & 2;
    self->status.perf_on = bits & 4;
    self->status.can_read_again = bits & 8;
    self->status.recorded_into = bits & 16 ? self->message : NULL;
    self->status.read = bits & 32 ? self->message : NULL;
    self->status.message = bits & 64 ? self->message : NULL;
    self->status.seconds_since_poll = bits & 128 ? bits : NAN;
}

static void rename_stream(world_t *self)
{
    const unsigned i = input_byte(&self->input) % NAMES;
    char *name = answering_text(input_bytes(&self->input, input_byte(&self->input)));
    json_decref(self->names[i]);
    self->names[i] = json_string(name); /* NULL: it isn't UTF-8 */
    free(name);
}

static void step(world_t *self)
{
    switch (input_byte(&self->input) % 16) {
    case 0:
    case 1:
        poll(self);
        break;
    case 2:
        resize(self);
        break;
    case 3:
        change_status(self);
        break;
    case 4:
        rename_stream(self);
        break;
    case 5:
        self->now += input_byte(&self->input);
        break;
    default:
        press(self);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rule_settings_t settings = {0};
    world_t self = {
        .input = {data, size},
        .observation = observation_new(&settings),
        .maker = frame_maker_new(),
        .timeline = timeline_new(BUDGET),
        .canvas = canvas_new(24, 80, true),
        .status = UI_STATUS_NONE,
        .now = 1000,
    };
    self.status.is_live = true;
    self.ui = ui_new(self.timeline, TOP_LOSS, NULL);
    for (int i = 0; i < MOST_STEPS && self.input.size > 0; i++) {
        step(&self);
        draw(&self);
    }
    ui_destroy(&self.ui);
    timeline_destroy(&self.timeline);
    frame_maker_destroy(&self.maker);
    observation_destroy(&self.observation);
    canvas_destroy(&self.canvas);
    for (int i = 0; i < NAMES; i++)
        json_decref(self.names[i]);
    free(self.message);
    return 0;
}
