#include "monitor/poll/check_device.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

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

static void set(check_t *check, check_outcome_t outcome, char *text)
{
    check->outcome = outcome;
    free(check->text);
    check->text = text;
}

static void set_failure(check_t *check, tango_error_t *error)
{
    set(check, outcome_of(error->kind), memory_string(error->text ? error->text : "out of memory"));
    tango_error_clear(error);
}

static bool is_stopped(int stop_fd)
{
    struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
    return poll(&stop, 1, 0) > 0;
}

void check_devices(check_t *checks, size_t count, int stop_fd)
{
    for (size_t i = 0; i < count; i++) {
        tango_error_t error = {0};
        if (is_stopped(stop_fd))
            return; /* CHECK_UNDONE */
        if (tango_device_ping(checks[i].subject, &error))
            set(&checks[i], CHECK_GOOD, memory_string("answers"));
        else
            set_failure(&checks[i], &error);
    }
}

/* ---- attributes ---- */

/* "tango://host:port/a/b/c/attr#dbase=no.change", in parts. */
typedef struct {
    char *device;
    char *attribute;
    char *event_type;
} subscription_t;

static subscription_t take_apart(const char *subject)
{
    char *text = memory_string(subject);
    char *dot = strrchr(text, '.');
    char *event_type = memory_string(dot ? dot + 1 : "");
    if (dot)
        *dot = '\0';
    char *modifier = memory_string(text + strcspn(text, "#"));
    text[strcspn(text, "#")] = '\0';
    char *slash = strrchr(text, '/');
    char *attribute = memory_string(slash ? slash + 1 : "");
    if (slash)
        *slash = '\0';
    const subscription_t self = {.device = memory_format("%s%s", text, modifier),
                                 .attribute = attribute,
                                 .event_type = event_type};
    free(modifier);
    free(text);
    return self;
}

static const char *criteria_of(const char *event_type)
{
    return strcmp(event_type, "archive") == 0
               ? "none of archive_abs_change, archive_rel_change and archive_period is set"
               : "neither abs_change nor rel_change is set";
}

static void set_events(check_t *check, tango_events_t events, const char *event_type)
{
    switch (events) {
    case TANGO_EVENTS_POSSIBLE:
        set(check, CHECK_GOOD, memory_string("it can be subscribed to now"));
        break;
    case TANGO_EVENTS_NO_ATTRIBUTE:
        set(check, CHECK_NO_ATTRIBUTE, memory_string("no such attribute"));
        break;
    case TANGO_EVENTS_NOT_POLLED:
        set(check, CHECK_NO_EVENTS,
            memory_format("it is not polled, and its device's code pushes no %s events",
                          event_type));
        break;
    case TANGO_EVENTS_NO_CRITERIA:
        set(check, CHECK_NO_EVENTS, memory_string(criteria_of(event_type)));
        break;
    case TANGO_EVENTS_NEITHER:
        set(check, CHECK_NO_EVENTS,
            memory_format("it is not polled, and %s", criteria_of(event_type)));
        break;
    case TANGO_EVENTS_NOT_BY_CODE:
        set(check, CHECK_NO_EVENTS,
            memory_format("its device's code pushes no %s events", event_type));
        break;
    }
}

void check_attributes(check_t *checks, size_t count, int stop_fd)
{
    for (size_t i = 0; i < count; i++) {
        tango_error_t error = {0};
        tango_events_t events = TANGO_EVENTS_POSSIBLE;
        if (is_stopped(stop_fd))
            return; /* CHECK_UNDONE */
        subscription_t of = take_apart(checks[i].subject);
        if (tango_device_check_events(of.device, of.attribute, of.event_type, &events, &error))
            set_events(&checks[i], events, of.event_type);
        else
            set_failure(&checks[i], &error);
        free(of.device);
        free(of.attribute);
        free(of.event_type);
    }
}
