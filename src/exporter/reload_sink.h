/*
 * reload_sink: where SIGHUP arrives: it lets the web server read its configuration again, as it
 * lets other sinks open their files again.
 */
#ifndef STEM_RELOAD_SINK_H
#define STEM_RELOAD_SINK_H

#include "exporter/web/web_server.h"
#include "monitor/sink.h"

/* The server stays the caller's and has to live as long. Never NULL. */
sink_t *reload_sink_new(web_server_t *server);

#endif
