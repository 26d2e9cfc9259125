/*
 * names: parses the names of streams, topics, channels and devices in answers.
 *
 *     tango://host:port/domain/family/member/attr.change         a stream
 *     tango://host:port/domain/family/member/attr.idl5_change    one of its topics
 *
 * These rules are for all but the agent, which uses nothing but libc and has its own in
 * agent/tango/topic_name.h; a fuzzer (fuzz_event) compares the two. What users may write for a
 * device, where Tango's client library allows more, is the business of tango/tango_client.
 */
#ifndef STEM_NAMES_H
#define STEM_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The "tango://host:port/" that a name begins with, as its length; 0 if it has none. */
size_t names_prefix_length(const char *name);

/* Whether a watched process is a program without an admin device, "client:NAME" or
 * "client:NAME:PID", as the monitor names it; name may be NULL. */
bool names_is_client(const char *name);

/* The rest of the name. */
const char *names_without_prefix(const char *name);

/*
 * A stream's or topic's name without its IDL level, so that a publisher's stream and its
 * subscribers' topics compare equal: ".../attr.idl5_change" gives ".../attr.change".
 * Returns a new string, owned by the caller.
 */
char *names_stream_of_topic(const char *topic);

/* Removes the event type from a stream's name, if it has one: ".../attr.change" becomes ".../attr".
 * Returns whether it had. */
bool names_cut_event_type(char *stream);

/*
 * Names of devices, channels, streams and topics are the same but for the host if they differ in
 * nothing but "tango://host:port/", upper and lower case, "#dbase=no" and the IDL level.
 */
bool names_are_same_but_host(const char *a, const char *b);

/* Equal for names that are the same but for the host; never 0. */
uint64_t names_hash_but_host(const char *name);

/* Whether two names have the same port in "tango://host:port/"; false if one has none. */
bool names_have_same_port(const char *a, const char *b);

#endif
