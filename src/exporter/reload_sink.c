#include "exporter/reload_sink.h"

#include <stdlib.h>

#include "base/memory.h"

typedef struct {
    sink_t sink; /* comes first */
    web_server_t *server;
} reload_sink_t;

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    (void)sink, (void)observation, (void)error;
    return SINK_OK;
}

static void reopen(sink_t *sink, char **error)
{
    (void)error; /* the server says by itself what came of it */
    web_server_reload(((reload_sink_t *)sink)->server);
}

static void destroy(sink_t **sink)
{
    free(*sink);
    *sink = NULL;
}

sink_t *reload_sink_new(web_server_t *server)
{
    static const sink_methods_t methods = {.show = show, .reopen = reopen, .destroy = destroy};
    reload_sink_t *self = memory_new(1, sizeof *self);
    self->sink.methods = &methods;
    self->server = server;
    return &self->sink;
}
