/*
 * wire: decodes what cppTango sends over ZeroMQ. Nothing else: no state, no counting. For its
 * names, see topic_name.h.
 *
 * Every offset and code of the protocol that the agent relies on is in wire.c, seen on cppTango
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

typedef struct {
    uint32_t counter; /* the server counter, "ctr" */
    bool is_error;    /* the data is a DevErrorList */
} wire_call_t;

/* Whether the endian frame means little endian: anything but 0, as cppTango reads it. */
bool wire_is_little_endian(const void *data, size_t size);

/* Reads frame 3, ZmqCallInfo. False if it is too short or inconsistent, so that cppTango refuses
 * it. */
bool wire_read_call(const void *data, size_t size, bool little_endian, wire_call_t *call);

/*
 * The timestamp that an event carries, in nanoseconds since the epoch: an attribute's or a pipe's.
 * data, size: frame 4. False for kinds without one, for errors, for the oldest layout
 * (AttributeValue_3, a CORBA any), and for data that can't be read.
 */
bool wire_read_time(const char *topic, size_t topic_length, const void *data, size_t size,
                    bool little_endian, bool is_error, int64_t *time_ns);

typedef enum {
    WIRE_CONTROL_END = 0,
    WIRE_CONTROL_CONNECT_HEARTBEAT,
    WIRE_CONTROL_DISCONNECT_HEARTBEAT,
    WIRE_CONTROL_CONNECT_EVENT,
    WIRE_CONTROL_DISCONNECT_EVENT,
    WIRE_CONTROL_CONNECT_MCAST_EVENT,
    WIRE_CONTROL_DELAY_EVENT,
    WIRE_CONTROL_RELEASE_EVENT,
    WIRE_CONTROL_UNKNOWN
} wire_control_code_t;

/* A control command to the consumer thread; the strings are NUL-terminated and lie inside the
   message. */
typedef struct {
    wire_control_code_t code;
    const char *topic;          /* NULL if the command has none */
    const char *endpoint;       /* heartbeat or event endpoint; NULL where it has none */
    const char *event_endpoint; /* DISCONNECT_HEARTBEAT only */
} wire_control_t;

/*
 * Reads a control command. False if it is empty or a string in it doesn't end. An unknown code
 * gives WIRE_CONTROL_UNKNOWN, and true.
 */
bool wire_read_control(const void *data, size_t size, wire_control_t *command);

#endif
