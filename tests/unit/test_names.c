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

static void assert_same(const char *a, const char *b, bool same)
{
    assert_int_equal(names_are_same_but_host(a, b), same);
    assert_int_equal(names_are_same_but_host(b, a), same);
    assert_int_equal(names_hash_but_host(a) == names_hash_but_host(b), same);
}

static void spelling_does_not_matter(void **state)
{
    (void)state;
    assert_same("tango://vm:1/a/b/c/x.change", "tango://127.0.0.1:1/a/b/c/x.change", true);
    assert_same("tango://vm:1/a/b/c/x.change", "tango://vm.site.org:1/A/b/C/X.idl5_change", true);
    assert_same("tango://vm:1/a/b/c/x#dbase=no.idl5_change", "a/b/c/x.change", true);
    assert_same("tango://vm:1/dserver/P/1#dbase=no", "dserver/p/1", true);
    assert_same("tango://vm:1/a/b/c/x#DBASE=NO.idl5_change", "a/b/c/x#dbase=no.change", true);
    assert_same("a/b/c/x.change", "a/b/c/x.archive", false);
    assert_same("a/b/c/x.change", "a/b/c/xy.change", false);
    assert_same("a/b/c/x#dbase=yes.change", "a/b/c/x.change", false);
    assert_same("a/b/c/x.idl_change", "a/b/c/x.change", false);
    assert_same("#dbase=no", "", true);
    assert_same("a.idl5_", "a.", true);
    assert_same("\xc3\x84", "\xc3\xa4", false);
}

static void ports_are_the_same(void **state)
{
    (void)state;
    assert_true(names_have_same_port("tango://vm:1/a/b/c", "tango://127.0.0.1:1/x"));
    assert_true(names_have_same_port("tango://[::1]:1/a/b/c", "tango://vm:1/x"));
    assert_false(names_have_same_port("tango://vm:1/a/b/c", "tango://vm:12/a/b/c"));
    assert_false(names_have_same_port("tango://vm/a/b/c", "tango://vm/a/b/c"));
    assert_false(names_have_same_port("a/b/c", "a/b/c"));
    assert_false(names_have_same_port("tango://vm:1/a/b/c", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_have_no_idl_level),
        cmocka_unit_test(the_prefix_ends_behind_the_first_slash),
        cmocka_unit_test(event_types_are_cut_off),
        cmocka_unit_test(spelling_does_not_matter),
        cmocka_unit_test(ports_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
