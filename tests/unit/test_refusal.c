/* Which processes attach refuses, and why: from made-up files of /proc, and from made-up facts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "launcher/attach/refusal.h"
#include "made_up_proc.h"

#define PID "999999901"
enum { PID_NUMBER = 999999901, USER = 888888 };

#define DAC_OVERRIDE ((uint64_t)1 << 1)
#define SYS_PTRACE   ((uint64_t)1 << 19)
#define SYS_ADMIN    ((uint64_t)1 << 21)

/* ---- the decision ---- */

/* A process that can be attached to. */
static facts_t good(void)
{
    facts_t facts = {
        .process = {.pid = PID_NUMBER, .user = USER, .program = "Pub", .libtango = "/l/libtango"},
        .result = PROCESS_READ,
        .group = PID_NUMBER,
        .parent = 1,
        .state = 'S',
        .users = {USER, USER, USER},
        .has_glibc = true,
        .ptrace_scope = -1,
        .own_pid = 77,
        .own_user = USER,
    };
    return facts;
}

static void check(const facts_t *facts, const char *reason, const char *in_line)
{
    refusal_t refusal;
    const bool refused = refusal_find(facts, &refusal);
    if (refused != (reason != NULL) || (refused && strcmp(refusal.reason, reason) != 0) ||
        (refused && strstr(refusal.line, in_line) == NULL))
        fail_msg("%s, expected %s; the line: %s", refused ? refusal.reason : "not refused",
                 reason != NULL ? reason : "nothing", refusal.line);
    assert_null(strchr(refusal.line, '\n'));
    assert_int_equal(refused, refusal.line[0] != '\0');
}

#define REFUSED(reason, in_line, ...)                                                              \
    do {                                                                                           \
        facts_t facts = good();                                                                    \
        __VA_ARGS__;                                                                               \
        check(&facts, reason, in_line);                                                            \
    } while (0)

static void a_good_process_is_not_refused(void **state)
{
    (void)state;
    REFUSED(NULL, "", facts.seccomp = 2);
    REFUSED(NULL, "", facts.ptrace_scope = 0);
    /* It may be a child of ours: what counts is that its memory could be opened. */
    REFUSED(NULL, "", facts.ptrace_scope = 1);
    REFUSED(NULL, "", facts.own_user = 0; facts.own_capabilities = SYS_PTRACE);
}

static void what_is_no_process(void **state)
{
    (void)state;
    REFUSED("it has ended", "no such process", facts.result = PROCESS_GONE);
    REFUSED("it has ended", "zombie, until its parent, 1,", facts.state = 'Z');
    REFUSED("kernel thread", "kernel", facts.is_kernel_thread = true);
    REFUSED("a thread", "thread of process 55: ska-tango-event-agent attach 55", facts.group = 55);
    REFUSED("this command", "itself", facts.own_pid = PID_NUMBER);
}

static void what_stands_still(void **state)
{
    (void)state;
    REFUSED("stopped", "kill -CONT 999999901", facts.state = 'T');
    REFUSED("frozen", "paused container", facts.is_frozen = true);
}

static void what_has_an_agent(void **state)
{
    (void)state;
    REFUSED("agent is there", "since it was started", facts.process.agent = PROCESS_AGENT_AT_START;
            facts.process.state = PROCESS_WATCHING);
    REFUSED("agent is there", "there already: ask it: ska-tango-event-agent query 999999901",
            facts.process.agent = PROCESS_AGENT_LATE;
            facts.process.state = PROCESS_WATCHING);
    REFUSED("agent doesn't answer", "try again", facts.process.agent = PROCESS_AGENT_LATE);
    REFUSED("agent doesn't answer", "it belongs to user 999999: run this as that user, or as root",
            facts.process.agent = PROCESS_AGENT_LATE;
            facts.process.user = facts.users[1] = 999999);
    REFUSED("agent doesn't answer", "try again", facts.process.agent = PROCESS_AGENT_LATE;
            facts.own_user = 0);
    /* Nothing is loaded: it needs no right to trace, and a debugger doesn't matter. */
    REFUSED(NULL, "", facts.process.agent = PROCESS_AGENT_LATE;
            facts.process.state = PROCESS_DETACHED; facts.memory_failure = EACCES;
            facts.tracer = 5);
    REFUSED("stopped", "kill -CONT", facts.process.agent = PROCESS_AGENT_LATE;
            facts.process.state = PROCESS_DETACHED; facts.state = 'T');
}

/* One that has no socket, for one reason. */
#define ASLEEP(reason, in_line, ...)                                                               \
    REFUSED(reason, in_line, facts.process.agent = PROCESS_AGENT_AT_START;                         \
            facts.process.state = PROCESS_ASLEEP; __VA_ARGS__)

static void why_an_agent_is_asleep(void **state)
{
    (void)state;
    ASLEEP("agent is asleep", "nothing to watch yet", );
    ASLEEP("agent is asleep", "until the server is ready", facts.process.is_server = true);
    ASLEEP("agent is asleep", "nothing to watch yet", strcpy(facts.agent_setting, "on"));
    ASLEEP("agent is switched off", "(SKA_TANGO_EVENT_AGENT=OFF)",
           strcpy(facts.agent_setting, "OFF"));
    ASLEEP("agent is switched off", "restart it without", strcpy(facts.agent_setting, "0");
           facts.process.is_unnoticed = true);
    ASLEEP("agent is for servers", "servers only", strcpy(facts.agent_setting, "Servers"));
    ASLEEP("agent is asleep", "until the server is ready", strcpy(facts.agent_setting, "servers");
           facts.process.is_server = true);
    ASLEEP("agent has no socket", "restart it without that variable",
           strcpy(facts.agent_socket, "Off"));
    ASLEEP("agent has no socket", "ska-tango-event-monitor dserver/a/1",
           strcpy(facts.agent_socket, "off");
           facts.process.is_server = true; strcpy(facts.process.server, "a/1"));
    ASLEEP("agent isn't told", "calls its own functions directly",
           facts.process.is_unnoticed = true);
    ASLEEP("agent is asleep", "forked", facts.process.agent = PROCESS_AGENT_LATE);
}

static void what_is_traced(void **state)
{
    (void)state;
    REFUSED("traced by 5 (gdb)", "process 5 (gdb) traces it", facts.tracer = 5;
            strcpy(facts.tracer_name, "gdb"));
    REFUSED("traced by 5 (a?b)", "(a?b)", facts.tracer = 5; strcpy(facts.tracer_name, "a\033b"));
    /* The remedy is another one than for what is stopped by a signal. */
    REFUSED("traced by 5 ()", "end that first", facts.tracer = 5; facts.state = 't');
}

static void what_is_not_allowed(void **state)
{
    (void)state;
    /* The kernel refuses all of these; which is the reason? */
    REFUSED("it is 999999's", "it belongs to user 999999: run this as that user, or as root",
            facts.memory_failure = EACCES;
            facts.process.user = facts.users[1] = 999999; facts.result = PROCESS_FORBIDDEN);
    REFUSED("it is 888888's", "run this as that user", facts.memory_failure = EACCES;
            facts.users[2] = 0);
    REFUSED("it is 888888's", "--cap-add SYS_PTRACE", facts.memory_failure = EACCES;
            facts.own_user = 0);
    REFUSED("ptrace_scope is 1", "sysctl kernel.yama.ptrace_scope=0", facts.memory_failure = EACCES;
            facts.ptrace_scope = 1);
    REFUSED("ptrace_scope is 2", "run this as root", facts.memory_failure = EACCES;
            facts.ptrace_scope = 2);
    REFUSED("ptrace_scope is 3", "ska-tango-event-agent run", facts.memory_failure = EPERM;
            facts.ptrace_scope = 3);
    REFUSED("ptrace_scope is 3", "nobody", facts.memory_failure = EACCES; facts.ptrace_scope = 3;
            facts.own_user = 0; facts.own_capabilities = SYS_PTRACE);
    REFUSED("its memory is protected", "run this as root", facts.memory_failure = EACCES);
    REFUSED("its memory is protected", "run this as root", facts.memory_failure = EACCES;
            facts.ptrace_scope = 0);
    REFUSED("the system forbids it", "AppArmor", facts.memory_failure = EACCES;
            facts.ptrace_scope = 1; facts.own_capabilities = SYS_PTRACE);
    REFUSED("no DAC_OVERRIDE", "it belongs to user 888888, and CAP_DAC_OVERRIDE is missing",
            facts.memory_failure = EACCES;
            facts.own_user = 0; facts.own_capabilities = SYS_PTRACE);
    REFUSED("the system forbids it", "AppArmor", facts.memory_failure = EACCES; facts.own_user = 0;
            facts.own_capabilities = SYS_PTRACE | DAC_OVERRIDE);
}

static void what_cannot_work(void **state)
{
    (void)state;
    REFUSED("32 bits", "32-bit", facts.is_32_bits = true);
    REFUSED("not x86-64", "x86-64", facts.is_other_machine = true);
    REFUSED("musl", "glibc", facts.has_glibc = false; facts.has_musl = true);
    REFUSED("no glibc", "statically", facts.has_glibc = false);
    REFUSED("no libtango", "doesn't use Tango", facts.process.libtango[0] = '\0');
    REFUSED("two libtangos", "/l/libtango and /m/lib?tango",
            strcpy(facts.process.other_libtango, "/m/lib\ntango"));
    REFUSED("shadow stack", "ska-tango-event-agent run", facts.has_shadow_stack = true);
    REFUSED("seccomp", "strict", facts.seccomp = 1);
}

static void filters_that_cannot_be_read(void **state)
{
    (void)state;
    facts_t facts = good();
    refusal_t refusal;
    assert_false(refusal_find_filters(&facts, &refusal));
    facts.seccomp = 2;
    assert_true(refusal_find_filters(&facts, &refusal));
    assert_string_equal(refusal.reason, "seccomp filters can't be read");
    assert_non_null(strstr(refusal.line, "--yes-i-may-lose-it"));
    facts.own_capabilities = SYS_ADMIN;
    assert_false(refusal_find_filters(&facts, &refusal));
    /* In a container, as a rule. */
    facts.own_seccomp = 2;
    assert_true(refusal_find_filters(&facts, &refusal));
    facts.own_seccomp = 0;
    facts.are_we_away = true;
    assert_true(refusal_find_filters(&facts, &refusal));
    /* Nothing is loaded where a detached agent is. */
    facts.process.agent = PROCESS_AGENT_LATE;
    assert_false(refusal_find_filters(&facts, &refusal));
}

/* ---- the facts ---- */

static int begin(void **state)
{
    static made_up_proc_t proc;
    made_up_proc_begin(&proc);
    made_up_proc_text(&proc, "self/status", "Name:\tx\nCapEff:\t0000000000080000\n");
    made_up_proc_text(&proc, PID "/mem", "");
    made_up_proc_text(&proc, PID "/cmdline", "Pub");
    made_up_proc_text(&proc, PID "/maps",
                      "7f00-7f01 r-xp 0 0:1 8 /usr/lib/libtango.so.9.3.4\n"
                      "7f02-7f03 r-xp 0 0:1 9 /usr/lib/libc.so.6\n");
    *state = &proc;
    return 0;
}

static int end(void **state)
{
    made_up_proc_end(*state);
    return 0;
}

static facts_t read_facts(const made_up_proc_t *proc, const char *status)
{
    facts_t facts;
    const facts_places_t places = {.proc = proc->folder, .cgroups = proc->folder};
    made_up_proc_text(proc, PID "/status", status);
    facts_read(&facts, &places, PID_NUMBER);
    return facts;
}

#define STATUS(tgid, state, tracer, rest)                                                          \
    "Name:\tTgid:\t5\nState:\t" state "\nTgid:\t" tgid "\nPPid:\t12\nTracerPid:\t" tracer          \
    "\nUid:\t1000\t1001\t1002\t1000\nVmSize:\t   100 kB\nCapPrm:\t0000000000000001\n" rest

static void the_status_is_read(void **state)
{
    facts_t facts =
        read_facts(*state, STATUS(PID, "S (sleeping)", "0", "Seccomp:\t2\nKthread:\t0\n"));
    assert_int_equal(facts.result, PROCESS_READ);
    assert_int_equal(facts.group, PID_NUMBER);
    assert_int_equal(facts.parent, 12);
    assert_int_equal(facts.state, 'S');
    assert_int_equal(facts.tracer, 0);
    assert_int_equal(facts.users[0], 1000);
    assert_int_equal(facts.users[1], 1001);
    assert_int_equal(facts.users[2], 1002);
    assert_int_equal(facts.capabilities, 1);
    assert_int_equal(facts.seccomp, 2);
    assert_false(facts.is_kernel_thread);
    assert_false(facts.has_shadow_stack);
    assert_false(facts.is_frozen);
    assert_true(facts.has_glibc);
    assert_int_equal(facts.memory_failure, 0);
    assert_int_equal(facts.ptrace_scope, -1);
    assert_true(facts_may_trace_all(&facts));
    assert_int_equal(facts.own_pid, getpid());

    made_up_proc_text(*state, "5/comm", "gdb\n");
    facts = read_facts(
        *state, STATUS("55", "t (tracing stop)", "5", "x86_Thread_features:\tshstk wrss \n"));
    assert_int_equal(facts.group, 55);
    assert_int_equal(facts.state, 't');
    assert_int_equal(facts.tracer, 5);
    assert_string_equal(facts.tracer_name, "gdb");
    assert_true(facts.has_shadow_stack);

    facts = read_facts(*state, STATUS(PID, "S", "0", "x86_Thread_features:\t\nOther:\tshstk\n"));
    assert_false(facts.has_shadow_stack);
}

static void the_environment_of_an_agent_is_read(void **state)
{
    static const char variables[] =
        "A=1\0XSKA_TANGO_EVENT_AGENT=off\0SKA_TANGO_EVENT_AGENT_SOCKET=off"
        "\0SKA_TANGO_EVENT_AGENT=servers and more than fits\0"
        "SKA_TANGO_EVENT_AGENT=on";
    made_up_proc_write(*state, PID "/environ", variables, sizeof variables);
    facts_t facts = read_facts(*state, STATUS(PID, "S", "0", ""));
    assert_string_equal(facts.agent_setting, "");
    made_up_proc_text(*state, PID "/maps",
                      "7f00-7f01 r-xp 0 0:1 8 /usr/lib/libtango.so.9.3.4\n"
                      "7f02-7f03 r-xp 0 0:1 9 /usr/lib/libska-tango-event-agent.so\n");
    facts = read_facts(*state, STATUS(PID, "S", "0", ""));
    assert_string_equal(facts.agent_setting, "servers and mor");
    assert_string_equal(facts.agent_socket, "off");
}

static void kernel_threads_are_known(void **state)
{
    facts_t facts = read_facts(*state, "Name:\tk\nState:\tI (idle)\nTgid:\t" PID
                                       "\nPPid:\t2\nUid:\t0\t0\t0\t0\nKthread:\t1\n");
    assert_true(facts.is_kernel_thread);
    /* Older kernels. */
    facts = read_facts(*state, "Name:\tk\nState:\tI (idle)\nPPid:\t2\nUid:\t0\t0\t0\t0\n");
    assert_true(facts.is_kernel_thread);
    facts = read_facts(*state, "Name:\tk\nState:\tZ (zombie)\nPPid:\t3\nUid:\t0\t0\t0\t0\n");
    assert_false(facts.is_kernel_thread);
    assert_int_equal(facts.state, 'Z');
}

static void yama_is_read_where_there_is_one(void **state)
{
    for (int scope = 0; scope <= 3; scope++) {
        char text[16];
        snprintf(text, sizeof text, "%d\n", scope);
        made_up_proc_text(*state, "sys/kernel/yama/ptrace_scope", text);
        assert_int_equal(read_facts(*state, STATUS(PID, "S", "0", "")).ptrace_scope, scope);
    }
}

static void a_frozen_group_is_seen(void **state)
{
    made_up_proc_text(*state, PID "/cgroup", "4:memory:/\n0::/pod/one\n");
    made_up_proc_text(*state, "pod/one/cgroup.events", "populated 1\nfrozen 0\n");
    assert_false(read_facts(*state, STATUS(PID, "S", "0", "")).is_frozen);
    made_up_proc_text(*state, "pod/one/cgroup.events", "populated 1\nfrozen 1\n");
    assert_true(read_facts(*state, STATUS(PID, "S", "0", "")).is_frozen);
    made_up_proc_text(*state, PID "/cgroup", "6:freezer:/two\n4:memory:/\n");
    made_up_proc_text(*state, "freezer/two/freezer.state", "THAWED\n");
    assert_false(read_facts(*state, STATUS(PID, "S", "0", "")).is_frozen);
    made_up_proc_text(*state, "freezer/two/freezer.state", "FROZEN\n");
    assert_true(read_facts(*state, STATUS(PID, "S", "0", "")).is_frozen);
    made_up_proc_text(*state, PID "/cgroup", "nonsense\n::\n:\n\n");
    assert_false(read_facts(*state, STATUS(PID, "S", "0", "")).is_frozen);
}

static void the_program_and_its_c_library_are_seen(void **state)
{
    char header[64] = "\177ELF\001\001\001";
    header[18] = 3; /* EM_386 */
    made_up_proc_write(*state, PID "/exe", header, sizeof header);
    assert_true(read_facts(*state, STATUS(PID, "S", "0", "")).is_32_bits);
    header[4] = 2;
    header[18] = (char)183; /* EM_AARCH64 */
    made_up_proc_write(*state, PID "/exe", header, sizeof header);
    facts_t facts = read_facts(*state, STATUS(PID, "S", "0", ""));
    assert_false(facts.is_32_bits);
    assert_true(facts.is_other_machine);
    header[18] = 62; /* EM_X86_64 */
    made_up_proc_write(*state, PID "/exe", header, sizeof header);
    assert_false(read_facts(*state, STATUS(PID, "S", "0", "")).is_other_machine);
    made_up_proc_text(*state, PID "/maps", "7f02-7f03 r-xp 0 0:1 9 /lib/ld-musl-x86_64.so.1\n");
    facts = read_facts(*state, STATUS(PID, "S", "0", ""));
    assert_true(facts.has_musl);
    assert_false(facts.has_glibc);
    made_up_proc_text(*state, PID "/maps", "7f02-7f03 r-xp 0 0:1 9 /usr/lib/musl/libc.so\n");
    assert_true(read_facts(*state, STATUS(PID, "S", "0", "")).has_musl);
    made_up_proc_text(*state, PID "/maps", "7f02-7f03 r-xp 0 0:1 9 /lib/libc-2.31.so\n");
    assert_true(read_facts(*state, STATUS(PID, "S", "0", "")).has_glibc);
}

static void nothing_is_there(void **state)
{
    facts_t facts;
    const facts_places_t places = {.proc = "/nonexistent", .cgroups = "/nonexistent"};
    (void)state;
    facts_read(&facts, &places, PID_NUMBER);
    assert_int_equal(facts.result, PROCESS_GONE);
    check(&facts, "it has ended", "no such process");
    facts_read(&facts, &facts_of_this_machine, getpid());
    check(&facts, "this command", "itself");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_process_is_not_refused),
        cmocka_unit_test(what_is_no_process),
        cmocka_unit_test(what_stands_still),
        cmocka_unit_test(what_has_an_agent),
        cmocka_unit_test(why_an_agent_is_asleep),
        cmocka_unit_test(what_is_traced),
        cmocka_unit_test(what_is_not_allowed),
        cmocka_unit_test(what_cannot_work),
        cmocka_unit_test(filters_that_cannot_be_read),
        cmocka_unit_test_setup_teardown(the_status_is_read, begin, end),
        cmocka_unit_test_setup_teardown(the_environment_of_an_agent_is_read, begin, end),
        cmocka_unit_test_setup_teardown(kernel_threads_are_known, begin, end),
        cmocka_unit_test_setup_teardown(yama_is_read_where_there_is_one, begin, end),
        cmocka_unit_test_setup_teardown(a_frozen_group_is_seen, begin, end),
        cmocka_unit_test_setup_teardown(the_program_and_its_c_library_are_seen, begin, end),
        cmocka_unit_test(nothing_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
