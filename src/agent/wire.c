#include "agent/wire.h"

#include <string.h>

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

/* A string, or a sequence of octets: both are a length and as many bytes. */
static void cdr_skip_bytes(cdr_t *cdr)
{
    cdr_skip(cdr, cdr_u32(cdr));
}

bool wire_is_little_endian(const void *data, size_t size)
{
    return size >= 1 && *(const uint8_t *)data == 1;
}

bool wire_read_call(const void *data, size_t size, bool little_endian, wire_call_t *call)
{
    /* struct ZmqCallInfo: long version; unsigned long ctr; string method_name;
       sequence<octet> oid; boolean call_is_except. */
    cdr_t cdr = {.data = data, .size = size, .little_endian = little_endian, .ok = true};
    cdr_u32(&cdr);
    call->counter = cdr_u32(&cdr);
    cdr_skip_bytes(&cdr);
    cdr_skip_bytes(&cdr);
    size_t at = cdr.offset;
    cdr_skip(&cdr, 1);
    call->is_error = cdr.ok && cdr.data[at] != 0;
    return cdr.ok;
}

static const char *last_of(const char *text, size_t length, char wanted)
{
    return memrchr(text, wanted, length);
}

static bool equals(const char *text, size_t length, const char *literal)
{
    return length == strlen(literal) && memcmp(text, literal, length) == 0;
}

bool wire_is_heartbeat(const char *topic, size_t length)
{
    static const char suffix[] = ".heartbeat";
    size_t suffix_length = sizeof suffix - 1;
    return length >= suffix_length &&
           memcmp(topic + length - suffix_length, suffix, suffix_length) == 0;
}

bool wire_is_topic(const char *topic, size_t length)
{
    static const char prefix[] = "tango://";
    size_t prefix_length = sizeof prefix - 1;
    return length > prefix_length && length <= WIRE_TOPIC_MAX &&
           memcmp(topic, prefix, prefix_length) == 0 && !memchr(topic, '\0', length);
}

/*
 * The event's name in a topic, behind its last dot, and its IDL level: "idl5_change" is "change"
 * with level 5, "change" is level 0 (an older layout). NULL if there is no dot.
 */
static const char *event_name(const char *topic, size_t length, size_t *name_length, int *idl)
{
    const char *dot = last_of(topic, length, '.');
    if (!dot)
        return NULL;
    const char *name = dot + 1;
    size_t left = (size_t)(topic + length - name);
    *idl = 0;
    if (left > 5 && memcmp(name, "idl", 3) == 0 && name[3] >= '1' && name[3] <= '9' &&
        name[4] == '_') {
        *idl = name[3] - '0';
        name += 5;
        left -= 5;
    }
    *name_length = left;
    return name;
}

wire_event_kind_t wire_event_kind(const char *topic, size_t length)
{
    static const struct {
        const char *name;
        wire_event_kind_t kind;
    } kinds[] = {
        {"change", WIRE_ATT_VALUE},     {"periodic", WIRE_ATT_VALUE},
        {"archive", WIRE_ATT_VALUE},    {"user_event", WIRE_ATT_VALUE},
        {"alarm", WIRE_ATT_VALUE},      {"quality", WIRE_ATT_VALUE},
        {"attr_conf", WIRE_ATT_CONF},   {"data_ready", WIRE_ATT_READY},
        {"intr_change", WIRE_DEV_INTR}, {"pipe", WIRE_PIPE},
    };
    size_t name_length;
    int idl;
    const char *name = event_name(topic, length, &name_length, &idl);
    if (!name)
        return WIRE_UNKNOWN;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (equals(name, name_length, kinds[i].name))
            return kinds[i].kind;
    }
    return WIRE_UNKNOWN;
}

size_t wire_stream_name(const char *topic, size_t length, char *out)
{
    size_t name_length;
    int idl;
    const char *name = event_name(topic, length, &name_length, &idl);
    if (!name || idl == 0) {
        memcpy(out, topic, length);
        return length;
    }
    size_t head = (size_t)(name - topic) - 5;
    memcpy(out, topic, head);
    memcpy(out + head, name, name_length);
    return head + name_length;
}

const char *wire_attribute_name(const char *topic, size_t length, size_t *name_length)
{
    const char *dot = last_of(topic, length, '.');
    size_t end = dot ? (size_t)(dot - topic) : length;
    const char *slash = last_of(topic, end, '/');
    const char *name = slash ? slash + 1 : topic;
    *name_length = end - (size_t)(name - topic);
    return name;
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

    /* The data begin behind 4 bytes of padding, a pipe's behind 8. */
    wire_event_kind_t kind = wire_event_kind(topic, topic_length);
    size_t padding = kind == WIRE_PIPE ? 8 : 4;
    if (size < padding)
        return false;
    cdr_t cdr = {.data = (const uint8_t *)data + padding,
                 .size = size - padding,
                 .little_endian = little_endian,
                 .ok = true};

    if (kind == WIRE_PIPE) {
        /* struct DevPipeData { string name; TimeVal time; ... } */
        cdr_skip_bytes(&cdr);
        return read_time_val(&cdr, time_ns);
    }
    if (kind != WIRE_ATT_VALUE)
        return false;

    /*
     * struct AttributeValue_5 { AttrValUnion value; AttrQuality quality; AttrDataFormat
     * data_format; long data_type; TimeVal time; ... }, and _4 without the data_type. The _3 of yet
     * older devices begins with an any; its first number is no AttributeDataType, or what follows
     * fails the checks on the two enums.
     */
    size_t name_length;
    int idl = 0;
    const char *name = event_name(topic, topic_length, &name_length, &idl);
    if (!name)
        return false;
    /* Alarm events came with cppTango 10.0, later than the older layouts: they name no level. */
    if (equals(name, name_length, "alarm"))
        idl = 5;
    skip_value_union(&cdr);
    uint32_t quality = cdr_u32(&cdr);
    uint32_t format = cdr_u32(&cdr);
    if (quality > 4 || format > 3)
        return false;
    if (idl >= 5)
        cdr_u32(&cdr);
    return read_time_val(&cdr, time_ns);
}

/* The string at *at, and moves *at behind its NUL; NULL if it doesn't end in the message. */
static const char *take_string(const char *data, size_t size, size_t *at)
{
    const char *text = data + *at;
    const char *end = *at < size ? memchr(text, '\0', size - *at) : NULL;
    if (!end)
        return NULL;
    *at = (size_t)(end - data) + 1;
    return text;
}

bool wire_read_order(const void *data, size_t size, wire_order_t *order)
{
    const char *bytes = data;
    *order = (wire_order_t){.code = WIRE_ORDER_UNKNOWN};
    if (size < 1)
        return false;
    if ((unsigned char)bytes[0] < WIRE_ORDER_UNKNOWN)
        order->code = (wire_order_code_t)bytes[0];

    size_t at;
    switch (order->code) {
    case WIRE_ORDER_CONNECT_HEARTBEAT:
    case WIRE_ORDER_CONNECT_EVENT:
    case WIRE_ORDER_CONNECT_MCAST_EVENT:
        at = 2; /* behind the flag "force reconnect" */
        order->endpoint = take_string(bytes, size, &at);
        order->topic = order->endpoint ? take_string(bytes, size, &at) : NULL;
        return order->topic != NULL;
    case WIRE_ORDER_DISCONNECT_HEARTBEAT:
        at = 1;
        order->topic = take_string(bytes, size, &at);
        order->endpoint = order->topic ? take_string(bytes, size, &at) : NULL;
        order->event_endpoint = order->endpoint ? take_string(bytes, size, &at) : NULL;
        return order->topic != NULL;
    case WIRE_ORDER_DISCONNECT_EVENT:
        at = 1;
        order->topic = take_string(bytes, size, &at);
        order->endpoint = order->topic ? take_string(bytes, size, &at) : NULL;
        return order->topic != NULL;
    default:
        return true;
    }
}
