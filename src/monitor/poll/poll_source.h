/*
 * poll_source: servers that are asked now, as one of the places where snapshots come from.
 */
#ifndef STEM_POLL_SOURCE_H
#define STEM_POLL_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/poll/checker.h"
#include "monitor/poll/poller.h"
#include "monitor/source.h"

/*
 * The poller is connected and settled; it and the checker (NULL: no checks) stay the caller's.
 * stop_fd: once it is readable, a poll is given up. perf: performance monitoring was started, and
 * is to be stopped. Never NULL.
 */
source_t *poll_source_new(poller_t *poller, checker_t *checker, bool perf, int64_t period_ns,
                          int stop_fd);

#endif
