#include "monitor/limits.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RESERVE = 4 };

static int reserve[RESERVE];

void limits_raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    /* If that is refused, the limit stays as it was, and reaching it is reported. */
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

void limits_reserve_files(void)
{
    for (int i = 0; i < RESERVE; i++)
        reserve[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void limits_release_files(void)
{
    for (int i = 0; i < RESERVE; i++)
        if (reserve[i] >= 0)
            close(reserve[i]);
}
