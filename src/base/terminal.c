#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

bool terminal_is_capable(int fd)
{
    const char *kind = getenv("TERM");
    return isatty(fd) && kind && strcmp(kind, "") != 0 && strcmp(kind, "dumb") != 0;
}

size_t terminal_width(int fd)
{
    struct winsize size = {0};
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool terminal_forbids_output(int fd)
{
    struct termios settings;
    const pid_t foreground = tcgetpgrp(fd); /* -1 of what is not the terminal of our session */
    return foreground > 0 && foreground != getpgrp() && tcgetattr(fd, &settings) == 0 &&
           (settings.c_lflag & TOSTOP);
}

bool terminal_no_color(void)
{
    const char *value = getenv("NO_COLOR");
    return value && *value;
}

const char *terminal_color(color_t color, bool on)
{
    static const char *const codes[] = {
        [COLOR_NONE] = "\033[0m",  [COLOR_ALARM] = "\033[1;31m", [COLOR_WARNING] = "\033[33m",
        [COLOR_GOOD] = "\033[32m", [COLOR_HEADING] = "\033[1m",
    };
    return on ? codes[color] : "";
}
