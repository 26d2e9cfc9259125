#include "agent/platform/leaving.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { WAIT_MS = 5000 };

static _Atomic bool leaving;
static _Atomic int inside;
static _Thread_local bool is_inside;

void leaving_begins(void)
{
    atomic_store(&leaving, true);
    for (int i = 0; i < WAIT_MS && atomic_load(&inside) > (is_inside ? 1 : 0); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* What is registered last is called first: before the destructors of libtango, which is loaded. */
static void watch_exit(void)
{
    atexit(leaving_begins);
}

void leaving_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_exit);
}

bool leaving_not_yet(void)
{
    leaving_prepare();
    atomic_fetch_add(&inside, 1);
    is_inside = !atomic_load(&leaving);
    if (!is_inside)
        atomic_fetch_sub(&inside, 1);
    return is_inside;
}

void leaving_done(void)
{
    is_inside = false;
    atomic_fetch_sub(&inside, 1);
}

void leaving_forget(void)
{
    is_inside = false;
    atomic_store(&inside, 0);
}
