/*
 * answering: what made-up servers answer, for the fuzzers that go on from there.
 */
#ifndef STEM_FUZZ_ANSWERING_H
#define STEM_FUZZ_ANSWERING_H

#include <jansson.h>

#include "fuzz.h"
#include "monitor/model/snapshot.h"

/* Parses an answer into a reply, as if it had come at that time, and gives back the answer. */
void answering_set(reply_t *reply, json_t *answer, double when);

/* Bytes as a string of C, which the caller frees. */
char *answering_text(input_t bytes);

#endif
