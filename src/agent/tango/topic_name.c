#include "agent/tango/topic_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char scheme[] = "tango://";
static const char heartbeat[] = ".heartbeat";
/* In the name of a device without a database. */
static const char no_database[] = "#dbase=no";

/* The length of such a text. */
#define LENGTH(text) (sizeof(text) - 1)

bool topic_name_is_valid(const char *name, size_t length)
{
    return length > LENGTH(scheme) && length <= TOPIC_NAME_MAX &&
           memcmp(name, scheme, LENGTH(scheme)) == 0 && !memchr(name, '\0', length);
}

size_t topic_name_host_length(const char *name, size_t length)
{
    static const char mark[] = "://";
    const char *host = memmem(name, length, mark, LENGTH(mark));
    if (!host)
        return 0;
    host += LENGTH(mark);
    const char *slash = memchr(host, '/', (size_t)(name + length - host));
    return slash ? (size_t)(slash - name) + 1 : 0;
}

bool topic_name_channel(const char *name, size_t length, size_t *channel_length)
{
    if (length < LENGTH(heartbeat) ||
        memcmp(name + length - LENGTH(heartbeat), heartbeat, LENGTH(heartbeat)) != 0)
        return false;
    *channel_length = length - LENGTH(heartbeat);
    return true;
}

bool topic_name_is_heartbeat(const char *name, size_t length)
{
    size_t channel_length;
    return topic_name_channel(name, length, &channel_length);
}

/* ---- the event ---- */

enum { LEVEL_LENGTH = 5 }; /* "idl5_" */

/* The IDL level that an event's name begins with; 0 if there is none, or nothing after it. */
static int level_of(const char *event_name, size_t length)
{
    bool has_level = length > LEVEL_LENGTH && memcmp(event_name, "idl", 3) == 0 &&
                     event_name[3] >= '1' && event_name[3] <= '9' && event_name[4] == '_';
    return has_level ? event_name[3] - '0' : 0;
}

/*
 * The event's type in a topic, after its last dot, and its IDL level: "idl5_change" is "change"
 * with level 5, "change" is level 0. NULL if there is no dot.
 */
static const char *event_type(const char *name, size_t length, size_t *type_length, int *level)
{
    const char *dot = memrchr(name, '.', length);
    if (!dot)
        return NULL;
    const char *type = dot + 1;
    size_t left = (size_t)(name + length - type);
    *level = level_of(type, left);
    if (*level > 0) {
        type += LEVEL_LENGTH;
        left -= LEVEL_LENGTH;
    }
    *type_length = left;
    return type;
}

static bool equals(const char *text, size_t length, const char *literal)
{
    return length == strlen(literal) && memcmp(text, literal, length) == 0;
}

/* The types, and how many slashes are before the dot: those in "domain/family/member/attribute". */
static const struct {
    const char *type;
    event_kind_t kind;
    int slashes;
} kinds[] = {
    {"change", EVENT_ATT_VALUE, 3},     {"periodic", EVENT_ATT_VALUE, 3},
    {"archive", EVENT_ATT_VALUE, 3},    {"user_event", EVENT_ATT_VALUE, 3},
    {"alarm", EVENT_ATT_VALUE, 3},      {"quality", EVENT_ATT_VALUE, 3},
    {"attr_conf", EVENT_ATT_CONF, 3},   {"data_ready", EVENT_ATT_READY, 3},
    {"intr_change", EVENT_DEV_INTR, 2}, {"pipe", EVENT_PIPE, 3},
};

event_kind_t topic_name_kind(const char *name, size_t length)
{
    size_t type_length;
    int level;
    const char *type = event_type(name, length, &type_length, &level);
    if (!type)
        return EVENT_UNKNOWN;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (equals(type, type_length, kinds[i].type))
            return kinds[i].kind;
    return EVENT_UNKNOWN;
}

static bool begins(const char *text, size_t length, const char *literal)
{
    size_t wanted = strlen(literal);
    return length >= wanted && memcmp(text, literal, wanted) == 0;
}

/* The length of an event's type at the beginning of the text behind that many slashes and a dot; 0
 * if there is none. */
static size_t type_length_at(const char *text, size_t length, int slashes)
{
    size_t level = level_of(text, length) > 0 ? LEVEL_LENGTH : 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].slashes == slashes && begins(text + level, length - level, kinds[i].type))
            return level + strlen(kinds[i].type);
    if (slashes == 2 && begins(text, length, heartbeat + 1))
        return LENGTH(heartbeat) - 1;
    return 0;
}

bool topic_name_is_subscribed(const char *name, size_t length)
{
    size_t host = topic_name_host_length(name, length);
    int slashes = 0;
    for (size_t i = host; host > 0 && i < length; i++) {
        if (name[i] == '/')
            slashes++;
        size_t type = name[i] == '.' ? type_length_at(name + i + 1, length - i - 1, slashes) : 0;
        if (type > 0)
            return i + 1 + type == length;
    }
    return false;
}

int topic_name_idl_level(const char *name, size_t length)
{
    size_t type_length;
    int level;
    const char *type = event_type(name, length, &type_length, &level);
    if (!type)
        return 0;
    return equals(type, type_length, "alarm") ? 5 : level;
}

const char *topic_name_event_type(const char *event_name)
{
    return level_of(event_name, strlen(event_name)) > 0 ? event_name + LEVEL_LENGTH : event_name;
}

size_t topic_name_stream(const char *name, size_t length, char *out)
{
    size_t type_length;
    int level;
    const char *type = event_type(name, length, &type_length, &level);
    if (!type || level == 0) {
        memcpy(out, name, length);
        return length;
    }
    size_t head = (size_t)(type - name) - LEVEL_LENGTH;
    memcpy(out, name, head);
    memcpy(out + head, type, type_length);
    return head + type_length;
}

const char *topic_name_attribute(const char *name, size_t length, size_t *attribute_length)
{
    const char *dot = memrchr(name, '.', length);
    size_t end = dot ? (size_t)(dot - name) : length;
    const char *slash = memrchr(name, '/', end);
    const char *attribute = slash ? slash + 1 : name;
    *attribute_length = end - (size_t)(attribute - name);
    return attribute;
}

/* ---- without a database ---- */

static const char *modifier_in(const char *name, size_t length)
{
    return memmem(name, length, no_database, LENGTH(no_database));
}

bool topic_name_has_no_database(const char *name, size_t length)
{
    return modifier_in(name, length) != NULL;
}

size_t topic_name_without_modifier(const char *name, size_t length, char *out)
{
    const char *modifier = modifier_in(name, length);
    if (!modifier)
        return 0;
    size_t head = (size_t)(modifier - name);
    size_t tail = length - head - LENGTH(no_database);
    memcpy(out, name, head);
    memcpy(out + head, modifier + LENGTH(no_database), tail);
    return head + tail;
}

bool topic_name_of_disconnect(const char *name, size_t length, char out[TOPIC_NAME_MAX + 1])
{
    if (length == 0 || length > TOPIC_NAME_MAX)
        return false;
    const char *modifier = modifier_in(name, length);
    const char *dot = memrchr(name, '.', length);
    const char *rest = modifier ? modifier + LENGTH(no_database) : name;
    out[length] = '\0';
    if (!modifier || !dot || dot < rest || *rest != '/') {
        memcpy(out, name, length);
        return true;
    }
    size_t head = (size_t)(modifier - name);
    size_t middle = (size_t)(dot - rest);
    memcpy(out, name, head);
    memcpy(out + head, rest, middle);
    memcpy(out + head + middle, no_database, LENGTH(no_database));
    memcpy(out + head + middle + LENGTH(no_database), dot, (size_t)(name + length - dot));
    return true;
}

/* A device event has no attribute in its name. */
static bool is_device_event(const char *event_name)
{
    return strcmp(topic_name_event_type(event_name), "intr_change") == 0;
}

bool topic_name_compose(char names[2][TOPIC_NAME_MAX + 1], const char *device,
                        const char *attribute, const char *event_name)
{
    static const char *const modifiers[2] = {"", no_database};
    if (is_device_event(event_name))
        attribute = "";
    for (size_t i = 0; i < 2; i++) {
        int length = snprintf(names[i], TOPIC_NAME_MAX + 1, "%s%s%s%s.%s", device,
                              *attribute ? "/" : "", attribute, modifiers[i], event_name);
        if (length < 0 || length > TOPIC_NAME_MAX)
            return false;
        for (char *p = names[i]; *p; p++)
            *p = (char)tolower((unsigned char)*p);
    }
    return true;
}
