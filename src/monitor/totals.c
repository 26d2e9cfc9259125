#include "monitor/totals.h"

#include <inttypes.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/changes.h"
#include "monitor/json_output.h"
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
    stream_filter_t filter;
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

totals_t *totals_new(const stream_filter_t *filter)
{
    totals_t *self = memory_new(1, sizeof *self);
    self->filter = *filter;
    return self;
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
        if (!change->after || !stream_filter_takes(&self->filter, change->after->name))
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
        if (!after || !stream_filter_takes(&self->filter, after->topic))
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
        const reply_t *reply = &current->replies[i];
        add_reply(self, previous ? snapshot_find(previous, reply->server, i) : NULL, reply);
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

static void print_kind(const totals_t *self, total_kind_t kind, FILE *out,
                       const text_style_t *style)
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
    text_table_print(table, out, "  ", style);
    text_table_destroy(&table);
}

/* The sums over all servers and streams. */
typedef struct {
    size_t servers;
    int64_t failures;
    int64_t lost;
} sums_t;

static sums_t sums_of(const totals_t *self)
{
    sums_t sums = {0};
    for (size_t i = 0; i < self->count; i++) {
        sums.servers += self->all[i]->kind == TOTAL_SERVER;
        sums.failures += self->all[i]->failures;
        if (self->all[i]->lost > 0)
            sums.lost += self->all[i]->lost;
    }
    return sums;
}

int64_t totals_lost_events(const totals_t *self)
{
    return sums_of(self).lost;
}

void totals_print(const totals_t *self, FILE *out, const text_style_t *style)
{
    if (self->snapshots < 2)
        return;
    /* The tree's order is of no use here, and the list's only for this. */
    qsort(self->all, self->count, sizeof *self->all, compare_rows);
    const sums_t sums = sums_of(self);
    fprintf(out, "In all: %zu polls of %zu %s in ", self->snapshots, sums.servers,
            sums.servers == 1 ? "server" : "servers");
    print_duration(out, seconds_between(&self->first, &self->last));
    fprintf(out, ", %" PRId64 " failed; %" PRId64 " events LOST\n", sums.failures, sums.lost);
    print_kind(self, TOTAL_SERVER, out, style);
    print_kind(self, TOTAL_PUBLISHED, out, style);
    print_kind(self, TOTAL_SUBSCRIBED, out, style);
    fputc('\n', out);
}

static void write_rows(const totals_t *self, total_kind_t kind, json_output_t *json)
{
    for (size_t i = 0; i < self->count; i++) {
        const total_t *total = self->all[i];
        if (total->kind != kind)
            continue;
        json_output_open(json, NULL, '{');
        json_output_string(json, "server", total->server);
        if (kind == TOTAL_SERVER) {
            json_output_count(json, "polls", total->polls);
            json_output_count(json, "failures", total->failures);
            json_output_count(json, "restarts", total->restarts);
        } else {
            const bool pushed = kind == TOTAL_PUBLISHED;
            json_output_string(json, pushed ? "stream" : "topic", total->name);
            json_output_count(json, pushed ? "pushed" : "received", total->events);
        }
        if (kind == TOTAL_SUBSCRIBED) {
            json_output_count(json, "missed", total->missed);
            json_output_count(json, "lost", total->lost);
        }
        json_output_close(json, '}');
    }
}

void totals_write_json(const totals_t *self, FILE *out)
{
    json_output_t json = {.out = out};
    const sums_t sums = sums_of(self);
    qsort(self->all, self->count, sizeof *self->all, compare_rows);
    json_output_open(&json, NULL, '{');
    json_output_open(&json, "totals", '{');
    json_output_count(&json, "polls", (int64_t)self->snapshots);
    json_output_real(&json, "seconds", seconds_between(&self->first, &self->last));
    json_output_count(&json, "failures", sums.failures);
    json_output_count(&json, "lost", sums.lost);
    json_output_open(&json, "servers", '[');
    write_rows(self, TOTAL_SERVER, &json);
    json_output_close(&json, ']');
    json_output_open(&json, "published", '[');
    write_rows(self, TOTAL_PUBLISHED, &json);
    json_output_close(&json, ']');
    json_output_open(&json, "subscriptions", '[');
    write_rows(self, TOTAL_SUBSCRIBED, &json);
    json_output_close(&json, ']');
    json_output_close(&json, '}');
    json_output_close(&json, '}');
}
