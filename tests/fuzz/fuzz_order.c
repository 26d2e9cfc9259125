/*
 * An order to the consumer thread, as it reads it: the whole input is the message. Held against the
 * list of the strings that each order has; and no byte outside of the message is read.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/wire.h"
#include "fuzz.h"

/* Where an order's strings begin, which they are (topic, endpoint, Event endpoint), and how many of
   them it needs. */
static const struct {
    size_t begin;
    const char *strings;
    size_t needed;
} layouts[WIRE_ORDER_UNKNOWN + 1] = {
    [WIRE_ORDER_END] = {1, "", 0},
    [WIRE_ORDER_CONNECT_HEARTBEAT] = {2, "et", 2},
    [WIRE_ORDER_DISCONNECT_HEARTBEAT] = {1, "teE", 1},
    [WIRE_ORDER_CONNECT_EVENT] = {2, "et", 2},
    [WIRE_ORDER_DISCONNECT_EVENT] = {1, "te", 1},
    [WIRE_ORDER_CONNECT_MCAST_EVENT] = {2, "et", 2},
    [WIRE_ORDER_DELAY_EVENT] = {1, "", 0},
    [WIRE_ORDER_RELEASE_EVENT] = {1, "", 0},
    [WIRE_ORDER_UNKNOWN] = {1, "", 0},
};

static const char *string_of(const wire_order_t *order, char which)
{
    return which == 't' ? order->topic : which == 'e' ? order->endpoint : order->event_endpoint;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    exact_t message = exact_copy(data, size);
    wire_order_t order;
    wire_order_t again;
    memset(&order, 0x00, sizeof order);
    memset(&again, 0xFF, sizeof again);
    bool ok = wire_read_order(message.data, message.size, &order);
    REQUIRE(wire_read_order(message.data, message.size, &again) == ok);
    REQUIRE(order.code == again.code && order.topic == again.topic &&
            order.endpoint == again.endpoint && order.event_endpoint == again.event_endpoint);

    wire_order_code_t code = WIRE_ORDER_UNKNOWN;
    if (size > 0 && data[0] < WIRE_ORDER_UNKNOWN)
        code = (wire_order_code_t)data[0];
    REQUIRE(order.code == code);

    size_t at = layouts[code].begin;
    size_t found = 0;
    for (const char *which = layouts[code].strings; *which; which++) {
        size_t end = at;
        while (end < size && data[end] != '\0')
            end++;
        const char *text = string_of(&order, *which);
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
        REQUIRE(strchr(layouts[code].strings, *which) || !string_of(&order, *which));
    free(message.block);
    return 0;
}
