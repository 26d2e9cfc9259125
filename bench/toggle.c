#include "toggle.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/platform/elf_image.h"
#include "agent/tango/libtango.h"

enum { FUNCTIONS = 4 };

static const libtango_symbol_t functions[FUNCTIONS] = {LIBTANGO_ZMQ_MSG_SEND, LIBTANGO_ZMQ_MSG_RECV,
                                                       LIBTANGO_ZMQ_POLL, LIBTANGO_PUSH_EVENT};

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
    libtango_hook_t list[FUNCTIONS];
    for (size_t i = 0; i < FUNCTIONS; i++)
        list[i] = (libtango_hook_t){functions[i], addresses ? addresses[i] : (void *)never_called,
                                    &scratch[i]};
    libtango_hook(&libtango, list, FUNCTIONS);
    for (size_t i = 0; replaced && i < FUNCTIONS; i++)
        replaced[i] = scratch[i];
}

bool toggle_prepare(void)
{
    if (!libtango_find(&libtango,
                       libtango_find_server_init(NULL, NULL, (const void *)toggle_prepare))) {
        fprintf(stderr, "bench: no libtango is loaded\n");
        return false;
    }
    exchange(NULL, originals);
    exchange(originals, NULL);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (!originals[i]) {
            fprintf(stderr, "bench: libtango has no slot for %s\n", libtango_name(functions[i]));
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
