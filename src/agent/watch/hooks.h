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

/*
 * Puts them in where they aren't (any more), after hooks_install: after hooks_remove, or because
 * the loader has bound a slot at the very moment in which the hook was put there.
 */
void hooks_renew(void);

/* Takes them out. Threads that are in one finish it, and may still count. */
void hooks_remove(void);

#endif
