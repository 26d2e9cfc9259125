/*
 * check_device: asks whether a device answers, and whether an attribute has events.
 */
#ifndef STEM_CHECK_DEVICE_H
#define STEM_CHECK_DEVICE_H

#include <stddef.h>

#include "monitor/model/checks.h"

/* Checks so many devices, the subjects of checks, one after the other; as check_endpoints(). */
void check_devices(check_t *checks, size_t count, int stop_fd);

/*
 * Checks so many subscriptions likewise: whether the device is there and has the attribute, and
 * whether its configuration allows for events of that type.
 */
void check_attributes(check_t *checks, size_t count, int stop_fd);

#endif
