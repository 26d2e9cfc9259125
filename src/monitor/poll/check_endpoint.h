/*
 * check_endpoint: tries whether TCP connections to endpoints can be made from here. Sends nothing,
 * and closes them at once.
 */
#ifndef STEM_CHECK_ENDPOINT_H
#define STEM_CHECK_ENDPOINT_H

#include <stddef.h>

#include "monitor/model/checks.h"

/* How long it waits for a connection. */
#define CHECK_ENDPOINT_SECONDS 3

/*
 * Checks so many endpoints, the subjects of checks, at the same time, and sets outcome and text of
 * each. Only looking up a host name takes longer than that. Gives up once stop_fd is readable: then
 * some are CHECK_UNDONE.
 */
void check_endpoints(check_t *checks, size_t count, int stop_fd);

#endif
