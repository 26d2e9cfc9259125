/* The decoder on events that a real server sent (see tests/fuzz/capture.py), and on the same events
 * with their numbers byte-swapped, as a big-endian server would send them. The result has to be
 * what captured.txt says, which another decoder wrote. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tango/topic_name.h"
#include "agent/tango/wire.h"
#include "cmocka_all.h"

enum { FRAMES = 4, ROOM = 65536 };

typedef struct {
    uint8_t *bytes;
    const uint8_t *frames[FRAMES];
    size_t sizes[FRAMES];
} event_t;

static event_t read_event(const char *name, const char *order)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s-%s", CAPTURED_DIR, name, order);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("can't open %s", path);
    event_t event = {.bytes = malloc(ROOM)};
    size_t size = fread(event.bytes, 1, ROOM, file);
    fclose(file);
    size_t at = 0;
    for (size_t i = 0; i < FRAMES; i++) {
        event.sizes[i] = (size_t)event.bytes[at] | (size_t)event.bytes[at + 1] << 8;
        event.frames[i] = event.bytes + at + 2;
        at += 2 + event.sizes[i];
    }
    assert_int_equal(at, size);
    return event;
}

static const char *topic_of(const event_t *event)
{
    return (const char *)event->frames[WIRE_FRAME_TOPIC];
}

static wire_call_t call_of(const event_t *event, bool little_endian)
{
    wire_call_t call;
    assert_int_equal(wire_is_little_endian(event->frames[1], event->sizes[1]), little_endian);
    assert_true(wire_read_call(event->frames[2], event->sizes[2], little_endian, &call));
    return call;
}

static bool time_of(const event_t *event, bool little_endian, bool is_error, int64_t *time_ns)
{
    return wire_read_time(topic_of(event), event->sizes[0], event->frames[3], event->sizes[3],
                          little_endian, is_error, time_ns);
}

static const struct {
    const char *name;
    event_kind_t kind;
    bool is_error;
    bool has_time;
} captured[] = {
    {"change-double_scalar", EVENT_ATT_VALUE, false, true},
    {"change-long_scalar", EVENT_ATT_VALUE, false, true},
    {"change-short_scalar", EVENT_ATT_VALUE, false, true},
    {"change-float_scalar", EVENT_ATT_VALUE, false, true},
    {"change-long64_scalar", EVENT_ATT_VALUE, false, true},
    {"change-uchar_scalar", EVENT_ATT_VALUE, false, true},
    {"change-ushort_scalar", EVENT_ATT_VALUE, false, true},
    {"change-ulong_scalar", EVENT_ATT_VALUE, false, true},
    {"change-ulong64_scalar", EVENT_ATT_VALUE, false, true},
    {"change-boolean_scalar", EVENT_ATT_VALUE, false, true},
    {"change-string_scalar", EVENT_ATT_VALUE, false, true},
    {"change-state_scalar", EVENT_ATT_VALUE, false, true},
    {"change-double_spectrum", EVENT_ATT_VALUE, false, true},
    {"change-uchar_spectrum", EVENT_ATT_VALUE, false, true},
    {"change-boolean_spectrum", EVENT_ATT_VALUE, false, true},
    {"change-short_spectrum", EVENT_ATT_VALUE, false, true},
    {"change-state_spectrum", EVENT_ATT_VALUE, false, true},
    {"change-string_spectrum", EVENT_ATT_VALUE, false, true},
    {"change-encoded_scalar", EVENT_ATT_VALUE, false, true},
    {"change-alarm-quality", EVENT_ATT_VALUE, false, true},
    {"change-invalid-quality", EVENT_ATT_VALUE, false, true},
    {"change-idl4", EVENT_ATT_VALUE, false, true},
    {"change-idl3", EVENT_ATT_VALUE, false, false}, /* in no other byte order */
    {"change-error", EVENT_ATT_VALUE, true, false},
    {"read-error", EVENT_ATT_VALUE, true, false},
    {"archive", EVENT_ATT_VALUE, false, true},
    {"periodic", EVENT_ATT_VALUE, false, true},
    {"user-event", EVENT_ATT_VALUE, false, true},
    {"pipe", EVENT_PIPE, false, true},
    {"pipe-error", EVENT_PIPE, true, false},
    {"data-ready", EVENT_ATT_READY, false, false},
    {"attr-conf", EVENT_ATT_CONF, false, false},
    {"intr-change", EVENT_DEV_INTR, false, false},
};

/* What captured.txt says. */
typedef struct {
    char name[40];
    uint32_t counter;
    int is_error;
    int64_t time_ns; /* 0: it has none */
} said_t;

static said_t said_of(const char *name)
{
    said_t said;
    FILE *file = fopen(CAPTURED_DIR "/../../captured.txt", "r");
    assert_non_null(file);
    while (fscanf(file, "%39s %" SCNu32 " %d %" SCNd64, said.name, &said.counter, &said.is_error,
                  &said.time_ns) == 4) {
        if (strcmp(said.name, name) == 0) {
            fclose(file);
            return said;
        }
    }
    fclose(file);
    fail_msg("captured.txt has no %s", name);
    return said;
}

static void check_event(size_t which, const char *order)
{
    bool little_endian = strcmp(order, "le") == 0;
    const char *name = captured[which].name;
    said_t said = said_of(name);
    event_t event = read_event(name, order);
    if (topic_name_kind(topic_of(&event), event.sizes[0]) != captured[which].kind)
        fail_msg("%s is of another kind", name);
    wire_call_t call = call_of(&event, little_endian);
    assert_int_equal(call.counter, said.counter);
    assert_int_equal(call.is_error, captured[which].is_error);
    assert_int_equal(call.is_error, said.is_error);
    int64_t time_ns = 0;
    bool known = time_of(&event, little_endian, call.is_error, &time_ns);
    if (known != captured[which].has_time)
        fail_msg("the time of %s-%s is %s", name, order, known ? "known" : "not known");
    assert_true(time_ns == said.time_ns);
    free(event.bytes);
}

static void real_events_are_understood_in_both_byte_orders(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof captured / sizeof *captured; i++) {
        check_event(i, "le");
        if (strcmp(captured[i].name, "change-idl3") != 0)
            check_event(i, "be");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_events_are_understood_in_both_byte_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
