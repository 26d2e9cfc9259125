#include "monitor/view/json/json_sink.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/view/json/summary_json.h"
#include "monitor/view/json/totals_json.h"
#include "monitor/view/writer.h"

typedef struct {
    sink_t sink; /* comes first */
    writer_t writer;
    summary_options_t options;
    bool is_list;  /* FORMAT_JSON: the whole output is one value */
    totals_t *own; /* of what a filter accepts */
    const totals_t *totals;
    const findings_t *findings;
} json_sink_t;

/* In a list, what comes before an object. Each ends with its line, so that it can be read at once.
 */
static void begin(const json_sink_t *self, FILE *out)
{
    if (self->is_list)
        fputs(self->writer.begun ? "," : "[\n", out);
}

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    json_sink_t *self = (json_sink_t *)sink;
    char *text = NULL;
    size_t size = 0;
    shown_t *shown = shown_new(observation->comparison, &self->options.filter);
    shown->findings = self->findings = observation->findings;
    self->totals = shown_totals(shown, observation, &self->options.filter, self->own);
    self->options.left_out = self->writer.left_out;
    FILE *out = memory_stream_open(&text, &size);
    begin(self, out);
    summary_json_write(out, shown, observation->snapshot, &self->options);
    putc('\n', out);
    memory_stream_close(out);
    shown_destroy(&shown);
    return writer_put(&self->writer, text, size, WRITER_CAPACITY, error);
}

static sink_result_t end(sink_t *sink, bool any, char **error)
{
    json_sink_t *self = (json_sink_t *)sink;
    char *text = NULL;
    size_t size = 0;
    if (!any && !self->is_list)
        return SINK_OK;
    FILE *out = memory_stream_open(&text, &size);
    if (any) {
        begin(self, out);
        totals_json_write(out, self->totals, self->findings, &self->options.filter,
                          self->writer.left_out_in_all);
        fputs(self->is_list ? "\n]\n" : "\n", out);
    } else {
        fputs("[]\n", out);
    }
    memory_stream_close(out);
    /* Without its end a list is not JSON: it is never left out. */
    return writer_put(&self->writer, text, size, SIZE_MAX, error);
}

static sink_result_t finish(sink_t *sink, bool told, char **error)
{
    return writer_finish(&((json_sink_t *)sink)->writer, told, error);
}

static void destroy(sink_t **sink)
{
    json_sink_t *self = (json_sink_t *)*sink;
    totals_destroy(&self->own);
    free(self);
    *sink = NULL;
}

sink_t *json_sink_new(const view_options_t *options, outlet_t *outlet, int stop_fd)
{
    static const sink_methods_t methods = {
        .show = show,
        .end = end,
        .finish = finish,
        .destroy = destroy,
    };
    json_sink_t *self = memory_new(1, sizeof *self);
    self->sink = (sink_t){
        .methods = &methods,
        .compares = true,
        .when_closed = WRITER_CLOSED,
    };
    self->writer = (writer_t){.outlet = outlet, .stop_fd = stop_fd, .waits = options->waits};
    self->options = options->summary;
    self->is_list = options->format == FORMAT_JSON;
    self->totals = self->own = totals_new();
    return &self->sink;
}
