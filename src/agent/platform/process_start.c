#include "agent/platform/process_start.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/platform/clocks.h"

/* In /proc/self/stat, counted from 1; in ticks since boot. Source: proc(5). The second one is the
 * program's name in parentheses, which may contain anything. */
enum { STARTTIME_FIELD = 22, AFTER_NAME_FIELD = 3 };

static unsigned long long start_ticks(void)
{
    char text[1024];
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = AFTER_NAME_FIELD - 1; at && field < STARTTIME_FIELD; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

int64_t process_start_ns(void)
{
    const unsigned long long ticks = start_ticks();
    const long per_second = sysconf(_SC_CLK_TCK);
    if (ticks == 0 || per_second <= 0)
        return CLOCK_NEVER;
    const int64_t since_boot = (int64_t)(ticks * (UINT64_C(1000000000) / (uint64_t)per_second));
    return clock_realtime_ns() - clock_read_ns(CLOCK_BOOTTIME) + since_boot;
}
