/*
 * recording_sink: a recording as a sink. It only needs the snapshot of an observation.
 */
#ifndef STEM_RECORDING_SINK_H
#define STEM_RECORDING_SINK_H

#include "monitor/recording/recording.h"
#include "monitor/sink.h"

/* Takes the recording over, and sets *recording to NULL. path: its name, which must live as long.
 * Never NULL. */
sink_t *recording_sink_new(recording_t **recording, const char *path);

#endif
