/*
 * To be preloaded into a test server: while the file LATER_CLOCK_FILE exists, it is 700 s later for
 * cppTango and for the agent. cppTango remembers by time() when a stream was last subscribed to;
 * what waits for a moment reads other clocks, which are left alone.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static time_t seconds_later(void)
{
    const char *file = getenv("LATER_CLOCK_FILE");
    return file && access(file, F_OK) == 0 ? 700 : 0;
}

static int is_agent(const void *address)
{
    Dl_info info;
    return dladdr(address, &info) != 0 && info.dli_fname &&
           strstr(info.dli_fname, "libska-tango-event-agent") != NULL;
}

time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += seconds_later();
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*original)(clockid_t, struct timespec *);
    if (!original)
        original = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const int result = original(clock, now);
    if ((clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) &&
        is_agent(__builtin_return_address(0)))
        now->tv_sec += seconds_later();
    return result;
}
