/*
 * frame_findings: the findings of an observation, in a frame.
 */
#ifndef STEM_FRAME_FINDINGS_H
#define STEM_FRAME_FINDINGS_H

#include "monitor/view/live/frames/frame_making.h"

/* Adds them, and counts them for the servers and streams that they are about. */
void frame_findings_add(making_t *self);

#endif
