/*
 * answers: the recorded answers in tests/data, each file {"publisher": answer, "subscriber":
 * answer}.
 */
#ifndef STEM_TEST_ANSWERS_H
#define STEM_TEST_ANSWERS_H

#include "response/response.h"

/* The text of one side's answer ("publisher" or "subscriber"); the caller frees it. */
char *answers_text(const char *file, const char *side);

/* The same, parsed; the caller owns it. The test fails if it can't be parsed. */
response_t *answers_response(const char *file, const char *side);

/* Parses a literal answer in which ' stands for "; the test fails if it can't be parsed. */
response_t *answers_parse(const char *text);

#endif
