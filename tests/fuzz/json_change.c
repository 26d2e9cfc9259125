#include "json_change.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Texts that a reader may take for something that they aren't. */
static const char *strange_text(unsigned which)
{
    static const char *const texts[] = {
        "",
        "tango://h:1/a/b/c/attr.idl5_change",
        "\033[2J\xe2\x80\xae\xc2\x85\xcc\x81\xe4\xb8\xad",
        "tango://h:1/dserver/a/b",
        "tango:///dserver/a/b#dbase=no",
        "%s%n\n]]><a b=\"&amp;'/>\x01",
        "polling",
        "callbacks",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999+23:59",
        "2026-11-23T03:00:01.500+00:00",
        "tcp://[::1]:0",
        "tcp://*:1",
        "tcp://127.0.0.1:65535",
        "ipc://x",
    };
    return texts[which % (sizeof texts / sizeof *texts)];
}

/* A value that may be wrong where it is inserted. */
static json_t *strange_value(unsigned which)
{
    switch (which % 14) {
    case 0:
        return json_null();
    case 1:
        return json_true();
    case 2:
        return json_integer(0);
    case 3:
        return json_integer(-1);
    case 4:
        return json_integer(INT64_MAX);
    case 5:
        return json_integer(INT64_MIN);
    case 6:
        return json_real(0.5);
    case 7:
        return json_real(12.0);
    case 8:
        return json_real(1e300);
    case 9:
    case 10:
    case 11:
        return json_string(strange_text(which / 14));
    case 12:
        return json_array();
    default:
        return json_object();
    }
}

static const char *key_at(json_t *object, size_t place)
{
    void *iterator = json_object_iter(object);
    while (place-- > 0)
        iterator = json_object_iter_next(object, iterator);
    return json_object_iter_key(iterator);
}

unsigned json_change_random(unsigned *random)
{
    *random = *random * 1103515245U + 12345U;
    return *random >> 8 & 0xffffU;
}

static void change_object(json_t *object, unsigned *random)
{
    static const char *const keys[] = {"version",    "server",    "client",   "agent", "perf",
                                       "perf_stats", "attr_name", "att_name", "topic"};
    size_t size = json_object_size(object);
    unsigned what = json_change_random(random) % 4;
    if (size == 0 || what == 0) {
        const char *key = keys[json_change_random(random) % (sizeof keys / sizeof *keys)];
        json_object_set_new(object, key, strange_value(json_change_random(random)));
        return;
    }
    char *key = strdup(key_at(object, json_change_random(random) % size));
    if (what == 1) {
        json_object_del(object, key);
    } else if (what == 2) {
        json_object_set_new(object, key, strange_value(json_change_random(random)));
    } else {
        json_t *copy = json_deep_copy(json_object_get(object, key));
        json_object_set_new(object, key_at(object, json_change_random(random) % size), copy);
    }
    free(key);
}

static void change_list(json_t *list, unsigned *random)
{
    size_t size = json_array_size(list);
    unsigned what = json_change_random(random) % 3;
    if (size == 0 || what == 0)
        json_array_append_new(list, strange_value(json_change_random(random)));
    else if (what == 1)
        json_array_remove(list, json_change_random(random) % size);
    else
        json_array_set_new(list, json_change_random(random) % size,
                           strange_value(json_change_random(random)));
}

void json_change(json_t *value, unsigned *random)
{
    size_t size = json_is_object(value) ? json_object_size(value) : json_array_size(value);
    if (size > 0 && json_change_random(random) % 4 > 0) {
        size_t place = json_change_random(random) % size;
        json_t *inner = json_is_object(value) ? json_object_get(value, key_at(value, place))
                                              : json_array_get(value, place);
        if (json_is_object(inner) || json_is_array(inner)) {
            json_change(inner, random);
            return;
        }
    }
    if (json_is_object(value))
        change_object(value, random);
    else
        change_list(value, random);
}
