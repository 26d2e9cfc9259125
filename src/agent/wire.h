/*
 * wire: decodes what cppTango sends over ZeroMQ. Nothing else: no state, no counting.
 *
 * Every offset and code of the protocol that the agent relies on stands in wire.c, seen on cppTango
 * 9.3.4, 10.0.2 and 10.3.3 (the layouts themselves: tango.idl, and OMG's CDR). All input is
 * untrusted: no function reads outside [data, data + size).
 */
#ifndef STEM_AGENT_WIRE_H
#define STEM_AGENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The frames of an event, in their order. A heartbeat has the first three. */
enum { WIRE_FRAME_TOPIC, WIRE_FRAME_ENDIAN, WIRE_FRAME_CALL, WIRE_FRAME_DATA, WIRE_FRAME_COUNT };

/* Longest topic that cppTango can subscribe to: its orders are built in buffers of 1024 bytes. */
enum { WIRE_TOPIC_MAX = 1023 };

typedef enum {
    WIRE_ATT_VALUE, /* change, periodic, archive, alarm, user_event */
    WIRE_ATT_CONF,
    WIRE_ATT_READY,
    WIRE_DEV_INTR,
    WIRE_PIPE,
    WIRE_UNKNOWN
} wire_event_kind_t;

typedef struct {
    uint32_t counter; /* the server counter, "ctr" */
    bool is_error;    /* the data is a DevErrorList */
} wire_call_t;

/* Whether the endian frame says little endian (1). */
bool wire_is_little_endian(const void *data, size_t size);

/* Reads frame 3, ZmqCallInfo. False if it is too short or inconsistent. */
bool wire_read_call(const void *data, size_t size, bool little_endian, wire_call_t *call);

/* Whether a topic is a heartbeat's: it ends in ".heartbeat". */
bool wire_is_heartbeat(const char *topic, size_t length);

/* Whether a first frame looks like a topic at all: "tango://", at most WIRE_TOPIC_MAX long, and no
   NUL in it, behind which two topics would look the same in the answer. */
bool wire_is_topic(const char *topic, size_t length);

/* The kind of event that a topic carries, from what stands behind its last dot. */
wire_event_kind_t wire_event_kind(const char *topic, size_t length);

/*
 * Copies a topic without its IDL level, the name of the event stream: ".../attr.idl5_change" gives
 * ".../attr.change". out needs room for length bytes; no NUL is added. Returns the new length.
 */
size_t wire_stream_name(const char *topic, size_t length, char *out);

/*
 * The attribute's name in a topic, as the built-in command shows it: what stands between the last
 * slash and the last dot. Returns a pointer into topic and sets *name_length.
 */
const char *wire_attribute_name(const char *topic, size_t length, size_t *name_length);

/*
 * The timestamp that an event carries, in nanoseconds since the epoch: an attribute's or a pipe's.
 * data, size: frame 4. False for kinds without one, for errors, for the oldest layout
 * (AttributeValue_3, a CORBA any), and for data that can't be read.
 */
bool wire_read_time(const char *topic, size_t topic_length, const void *data, size_t size,
                    bool little_endian, bool is_error, int64_t *time_ns);

typedef enum {
    WIRE_ORDER_END = 0,
    WIRE_ORDER_CONNECT_HEARTBEAT,
    WIRE_ORDER_DISCONNECT_HEARTBEAT,
    WIRE_ORDER_CONNECT_EVENT,
    WIRE_ORDER_DISCONNECT_EVENT,
    WIRE_ORDER_CONNECT_MCAST_EVENT,
    WIRE_ORDER_DELAY_EVENT,
    WIRE_ORDER_RELEASE_EVENT,
    WIRE_ORDER_UNKNOWN
} wire_order_code_t;

/* An order to the consumer thread; the strings are NUL-terminated and lie inside the message. */
typedef struct {
    wire_order_code_t code;
    const char *topic;          /* NULL where the order has none */
    const char *endpoint;       /* heartbeat or event endpoint; NULL where it has none */
    const char *event_endpoint; /* DISCONNECT_HEARTBEAT only */
} wire_order_t;

/*
 * Reads an order. False if it is empty or a string in it doesn't end. A code that isn't known is
 * WIRE_ORDER_UNKNOWN, and true.
 */
bool wire_read_order(const void *data, size_t size, wire_order_t *order);

#endif
