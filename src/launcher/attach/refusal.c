#include "launcher/attach/refusal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "launcher/attach/process_name.h"
#include "launcher/attach/seccomp_check.h"
#include "launcher/console.h"
#include "process/user_name.h"

__attribute__((format(printf, 2, 3))) static bool because(refusal_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->reason, sizeof self->reason, format, args);
    va_end(args);
    return true;
}

__attribute__((format(printf, 2, 3))) static void say(refusal_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->line, sizeof self->line, format, args);
    va_end(args);
}

/* ---- its user ---- */

static bool is_of_another_user(const facts_t *facts)
{
    for (size_t i = 0; i < 3; i++)
        if (facts->users[i] != facts->own_user)
            return true;
    return false;
}

static void name_user(const facts_t *facts, char *name, size_t size)
{
    char text[64];
    user_name(facts->process.user, text, sizeof text);
    show_text(text, name, size);
}

/* ---- no process like that ---- */

static bool is_no_process(const facts_t *facts, refusal_t *refusal)
{
    if (facts->result == PROCESS_GONE || facts->state == 'X') {
        say(refusal, "there is no such process");
        return because(refusal, "it has ended");
    }
    if (facts->state == 'Z') {
        say(refusal, "it has ended already (a zombie, until its parent, %ld, takes notice)",
            (long)facts->parent);
        return because(refusal, "it has ended");
    }
    if (facts->is_kernel_thread) {
        say(refusal, "it is a thread of the kernel, not a process");
        return because(refusal, "kernel thread");
    }
    if (facts->group != facts->process.pid) {
        say(refusal, "it is a thread of process %ld: " PROGRAM " attach %ld", (long)facts->group,
            (long)facts->group);
        return because(refusal, "a thread");
    }
    if (facts->process.pid == facts->own_pid) {
        say(refusal, "that is this command itself");
        return because(refusal, "this command");
    }
    return false;
}

static bool stands_still(const facts_t *facts, refusal_t *refusal)
{
    if (facts->state == 'T') {
        say(refusal, "it is stopped: let it run first (kill -CONT %ld)", (long)facts->process.pid);
        return because(refusal, "stopped");
    }
    if (facts->is_frozen) {
        say(refusal, "its control group is frozen, as a paused container's: let it run first");
        return because(refusal, "frozen");
    }
    return false;
}

/* ---- it has an agent ---- */

static bool is_word(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcasecmp(text, *words) == 0)
            return true;
    return false;
}

/* As agent/entry/attach.c, client.c and service.c read them. */
static bool is_switched_off(const facts_t *facts)
{
    static const char *const words[] = {"off", "0", "no", "false", NULL};
    return is_word(facts->agent_setting, words);
}

static bool is_no_server_for(const facts_t *facts)
{
    return !facts->process.is_server && strcasecmp(facts->agent_setting, "servers") == 0;
}

static bool has_no_socket(const facts_t *facts)
{
    return strcasecmp(facts->agent_socket, "off") == 0;
}

/* Its agent has no socket: why, and what helps? */
static bool is_asleep(const facts_t *facts, refusal_t *refusal)
{
    char name[512];
    if (facts->process.agent == PROCESS_AGENT_LATE) {
        say(refusal, "its agent is asleep: it was forked from a process that was attached to, and "
                     "begins by itself with the first subscription; or it could open no socket, "
                     "which it says on standard error of the process");
        return because(refusal, "agent is asleep");
    }
    if (is_switched_off(facts)) {
        say(refusal,
            "its agent has been switched off since it was started "
            "(SKA_TANGO_EVENT_AGENT=%s): restart it without that variable, or without the "
            "agent, and attach to it then",
            facts->agent_setting);
        return because(refusal, "agent is switched off");
    }
    if (is_no_server_for(facts)) {
        say(refusal, "its agent watches servers only (SKA_TANGO_EVENT_AGENT=servers), and it is "
                     "none: restart it without that variable, or without the agent, and attach to "
                     "it then");
        return because(refusal, "agent is for servers");
    }
    if (has_no_socket(facts)) {
        process_name(&facts->process, name, sizeof name);
        if (facts->process.is_server)
            say(refusal,
                "its agent has no socket (SKA_TANGO_EVENT_AGENT_SOCKET=off): ask it through its "
                "admin device: ska-tango-event-monitor %.200s",
                name);
        else
            say(refusal, "its agent has no socket (SKA_TANGO_EVENT_AGENT_SOCKET=off): restart it "
                         "without that variable");
        return because(refusal, "agent has no socket");
    }
    if (facts->process.is_unnoticed) {
        say(refusal, "its agent isn't told of its subscriptions, since its libtango calls its own "
                     "functions directly, as Ubuntu's: restart it without the agent, and attach to "
                     "it then");
        return because(refusal, "agent isn't told");
    }
    if (facts->process.is_server)
        say(refusal, "its agent is asleep until the server is ready: try again");
    else
        say(refusal, "its agent is asleep, as there is nothing to watch yet: it begins by itself "
                     "with the first subscription");
    return because(refusal, "agent is asleep");
}

static bool has_agent(const facts_t *facts, refusal_t *refusal)
{
    const process_t *process = &facts->process;
    const char *since = process->agent == PROCESS_AGENT_LATE ? "" : ", since it was started";
    char name[64];
    switch (process->state) {
    case PROCESS_WATCHING:
        say(refusal, "the agent is there already%s: ask it: " PROGRAM " query %ld", since,
            (long)process->pid);
        return because(refusal, "agent is there");
    case PROCESS_ASLEEP:
        return is_asleep(facts, refusal);
    case PROCESS_STATE_UNKNOWN:
    case PROCESS_DETACHED:
    default:
        name_user(facts, name, sizeof name);
        if (facts->own_user != 0 && is_of_another_user(facts))
            say(refusal,
                "the agent is there already%s, but doesn't answer: it belongs to user %s: run this "
                "as that user, or as root",
                since, name);
        else
            say(refusal,
                "the agent is there already%s, but doesn't answer: the process is very busy, or "
                "about to end; try again",
                since);
        return because(refusal, "agent doesn't answer");
    }
}

/* ---- it isn't allowed ---- */

static bool is_of_yama(const facts_t *facts, refusal_t *refusal)
{
    if (facts->ptrace_scope == 1)
        say(refusal, "this machine lets only root trace what it hasn't started itself "
                     "(kernel.yama.ptrace_scope is 1): run this as root, or allow it for a while "
                     "(sysctl kernel.yama.ptrace_scope=0)");
    else if (facts->ptrace_scope == 2)
        say(refusal, "this machine lets only root trace (kernel.yama.ptrace_scope is 2): run this "
                     "as root, or with CAP_SYS_PTRACE");
    else
        say(refusal, "this machine lets nobody trace until it is restarted "
                     "(kernel.yama.ptrace_scope is 3): start the process with the agent (" PROGRAM
                     " run -- COMMAND), or change the setting and restart the machine");
    return because(refusal, "ptrace_scope is %d", facts->ptrace_scope);
}

static bool is_forbidden(const facts_t *facts, refusal_t *refusal)
{
    char name[64];
    const bool may_trace_all = facts_may_trace_all(facts);
    if (facts->memory_failure != EACCES && facts->memory_failure != EPERM)
        return false;
    if (facts->ptrace_scope >= 3)
        return is_of_yama(facts, refusal);
    if (!may_trace_all && is_of_another_user(facts)) {
        name_user(facts, name, sizeof name);
        if (facts->own_user == 0)
            say(refusal,
                "it belongs to user %s, and CAP_SYS_PTRACE is missing here: add it (docker run "
                "--cap-add SYS_PTRACE), or run this as that user",
                name);
        else
            say(refusal, "it belongs to user %s: run this as that user, or as root", name);
        return because(refusal, "it is %s's", name);
    }
    if (!may_trace_all && facts->ptrace_scope >= 1)
        return is_of_yama(facts, refusal);
    if (may_trace_all && !facts_may_open_all(facts) && is_of_another_user(facts)) {
        name_user(facts, name, sizeof name);
        say(refusal,
            "it belongs to user %s, and CAP_DAC_OVERRIDE is missing here, beside CAP_SYS_PTRACE: "
            "add it (docker run --cap-add DAC_OVERRIDE), or run this as that user",
            name);
        return because(refusal, "no DAC_OVERRIDE");
    }
    if (may_trace_all) {
        say(refusal, "the system forbids it, though you have CAP_SYS_PTRACE: a security module "
                     "(AppArmor, SELinux), or it is in another user namespace; attach from there");
        return because(refusal, "the system forbids it");
    }
    say(refusal, "it has protected its memory (it has rights that you don't have, or has given "
                 "some up): run this as root, or with CAP_SYS_PTRACE");
    return because(refusal, "its memory is protected");
}

static bool is_traced(const facts_t *facts, refusal_t *refusal)
{
    char name[64];
    if (facts->tracer == 0)
        return false;
    show_text(facts->tracer_name, name, sizeof name);
    say(refusal, "process %ld (%s) traces it, and only one can: end that first",
        (long)facts->tracer, name);
    return because(refusal, "traced by %ld (%s)", (long)facts->tracer, name);
}

/* ---- it can't work ---- */

static bool has_other_libraries(const facts_t *facts, refusal_t *refusal)
{
    char first[512];
    char second[512];
    if (facts->is_32_bits) {
        say(refusal, "it is a 32-bit program, and the agent is for x86-64");
        return because(refusal, "32 bits");
    }
    if (facts->is_other_machine) {
        say(refusal, "it is no program for x86-64, and the agent is");
        return because(refusal, "not x86-64");
    }
    if (facts->has_musl) {
        say(refusal, "its C library is musl, and the agent needs glibc");
        return because(refusal, "musl");
    }
    if (!facts->has_glibc) {
        say(refusal, "it is linked statically, or has another C library than glibc, which the "
                     "agent needs");
        return because(refusal, "no glibc");
    }
    if (facts->process.libtango[0] == '\0') {
        say(refusal, "it doesn't use Tango: no libtango is loaded");
        return because(refusal, "no libtango");
    }
    if (facts->process.other_libtango[0] != '\0') {
        show_text(facts->process.libtango, first, sizeof first);
        show_text(facts->process.other_libtango, second, sizeof second);
        say(refusal,
            "it has two libtangos, and the agent could watch the wrong one: start it with "
            "the agent (" PROGRAM " run -- COMMAND); they are %.120s and %.120s",
            first, second);
        return because(refusal, "two libtangos");
    }
    return false;
}

static bool is_hardened(const facts_t *facts, refusal_t *refusal)
{
    if (facts->has_shadow_stack) {
        say(refusal, "its processor watches its stack (shadow stacks): start it with the agent "
                     "(" PROGRAM " run -- COMMAND), or without them (GLIBC_TUNABLES)");
        return because(refusal, "shadow stack");
    }
    if (facts->seccomp == 1) {
        say(refusal, "it may only read and write (strict seccomp), and would be killed");
        return because(refusal, "seccomp");
    }
    return false;
}

bool refusal_find(const facts_t *facts, refusal_t *refusal)
{
    *refusal = (refusal_t){0};
    if (is_no_process(facts, refusal) || stands_still(facts, refusal))
        return true;
    if (facts->process.agent != PROCESS_AGENT_NONE)
        return facts->process.state != PROCESS_DETACHED && has_agent(facts, refusal);
    return is_traced(facts, refusal) || is_forbidden(facts, refusal) ||
           has_other_libraries(facts, refusal) || is_hardened(facts, refusal);
}

bool refusal_find_filters(const facts_t *facts, refusal_t *refusal)
{
    *refusal = (refusal_t){0};
    if (facts->process.agent != PROCESS_AGENT_NONE || facts->seccomp == 0 ||
        facts_may_read_filters(facts))
        return false;
    say(refusal, SECCOMP_UNREADABLE);
    return because(refusal, "seccomp filters can't be read");
}
