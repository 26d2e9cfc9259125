#include "monitor/totals.h"

#include <inttypes.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/changes.h"
#include "monitor/text_table.h"
#include "response/memory.h"

typedef enum { TOTAL_SERVER, TOTAL_PUBLISHED, TOTAL_SUBSCRIBED } total_kind_t;

/* One server, published stream or subscription. */
typedef struct {
    total_kind_t kind;
    char *server;
    char *name; /* of the stream or topic; "" of a server */
    int64_t polls;
    int64_t failures;
    int64_t restarts;
    int64_t events; /* pushed or received */
    int64_t missed;
    int64_t lost; /* RESPONSE_UNKNOWN until an answer tells */
} total_t;

struct totals {
    void *index; /* a tree of total_t *: tsearch(3) */
    total_t **all;
    size_t count;
    size_t snapshots;
    struct timespec first;
    struct timespec last;
};

static int compare_names(const void *a, const void *b)
{
    const total_t *left = a;
    const total_t *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    const int order = strcmp(left->server, right->server);
    return order != 0 ? order : strcmp(left->name, right->name);
}

totals_t *totals_new(void)
{
    return memory_new(1, sizeof(totals_t));
}

static void leave_it(void *total)
{
    (void)total; /* totals_destroy frees the list */
}

void totals_destroy(totals_t **pointer)
{
    totals_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return;
    tdestroy(self->index, leave_it);
    for (size_t i = 0; i < self->count; i++) {
        free(self->all[i]->server);
        free(self->all[i]->name);
        free(self->all[i]);
    }
    free(self->all);
    free(self);
}

static total_t *total_of(totals_t *self, total_kind_t kind, const char *server, const char *name)
{
    total_t key = {
        .kind = kind, .server = (char *)(uintptr_t)server, .name = (char *)(uintptr_t)name};
    total_t **found = tfind(&key, &self->index, compare_names);
    if (found)
        return *found;
    total_t *total = memory_new(1, sizeof *total);
    *total = (total_t){.kind = kind,
                       .server = memory_string(server),
                       .name = memory_string(name),
                       .lost = RESPONSE_UNKNOWN};
    if (!tsearch(total, &self->index, compare_names)) {
        fputs("out of memory\n", stderr);
        abort();
    }
    self->all = memory_resize(self->all, self->count + 1, sizeof *self->all);
    self->all[self->count++] = total;
    return total;
}

/* How much a count grew; `before` is unknown for a stream that is new. */
static int64_t grown(bool comparable, int64_t before, int64_t after)
{
    if (after == RESPONSE_UNKNOWN)
        return 0;
    if (!comparable || before == RESPONSE_UNKNOWN)
        return after;
    return changes_count(before, after).by;
}

static void add_published(totals_t *self, const char *server, const changes_t *changes,
                          const response_t *response)
{
    for (size_t i = 0; i < changes->publisher_count; i++) {
        const publisher_change_t *change = &changes->publishers[i];
        if (!change->after)
            continue;
        const bool comparable = change->before && !changes->counters_restarted;
        int64_t events = grown(comparable, comparable ? change->before->event_count : 0,
                               change->after->event_count);
        if (!comparable && events > 0 && response_pushed_count_is_next(response))
            events--;
        total_of(self, TOTAL_PUBLISHED, server, change->after->name)->events += events;
    }
}

static void add_subscribed(totals_t *self, const char *server, const changes_t *changes)
{
    for (size_t i = 0; i < changes->subscription_count; i++) {
        const response_subscription_t *before = changes->subscriptions[i].before;
        const response_subscription_t *after = changes->subscriptions[i].after;
        if (!after)
            continue;
        const bool comparable = before && !changes->counters_restarted;
        total_t *total = total_of(self, TOTAL_SUBSCRIBED, server, after->topic);
        total->events +=
            grown(comparable, comparable ? before->event_count : 0, after->event_count);
        total->missed += grown(comparable, comparable ? before->missed_event_count : 0,
                               after->missed_event_count);
        if (after->lost_event_count != RESPONSE_UNKNOWN && total->lost == RESPONSE_UNKNOWN)
            total->lost = 0;
        total->lost +=
            grown(comparable, comparable ? before->lost_event_count : 0, after->lost_event_count);
    }
}

static void add_reply(totals_t *self, const reply_t *before, const reply_t *reply)
{
    const char *server = reply->server ? reply->server : "?";
    total_t *total = total_of(self, TOTAL_SERVER, server, "");
    total->polls++;
    if (!reply->response || reply->error) {
        total->failures++;
        return;
    }
    if (!before || !before->response)
        return; /* its first answer: what all others are compared with */
    changes_t *changes = changes_new(before->response, reply->response);
    total->restarts += changes->server_restarted;
    add_published(self, server, changes, reply->response);
    add_subscribed(self, server, changes);
    changes_destroy(&changes);
}

void totals_add(totals_t *self, const snapshot_t *previous, const snapshot_t *current)
{
    if (self->snapshots++ == 0)
        self->first = current->time;
    self->last = current->time;
    for (size_t i = 0; i < current->reply_count; i++) {
        const bool known = previous && i < previous->reply_count;
        add_reply(self, known ? &previous->replies[i] : NULL, &current->replies[i]);
    }
}

/* Those with most losses, then failures, then events first; all others by their names. */
static int compare_rows(const void *a, const void *b)
{
    const total_t *left = *(total_t *const *)a;
    const total_t *right = *(total_t *const *)b;
    const int64_t keys[][2] = {{left->lost, right->lost},
                               {left->missed, right->missed},
                               {left->failures, right->failures},
                               {left->events, right->events}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? 1 : -1;
    return compare_names(left, right);
}

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

static void print_duration(FILE *out, double seconds)
{
    const long whole = (long)(seconds + 0.5);
    if (whole >= 3600)
        fprintf(out, "%ld h %ld min", whole / 3600, whole / 60 % 60);
    else if (whole >= 60)
        fprintf(out, "%ld min %ld s", whole / 60, whole % 60);
    else
        fprintf(out, "%.1f s", seconds);
}

static bool is_worth_a_row(const total_t *total)
{
    return total->kind == TOTAL_SERVER ? total->failures > 0 || total->restarts > 0
                                       : total->events > 0 || total->missed > 0 || total->lost > 0;
}

static void add_row(text_table_t *table, const total_t *total, double seconds)
{
    switch (total->kind) {
    case TOTAL_SERVER:
        text_table_cell(table, total->server);
        text_table_cellf(table, "%" PRId64, total->polls);
        text_table_cellf(table, "%" PRId64, total->failures);
        text_table_cellf(table, "%" PRId64, total->restarts);
        return;
    case TOTAL_PUBLISHED:
    case TOTAL_SUBSCRIBED:
        break;
    }
    text_table_cell(table, total->name);
    text_table_cellf(table, "%" PRId64, total->events);
    if (seconds > 0)
        text_table_cellf(table, "%.1f", (double)total->events / seconds);
    else
        text_table_cell(table, NULL);
    if (total->kind == TOTAL_PUBLISHED)
        return;
    text_table_cellf(table, "%" PRId64, total->missed);
    if (total->lost == RESPONSE_UNKNOWN)
        text_table_cell(table, NULL);
    else
        text_table_cellf(table, "%" PRId64, total->lost);
    text_table_cell(table, total->server);
}

static void print_kind(const totals_t *self, total_kind_t kind, FILE *out)
{
    static const struct {
        const char *heading;
        const char *columns[5];
    } tables[] = {
        [TOTAL_SERVER] = {"server", {"polls", "failed", "restarts", NULL}},
        [TOTAL_PUBLISHED] = {"published event stream", {"pushed", "rate [1/s]", NULL}},
        [TOTAL_SUBSCRIBED] = {"subscription", {"received", "rate [1/s]", "missed", "LOST", NULL}},
    };
    text_table_t *table = text_table_new();
    text_table_column(table, tables[kind].heading, TEXT_TABLE_LEFT);
    for (size_t i = 0; i < 5 && tables[kind].columns[i]; i++)
        text_table_column(table, tables[kind].columns[i], TEXT_TABLE_RIGHT);
    if (kind == TOTAL_SUBSCRIBED)
        text_table_column(table, "by", TEXT_TABLE_LEFT);
    const double seconds = seconds_between(&self->first, &self->last);
    for (size_t i = 0; i < self->count; i++)
        if (self->all[i]->kind == kind && is_worth_a_row(self->all[i]))
            add_row(table, self->all[i], seconds);
    text_table_print(table, out, "  ");
    text_table_destroy(&table);
}

void totals_print(const totals_t *self, FILE *out)
{
    if (self->snapshots < 2)
        return;
    /* The tree's order is of no use here, and the list's only for this. */
    qsort(self->all, self->count, sizeof *self->all, compare_rows);
    size_t servers = 0;
    int64_t failures = 0;
    int64_t lost = 0;
    for (size_t i = 0; i < self->count; i++) {
        servers += self->all[i]->kind == TOTAL_SERVER;
        failures += self->all[i]->failures;
        if (self->all[i]->lost > 0)
            lost += self->all[i]->lost;
    }
    fprintf(out, "In all: %zu polls of %zu %s in ", self->snapshots, servers,
            servers == 1 ? "server" : "servers");
    print_duration(out, seconds_between(&self->first, &self->last));
    fprintf(out, ", %" PRId64 " failed; %" PRId64 " events LOST\n", failures, lost);
    print_kind(self, TOTAL_SERVER, out);
    print_kind(self, TOTAL_PUBLISHED, out);
    print_kind(self, TOTAL_SUBSCRIBED, out);
    fputc('\n', out);
}
