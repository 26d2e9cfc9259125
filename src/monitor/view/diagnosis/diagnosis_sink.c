#include "monitor/view/diagnosis/diagnosis_sink.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "monitor/view/diagnosis/diagnosis_json.h"
#include "monitor/view/diagnosis/diagnosis_junit.h"
#include "monitor/view/diagnosis/diagnosis_text.h"
#include "monitor/view/status_line.h"
#include "monitor/view/writer.h"

typedef struct {
    sink_t sink; /* comes first */
    writer_t writer;
    status_line_t status;
    const view_options_t *options;
    const fail_on_t *fail_on;
    diagnosis_t *diagnosis;
    verdict_t *verdict;
    double seconds;
    int64_t begun_ns;
    size_t found; /* by now */
} diagnosis_sink_t;

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    (void)error;
    diagnosis_sink_t *self = (diagnosis_sink_t *)sink;
    diagnosis_add(self->diagnosis, observation);
    self->found = diagnosis_result(self->diagnosis)->finding_count;
    return SINK_OK;
}

static void print(const diagnosis_sink_t *self, FILE *out, const diagnosis_result_t *result)
{
    const bool color = self->sink.has_status && !self->options->no_color && !terminal_no_color();
    switch (self->options->format) {
    case FORMAT_TEXT:
        status_line_begin(&self->status, out);
        diagnosis_text_print(
            out, result, &(text_style_t){.width = terminal_width(STDOUT_FILENO), .color = color});
        break;
    case FORMAT_JSON:
    case FORMAT_JSONL:
        diagnosis_json_write(out, result, self->fail_on);
        break;
    case FORMAT_JUNIT:
        diagnosis_junit_write(out, result, self->fail_on);
        break;
    }
}

static sink_result_t end(sink_t *sink, bool any, char **error)
{
    (void)any;
    diagnosis_sink_t *self = (diagnosis_sink_t *)sink;
    const diagnosis_result_t *result = diagnosis_result(self->diagnosis);
    *self->verdict = result->verdict;
    if (!self->writer.outlet)
        return SINK_OK;
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    print(self, out, result);
    memory_stream_close(out);
    self->status.is_there = false;
    return writer_put(&self->writer, text, size, SIZE_MAX, error);
}

static sink_result_t finish(sink_t *sink, bool told, char **error)
{
    diagnosis_sink_t *self = (diagnosis_sink_t *)sink;
    return self->writer.outlet ? writer_finish(&self->writer, told, error) : SINK_OK;
}

static void show_status(sink_t *sink, const sink_status_t *status)
{
    diagnosis_sink_t *self = (diagnosis_sink_t *)sink;
    const double passed = (double)(monotonic_ns() - self->begun_ns) / (double)NS_PER_SECOND;
    char *until = self->seconds > 0 ? memory_format(" of %.3g", self->seconds) : memory_string("");
    char *found = self->found > 0 ? memory_format("%zu found so far", self->found)
                                  : memory_string("nothing found so far");
    char *failed =
        status->failed > 0 ? memory_format(", %zu FAILED", status->failed) : memory_string("");
    char *text = memory_format("watching for %.0f%s s; %zu %s%s; %s", passed, until, status->asked,
                               status->asked == 1 ? "server" : "servers", failed, found);
    status_line_show(&self->status, text);
    free(text);
    free(failed);
    free(found);
    free(until);
}

static void clear_status(sink_t *sink)
{
    status_line_clear(&((diagnosis_sink_t *)sink)->status);
}

static void destroy(sink_t **sink)
{
    diagnosis_sink_t *self = (diagnosis_sink_t *)*sink;
    diagnosis_destroy(&self->diagnosis);
    free(self);
    *sink = NULL;
}

sink_t *diagnosis_sink_new(const view_options_t *options, const fail_on_t *fail_on, double seconds,
                           outlet_t *outlet, int stop_fd, verdict_t *verdict)
{
    static const sink_methods_t methods = {
        .show = show,
        .end = end,
        .finish = finish,
        .show_status = show_status,
        .clear_status = clear_status,
        .destroy = destroy,
    };
    diagnosis_sink_t *self = memory_new(1, sizeof *self);
    self->sink = (sink_t){
        .methods = &methods,
        .compares = true,
        .has_status =
            outlet && options->format == FORMAT_TEXT && terminal_is_capable(STDOUT_FILENO),
        .when_closed = WRITER_CLOSED,
    };
    self->writer = (writer_t){.outlet = outlet, .stop_fd = stop_fd, .waits = options->waits};
    self->status.outlet = outlet;
    self->options = options;
    self->fail_on = fail_on;
    self->seconds = seconds;
    self->begun_ns = monotonic_ns();
    self->diagnosis = diagnosis_new(&options->summary.filter, fail_on);
    self->verdict = verdict;
    *verdict = VERDICT_UNKNOWN;
    return &self->sink;
}
