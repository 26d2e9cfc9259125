/*
 * topic_name: parses and makes names of event topics, as cppTango does.
 *
 *     tango://host:port/domain/family/member/attr.idl5_change    an event of an attribute or a pipe
 *     tango://host:port/domain/family/member/attr#dbase=no.idl5_change    without a database
 *     tango://host:port/domain/family/member.intr_change         an event of the whole device
 *     tango://host:port/dserver/server/instance.heartbeat        a heartbeat, of an event channel
 *
 * An event's stream has the topic's name without the IDL level. The rules were seen on cppTango
 * 9.3.4, 10.0.2 and 10.3.3, unless noted otherwise. The monitor's version of them is in
 * response/names.h: the agent uses nothing but libc, so there are two.
 *
 * Names come from other processes: nothing outside of [name, name + length) is read, and a name
 * needs no NUL at its end.
 */
#ifndef STEM_AGENT_TOPIC_NAME_H
#define STEM_AGENT_TOPIC_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Longest topic that cppTango can subscribe to: its control commands are built in buffers of 1024
   bytes. */
enum { TOPIC_NAME_MAX = 1023 };

/* The content of an event; the names are cppTango's own. */
typedef enum {
    EVENT_ATT_VALUE, /* change, periodic, archive, alarm, user_event */
    EVENT_ATT_CONF,
    EVENT_ATT_READY,
    EVENT_DEV_INTR,
    EVENT_PIPE,
    EVENT_UNKNOWN
} event_kind_t;

/* Whether the first frame of a message looks like a topic at all: "tango://", at most
 * TOPIC_NAME_MAX long, and no NUL in it, after which two topics would look the same in the answer.
 */
bool topic_name_is_valid(const char *name, size_t length);

/* The length of "tango://host:port/" at the beginning of a name; 0 if there is none. */
size_t topic_name_host_length(const char *name, size_t length);

/* Whether a name is a heartbeat's. */
bool topic_name_is_heartbeat(const char *name, size_t length);

/*
 * The length of the channel's name in a heartbeat's topic: all but ".heartbeat". False, and nothing
 * set, if it isn't a heartbeat's.
 */
bool topic_name_channel(const char *name, size_t length, size_t *channel_length);

/*
 * Whether a name is that of an event's topic, or a heartbeat's, and doesn't begin with another such
 * name. ZeroMQ delivers what begins with a name that was subscribed to; so if such a name arrives,
 * that name itself was subscribed to, and isn't made up.
 */
bool topic_name_is_subscribed(const char *name, size_t length);

/* The kind of event that a topic carries, from the text after its last dot. */
event_kind_t topic_name_kind(const char *name, size_t length);

/*
 * The IDL level of an event's data: that in its topic, and 5 for alarm events, whose topics have
 * none, since they came with cppTango 10.0, later than the older layouts. 0 is none, an older
 * layout.
 */
int topic_name_idl_level(const char *name, size_t length);

/* The type in an event's name, without its IDL level: "idl5_change" is "change". */
const char *topic_name_event_type(const char *event_name);

/*
 * Copies a topic without its IDL level, the name of the event stream: ".../attr.idl5_change" gives
 * ".../attr.change". out needs length bytes; no NUL is added. Returns the new length.
 */
size_t topic_name_stream(const char *name, size_t length, char *out);

/*
 * The attribute's name in a topic, as the built-in command shows it: the text between the last
 * slash and the last dot. Returns a pointer into name and sets *attribute_length.
 */
const char *topic_name_attribute(const char *name, size_t length, size_t *attribute_length);

/* ---- without a database ---- */

/* Whether a name contains "#dbase=no". */
bool topic_name_has_no_database(const char *name, size_t length);

/* Copies a name without "#dbase=no". out needs length bytes; no NUL is added. Returns the new
 * length; 0 if it isn't in the name. */
size_t topic_name_without_modifier(const char *name, size_t length, char *out);

/*
 * The topic that a DISCONNECT_EVENT means: "tango://host:port/a/b/c#dbase=no/attr.change", as
 * cppTango names a stream of a device without a database there, is the topic
 * "tango://host:port/a/b/c/attr#dbase=no.change". Every other name stays as it is. Copies it, of
 * the same length, with a NUL. False, and nothing copied, if it is empty or longer than
 * TOPIC_NAME_MAX.
 */
bool topic_name_of_disconnect(const char *name, size_t length, char out[TOPIC_NAME_MAX + 1]);

/*
 * The two names that the event of a device's attribute (or pipe) may have after the host, in lower
 * case, the second without a database. attribute is "" for an event of the device, and ignored if
 * event_name, with or without IDL level, is that of such an event. False if they are too long.
 */
bool topic_name_compose(char names[2][TOPIC_NAME_MAX + 1], const char *device,
                        const char *attribute, const char *event_name);

#endif
