/*
 * hooks: the plan: which functions replace which in libtango's relocation slots, and how. They call
 * the original, and count what passes (publishing.h, subscribing.h, receiving.h).
 */
#ifndef STEM_AGENT_HOOKS_H
#define STEM_AGENT_HOOKS_H

#include <stdbool.h>

#include "agent/platform/elf_image.h"

/*
 * Puts the hooks into libtango's slots, once in a process; libtango must live as long as that. They
 * count in agent_counts. What can't be hooked, because libtango has no such slot, is reported once
 * on standard error and not watched. Returns false if nothing could be hooked.
 */
bool hooks_install(const elf_image_t *libtango);

#endif
