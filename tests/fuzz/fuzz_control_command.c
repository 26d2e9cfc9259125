/*
 * A control command to the consumer thread, as it reads it: the whole input is the message. The
 * result is checked against the list of the strings that each command has; and no byte outside of
 * the message is read.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/tango/wire.h"
#include "fuzz.h"

/* Where a command's strings begin, which they are (topic, endpoint, Event endpoint), and how many
   of them it needs. */
static const struct {
    size_t begin;
    const char *strings;
    size_t needed;
} layouts[WIRE_CONTROL_UNKNOWN + 1] = {
    [WIRE_CONTROL_END] = {1, "", 0},
    [WIRE_CONTROL_CONNECT_HEARTBEAT] = {2, "et", 2},
    [WIRE_CONTROL_DISCONNECT_HEARTBEAT] = {1, "teE", 1},
    [WIRE_CONTROL_CONNECT_EVENT] = {2, "et", 2},
    [WIRE_CONTROL_DISCONNECT_EVENT] = {1, "te", 1},
    [WIRE_CONTROL_CONNECT_MCAST_EVENT] = {2, "et", 2},
    [WIRE_CONTROL_DELAY_EVENT] = {1, "", 0},
    [WIRE_CONTROL_RELEASE_EVENT] = {1, "", 0},
    [WIRE_CONTROL_UNKNOWN] = {1, "", 0},
};

static const char *string_of(const wire_control_t *command, char which)
{
    return which == 't'   ? command->topic
           : which == 'e' ? command->endpoint
                          : command->event_endpoint;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    exact_t message = exact_copy(data, size);
    wire_control_t command;
    wire_control_t again;
    memset(&command, 0x00, sizeof command);
    memset(&again, 0xFF, sizeof again);
    bool ok = wire_read_control(message.data, message.size, &command);
    REQUIRE(wire_read_control(message.data, message.size, &again) == ok);
    REQUIRE(command.code == again.code && command.topic == again.topic &&
            command.endpoint == again.endpoint && command.event_endpoint == again.event_endpoint);

    wire_control_code_t code = WIRE_CONTROL_UNKNOWN;
    if (size > 0 && data[0] < WIRE_CONTROL_UNKNOWN)
        code = (wire_control_code_t)data[0];
    REQUIRE(command.code == code);

    size_t at = layouts[code].begin;
    size_t found = 0;
    for (const char *which = layouts[code].strings; *which; which++) {
        size_t end = at;
        while (end < size && data[end] != '\0')
            end++;
        const char *text = string_of(&command, *which);
        if (end >= size) {
            REQUIRE(!text);
            break;
        }
        REQUIRE(text == message.data + at);
        at = end + 1;
        found++;
    }
    REQUIRE(ok == (size > 0 && found >= layouts[code].needed));
    for (const char *which = "teE"; *which; which++)
        REQUIRE(strchr(layouts[code].strings, *which) || !string_of(&command, *which));
    free(message.block);
    return 0;
}
