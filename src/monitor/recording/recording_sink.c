#include "monitor/recording/recording_sink.h"

#include <stdlib.h>

#include "base/memory.h"

typedef struct {
    sink_t sink; /* comes first */
    recording_t *recording;
} recording_sink_t;

static recording_t *recording_of(sink_t *sink)
{
    return ((recording_sink_t *)sink)->recording;
}

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    return recording_write(recording_of(sink), observation->snapshot, observation->findings, error);
}

static sink_result_t remark(sink_t *sink, const char *line, size_t size, char **error)
{
    return recording_write_remark(recording_of(sink), line, size, error);
}

static sink_result_t finish(sink_t *sink, bool told, char **error)
{
    return recording_finish(recording_of(sink), told, error);
}

/* If it fails, each recording_write() tries again. */
static void reopen(sink_t *sink, char **error)
{
    (void)recording_reopen(recording_of(sink), error);
}

static void destroy(sink_t **sink)
{
    recording_sink_t *self = (recording_sink_t *)*sink;
    recording_destroy(&self->recording);
    free(self);
    *sink = NULL;
}

sink_t *recording_sink_new(recording_t **recording, const char *path)
{
    static const sink_methods_t methods = {
        .show = show,
        .remark = remark,
        .finish = finish,
        .reopen = reopen,
        .destroy = destroy,
    };
    recording_sink_t *self = memory_new(1, sizeof *self);
    self->sink =
        (sink_t){.methods = &methods, .compares = true, .is_required = true, .recorded_into = path};
    self->recording = *recording;
    *recording = NULL;
    return &self->sink;
}
