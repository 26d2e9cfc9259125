#include "monitor/view/ranking.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static double value_of(const subscription_row_t *row, top_key_t key)
{
    switch (key) {
    case TOP_LOSS:
        /* In a first answer, nothing else is known. */
        return (double)(row->new_losses > 0 ? row->new_losses : row->earlier_losses);
    case TOP_RATE:
        return row->rate;
    case TOP_LATENCY:
        return row->latency.percentile_99_micros;
    case TOP_PROCESSING:
        return row->processing.percentile_99_micros;
    }
    return NAN;
}

/* Highest first; equal ones in the order in which they are shown, published streams of a server
 * first. */
static int compare_rows(const void *a, const void *b)
{
    const ranking_row_t *left = a;
    const ranking_row_t *right = b;
    if (left->value != right->value)
        return left->value < right->value ? 1 : -1;
    if (left->server != right->server)
        return left->server < right->server ? -1 : 1;
    if (!left->published != !right->published)
        return left->published ? -1 : 1;
    return left->place < right->place ? -1 : left->place > right->place;
}

ranking_row_t *ranking_new(const shown_t *shown, top_key_t key, size_t most, size_t *count)
{
    size_t capacity = 0;
    for (size_t i = 0; i < shown->count; i++)
        capacity += shown->servers[i].published_count + shown->servers[i].subscription_count;
    ranking_row_t *rows = memory_new(capacity, sizeof *rows);
    *count = 0;
    for (size_t i = 0; i < shown->count; i++) {
        const shown_server_t *server = &shown->servers[i];
        for (size_t j = 0; j < server->subscription_count; j++) {
            const double value = value_of(server->subscriptions[j], key);
            if (value > 0)
                rows[(*count)++] = (ranking_row_t){.server = server,
                                                   .subscription = server->subscriptions[j],
                                                   .place = j,
                                                   .value = value};
        }
        for (size_t j = 0; key == TOP_RATE && j < server->published_count; j++)
            if (server->published[j]->rate > 0)
                rows[(*count)++] = (ranking_row_t){.server = server,
                                                   .published = server->published[j],
                                                   .place = j,
                                                   .value = server->published[j]->rate};
    }
    if (*count > 1)
        qsort(rows, *count, sizeof *rows, compare_rows);
    if (*count > most)
        *count = most;
    return rows;
}

/* Those with most losses, then failures, then events first; all others by their names. */
static int compare_totals(const void *a, const void *b)
{
    const total_t *left = *(const total_t *const *)a;
    const total_t *right = *(const total_t *const *)b;
    const int64_t keys[][2] = {
        {left->received.lost_event_count, right->received.lost_event_count},
        {left->received.missed_event_count, right->received.missed_event_count},
        {total_not_received(left), total_not_received(right)},
        {left->failures, right->failures},
        {total_events(left), total_events(right)}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? 1 : -1;
    return total_compare_names(left, right);
}

ranking_totals_t ranking_of_totals(const totals_t *totals)
{
    ranking_totals_t self;
    const total_t *const *rows = totals_rows(totals, &self.count);
    self.rows = memory_new(self.count, sizeof *self.rows);
    for (size_t i = 0; i < self.count; i++)
        self.rows[i] = rows[i];
    if (self.count > 1)
        qsort(self.rows, self.count, sizeof *self.rows, compare_totals);
    return self;
}
