/* What the names in answers say to the monitor. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "response/names.h"

static void assert_stream(const char *topic, const char *expected)
{
    char *stream = names_stream_of_topic(topic);
    assert_string_equal(stream, expected);
    free(stream);
}

static void streams_have_no_idl_level(void **state)
{
    (void)state;
    assert_stream("tango://host:10000/foo/bar/pub/attr.idl5_change",
                  "tango://host:10000/foo/bar/pub/attr.change");
    assert_stream("tango://host:10000/foo/bar/pub/attr#dbase=no.idl5_user_event",
                  "tango://host:10000/foo/bar/pub/attr#dbase=no.user_event");
    assert_stream("a.idl12_attr_conf", "a.attr_conf");
    assert_stream("a.change", "a.change");
    assert_stream("a.idl_change", "a.idl_change");
    assert_stream("a.idl5change", "a.idl5change");
    assert_stream("a.idl5", "a.idl5");
    assert_stream("a.idl5_", "a.");
    assert_stream("a.idl5_b.change", "a.idl5_b.change");
    assert_stream("idl5_change", "idl5_change");
    assert_stream("a.", "a.");
    assert_stream("", "");
}

static void assert_prefix(const char *name, size_t expected)
{
    assert_int_equal(names_prefix_length(name), expected);
    assert_ptr_equal(names_without_prefix(name), name + expected);
}

static void the_prefix_ends_behind_the_first_slash(void **state)
{
    (void)state;
    assert_prefix("tango://host:10000/foo/bar/pub/attr.change", strlen("tango://host:10000/"));
    assert_prefix("tango://host:10000/", strlen("tango://host:10000/"));
    assert_prefix("tango://host:10000", 0);
    assert_prefix("tango:/", 0);
    assert_prefix("foo/bar/pub/attr", 0);
    assert_prefix("", 0);
}

static void assert_cut(const char *stream, const char *expected)
{
    char *name = memory_string(stream);
    assert_int_equal(names_cut_event_type(name), strcmp(stream, expected) != 0);
    assert_string_equal(name, expected);
    free(name);
}

static void event_types_are_cut_off(void **state)
{
    (void)state;
    assert_cut("tango://h.org:1/foo/bar/pub/attr.change", "tango://h.org:1/foo/bar/pub/attr");
    assert_cut("tango://h.org:1/foo/bar/pub/attr#dbase=no.change",
               "tango://h.org:1/foo/bar/pub/attr#dbase=no");
    /* The dot is the host's. */
    assert_cut("tango://h.org:1/foo/bar/pub/attr", "tango://h.org:1/foo/bar/pub/attr");
    assert_cut("attr", "attr");
    assert_cut("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_have_no_idl_level),
        cmocka_unit_test(the_prefix_ends_behind_the_first_slash),
        cmocka_unit_test(event_types_are_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
