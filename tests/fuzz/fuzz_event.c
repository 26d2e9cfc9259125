/*
 * The frames of an event, as the receiving side decodes them.
 *
 * Input: topic, endian and call frame, each with its length (input_frame), then the data frame. The
 * result is compared with walk.c's, in both byte orders; and no byte outside of a frame is read or
 * matters.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/tango/topic_name.h"
#include "agent/tango/wire.h"
#include "fuzz.h"
#include "response/names.h"
#include "walk.h"

/* ---- names ---- */

/* The IDL level in a topic, and where it ends; if there is none, 0 and after the dot. */
static int idl_of(const exact_t *topic, size_t *name_at)
{
    size_t at = topic->size;
    while (at > 0 && topic->data[at - 1] != '.')
        at--;
    *name_at = at;
    if (at == 0 || topic->size - at < 6 || memcmp(topic->data + at, "idl", 3) != 0 ||
        topic->data[at + 4] != '_')
        return 0;
    int level = topic->data[at + 3] - '0';
    return level > 0 && level <= 9 ? level : 0;
}

static event_kind_t check_names(const exact_t *topic)
{
    size_t name_at;
    int idl = idl_of(topic, &name_at);

    exact_t stream = exact_copy(topic->data, topic->size); /* space for not a byte more */
    memset(stream.data, 0, stream.size);
    size_t length = topic_name_stream(topic->data, topic->size, stream.data);
    REQUIRE(length == topic->size - (idl > 0 ? 5 : 0));
    size_t rest = idl > 0 ? topic->size - name_at - 5 : topic->size - name_at;
    REQUIRE(memcmp(stream.data, topic->data, name_at) == 0);
    REQUIRE(memcmp(stream.data + name_at, topic->data + topic->size - rest, rest) == 0);
    if (idl > 0 && !memchr(topic->data, '\0', topic->size)) {
        /* The monitor matches topics with streams by the same rule. */
        char *text = strndup(topic->data, topic->size);
        char *of_monitor = names_stream_of_topic(text);
        REQUIRE(strlen(of_monitor) == length && memcmp(of_monitor, stream.data, length) == 0);
        free(of_monitor);
        free(text);
    }

    size_t attribute_size = SIZE_MAX;
    const char *attribute = topic_name_attribute(topic->data, topic->size, &attribute_size);
    REQUIRE(attribute >= topic->data && attribute <= topic->data + topic->size);
    REQUIRE(attribute_size <= (size_t)(topic->data + topic->size - attribute));
    REQUIRE(!memchr(attribute, '/', attribute_size));

    event_kind_t kind = topic_name_kind(topic->data, topic->size);
    REQUIRE(kind <= EVENT_UNKNOWN);
    /* It is that of the stream, unless its name looks like another level. */
    exact_t shorter = exact_copy(stream.data, length);
    idl_of(&shorter, &name_at);
    if (length - name_at < 3 || memcmp(shorter.data + name_at, "idl", 3) != 0)
        REQUIRE(topic_name_kind(shorter.data, shorter.size) == kind);
    if (topic_name_is_heartbeat(topic->data, topic->size))
        REQUIRE(kind == EVENT_UNKNOWN);
    if (topic_name_is_valid(topic->data, topic->size)) {
        REQUIRE(topic->size <= TOPIC_NAME_MAX);
        REQUIRE(!memchr(topic->data, '\0', topic->size));
    }
    free(shorter.block);
    free(stream.block);
    return kind;
}

/* ---- numbers ---- */

/* One reading by wire.c, with what it might find in its results before. */
static bool read_call(const void *data, size_t size, bool little, int before, wire_call_t *call)
{
    exact_t frame = exact_copy(data, size);
    memset(call, before, sizeof *call);
    bool ok = wire_read_call(frame.data, frame.size, little, call);
    free(frame.block);
    return ok;
}

static void check_call(const input_t *frame, bool little)
{
    exact_t turned = exact_copy(frame->data, frame->size);
    walk_result_t known = walk_call((uint8_t *)turned.data, turned.size, little);
    wire_call_t call;
    for (int before = 0; before <= 1; before++) {
        REQUIRE(read_call(frame->data, frame->size, little, before, &call) == known.ok);
        if (!known.ok)
            continue;
        REQUIRE(call.counter == known.counter && call.is_error == known.is_error);
        REQUIRE(read_call(turned.data, turned.size, !little, before, &call));
        REQUIRE(call.counter == known.counter && call.is_error == known.is_error);
        /* Bytes after it don't matter, and fewer aren't enough. */
        REQUIRE(read_call(frame->data, known.end, little, before, &call));
        REQUIRE(call.counter == known.counter && call.is_error == known.is_error);
        REQUIRE(!read_call(frame->data, known.end - 1, little, before, &call));
    }
    free(turned.block);
}

static bool read_time(const exact_t *topic, const void *data, size_t size, bool little,
                      bool is_error, int64_t *time_ns)
{
    exact_t frame = exact_copy(data, size);
    *time_ns = -1;
    bool ok =
        wire_read_time(topic->data, topic->size, frame.data, frame.size, little, is_error, time_ns);
    free(frame.block);
    return ok;
}

static void check_time(const exact_t *topic, event_kind_t kind, const input_t *frame, bool little)
{
    size_t name_at;
    int idl = idl_of(topic, &name_at);
    size_t name_size = topic->size - name_at - (idl > 0 ? 5 : 0);
    if (name_size == 5 && memcmp(topic->data + topic->size - 5, "alarm", 5) == 0)
        idl = 5;
    exact_t turned = exact_copy(frame->data, frame->size);
    walk_result_t known = {0};
    if (kind == EVENT_ATT_VALUE)
        known = walk_value((uint8_t *)turned.data, turned.size, little, idl);
    else if (kind == EVENT_PIPE)
        known = walk_pipe((uint8_t *)turned.data, turned.size, little);

    int64_t time_ns;
    REQUIRE(!read_time(topic, frame->data, frame->size, little, true, &time_ns));
    REQUIRE(read_time(topic, frame->data, frame->size, little, false, &time_ns) == known.ok);
    if (known.ok) {
        REQUIRE(time_ns == known.time_ns);
        REQUIRE(time_ns >= INT32_MIN * INT64_C(1000000000) &&
                time_ns < (INT32_MAX + INT64_C(1)) * INT64_C(1000000000));
        REQUIRE(read_time(topic, turned.data, turned.size, !little, false, &time_ns));
        REQUIRE(time_ns == known.time_ns);
        REQUIRE(read_time(topic, frame->data, known.end, little, false, &time_ns));
        REQUIRE(time_ns == known.time_ns);
        REQUIRE(!read_time(topic, frame->data, known.end - 1, little, false, &time_ns));
    }
    free(turned.block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t rest = {data, size};
    input_t topic_frame = input_frame(&rest);
    input_t endian_frame = input_frame(&rest);
    input_t call_frame = input_frame(&rest);
    input_t data_frame = input_frame(&rest);

    exact_t topic = exact_copy(topic_frame.data, topic_frame.size);
    exact_t endian = exact_copy(endian_frame.data, endian_frame.size);
    bool little = wire_is_little_endian(endian.data, endian.size);
    REQUIRE(little == (endian_frame.size > 0 && endian_frame.data[0] != 0));
    event_kind_t kind = check_names(&topic);
    check_call(&call_frame, little);
    check_time(&topic, kind, &data_frame, little);
    free(endian.block);
    free(topic.block);
    return 0;
}

/*
 * Changes one frame and leaves the others alone, whose lengths would otherwise shift with every
 * byte that comes or goes; sometimes all of it as it stands.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    enum { FRAMES = 4, ROOM = 65535 };
    if (seed % 16 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    input_t rest = {data, size};
    input_t frames[FRAMES];
    for (int i = 0; i < FRAMES; i++)
        frames[i] = input_frame(&rest);
    unsigned chosen = seed / 16 % FRAMES;

    uint8_t *made = malloc(max_size + ROOM + 8);
    uint8_t *part = malloc(ROOM);
    REQUIRE(made && part);
    size_t used = 0;
    for (unsigned i = 0; i < FRAMES; i++) {
        size_t part_size = frames[i].size < ROOM ? frames[i].size : ROOM;
        memcpy(part, frames[i].data, part_size);
        if (i == chosen)
            part_size = LLVMFuzzerMutate(part, part_size, max_size < ROOM ? max_size : ROOM);
        if (used + 2 + part_size > max_size)
            break;
        made[used++] = (uint8_t)part_size;
        made[used++] = (uint8_t)(part_size >> 8);
        memcpy(made + used, part, part_size);
        used += part_size;
    }
    memcpy(data, made, used);
    free(part);
    free(made);
    return used;
}
