/*
 * json_change: changes JSON so that it stays JSON, for the fuzzers.
 */
#ifndef STEM_JSON_CHANGE_H
#define STEM_JSON_CHANGE_H

#include <jansson.h>

/* A number below 65,536; random is what the next one is made from. */
unsigned json_change_random(unsigned *random);

/* Changes this value, an object or a list, or one within it. */
void json_change(json_t *value, unsigned *random);

#endif
