#include "monitor/view/metrics/metrics_limit.h"

#include <stdlib.h>

#include "base/memory.h"

/* Of the limit, when streams have series of their own again. */
#define FILLED_AGAIN 0.8

static size_t total_of(metrics_load_t *const *servers, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += servers[i]->is_summed ? servers[i]->sums : servers[i]->series;
    return total;
}

/* The one with the most streams (or fewest) of those that are summed up, or of those that aren't,
 * and of which it makes a difference; NULL: there is none. */
static metrics_load_t *find(metrics_load_t *const *servers, size_t count, bool is_summed)
{
    metrics_load_t *found = NULL;
    for (size_t i = 0; i < count; i++) {
        metrics_load_t *one = servers[i];
        if (one->is_summed != is_summed || (!is_summed && one->series <= one->sums))
            continue;
        const bool is_better =
            found && (is_summed ? one->streams < found->streams : one->streams > found->streams);
        if (!found || is_better)
            found = one;
    }
    return found;
}

/* What could have series of its own: is_summed of the others is as it was. */
static void try_again(metrics_load_t *const *servers, size_t count, size_t limit)
{
    metrics_load_t *one = NULL;
    while ((one = find(servers, count, true)) != NULL) {
        one->is_summed = false;
        if (one->series <= one->sums ||
            (double)total_of(servers, count) <= FILLED_AGAIN * (double)limit)
            continue;
        one->is_summed = true;
        return;
    }
}

void metrics_limit_apply(metrics_load_t *const *servers, size_t count, size_t limit)
{
    metrics_load_t *one = NULL;
    while (total_of(servers, count) > limit && (one = find(servers, count, false)) != NULL)
        one->is_summed = true;
    bool *was_summed = memory_new(count, sizeof *was_summed);
    for (size_t i = 0; i < count; i++)
        was_summed[i] = servers[i]->is_summed;
    try_again(servers, count, limit);
    for (size_t i = 0; i < count; i++) {
        one = servers[i];
        const bool has_room = was_summed[i] && !one->is_summed;
        one->polls_with_room = has_room ? one->polls_with_room + 1 : 0;
        one->is_summed = was_summed[i] && one->polls_with_room < METRICS_LIMIT_POLLS;
    }
    free(was_summed);
}
