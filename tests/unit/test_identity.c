/* The name of a program, by its arguments, and that whatever it is makes valid JSON. */
#include <stdlib.h>
#include <string.h>

#include "agent/answer/identity_program.h"
#include "agent/answer/json_writer.h"
#include "cmocka_all.h"

/* LINE is a literal: words with \0 between them, and one after the last by itself. */
#define assert_name(LINE, NAME)                                                                    \
    do {                                                                                           \
        static const char line_[] = LINE "\0";                                                     \
        char name_[256];                                                                           \
        identity_program_of(name_, sizeof name_, line_, sizeof line_ - 1);                         \
        assert_string_equal(name_, NAME);                                                          \
    } while (0)

static void test_programs(void **state)
{
    (void)state;
    assert_name("/usr/lib/tango/TangoTest\0test", "TangoTest");
    assert_name("gateway", "gateway");
    assert_name("./a.out\0/etc/passwd", "a.out");
    assert_name("/usr/bin/java\0-jar\0/opt/x.jar", "java");
    assert_name("/opt/app/\0x", "app");
    assert_name("", "");
    assert_name("pythonic\0script.py", "pythonic");
    assert_name("/bin/prog ram\0x", "prog ram");
}

static void test_what_a_python_runs(void **state)
{
    (void)state;
    assert_name("python3\0script.py\0-c\0x", "script.py");
    assert_name("/usr/bin/python3.11\0/opt/archiver/archiver.py", "archiver.py");
    assert_name("python3-dbg\0-u\0-Es\0a.py", "a.py");
    assert_name("pypy3\0a.py", "a.py");
    assert_name("/usr/bin/python3\0/usr/bin/ipython3\0-i\0a.py", "ipython3");
    assert_name("/usr/bin/python3\0/usr/bin/pytest\0tests", "pytest");
    assert_name("/venv/bin/python\0/venv/bin/my-console-script", "my-console-script");
    assert_name("python3\0-m\0ska.archiver\0x", "ska.archiver");
    assert_name("python3\0-um\0ska.archiver", "ska.archiver");
    assert_name("python3\0-mska.archiver", "ska.archiver");
    assert_name("python3\0-W\0ignore\0-X\0dev\0a.py", "a.py");
    assert_name("python3\0-Wignore\0-Xdev\0a.py", "a.py");
    assert_name("python3\0-bW\0ignore\0a.py", "a.py");
    assert_name("python3\0--check-hash-based-pycs\0always\0a.py", "a.py");
    assert_name("python3\0/opt/archiver\0x", "archiver");
    assert_name("python3\0/opt/archiver/__main__.py", "archiver");
    assert_name("python3\0__main__.py", "__main__.py");
}

static void test_a_python_that_runs_no_file(void **state)
{
    (void)state;
    assert_name("/usr/bin/python3", "python3");
    assert_name("python3\0-c\0import tango\0a.py", "python3");
    assert_name("python3\0-uc\0import tango\0a.py", "python3");
    assert_name("python3\0-\0a.py", "python3");
    assert_name("python3\0-i", "python3");
    /* Cut off, or never complete. */
    assert_name("python3\0-m", "python3");
    assert_name("python3\0-W", "python3");
    assert_name("python3\0--check-hash-based-pycs", "python3");
    assert_name("python3\0\0a.py", "python3");
}

static void test_overwritten_arguments(void **state)
{
    (void)state;
    assert_name("gunicorn: worker [archiver]\0\0\0\0\0", "gunicorn");
    assert_name("archiver is idle", "archiver");
    assert_name("/opt/bin/archiver -v x/y", "archiver");
}

static void test_control_characters(void **state)
{
    (void)state;
    assert_name("a\nb\tc\033[31m\177", "a?b?c?[31m?");
}

static void test_a_long_name(void **state)
{
    (void)state;
    char line[1001] = "";
    char name[16];
    memset(line, 'x', 1000);
    identity_program_of(name, sizeof name, line, 1000);
    assert_string_equal(name, "xxxxxxxxxxxxxxx");
}

static void assert_json(const char *text, const char *wanted)
{
    json_writer_t json;
    json_init(&json);
    json_utf8(&json, text);
    char *written = json_take(&json);
    assert_string_equal(written, wanted);
    free(written);
}

static void test_utf8(void **state)
{
    (void)state;
    assert_json("k\xc3\xa4se.py", "\"k\xc3\xa4se.py\"");
    assert_json("\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"");
    assert_json("a\"\\\n", "\"a\\u0022\\u005c\\u000a\"");
    assert_json("k\xe4se", "\"k\\ufffdse\"");
    assert_json("\xc3", "\"\\ufffd\"");
    assert_json("\xc0\xaf", "\"\\ufffd\\ufffd\"");
    assert_json("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    assert_json("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    assert_json("\xff", "\"\\ufffd\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_what_a_python_runs),
        cmocka_unit_test(test_a_python_that_runs_no_file),
        cmocka_unit_test(test_overwritten_arguments),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_a_long_name),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
