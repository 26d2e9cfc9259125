/* An order to the consumer thread, which has names in it that came from other servers. */
#include "agent/wire.h"
#include "fuzz.h"

static void require_inside(const char *text, const uint8_t *data, size_t size)
{
    if (!text)
        return;
    const char *begin = (const char *)data;
    REQUIRE(text >= begin && text < begin + size);
    REQUIRE(memchr(text, '\0', (size_t)(begin + size - text)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size);
    REQUIRE(copy);
    if (size)
        memcpy(copy, data, size);
    wire_order_t order;
    if (wire_read_order(copy, size, &order)) {
        REQUIRE(size >= 1 && order.code <= WIRE_ORDER_UNKNOWN);
        REQUIRE(order.code != WIRE_ORDER_CONNECT_EVENT || (order.topic && order.endpoint));
        require_inside(order.topic, copy, size);
        require_inside(order.endpoint, copy, size);
        require_inside(order.event_endpoint, copy, size);
    }
    free(copy);
    return 0;
}
