/*
 * rescue: gives the terminal back when the program crashes, or ends without having done so.
 */
#ifndef STEM_RESCUE_H
#define STEM_RESCUE_H

#include <stdbool.h>

#include "monitor/view/live/curses.h"
#include "monitor/view/live/stray.h"

/* From now on; both have to live until rescue_end(). stray may be NULL. There is one at a time. */
void rescue_begin(const curses_t *curses, const stray_t *stray);

/* Does it now, unless it was done, or nothing has begun. Any thread, also a signal handler. */
void rescue_now(void);

/* No longer: the caller gives the terminal back. False: rescue_now() has done it, or does it at
 * this moment, and both are still in use. */
bool rescue_end(void);

#endif
