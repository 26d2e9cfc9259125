#include "toggle.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/elf_image.h"
#include "agent/tango_abi.h"

enum { FUNCTIONS = 4 };

static const struct {
    const char *symbol;
    bool is_prefix;
} functions[FUNCTIONS] = {
    {"zmq_msg_send", false},
    {"zmq_msg_recv", false},
    {"zmq_poll", false},
    {"_ZN5Tango16ZmqEventSupplier10push_eventEPNS_10DeviceImpl", true},
};

static elf_image_t libtango;
static void *originals[FUNCTIONS];
static void *hooks[FUNCTIONS];

static void never_called(void)
{
    abort();
}

/* Puts these addresses into the slots; replaced (if not NULL) gets what was there. */
static void exchange(void *const *addresses, void **replaced)
{
    void *scratch[FUNCTIONS] = {0};
    elf_hook_t list[FUNCTIONS];
    for (size_t i = 0; i < FUNCTIONS; i++)
        list[i] = (elf_hook_t){functions[i].symbol, functions[i].is_prefix,
                               addresses ? addresses[i] : (void *)never_called, &scratch[i], NULL};
    elf_image_hook(&libtango, list, FUNCTIONS);
    for (size_t i = 0; replaced && i < FUNCTIONS; i++)
        replaced[i] = scratch[i];
}

bool toggle_prepare(void)
{
    if (!tango_find_library(&libtango, (const void *)toggle_prepare)) {
        fprintf(stderr, "bench: no libtango is loaded\n");
        return false;
    }
    exchange(NULL, originals);
    exchange(originals, NULL);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (!originals[i]) {
            fprintf(stderr, "bench: libtango has no slot for %s\n", functions[i].symbol);
            return false;
        }
    }
    return true;
}

void toggle_hooks(bool in_place)
{
    if (!hooks[0])
        exchange(originals, hooks);
    exchange(in_place ? hooks : originals, NULL);
}
