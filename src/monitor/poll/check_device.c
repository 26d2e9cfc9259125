#include "monitor/poll/check_device.h"

#include <poll.h>
#include <stdlib.h>

#include "base/memory.h"
#include "tango/tango_client.h"

static check_outcome_t outcome_of(tango_error_kind_t kind)
{
    switch (kind) {
    case TANGO_ERROR_NONE:
        return CHECK_GOOD;
    case TANGO_ERROR_NO_DEVICE:
        return CHECK_NO_NAME;
    case TANGO_ERROR_NOT_RUNNING:
        return CHECK_NOT_RUNNING;
    case TANGO_ERROR_TIMEOUT:
        return CHECK_TIMED_OUT;
    case TANGO_ERROR_DATABASE:
    case TANGO_ERROR_TANGO_HOST:
    case TANGO_ERROR_NO_COMMAND:
    case TANGO_ERROR_FILES:
    case TANGO_ERROR_OTHER:
        break;
    }
    return CHECK_UNDONE;
}

void check_devices(check_t *checks, size_t count, int stop_fd)
{
    for (size_t i = 0; i < count; i++) {
        check_t *check = &checks[i];
        struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
        tango_error_t error = {0};
        if (poll(&stop, 1, 0) > 0)
            return; /* CHECK_UNDONE */
        (void)tango_device_ping(check->subject, &error);
        check->outcome = outcome_of(error.kind);
        free(check->text);
        check->text = memory_string(error.kind == TANGO_ERROR_NONE ? "answers"
                                    : error.text                   ? error.text
                                                                   : "out of memory");
        tango_error_clear(&error);
    }
}
