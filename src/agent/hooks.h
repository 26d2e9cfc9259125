/*
 * hooks: the functions that stand in libtango's relocation slots. They call what stood there before
 * and tell streams and samples what went by.
 */
#ifndef STEM_AGENT_HOOKS_H
#define STEM_AGENT_HOOKS_H

#include "agent/elf_image.h"
#include "agent/samples.h"
#include "agent/streams.h"
#include "agent/subscriptions.h"

/*
 * Puts the hooks into libtango's slots. libtango, streams, subscriptions and samples must live as
 * long as the process. What can't be hooked, because libtango has no such slot, is said once on
 * standard error and not watched. Returns false if nothing could be.
 */
bool hooks_install(const elf_image_t *libtango, streams_t *streams, subscriptions_t *subscriptions,
                   samples_t *samples);

#endif
