/* Decoding of frames and control commands: of frames that are built here, byte by byte, in both
 * byte orders, and of every truncation of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tango/wire.h"
#include "cmocka_all.h"

/* ---- an encoder, independent of the code under test ---- */

typedef struct {
    uint8_t data[4096];
    size_t size;
    size_t origin; /* offset from which alignment counts */
    bool little;
} frame_t;

static void put_byte(frame_t *frame, unsigned value)
{
    assert_true(frame->size < sizeof frame->data);
    frame->data[frame->size++] = (uint8_t)value;
}

static void put_align(frame_t *frame, size_t alignment)
{
    while ((frame->size - frame->origin) % alignment != 0)
        put_byte(frame, 0xAA);
}

static void put_u32(frame_t *frame, uint32_t value)
{
    put_align(frame, 4);
    for (int i = 0; i < 4; i++)
        put_byte(frame, (value >> (frame->little ? 8 * i : 24 - 8 * i)) & 0xFF);
}

static void put_string(frame_t *frame, const char *text)
{
    size_t length = strlen(text) + 1;
    put_u32(frame, (uint32_t)length);
    for (size_t i = 0; i < length; i++)
        put_byte(frame, (unsigned char)text[i]);
}

static void put_padding(frame_t *frame, size_t size)
{
    for (size_t i = 0; i < size; i++)
        put_byte(frame, i % 2 ? 0xC0 : 0xDE);
    frame->origin = frame->size;
}

/* A sequence of count elements of that size, filled with arbitrary bytes. */
static void put_elements(frame_t *frame, uint32_t count, size_t element_size)
{
    put_u32(frame, count);
    if (count > 0)
        put_align(frame, element_size);
    for (size_t i = 0; i < count * element_size; i++)
        put_byte(frame, 0xFF);
}

/* ---- tests ---- */

static void call_info_is_read(void **state)
{
    (void)state;
    for (int little = 0; little <= 1; little++) {
        frame_t frame = {.little = little};
        put_u32(&frame, 1);
        put_u32(&frame, 0xFFFFFFFE);
        put_string(&frame, "push");
        put_elements(&frame, 3, 1);
        put_byte(&frame, 1);

        wire_call_t call = {0};
        assert_true(wire_read_call(frame.data, frame.size, little, &call));
        assert_int_equal(call.counter, 0xFFFFFFFE);
        assert_true(call.is_error);
        for (size_t size = 0; size < frame.size; size++) {
            uint8_t *exact = malloc(size + 1);
            memcpy(exact, frame.data, size);
            assert_false(wire_read_call(exact, size, little, &call));
            free(exact);
        }
    }
}

/* cppTango delivers nothing then: omniORB takes no string without its NUL. */
static void a_method_s_name_without_its_end_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", "pus"}; /* the length, and as many bytes */
    for (size_t i = 0; i < 2; i++) {
        frame_t frame = {.little = true};
        put_u32(&frame, 1);
        put_u32(&frame, 7);
        put_u32(&frame, (uint32_t)strlen(names[i]));
        for (const char *p = names[i]; *p; p++)
            put_byte(&frame, (uint8_t)*p);
        put_align(&frame, 4);
        put_u32(&frame, 0);
        put_byte(&frame, 0);
        wire_call_t call;
        assert_false(wire_read_call(frame.data, frame.size, true, &call));
    }
}

static void any_byte_but_zero_says_little_endian(void **state)
{
    (void)state;
    assert_false(wire_is_little_endian("\0", 1));
    assert_true(wire_is_little_endian("\1", 1));
    assert_true(wire_is_little_endian("\2", 1));
    assert_true(wire_is_little_endian("\xff", 1));
    assert_false(wire_is_little_endian("", 0));
}

static void a_length_beyond_the_frame_is_refused(void **state)
{
    (void)state;
    frame_t frame = {.little = true};
    put_u32(&frame, 1);
    put_u32(&frame, 7);
    put_u32(&frame, 0xFFFFFFFF);
    put_u32(&frame, 0xFFFFFFFF);
    wire_call_t call;
    assert_false(wire_read_call(frame.data, frame.size, true, &call));
}

#define DEVICE "tango://host:10000/sys/tg_test/1/attr"

static bool time_of(const char *topic, const frame_t *frame, int64_t *time_ns)
{
    /* In an allocation of its exact size, so that a sanitizer detects a read beyond it. */
    uint8_t *exact = malloc(frame->size > 0 ? frame->size : 1);
    memcpy(exact, frame->data, frame->size);
    bool ok =
        wire_read_time(topic, strlen(topic), exact, frame->size, frame->little, false, time_ns);
    free(exact);
    return ok;
}

static void put_value(frame_t *frame, uint32_t type, uint32_t count)
{
    put_u32(frame, type);
    switch (type) {
    case 0:
    case 6:
        put_elements(frame, count, 1);
        break;
    case 1:
    case 7:
        put_elements(frame, count, 2);
        break;
    case 2:
    case 4:
    case 8:
    case 11:
        put_elements(frame, count, 4);
        break;
    case 3:
    case 5:
    case 9:
        put_elements(frame, count, 8);
        break;
    case 10:
        put_u32(frame, count);
        for (uint32_t i = 0; i < count; i++)
            put_string(frame, i % 2 ? "odd one" : "");
        break;
    case 12:
        put_u32(frame, 3);
        break;
    case 13:
        put_u32(frame, count);
        for (uint32_t i = 0; i < count; i++) {
            put_string(frame, "JPEG");
            put_elements(frame, 5 + i, 1);
        }
        break;
    default:
        put_byte(frame, 1);
        break;
    }
}

static void put_rest(frame_t *frame, bool idl5)
{
    put_u32(frame, 0); /* quality */
    put_u32(frame, 1); /* format */
    if (idl5)
        put_u32(frame, 5); /* data type */
    put_u32(frame, 1700000000);
    put_u32(frame, 123456);
    put_u32(frame, 789);
    put_string(frame, "attr");
}

static void the_time_of_every_attribute_type_is_found(void **state)
{
    (void)state;
    for (int little = 0; little <= 1; little++) {
        for (uint32_t type = 0; type <= 14; type++) {
            for (uint32_t count = 0; count <= 5; count++) {
                for (int idl5 = 0; idl5 <= 1; idl5++) {
                    frame_t frame = {.little = little};
                    put_padding(&frame, 4);
                    put_value(&frame, type, count);
                    put_rest(&frame, idl5);
                    int64_t time_ns = 0;
                    assert_true(
                        time_of(idl5 ? DEVICE ".idl5_change" : DEVICE ".change", &frame, &time_ns));
                    assert_true(time_ns == INT64_C(1700000000123456789));
                    /* An alarm's topic has no level, but the layout is that of level 5. */
                    time_ns = 0;
                    assert_true(!idl5 || time_of(DEVICE ".alarm", &frame, &time_ns));
                    assert_true(!idl5 || time_ns == INT64_C(1700000000123456789));
                }
            }
        }
    }
}

static void no_shortened_frame_is_overread(void **state)
{
    (void)state;
    for (uint32_t type = 0; type <= 16; type++) {
        frame_t whole = {.little = true};
        put_padding(&whole, 4);
        put_value(&whole, type, 3);
        put_rest(&whole, true);
        size_t name_size = 4 + 5; /* the name comes after the time, which is enough */
        for (size_t size = 0; size < whole.size; size++) {
            frame_t part = whole;
            part.size = size;
            int64_t time_ns;
            bool enough = type <= 14 && size >= whole.size - name_size;
            assert_int_equal(time_of(DEVICE ".idl5_archive", &part, &time_ns), enough);
        }
    }
}

static void only_values_and_pipes_have_a_time(void **state)
{
    (void)state;
    frame_t frame = {.little = true};
    put_padding(&frame, 8);
    put_string(&frame, "pipe");
    put_u32(&frame, 1700000000);
    put_u32(&frame, 5);
    put_u32(&frame, 0);
    int64_t time_ns = 0;
    assert_true(time_of(DEVICE ".pipe", &frame, &time_ns));
    assert_true(time_ns == INT64_C(1700000000000005000));
    assert_false(time_of(DEVICE ".data_ready", &frame, &time_ns));
    assert_false(time_of(DEVICE ".idl5_attr_conf", &frame, &time_ns));
    assert_false(time_of("tango://host:10000/a/b/c.intr_change", &frame, &time_ns));

    frame_t value = {.little = true};
    put_padding(&value, 4);
    put_value(&value, 5, 1);
    put_rest(&value, true);
    const char *topic = DEVICE ".idl5_change";
    assert_false(
        wire_read_time(topic, strlen(topic), value.data, value.size, true, true, &time_ns));
}

static void the_oldest_layout_has_no_time(void **state)
{
    (void)state;
    frame_t frame = {.little = true};
    put_padding(&frame, 4);
    put_u32(&frame, 21); /* an any whose type is an alias */
    put_elements(&frame, 40, 1);
    int64_t time_ns;
    assert_false(time_of(DEVICE ".change", &frame, &time_ns));
}

static void control_commands_are_read(void **state)
{
    (void)state;
    wire_control_t command;
    const char connect[] = "\3\0tcp://1.2.3.4:55\0topic.change\0\xE8\3\0\0";
    assert_true(wire_read_control(connect, sizeof connect - 1, &command));
    assert_int_equal(command.code, WIRE_CONTROL_CONNECT_EVENT);
    assert_string_equal(command.endpoint, "tcp://1.2.3.4:55");
    assert_string_equal(command.topic, "topic.change");

    const char disconnect[] = "\2chan.heartbeat\0tcp://h:1\0tcp://h:2";
    assert_true(wire_read_control(disconnect, sizeof disconnect, &command));
    assert_int_equal(command.code, WIRE_CONTROL_DISCONNECT_HEARTBEAT);
    assert_string_equal(command.topic, "chan.heartbeat");
    assert_string_equal(command.endpoint, "tcp://h:1");
    assert_string_equal(command.event_endpoint, "tcp://h:2");

    assert_true(wire_read_control("\6", 1, &command));
    assert_int_equal(command.code, WIRE_CONTROL_DELAY_EVENT);
    assert_null(command.topic);
    assert_true(wire_read_control("\x7F", 1, &command));
    assert_int_equal(command.code, WIRE_CONTROL_UNKNOWN);
    assert_true(wire_read_control("\xFF", 1, &command));
    assert_int_equal(command.code, WIRE_CONTROL_UNKNOWN);
    assert_false(wire_read_control("", 0, &command));
    /* Strings that don't end. */
    for (size_t size = 1; size < sizeof connect - 6; size++) {
        char *exact = malloc(size);
        memcpy(exact, connect, size);
        assert_false(wire_read_control(exact, size, &command));
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_info_is_read),
        cmocka_unit_test(a_method_s_name_without_its_end_is_refused),
        cmocka_unit_test(any_byte_but_zero_says_little_endian),
        cmocka_unit_test(a_length_beyond_the_frame_is_refused),
        cmocka_unit_test(the_time_of_every_attribute_type_is_found),
        cmocka_unit_test(no_shortened_frame_is_overread),
        cmocka_unit_test(only_values_and_pipes_have_a_time),
        cmocka_unit_test(the_oldest_layout_has_no_time),
        cmocka_unit_test(control_commands_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
