#include "monitor/view/status_line.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/printable.h"
#include "base/terminal.h"
#include "monitor/view/writer.h"

/* Begins the line and empties it. */
static const char erase[] = "\r\033[K";

void status_line_show(status_line_t *self, const char *text)
{
    const bool utf8 = printable_locale_is_utf8();
    const size_t width = terminal_width(STDOUT_FILENO);
    char *copy = printable_copy(text, utf8);
    char *line = width > 1 ? printable_shorten(copy, width - 1, utf8) : memory_string(copy);
    char *whole = memory_format("%s%s", erase, line);
    /* Only if nothing waits: a status isn't worth queueing. */
    self->is_there |= outlet_put(self->outlet, OUTLET_RESULT, whole, strlen(whole), 0);
    free(line);
    free(copy);
}

void status_line_clear(status_line_t *self)
{
    if (!self->is_there)
        return;
    char *text = memory_string(erase);
    self->is_there =
        !outlet_put(self->outlet, OUTLET_RESULT, text, sizeof erase - 1, WRITER_CAPACITY);
}

void status_line_begin(const status_line_t *self, FILE *out)
{
    if (self->is_there)
        fputs(erase, out);
}
