/* What /proc says of processes: made-up files, in which everything may be wrong, and this process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "made_up_proc.h"
#include "process/json_member.h"
#include "process/machine_code.h"
#include "process/process_list.h"
#include "process/target.h"

/* No process has such an id: nothing of these tests reads the memory of a real one. */
#define PID "999999901"
enum { PID_NUMBER = 999999901 };

#define LIBTANGO "/usr/lib/x86_64-linux-gnu/libtango.so.9.3.4"

static int begin(void **state)
{
    static made_up_proc_t proc;
    made_up_proc_begin(&proc);
    made_up_proc_text(&proc, PID "/status", "Name:\tx\nUid:\t7\t8\t9\t8\n");
    *state = &proc;
    return 0;
}

static int end(void **state)
{
    made_up_proc_end(*state);
    return 0;
}

static void write_arguments(const made_up_proc_t *proc, const char *words, size_t size)
{
    made_up_proc_write(proc, PID "/cmdline", words, size);
}

static void write_maps(const made_up_proc_t *proc, const char *first, const char *second)
{
    char maps[2048];
    snprintf(maps, sizeof maps,
             "55a0c0de0000-55a0c0de1000 r--p 00000000 00:1f 7 /usr/bin/x\n"
             "7f0000000000-7f0000001000 r-xp 00000000 00:1f 8                    %s\n"
             "7f0000002000-7f0000003000 rw-p 00000000 00:00 0 \n"
             "7f0000004000-7f0000005000 r--p 00000000 00:1f 9                    %s\n"
             "7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0                    [stack]\n",
             first, second);
    made_up_proc_text(proc, PID "/maps", maps);
}

static process_result_t read_it(const made_up_proc_t *proc, process_t *process)
{
    return process_read(process, proc->folder, PID_NUMBER);
}

static void a_server_is_known_by_its_arguments(void **state)
{
    static const struct {
        const char *words;
        size_t size;
        const char *program, *server;
    } cases[] = {
#define CASE(words, program, server) {(words), sizeof(words), (program), (server)}
        CASE("/usr/lib/tango/TangoTest\0test\0-v4", "TangoTest", "TangoTest/test"),
        CASE("TangoTest\0-?", "TangoTest", ""),
        CASE("TangoTest", "TangoTest", ""),
        CASE("TangoTest\0", "TangoTest", ""),
        CASE("/usr/bin/python3\0/opt/Clock.py\0one\0-nodb", "Clock.py", "Clock/one"),
        CASE("python3\0-u\0Clock.py\0one", "Clock.py", "Clock/one"),
        CASE("python3.11\0-m\0clock\0one", "clock", "clock/one"),
        CASE("python3\0Clock.py", "Clock.py", ""),
        CASE("/opt/.py\0one", ".py", ".py/one"),
        CASE("new\nline\x1b[2J\0a\nb", "new?line?[2J", ""),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        process_t process;
        write_arguments(*state, cases[i].words, cases[i].size);
        write_maps(*state, LIBTANGO, LIBTANGO);
        assert_int_equal(read_it(*state, &process), PROCESS_READ);
        assert_string_equal(process.program, cases[i].program);
        assert_string_equal(process.server, cases[i].server);
        assert_int_equal(process.is_server, cases[i].server[0] != '\0');
        assert_int_equal(process.user, 8);
    }
}

static void arguments_may_be_longer_than_what_is_read(void **state)
{
    static char words[200000];
    process_t process;
    memset(words, 'x', sizeof words);
    write_arguments(*state, words, sizeof words);
    write_maps(*state, LIBTANGO, LIBTANGO);
    assert_int_equal(read_it(*state, &process), PROCESS_READ);
    assert_int_equal(strlen(process.program), sizeof process.program - 1);
    assert_false(process.is_server);
    memcpy(words, "python3\0-u", 11);
    words[2000] = '\0';
    write_arguments(*state, words, sizeof words);
    assert_int_equal(read_it(*state, &process), PROCESS_READ);
}

static void libraries_are_known_by_their_names(void **state)
{
    static const struct {
        const char *first, *second, *libtango, *version;
        process_agent_t agent;
        bool has_other;
    } cases[] = {
        {LIBTANGO, LIBTANGO, LIBTANGO, "9.3.4", PROCESS_AGENT_NONE, false},
        {LIBTANGO " (deleted)", "/x/liba.so", LIBTANGO " (deleted)", "9.3.4", PROCESS_AGENT_NONE,
         false},
        {"/w/pytango.libs/libtango-fd4ed7a2.so.10.0.2", "/x/libtangoo.so.1",
         "/w/pytango.libs/libtango-fd4ed7a2.so.10.0.2", "10.0.2", PROCESS_AGENT_NONE, false},
        {"/x y/libtango.so", "/lib/libc.so.6", "/x y/libtango.so", "", PROCESS_AGENT_NONE, false},
        {"/x/libtango.so.9", "/lib/libc.so.6", "/x/libtango.so.9", "", PROCESS_AGENT_NONE, false},
        {LIBTANGO, "/y/libtango.so.9.3.4", LIBTANGO, "9.3.4", PROCESS_AGENT_NONE, true},
        {LIBTANGO, "/usr/lib/ska-tango-event-monitor/libska-tango-event-agent.so", LIBTANGO,
         "9.3.4", PROCESS_AGENT_AT_START, false},
        {"/memfd:ska-tango-event-agent (deleted)", LIBTANGO, LIBTANGO, "9.3.4", PROCESS_AGENT_LATE,
         false},
        {"/memfd:libtango.so.9.3.4 (deleted)", LIBTANGO, LIBTANGO, "9.3.4", PROCESS_AGENT_NONE,
         false},
        {"/a/libtango.so.9.3.4.py", "", "/a/libtango.so.9.3.4.py", "", PROCESS_AGENT_NONE, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        process_t process;
        write_maps(*state, cases[i].first, cases[i].second);
        assert_int_equal(read_it(*state, &process), PROCESS_READ);
        assert_string_equal(process.libtango, cases[i].libtango);
        assert_string_equal(process.tango_version, cases[i].version);
        assert_int_equal(process.agent, cases[i].agent);
        assert_int_equal(process.other_libtango[0] != '\0', cases[i].has_other);
    }
}

static void what_is_missing_is_not_made_up(void **state)
{
    process_t process;
    assert_int_equal(process_read(&process, ((made_up_proc_t *)*state)->folder, 999999902),
                     PROCESS_GONE);
    assert_int_equal(process.pid, 999999902);
    /* It ended after its status was read. */
    assert_int_equal(read_it(*state, &process), PROCESS_GONE);
    write_maps(*state, "/lib/libc.so.6", "/lib/libzmq.so.5");
    write_arguments(*state, "sh\0x", sizeof "sh\0x");
    assert_int_equal(read_it(*state, &process), PROCESS_NO_LIBTANGO);
    assert_string_equal(process.program, "sh");
    assert_string_equal(process.server, "");
    made_up_proc_text(*state, PID "/status", "Name:\tx\n");
    assert_int_equal(read_it(*state, &process), PROCESS_GONE);
    made_up_proc_text(*state, PID "/status", "");
    assert_int_equal(read_it(*state, &process), PROCESS_GONE);
}

static void this_process_is_read(void **state)
{
    (void)state;
    process_t process;
    assert_int_equal(process_read(&process, PROCESS_PROC, getpid()), PROCESS_NO_LIBTANGO);
    assert_string_equal(process.program, "test_process");
    assert_int_equal(process.user, geteuid());
    process_ask(&process, 1);
    assert_int_equal(process.state, PROCESS_STATE_UNKNOWN);
}

/* ---- the list ---- */

static void add_server(const made_up_proc_t *proc, const char *pid, const char *program,
                       const char *instance)
{
    char path[64];
    char words[128];
    const int length = snprintf(words, sizeof words, "%s%c%s", program, '\0', instance);
    snprintf(path, sizeof path, "%s/status", pid);
    made_up_proc_text(proc, path, "Name:\tx\nUid:\t7\t8\t9\t8\n");
    snprintf(path, sizeof path, "%s/cmdline", pid);
    made_up_proc_write(proc, path, words, (size_t)length + 1);
    snprintf(path, sizeof path, "%s/maps", pid);
    made_up_proc_text(proc, path, "7f00-7f01 r-xp 0 0:1 8 " LIBTANGO "\n");
}

static void the_list_is_in_order_and_searched(void **state)
{
    process_list_t list;
    char error[256];
    const made_up_proc_t *proc = *state;
    add_server(proc, "999999930", "Pub", "1");
    add_server(proc, "999999910", "pub", "1");
    add_server(proc, "999999920", "archiver.py", "");
    made_up_proc_text(proc, "99999999999999999999/status", "Uid:\t1\t1\t1\t1\n");
    made_up_proc_text(proc, "0999999940/status", "Uid:\t1\t1\t1\t1\n");
    made_up_proc_text(proc, "self/status", "Uid:\t1\t1\t1\t1\n");
    assert_true(process_list_read(&list, proc->folder, error, sizeof error));
    assert_int_equal(list.count, 3);
    assert_int_equal(list.unseen, 0);
    assert_int_equal(list.processes[0].pid, 999999910);
    assert_int_equal(list.processes[2].pid, 999999930);
    const process_t *first = process_list_next_server(&list, "PUB/1", NULL);
    assert_ptr_equal(first, &list.processes[0]);
    const process_t *second = process_list_next_server(&list, "dserver/pub/1", first);
    assert_ptr_equal(second, &list.processes[2]);
    assert_null(process_list_next_server(&list, "pub/1", second));
    assert_null(process_list_next_server(&list, "pub", NULL));
    assert_ptr_equal(process_list_next_client(&list, "archiver.py", NULL), &list.processes[1]);
    assert_null(process_list_next_client(&list, "pub", NULL));
    process_list_clear(&list);
    assert_null(process_list_next_server(&list, "pub/1", NULL));
}

static void a_list_without_proc(void **state)
{
    (void)state;
    process_list_t list;
    char error[256];
    assert_false(process_list_read(&list, "/nonexistent", error, sizeof error));
    assert_string_equal(error, "cannot read /nonexistent: No such file or directory");
    process_list_clear(&list);
}

/* ---- answers ---- */

static void a_member_of_an_answer(void **state)
{
    (void)state;
    static const struct {
        const char *object, *text; /* NULL: there is none */
    } cases[] = {
        {"{\"a\": \"x\"}", "x"},
        {"{\"b\": 1, \"a\": \"x\"}", "x"},
        {" { \"b\" : [1, {\"a\": \"no\"}, \"]\"] , \"a\" : \"x\" } ", "x"},
        {"{\"b\": \"\\\"a\\\": 1, }\", \"a\": \"x\"}", "x"},
        {"{\"a\": \"\\u0041\\n\\u00e9\\u20ac\\u0000\\ud83d\"}", "A\n\xc3\xa9\xe2\x82\xac??"},
        {"{\"a\": \"too long to fit in here\"}", "too long "},
        {"{\"a\": \"\"}", ""},
        {"{\"a\": null}", NULL},
        {"{\"a\": 5}", NULL},
        {"{\"a\": \"x}", NULL},
        {"{\"a\": \"\\u00\"}", NULL},
        {"{\"a\": \"\\", NULL},
        {"{\"a\"", NULL},
        {"{\"a\":", NULL},
        {"{\"b\": {{{", NULL},
        {"{\"b\": \"x\" \"a\": \"x\"}", NULL},
        {"{}", NULL},
        {"{", NULL},
        {"[\"a\", \"x\"]", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[10] = "before";
        /* Memory of its own, so that a sanitizer detects a read beyond it. */
        char *object = strdup(cases[i].object);
        const bool found = json_member_text(object, "a", text, sizeof text);
        free(object);
        if (found != (cases[i].text != NULL))
            fail_msg("%s: %s", cases[i].object, found ? text : "nothing found");
        assert_string_equal(text, cases[i].text != NULL ? cases[i].text : "");
    }
}

static void the_number_that_a_function_returns(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        size_t size;
        uint32_t number;
    } cases[] = {
        {"\xb8\xa6\x03\x00\x00\xc3\x90", 7, 934},
        {"\xf3\x0f\x1e\xfa\xb8\xeb\x03\x00\x00\xc3\x90", 11, 1003},
        {"\x55\x48\x89\xe5\xb8\xa6\x03\x00\x00\x5d\xc3", 11, 934},
        {"\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\xb8\xa6\x03\x00\x00\x5d\xc3", 15, 934},
        {"\xb8\xa6\x03\x00\x00\x90\xc3", 7, 0}, /* does something else */
        {"\x55\x48\x89\xe5\xb8\xa6\x03\x00\x00\xc3\x90", 11, 0},
        {"\x8b\x05\xa6\x03\x00\x00\xc3", 7, 0},     /* reads a variable */
        {"\xf3\x0f\x1e\xfa\xb8\xa6\x03\x00", 8, 0}, /* ends too early */
        {"", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char *code = malloc(cases[i].size + 1);
        memcpy(code, cases[i].code, cases[i].size);
        code = realloc(code, cases[i].size > 0 ? cases[i].size : 1);
        assert_int_equal(machine_code_returned(code, cases[i].size), cases[i].number);
        free(code);
    }
}

/* glibc calls its own allocator by name, so that another one may come first, and little else. */
static void what_a_library_calls_by_name(void **state)
{
    target_t target;
    char error[128];
    (void)state;
    assert_true(target_open(&target, getpid(), error, sizeof error));
    const target_object_t *library = target_find(&target, "libc.so");
    assert_non_null(library);
    assert_true(target_calls_by_name(&target, library, "malloc"));
    assert_false(target_calls_by_name(&target, library, "getppid"));
    /* It isn't known. */
    assert_true(target_calls_by_name(&target, library, "no_such_function"));
    const target_object_t nothing = {.start = 4096};
    assert_true(target_calls_by_name(&target, &nothing, "getppid"));
    target_close(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_server_is_known_by_its_arguments, begin, end),
        cmocka_unit_test_setup_teardown(arguments_may_be_longer_than_what_is_read, begin, end),
        cmocka_unit_test_setup_teardown(libraries_are_known_by_their_names, begin, end),
        cmocka_unit_test_setup_teardown(what_is_missing_is_not_made_up, begin, end),
        cmocka_unit_test(this_process_is_read),
        cmocka_unit_test_setup_teardown(the_list_is_in_order_and_searched, begin, end),
        cmocka_unit_test(a_list_without_proc),
        cmocka_unit_test(a_member_of_an_answer),
        cmocka_unit_test(the_number_that_a_function_returns),
        cmocka_unit_test(what_a_library_calls_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
