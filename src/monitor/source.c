#include "monitor/source.h"

#include <stdlib.h>

void source_item_clear(source_item_t *item)
{
    snapshot_destroy(&item->snapshot);
    free(item->remark);
    free(item->note);
    *item = (source_item_t){0};
}
