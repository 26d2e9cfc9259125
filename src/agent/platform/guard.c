#include "agent/platform/guard.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <unwind.h>

/*
 * C has no catch, and the agent must not be linked to the C++ runtime. A catch needs little,
 * though: a stack frame whose unwind information names a personality routine. The unwinder asks
 * that routine, for every exception that passes through the frame, whether it wants it; ours says
 * yes (except for forced unwinding: pthread_cancel must go on) and continues at a landing pad,
 * which hands the exception to __cxa_begin_catch and __cxa_end_catch, as compiled C++ would.
 *
 * The frame is the small assembly function guard_trampoline; it contains a single call, so no table
 * of call sites is needed. Source: the Itanium C++ ABI, level I and II.
 *
 * The unwinder's and the C++ runtime's functions are looked up when first needed: a process that
 * has libtango has both.
 */
#if defined(__x86_64__)

#define GUARD_WORKS 1

extern int guard_trampoline(guard_function_t *function, void *argument)
    __attribute__((visibility("hidden")));
extern const char guard_landing_pad[] __attribute__((visibility("hidden")));

__asm__(".text\n"
        ".globl guard_trampoline\n"
        ".hidden guard_trampoline\n"
        ".type guard_trampoline, @function\n"
        "guard_trampoline:\n"
        "    .cfi_startproc\n"
        "    .cfi_personality 0x1b, guard_personality\n" /* pc-relative, signed 4 bytes */
        "    endbr64\n"
        "    subq $8, %rsp\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    movq %rdi, %rax\n"
        "    movq %rsi, %rdi\n"
        "    call *%rax\n"
        "    xorl %eax, %eax\n"
        "    addq $8, %rsp\n"
        "    .cfi_remember_state\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    ret\n"
        "    .cfi_restore_state\n"
        ".globl guard_landing_pad\n"
        ".hidden guard_landing_pad\n"
        "guard_landing_pad:\n"
        "    endbr64\n"
        "    movq %rax, %rdi\n"
        "    call guard_destroy_exception\n"
        "    movl $1, %eax\n"
        "    addq $8, %rsp\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size guard_trampoline, . - guard_trampoline\n");

typedef void set_gr_t(struct _Unwind_Context *context, int index, _Unwind_Word value);
typedef void set_ip_t(struct _Unwind_Context *context, _Unwind_Ptr value);
typedef void *begin_catch_t(void *exception);
typedef void end_catch_t(void);

static set_gr_t *unwind_set_gr;
static set_ip_t *unwind_set_ip;
static begin_catch_t *begin_catch;
static end_catch_t *end_catch;

_Unwind_Reason_Code
guard_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class exception_class,
                  struct _Unwind_Exception *exception, struct _Unwind_Context *context)
    __attribute__((visibility("hidden"), used));
void guard_destroy_exception(void *exception) __attribute__((visibility("hidden"), used));

_Unwind_Reason_Code guard_personality(int version, _Unwind_Action actions,
                                      _Unwind_Exception_Class exception_class,
                                      struct _Unwind_Exception *exception,
                                      struct _Unwind_Context *context)
{
    (void)exception_class;
    if (version != 1 || (actions & _UA_FORCE_UNWIND))
        return _URC_CONTINUE_UNWIND;
    if (actions & _UA_SEARCH_PHASE)
        return _URC_HANDLER_FOUND;
    unwind_set_gr(context, __builtin_eh_return_data_regno(0), (_Unwind_Word)(uintptr_t)exception);
    unwind_set_ip(context, (_Unwind_Ptr)guard_landing_pad);
    return _URC_INSTALL_CONTEXT;
}

void guard_destroy_exception(void *exception)
{
    begin_catch(exception);
    end_catch();
}

static void find_runtime_once(void)
{
    /*
     * The runtime may have come with a library that was loaded without RTLD_GLOBAL, as under
     * Python; opening it by name finds the one that is loaded and loads none.
     */
    void *cxx = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (!cxx)
        return;
    begin_catch = (begin_catch_t *)dlsym(cxx, "__cxa_begin_catch");
    end_catch = (end_catch_t *)dlsym(cxx, "__cxa_end_catch");
    unwind_set_gr = (set_gr_t *)dlsym(cxx, "_Unwind_SetGR");
    unwind_set_ip = (set_ip_t *)dlsym(cxx, "_Unwind_SetIP");
    dlclose(cxx);
}

static bool find_runtime(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_runtime_once);
    return begin_catch && end_catch && unwind_set_gr && unwind_set_ip;
}

#else
#define GUARD_WORKS 0
#endif

bool guard_call(guard_function_t *function, void *argument)
{
#if GUARD_WORKS
    if (find_runtime())
        return guard_trampoline(function, argument) == 0;
#endif
    function(argument);
    return true;
}
