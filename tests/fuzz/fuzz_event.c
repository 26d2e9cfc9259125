/* The frames of one event, as they come from another server: topic, byte order, call, data. */
#include "agent/wire.h"
#include "fuzz.h"

enum { FRAMES = 4, ROOM_BEHIND = 16 };

/* A frame with other bytes behind it must read the same. */
static void require_same_time(const char *topic, size_t topic_length, const uint8_t *data,
                              size_t size, bool little_endian, bool known, int64_t time_ns)
{
    uint8_t *longer = malloc(size + ROOM_BEHIND);
    REQUIRE(longer);
    memcpy(longer, data, size);
    memset(longer + size, 0xA5, ROOM_BEHIND);
    int64_t again_ns = 0;
    REQUIRE(known ==
            wire_read_time(topic, topic_length, longer, size, little_endian, false, &again_ns));
    REQUIRE(!known || again_ns == time_ns);
    free(longer);
}

static void read_topic(const char *topic, size_t length)
{
    REQUIRE(!wire_is_heartbeat(topic, length) || length >= strlen(".heartbeat"));

    char *stream = malloc(length ? length : 1);
    REQUIRE(stream);
    size_t stream_length = wire_stream_name(topic, length, stream);
    REQUIRE(stream_length == length || stream_length + 5 == length);
    wire_event_kind_t kind = wire_event_kind(topic, length);
    REQUIRE(kind == WIRE_UNKNOWN || kind == wire_event_kind(stream, stream_length));
    free(stream);

    size_t name_length;
    const char *name = wire_attribute_name(topic, length, &name_length);
    REQUIRE(name >= topic && name + name_length <= topic + length);
    REQUIRE(memchr(name, '/', name_length) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t input = {data, size};
    uint8_t *frames[FRAMES];
    size_t sizes[FRAMES];
    for (size_t i = 0; i < FRAMES; i++)
        frames[i] = fuzz_block(&input, &sizes[i]);

    const char *topic = (const char *)frames[0];
    if (wire_is_topic(topic, sizes[0]))
        REQUIRE(sizes[0] > strlen("tango://") && sizes[0] <= WIRE_TOPIC_MAX);
    read_topic(topic, sizes[0]);

    bool little_endian = wire_is_little_endian(frames[1], sizes[1]);
    wire_call_t call = {0};
    if (wire_read_call(frames[2], sizes[2], little_endian, &call))
        REQUIRE(sizes[2] >= 17); /* two numbers, two lengths, a byte */

    int64_t time_ns = 0;
    bool known =
        wire_read_time(topic, sizes[0], frames[3], sizes[3], little_endian, false, &time_ns);
    REQUIRE(!known || (time_ns >= INT64_C(-2147483648) * 1000000000 &&
                       time_ns < INT64_C(2147483648) * 1000000000));
    require_same_time(topic, sizes[0], frames[3], sizes[3], little_endian, known, time_ns);
    REQUIRE(!wire_read_time(topic, sizes[0], frames[3], sizes[3], little_endian, true, &time_ns));

    for (size_t i = 0; i < FRAMES; i++)
        free(frames[i]);
    return 0;
}
