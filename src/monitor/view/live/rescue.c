#include "monitor/view/live/rescue.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
enum { CRASHES = sizeof crashes / sizeof *crashes };

static const curses_t *held_curses;
static const stray_t *held_stray;
static atomic_bool is_held;
static struct sigaction before[CRASHES];

void rescue_now(void)
{
    if (!atomic_exchange(&is_held, false))
        return;
    if (held_stray)
        stray_abandon(held_stray);
    curses_abandon(held_curses);
}

/* Whatever a crash did before, core files, sanitizers' reports, it does after that. */
static void on_crash(int number)
{
    rescue_now();
    for (size_t i = 0; i < CRASHES; i++)
        if (crashes[i] == number)
            sigaction(number, &before[i], NULL);
    raise(number);
}

void rescue_begin(const curses_t *curses, const stray_t *stray)
{
    static bool is_registered;
    held_curses = curses;
    held_stray = stray;
    atomic_store(&is_held, true);
    for (size_t i = 0; i < CRASHES; i++) {
        struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_NODEFER};
        sigemptyset(&action.sa_mask);
        sigaction(crashes[i], &action, &before[i]);
    }
    if (!is_registered)
        is_registered = atexit(rescue_now) == 0;
}

bool rescue_end(void)
{
    const bool was_held = atomic_exchange(&is_held, false);
    for (size_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &before[i], NULL);
    return was_held;
}
