#include "monitor/view/report/collect/report_sink.h"

#include <stdlib.h>

#include "base/memory.h"

typedef struct {
    sink_t sink; /* comes first */
    report_t *report;
    report_write_t write;
    void *context;
} report_sink_t;

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    *error = NULL;
    report_add(((report_sink_t *)sink)->report, observation);
    return SINK_OK;
}

static sink_result_t remark(sink_t *sink, const char *line, size_t size, char **error)
{
    *error = NULL;
    report_remark(((report_sink_t *)sink)->report, line, size);
    return SINK_OK;
}

static sink_result_t end(sink_t *sink, bool any, char **error)
{
    report_sink_t *self = (report_sink_t *)sink;
    (void)any;
    *error = NULL;
    report_settle(self->report);
    return self->write(self->context, self->report, error);
}

static void destroy(sink_t **sink)
{
    free(*sink);
    *sink = NULL;
}

sink_t *report_sink_new(report_t *report, report_write_t write, void *context)
{
    static const sink_methods_t methods = {
        .show = show, .remark = remark, .end = end, .destroy = destroy};
    report_sink_t *self = memory_new(1, sizeof *self);
    self->sink.methods = &methods;
    self->sink.compares = true;
    self->sink.is_required = true;
    self->report = report;
    self->write = write;
    self->context = context;
    return &self->sink;
}
