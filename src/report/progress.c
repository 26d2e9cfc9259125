#include "report/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/terminal.h"
#include "monitor/view/text/duration_text.h"
#include "monitor/view/text/value_text.h"

/* A report that takes less needs no progress. */
#define FIRST_NS (NS_PER_SECOND / 4)
#define EVERY_NS (NS_PER_SECOND / 10)

/* The width where it isn't known, and that of the bar at most and at least. */
enum { WIDTH = 80, BAR_MAX = 40, BAR_MIN = 8 };

/* What is left isn't told before this part was read: it would jump. */
#define SURE_PART 0.02

progress_t progress_of(int fd, bool quiet)
{
    return (progress_t){
        .fd = fd, .is_on = !quiet && terminal_is_capable(fd), .begun_ns = monotonic_ns()};
}

/* "[####    ] ", or "" without the space for it. The caller frees it. */
static char *bar_of(double part, size_t width)
{
    if (width < BAR_MIN)
        return memory_string("");
    const size_t cells = (width < BAR_MAX ? width : BAR_MAX) - 3;
    char *bar = memory_format("[%*s] ", (int)cells, "");
    memset(bar + 1, '#', (size_t)floor(part * (double)cells));
    return bar;
}

char *progress_text(double part, double bytes_read, int64_t polls, double seconds, size_t width)
{
    if (isnan(part))
        return memory_format("Reading: %" PRId64 " poll%s", polls, polls == 1 ? "" : "s");
    char *left = part > SURE_PART ? duration_text(seconds * (1 - part) / part, 0) : NULL;
    char *numbers = memory_format("%3.0f %%  %s/s%s%s", floor(100 * part),
                                  value_text_bytes((int64_t)(bytes_read / seconds)).text,
                                  left ? "  " : "", left ? left : "");
    const size_t used = strlen("Reading ") + strlen(numbers) + strlen(" left") + 1;
    char *bar = bar_of(part, width > used ? width - used : 0);
    char *text = memory_format("Reading %s%s%s", bar, numbers, left ? " left" : "");
    free(bar);
    free(numbers);
    free(left);
    if (strlen(text) >= width)
        text[width > 0 ? width - 1 : 0] = '\0';
    return text;
}

static void write_to_terminal(const progress_t *self, const char *text)
{
    /* If it can't be shown, nothing is lost. */
    if (!terminal_forbids_output(self->fd) && write(self->fd, text, strlen(text)) < 0)
        return;
}

void progress_show(progress_t *self, double part, int64_t bytes, int64_t polls)
{
    if (!self->is_on)
        return;
    const int64_t now = monotonic_ns();
    if (now - self->begun_ns < FIRST_NS || now - self->drawn_ns < EVERY_NS)
        return;
    self->drawn_ns = now;
    const size_t width = terminal_width(self->fd);
    char *text = progress_text(part, part * (double)bytes, polls,
                               (double)(now - self->begun_ns) / (double)NS_PER_SECOND,
                               width > 0 ? width : WIDTH);
    char *line = memory_format("\r%s\033[K", text);
    write_to_terminal(self, line);
    self->is_shown = true;
    free(line);
    free(text);
}

void progress_clear(progress_t *self)
{
    if (self->is_shown)
        write_to_terminal(self, "\r\033[K");
    self->is_shown = false;
    self->drawn_ns = 0;
}
