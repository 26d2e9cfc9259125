#include "agent/tango/wire.h"

#include <string.h>

#include "agent/tango/topic_name.h"

/* A walk through CDR data. Offsets, and so alignment, count from the start of the data. */
typedef struct {
    const uint8_t *data;
    size_t size;
    size_t offset;
    bool little_endian;
    bool ok; /* false once something didn't fit; then every read gives 0 */
} cdr_t;

static void cdr_skip(cdr_t *cdr, size_t count)
{
    if (!cdr->ok || count > cdr->size - cdr->offset)
        cdr->ok = false;
    else
        cdr->offset += count;
}

static void cdr_align(cdr_t *cdr, size_t alignment)
{
    cdr_skip(cdr, (alignment - cdr->offset % alignment) % alignment);
}

static uint32_t cdr_u32(cdr_t *cdr)
{
    cdr_align(cdr, 4);
    size_t at = cdr->offset;
    cdr_skip(cdr, 4);
    if (!cdr->ok)
        return 0;
    const uint8_t *p = cdr->data + at;
    if (cdr->little_endian)
        return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return (uint32_t)p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}

/* A sequence of count elements; CDR aligns them only if there is one. */
static void cdr_skip_elements(cdr_t *cdr, size_t count, size_t element_size)
{
    if (count == 0)
        return;
    cdr_align(cdr, element_size);
    if (!cdr->ok || count > (cdr->size - cdr->offset) / element_size)
        cdr->ok = false;
    else
        cdr->offset += count * element_size;
}

/* A string, or a sequence of octets: both are a length and that many bytes. */
static void cdr_skip_bytes(cdr_t *cdr)
{
    cdr_skip(cdr, cdr_u32(cdr));
}

bool wire_is_little_endian(const void *data, size_t size)
{
    return size >= 1 && *(const uint8_t *)data != 0;
}

bool wire_read_call(const void *data, size_t size, bool little_endian, wire_call_t *call)
{
    /* struct ZmqCallInfo: long version; unsigned long ctr; string method_name;
       sequence<octet> oid; boolean call_is_except. */
    cdr_t cdr = {.data = data, .size = size, .little_endian = little_endian, .ok = true};
    cdr_u32(&cdr);
    call->counter = cdr_u32(&cdr);
    uint32_t name_size = cdr_u32(&cdr);
    cdr_skip(&cdr, name_size);
    /* omniORB accepts no string without its NUL, and cppTango delivers nothing then. */
    if (!cdr.ok || name_size == 0 || cdr.data[cdr.offset - 1] != '\0')
        return false;
    cdr_skip_bytes(&cdr);
    size_t at = cdr.offset;
    cdr_skip(&cdr, 1);
    call->is_error = cdr.ok && cdr.data[at] != 0;
    return cdr.ok;
}

/* union AttrValUnion, by its discriminator, enum AttributeDataType. */
static void skip_value_union(cdr_t *cdr)
{
    uint32_t type = cdr_u32(cdr);
    uint32_t count;
    switch (type) {
    case 0: /* ATT_BOOL */
    case 6: /* ATT_UCHAR */
        cdr_skip_bytes(cdr);
        break;
    case 1: /* ATT_SHORT */
    case 7: /* ATT_USHORT */
        count = cdr_u32(cdr);
        cdr_skip_elements(cdr, count, 2);
        break;
    case 2:  /* ATT_LONG */
    case 4:  /* ATT_FLOAT */
    case 8:  /* ATT_ULONG */
    case 11: /* ATT_STATE */
        count = cdr_u32(cdr);
        cdr_skip_elements(cdr, count, 4);
        break;
    case 3: /* ATT_LONG64 */
    case 5: /* ATT_DOUBLE */
    case 9: /* ATT_ULONG64 */
        count = cdr_u32(cdr);
        cdr_skip_elements(cdr, count, 8);
        break;
    case 10: /* ATT_STRING. Each element takes 4 bytes at least, so the frame bounds the loop, which
                costs little of what it costs Tango to make strings of them. */
        count = cdr_u32(cdr);
        for (uint32_t i = 0; i < count && cdr->ok; i++)
            cdr_skip_bytes(cdr);
        break;
    case 12: /* DEVICE_STATE */
        cdr_u32(cdr);
        break;
    case 13: /* ATT_ENCODED: sequence of { string format; sequence<octet> data } */
        count = cdr_u32(cdr);
        for (uint32_t i = 0; i < count && cdr->ok; i++) {
            cdr_skip_bytes(cdr);
            cdr_skip_bytes(cdr);
        }
        break;
    case 14: /* ATT_NO_DATA: a boolean */
        cdr_skip(cdr, 1);
        break;
    default:
        cdr->ok = false;
        break;
    }
}

/* struct TimeVal { long tv_sec; long tv_usec; long tv_nsec; } */
static bool read_time_val(cdr_t *cdr, int64_t *time_ns)
{
    int64_t seconds = (int32_t)cdr_u32(cdr);
    uint32_t micros = cdr_u32(cdr);
    uint32_t nanos = cdr_u32(cdr);
    if (!cdr->ok || micros >= 1000000 || nanos >= 1000)
        return false;
    *time_ns = (seconds * 1000000 + micros) * 1000 + nanos;
    return true;
}

bool wire_read_time(const char *topic, size_t topic_length, const void *data, size_t size,
                    bool little_endian, bool is_error, int64_t *time_ns)
{
    if (is_error)
        return false;

    /* The data begin after 4 bytes of padding, a pipe's after 8. */
    event_kind_t kind = topic_name_kind(topic, topic_length);
    size_t padding = kind == EVENT_PIPE ? 8 : 4;
    if (size < padding)
        return false;
    cdr_t cdr = {.data = (const uint8_t *)data + padding,
                 .size = size - padding,
                 .little_endian = little_endian,
                 .ok = true};

    if (kind == EVENT_PIPE) {
        /* struct DevPipeData { string name; TimeVal time; ... } */
        cdr_skip_bytes(&cdr);
        return read_time_val(&cdr, time_ns);
    }
    if (kind != EVENT_ATT_VALUE)
        return false;

    /*
     * struct AttributeValue_5 { AttrValUnion value; AttrQuality quality; AttrDataFormat
     * data_format; long data_type; TimeVal time; ... }, and _4 without the data_type. The _3 of yet
     * older devices begins with an any; its first number is not an AttributeDataType, or the rest
     * fails the checks on the two enums.
     */
    skip_value_union(&cdr);
    uint32_t quality = cdr_u32(&cdr);
    uint32_t format = cdr_u32(&cdr);
    if (quality > 4 || format > 3)
        return false;
    if (topic_name_idl_level(topic, topic_length) >= 5)
        cdr_u32(&cdr);
    return read_time_val(&cdr, time_ns);
}

/* Returns the string at *at, and moves *at after its NUL; NULL if it doesn't end in the message. */
static const char *take_string(const char *data, size_t size, size_t *at)
{
    const char *text = data + *at;
    const char *end = *at < size ? memchr(text, '\0', size - *at) : NULL;
    if (!end)
        return NULL;
    *at = (size_t)(end - data) + 1;
    return text;
}

bool wire_read_control(const void *data, size_t size, wire_control_t *command)
{
    const char *bytes = data;
    *command = (wire_control_t){.code = WIRE_CONTROL_UNKNOWN};
    if (size < 1)
        return false;
    if ((unsigned char)bytes[0] < WIRE_CONTROL_UNKNOWN)
        command->code = (wire_control_code_t)bytes[0];

    size_t at;
    switch (command->code) {
    case WIRE_CONTROL_CONNECT_HEARTBEAT:
    case WIRE_CONTROL_CONNECT_EVENT:
    case WIRE_CONTROL_CONNECT_MCAST_EVENT:
        at = 2; /* after the flag "force reconnect" */
        command->endpoint = take_string(bytes, size, &at);
        command->topic = command->endpoint ? take_string(bytes, size, &at) : NULL;
        return command->topic != NULL;
    case WIRE_CONTROL_DISCONNECT_HEARTBEAT:
        at = 1;
        command->topic = take_string(bytes, size, &at);
        command->endpoint = command->topic ? take_string(bytes, size, &at) : NULL;
        command->event_endpoint = command->endpoint ? take_string(bytes, size, &at) : NULL;
        return command->topic != NULL;
    case WIRE_CONTROL_DISCONNECT_EVENT:
        at = 1;
        command->topic = take_string(bytes, size, &at);
        command->endpoint = command->topic ? take_string(bytes, size, &at) : NULL;
        return command->topic != NULL;
    default:
        return true;
    }
}
