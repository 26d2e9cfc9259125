#include "monitor/display.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/output.h"
#include "monitor/summary.h"
#include "monitor/summary_json.h"
#include "monitor/totals.h"
#include "response/memory.h"
#include "response/printable.h"

/* Begins the line and empties it. */
static const char erase[] = "\r\033[K";

struct display {
    display_options_t options;
    int stop_fd;
    totals_t *totals;
    bool terminal;
    bool has_status;
    bool failing; /* and that was said */
    bool begun;   /* something was written: of FORMAT_JSON, the list's bracket */
};

display_t *display_new(const display_options_t *options, int stop_fd)
{
    display_t *self = memory_new(1, sizeof *self);
    self->options = *options;
    self->stop_fd = stop_fd;
    self->totals = totals_new(&options->summary.filter);
    self->terminal = options->format == FORMAT_TEXT && terminal_is_capable(STDOUT_FILENO);
    self->options.summary.style.color =
        self->terminal && !options->no_color && !terminal_no_color();
    return self;
}

void display_destroy(display_t **self)
{
    if (!*self)
        return;
    totals_destroy(&(*self)->totals);
    free(*self);
    *self = NULL;
}

/* Writes what was printed into a memory stream, and frees it. */
static display_result_t print_text(display_t *self, char *text, size_t size, char **error)
{
    display_result_t result = DISPLAY_OK;
    display_clear_status(self);
    switch (output_write(STDOUT_FILENO, text, size, self->stop_fd, NULL)) {
    case OUTPUT_DONE:
        self->failing = false;
        break;
    case OUTPUT_CLOSED: /* "| head" has seen enough: no error */
        result = DISPLAY_CLOSED;
        break;
    case OUTPUT_GIVEN_UP:
        break;
    case OUTPUT_FAILED:
        if (!self->failing)
            *error = memory_format("standard output: can't print summaries: %s", strerror(errno));
        self->failing = true;
        result = DISPLAY_FAILED;
        break;
    }
    free(text);
    return result;
}

/* A window may have been resized meanwhile. */
static void measure(display_t *self)
{
    self->options.summary.style.width = self->terminal ? terminal_width(STDOUT_FILENO) : 0;
}

/* In a list, what stands before an object; each ends with its line, so that it can be read at once.
 */
static void begin_object(const display_t *self, FILE *out)
{
    if (self->options.format == FORMAT_JSON)
        fputs(self->begun ? "," : "[\n", out);
}

display_result_t display_show(display_t *self, const snapshot_t *previous,
                              const snapshot_t *current, char **error)
{
    char *text = NULL;
    size_t size = 0;
    *error = NULL;
    measure(self);
    comparison_t *comparison = comparison_new(previous, current, &self->options.summary.filter);
    FILE *out = memory_stream_open(&text, &size);
    if (self->options.format == FORMAT_TEXT) {
        summary_print(out, comparison, current, &self->options.summary);
    } else {
        begin_object(self, out);
        summary_json_write(out, comparison, current, &self->options.summary);
        putc('\n', out);
    }
    memory_stream_close(out);
    comparison_destroy(&comparison);
    totals_add(self->totals, previous, current);
    const display_result_t result = print_text(self, text, size, error);
    self->begun |= result == DISPLAY_OK;
    return result;
}

display_result_t display_end(display_t *self, char **error)
{
    char *text = NULL;
    size_t size = 0;
    *error = NULL;
    measure(self);
    FILE *out = memory_stream_open(&text, &size);
    if (self->options.format == FORMAT_TEXT) {
        totals_print(self->totals, out, &self->options.summary.style);
    } else {
        begin_object(self, out);
        totals_write_json(self->totals, out);
        fputs(self->options.format == FORMAT_JSON ? "\n]\n" : "\n", out);
    }
    memory_stream_close(out);
    return print_text(self, text, size, error);
}

bool display_has_status(const display_t *self)
{
    return self->terminal;
}

void display_status(display_t *self, char *text)
{
    if (self->terminal) {
        const bool utf8 = printable_locale_is_utf8();
        const size_t width = terminal_width(STDOUT_FILENO);
        char *copy = printable_copy(text, utf8);
        char *line = width > 1 ? printable_shorten(copy, width - 1, utf8) : memory_string(copy);
        char *whole = memory_format("%s%s", erase, line);
        output_write(STDOUT_FILENO, whole, strlen(whole), self->stop_fd, NULL);
        self->has_status = true;
        free(whole);
        free(line);
        free(copy);
    }
    free(text);
}

void display_clear_status(display_t *self)
{
    if (self->has_status)
        output_write(STDOUT_FILENO, erase, sizeof erase - 1, self->stop_fd, NULL);
    self->has_status = false;
}

long long display_lost_events(const display_t *self)
{
    return totals_lost_events(self->totals);
}
