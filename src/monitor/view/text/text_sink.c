#include "monitor/view/text/text_sink.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "monitor/view/status_line.h"
#include "monitor/view/text/findings_text.h"
#include "monitor/view/text/summary.h"
#include "monitor/view/text/totals_text.h"
#include "monitor/view/writer.h"

typedef struct {
    sink_t sink; /* comes first */
    writer_t writer;
    summary_options_t options;
    totals_t *own; /* of what a filter takes */
    const totals_t *totals;
    const findings_t *findings;
    status_line_t status;
} text_sink_t;

/* A window may have been resized meanwhile. */
static void measure(text_sink_t *self)
{
    self->options.style.width = self->sink.has_status ? terminal_width(STDOUT_FILENO) : 0;
}

/* The line before a summary: what was left out. */
static void begin(const text_sink_t *self, FILE *out)
{
    const writer_t *writer = &self->writer;
    status_line_begin(&self->status, out);
    if (writer->left_out > 0)
        fprintf(out, "%zu %s left out here: %s\n\n", writer->left_out,
                writer->left_out == 1 ? "summary was" : "summaries were", writer->left_out_why);
}

static sink_result_t put(text_sink_t *self, char *text, size_t size, size_t capacity, char **error)
{
    const sink_result_t result = writer_put(&self->writer, text, size, capacity, error);
    self->status.is_there &= self->writer.left_out > 0;
    return result;
}

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    text_sink_t *self = (text_sink_t *)sink;
    char *text = NULL;
    size_t size = 0;
    measure(self);
    shown_t *shown = shown_new(observation->comparison, &self->options.filter);
    shown->findings = self->findings = observation->findings;
    self->totals = shown_totals(shown, observation, &self->options.filter, self->own);
    FILE *out = memory_stream_open(&text, &size);
    begin(self, out);
    summary_print(out, shown, observation->snapshot, &self->options);
    memory_stream_close(out);
    shown_destroy(&shown);
    return put(self, text, size, WRITER_CAPACITY, error);
}

static sink_result_t end(sink_t *sink, bool any, char **error)
{
    text_sink_t *self = (text_sink_t *)sink;
    char *text = NULL;
    size_t size = 0;
    if (!any)
        return SINK_OK;
    measure(self);
    FILE *out = memory_stream_open(&text, &size);
    begin(self, out);
    if (self->findings)
        findings_text_print_run(out, self->findings, &self->options.filter, &self->options.style);
    totals_text_print(out, self->totals, &self->options.style);
    memory_stream_close(out);
    return put(self, text, size, SIZE_MAX, error);
}

static sink_result_t finish(sink_t *sink, bool told, char **error)
{
    return writer_finish(&((text_sink_t *)sink)->writer, told, error);
}

static char *status_text(const text_sink_t *self, const sink_status_t *status)
{
    const char *servers = status->asked == 1 ? "server" : "servers";
    if (status->is_asking)
        return memory_format("asking %zu %s ...", status->asked, servers);
    char *losses = totals_text_losses(self->totals);
    char *failed =
        status->failed > 0 ? memory_format(", %zu FAILED", status->failed) : memory_string("");
    const char *path = status->recorded_into;
    char *text = memory_format("next poll in %.0f s; %zu %s%s; %s so far%s%s", status->seconds,
                               status->asked, servers, failed, losses,
                               path ? "; recording into " : "", path ? path : "");
    free(failed);
    free(losses);
    return text;
}

static void show_status(sink_t *sink, const sink_status_t *status)
{
    text_sink_t *self = (text_sink_t *)sink;
    char *text = status_text(self, status);
    status_line_show(&self->status, text);
    free(text);
}

static void clear_status(sink_t *sink)
{
    status_line_clear(&((text_sink_t *)sink)->status);
}

static void destroy(sink_t **sink)
{
    text_sink_t *self = (text_sink_t *)*sink;
    totals_destroy(&self->own);
    free(self);
    *sink = NULL;
}

sink_t *text_sink_new(const view_options_t *options, outlet_t *outlet, int stop_fd)
{
    static const sink_methods_t methods = {
        .show = show,
        .end = end,
        .finish = finish,
        .show_status = show_status,
        .clear_status = clear_status,
        .destroy = destroy,
    };
    text_sink_t *self = memory_new(1, sizeof *self);
    self->sink = (sink_t){
        .methods = &methods,
        .compares = true,
        .has_status = terminal_is_capable(STDOUT_FILENO),
        .when_closed = WRITER_CLOSED,
    };
    self->writer = (writer_t){.outlet = outlet, .stop_fd = stop_fd, .waits = options->waits};
    self->status.outlet = outlet;
    self->options = options->summary;
    self->options.style.color = self->sink.has_status && !options->no_color && !terminal_no_color();
    self->totals = self->own = totals_new();
    return &self->sink;
}
