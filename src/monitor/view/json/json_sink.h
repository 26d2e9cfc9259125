/*
 * json_sink: prints observations on standard output, for programs: as one list, or as one object a
 * line.
 */
#ifndef STEM_JSON_SINK_H
#define STEM_JSON_SINK_H

#include "base/outlet.h"
#include "monitor/sink.h"
#include "monitor/view/view_options.h"

/* As text_sink_new(). */
sink_t *json_sink_new(const view_options_t *options, outlet_t *outlet, int stop_fd);

#endif
