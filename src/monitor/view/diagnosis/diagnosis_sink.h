/*
 * diagnosis_sink: the sink of --diagnose. It says nothing until the end, except on a terminal,
 * where it shows how far it is.
 */
#ifndef STEM_DIAGNOSIS_SINK_H
#define STEM_DIAGNOSIS_SINK_H

#include "base/outlet.h"
#include "monitor/sink.h"
#include "monitor/view/diagnosis/diagnosis.h"
#include "monitor/view/view_options.h"

/*
 * Prints to outlet, which stays the caller's; NULL: nothing at all. *verdict, which must live as
 * long, is set at the end. seconds: how long it is to last; 0: not known. fail_on and options must
 * live as long. Never NULL.
 */
sink_t *diagnosis_sink_new(const view_options_t *options, const fail_on_t *fail_on, double seconds,
                           outlet_t *outlet, int stop_fd, verdict_t *verdict);

#endif
