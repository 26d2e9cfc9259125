/* What the agent reads from the names of topics, and which names it makes of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tango/topic_name.h"
#include "cmocka_all.h"

#define HOST    "tango://host:10000/"
#define DEVICE  HOST "sys/tg_test/1/attr"
#define CHANNEL HOST "dserver/pub/1"

/* A name in an allocation of its exact size, without NUL, so that a sanitizer detects a read beyond
 * it. */
static char *exact(const char *name, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);
    memcpy(copy, name, length);
    return copy;
}

static void stream_names_lose_their_idl_level(void **state)
{
    (void)state;
    static const struct {
        const char *topic, *stream;
    } cases[] = {
        {DEVICE ".idl5_change", DEVICE ".change"},
        {DEVICE "#dbase=no.idl5_user_event", DEVICE "#dbase=no.user_event"},
        {DEVICE ".periodic", DEVICE ".periodic"},
        {"tango://h:1/a/b/c.intr_change", "tango://h:1/a/b/c.intr_change"},
        {"tango://h.example.org:1/a/b/idl5_x.idl4_attr_conf",
         "tango://h.example.org:1/a/b/idl5_x.attr_conf"},
        {"no dot", "no dot"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[TOPIC_NAME_MAX];
        char *topic = exact(cases[i].topic, strlen(cases[i].topic));
        size_t length = topic_name_stream(topic, strlen(cases[i].topic), name);
        assert_int_equal(length, strlen(cases[i].stream));
        assert_memory_equal(name, cases[i].stream, length);
        free(topic);
    }
}

static int level_of(const char *topic)
{
    return topic_name_idl_level(topic, strlen(topic));
}

static void levels_are_those_of_the_data(void **state)
{
    (void)state;
    assert_int_equal(level_of(DEVICE ".idl5_change"), 5);
    assert_int_equal(level_of(DEVICE "#dbase=no.idl4_change"), 4);
    assert_int_equal(level_of(DEVICE ".change"), 0);
    assert_int_equal(level_of(DEVICE ".idl0_change"), 0); /* there is no such level */
    assert_int_equal(level_of(DEVICE ".idl5_"), 0);
    assert_int_equal(level_of("tango://h:1/a/b/c/idl5_x"), 0);
    /* Newer than all older layouts. */
    assert_int_equal(level_of(DEVICE ".alarm"), 5);
}

static void event_types_have_no_level(void **state)
{
    (void)state;
    assert_string_equal(topic_name_event_type("idl5_change"), "change");
    assert_string_equal(topic_name_event_type("change"), "change");
    assert_string_equal(topic_name_event_type("idl5_user_event"), "user_event");
    assert_string_equal(topic_name_event_type("idl5_"), "idl5_");
    assert_string_equal(topic_name_event_type(""), "");
}

static void attribute_names_are_found(void **state)
{
    (void)state;
    size_t length;
    const char *topic = DEVICE "#dbase=no.idl5_change";
    const char *name = topic_name_attribute(topic, strlen(topic), &length);
    assert_int_equal(length, strlen("attr#dbase=no"));
    assert_memory_equal(name, "attr#dbase=no", length);
    name = topic_name_attribute("x", 1, &length);
    assert_int_equal(length, 1);
    assert_memory_equal(name, "x", 1);
}

static event_kind_t kind_of(const char *topic)
{
    return topic_name_kind(topic, strlen(topic));
}

static void topics_and_heartbeats_are_told_apart(void **state)
{
    (void)state;
    const char *heartbeat = CHANNEL ".heartbeat";
    assert_true(topic_name_is_heartbeat(heartbeat, strlen(heartbeat)));
    assert_true(topic_name_is_valid(heartbeat, strlen(heartbeat)));
    assert_false(topic_name_is_heartbeat(DEVICE ".change", strlen(DEVICE ".change")));
    assert_false(topic_name_is_valid("I like beer", strlen("I like beer")));
    assert_false(topic_name_is_valid("tango://", 8));
    assert_false(topic_name_is_valid("tango://h:1/a\0/b/c/attr.change", 30));
    assert_int_equal(kind_of(DEVICE ".pipe"), EVENT_PIPE);
    assert_int_equal(kind_of(DEVICE ".odd"), EVENT_UNKNOWN);
    assert_int_equal(kind_of("nodot"), EVENT_UNKNOWN);
    /* There is no level 0; the stream's name keeps it, too. */
    assert_int_equal(kind_of(DEVICE ".idl0_change"), EVENT_UNKNOWN);
}

static void a_topic_has_1023_bytes_at_most(void **state)
{
    (void)state;
    char name[TOPIC_NAME_MAX + 1];
    memset(name, 'a', sizeof name);
    memcpy(name, HOST, strlen(HOST));
    assert_true(topic_name_is_valid(name, 1023));
    assert_false(topic_name_is_valid(name, 1024));
}

static void a_heartbeat_names_its_channel(void **state)
{
    (void)state;
    const char *heartbeat = CHANNEL ".heartbeat";
    size_t length = 7;
    assert_true(topic_name_channel(heartbeat, strlen(heartbeat), &length));
    assert_int_equal(length, strlen(CHANNEL));
    length = 7;
    assert_false(topic_name_channel(heartbeat, strlen(heartbeat) - 1, &length));
    assert_false(topic_name_channel("heartbeat", strlen("heartbeat"), &length));
    assert_int_equal(length, 7);
}

static size_t host_length(const char *name, size_t length)
{
    char *copy = exact(name, length);
    size_t result = topic_name_host_length(copy, length);
    free(copy);
    return result;
}

static void the_host_ends_behind_the_first_slash(void **state)
{
    (void)state;
    assert_int_equal(host_length(DEVICE, strlen(DEVICE)), strlen(HOST));
    assert_int_equal(host_length(HOST, strlen(HOST)), strlen(HOST));
    assert_int_equal(host_length(HOST, strlen(HOST) - 1), 0);
    assert_int_equal(host_length("tango:/", 7), 0);
    assert_int_equal(host_length("sys/tg_test/1/attr", 18), 0);
    assert_int_equal(host_length("", 0), 0);
}

static void names_without_a_database_have_a_modifier(void **state)
{
    (void)state;
    static const struct {
        const char *name, *plain;
    } cases[] = {
        {"tango://h:1/a/b/c/attr#dbase=no.change", "tango://h:1/a/b/c/attr.change"},
        {"tango://h:1/a/b/c#dbase=no.intr_change", "tango://h:1/a/b/c.intr_change"},
        {"tango://h:1/a/b/c#dbase=no", "tango://h:1/a/b/c"},
        {"tango://h:1/a/b/c#dbase=n", NULL},
        {"tango://h:1/a/b/c/attr.change", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = strlen(cases[i].name);
        char *name = exact(cases[i].name, length);
        char *plain = exact(cases[i].name, length); /* space for not a byte more */
        assert_int_equal(topic_name_has_no_database(name, length), cases[i].plain != NULL);
        size_t plain_length = topic_name_without_modifier(name, length, plain);
        assert_int_equal(plain_length, cases[i].plain ? strlen(cases[i].plain) : 0);
        if (cases[i].plain)
            assert_memory_equal(plain, cases[i].plain, plain_length);
        free(plain);
        free(name);
    }
}

static void a_disconnect_event_names_the_topic_in_another_way(void **state)
{
    (void)state;
    static const struct {
        const char *name, *topic;
    } cases[] = {
        {"tango://h:1/a/b/c#dbase=no/attr.idl5_change",
         "tango://h:1/a/b/c/attr#dbase=no.idl5_change"},
        /* Every other name is its own. */
        {"tango://h:1/a/b/c/attr.idl5_change", "tango://h:1/a/b/c/attr.idl5_change"},
        {"tango://h:1/a/b/c/attr#dbase=no.change", "tango://h:1/a/b/c/attr#dbase=no.change"},
        {"tango://h:1/a/b/c#dbase=no.intr_change", "tango://h:1/a/b/c#dbase=no.intr_change"},
        {"tango://h.org:1/a/b/c#dbase=no/attr", "tango://h.org:1/a/b/c#dbase=no/attr"},
        {"tango://h:1/a/b/c#dbase=not/attr.change", "tango://h:1/a/b/c#dbase=not/attr.change"},
        {"tango://h:1/a/b/c#dbase=no", "tango://h:1/a/b/c#dbase=no"},
    };
    char topic[TOPIC_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = strlen(cases[i].name);
        char *name = exact(cases[i].name, length);
        assert_true(topic_name_of_disconnect(name, length, topic));
        assert_string_equal(topic, cases[i].topic);
        free(name);
    }
    char longest[TOPIC_NAME_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_true(topic_name_of_disconnect(longest, TOPIC_NAME_MAX, topic));
    assert_int_equal(strlen(topic), TOPIC_NAME_MAX);
    assert_false(topic_name_of_disconnect(longest, TOPIC_NAME_MAX + 1, topic));
    assert_false(topic_name_of_disconnect("", 0, topic));
}

static void names_are_composed_with_and_without_a_database(void **state)
{
    (void)state;
    char names[2][TOPIC_NAME_MAX + 1];
    assert_true(topic_name_compose(names, "Sys/TG_test/1", "Attr", "idl5_change"));
    assert_string_equal(names[0], "sys/tg_test/1/attr.idl5_change");
    assert_string_equal(names[1], "sys/tg_test/1/attr#dbase=no.idl5_change");
    /* An event of the device has no attribute, whatever is said. */
    assert_true(topic_name_compose(names, "a/b/c", "attr", "idl5_intr_change"));
    assert_string_equal(names[0], "a/b/c.idl5_intr_change");
    assert_string_equal(names[1], "a/b/c#dbase=no.idl5_intr_change");
    assert_true(topic_name_compose(names, "a/b/c", "", "intr_change"));
    assert_string_equal(names[0], "a/b/c.intr_change");

    /* The longer of the two fits, or not. */
    char attribute[TOPIC_NAME_MAX + 1];
    size_t length = TOPIC_NAME_MAX - strlen("a/b/c/#dbase=no.change");
    memset(attribute, 'a', sizeof attribute);
    attribute[length] = '\0';
    assert_true(topic_name_compose(names, "a/b/c", attribute, "change"));
    assert_int_equal(strlen(names[1]), TOPIC_NAME_MAX);
    attribute[length] = 'a';
    attribute[length + 1] = '\0';
    assert_false(topic_name_compose(names, "a/b/c", attribute, "change"));
}

static bool is_subscribed(const char *topic)
{
    return topic_name_is_subscribed(topic, strlen(topic));
}

static void made_up_names_begin_with_those_of_others(void **state)
{
    (void)state;
    static const char *const types[] = {
        "change",    "periodic",   "archive", "user_event",  "alarm",
        "attr_conf", "data_ready", "pipe",    "idl5_change", "idl4_attr_conf",
    };
    char topic[128];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(topic, sizeof topic, "%s.%s", DEVICE, types[i]);
        assert_true(is_subscribed(topic));
        snprintf(topic, sizeof topic, "%s.%s1", DEVICE, types[i]);
        assert_false(is_subscribed(topic));
        snprintf(topic, sizeof topic, "%s.%s.%s", DEVICE, types[i], types[i]);
        assert_false(is_subscribed(topic));
    }
    assert_true(is_subscribed("tango://host.change:1/a/b.pipe/c/d.idl5_change"));
    assert_true(is_subscribed("tango://h:1/a/b/c.intr_change"));
    assert_true(is_subscribed("tango://h:1/dserver/a/b.heartbeat"));
    assert_false(is_subscribed("tango://h:1/dserver/a/b.heartbeat.heartbeat"));
    assert_false(is_subscribed("tango://h:1/dserver/a/b.heartbeat1"));
    assert_false(is_subscribed("tango://h:1/a/b/c/d.unknown"));
    assert_false(is_subscribed("tango://h:1/a/b/c/d."));
    assert_false(is_subscribed("tango://h:1"));
    assert_false(is_subscribed("a/b/c/d.change"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_names_lose_their_idl_level),
        cmocka_unit_test(made_up_names_begin_with_those_of_others),
        cmocka_unit_test(levels_are_those_of_the_data),
        cmocka_unit_test(event_types_have_no_level),
        cmocka_unit_test(attribute_names_are_found),
        cmocka_unit_test(topics_and_heartbeats_are_told_apart),
        cmocka_unit_test(a_topic_has_1023_bytes_at_most),
        cmocka_unit_test(a_heartbeat_names_its_channel),
        cmocka_unit_test(the_host_ends_behind_the_first_slash),
        cmocka_unit_test(names_without_a_database_have_a_modifier),
        cmocka_unit_test(a_disconnect_event_names_the_topic_in_another_way),
        cmocka_unit_test(names_are_composed_with_and_without_a_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
