/*
 * text_sink: prints observations on standard output, for people. On a terminal it has a status
 * line: one that stands at the bottom until something else is printed.
 */
#ifndef STEM_TEXT_SINK_H
#define STEM_TEXT_SINK_H

#include "base/outlet.h"
#include "monitor/sink.h"
#include "monitor/view/view_options.h"

/*
 * outlet: of standard output; it stays the caller's. stop_fd: once it is readable, the reader is no
 * longer waited for; see outlet.h. Never NULL.
 */
sink_t *text_sink_new(const view_options_t *options, outlet_t *outlet, int stop_fd);

#endif
