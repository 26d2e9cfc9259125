/*
 * toggle: for the benchmark: takes the agent's hooks out of libtango's slots, and puts them back.
 *
 * Only the functions on an event's way are toggled. Call from one thread, while no event is on its
 * way.
 */
#ifndef STEM_BENCH_TOGGLE_H
#define STEM_BENCH_TOGGLE_H

#include <stdbool.h>

/* Call it before Util::server_init, in which the agent installs its hooks. Returns false, and
 * prints why, if this isn't possible. */
bool toggle_prepare(void);

void toggle_hooks(bool in_place);

#endif
