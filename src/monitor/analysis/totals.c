#include "monitor/analysis/totals.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/name_set.h"
#include "base/timespec.h"

typedef struct {
    total_t total; /* comes first */
    size_t place;  /* in the list of all */
} kept_t;

struct totals {
    void *index;   /* a tree of total_t *: tsearch(3) */
    total_t **all; /* each a kept_t */
    size_t count;
    size_t next;    /* where to look first: mostly, rows are added in the same order each time */
    size_t streams; /* of these, those that are no servers */
    totals_rest_t published;
    totals_rest_t subscribed;
    name_set_t dropped; /* streams that had a row, and may have one again */
    size_t snapshots;
    struct timespec first;
    struct timespec last;
};

int total_compare_names(const total_t *left, const total_t *right)
{
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    const int order = strcmp(left->server, right->server);
    return order != 0 ? order : strcmp(left->name, right->name);
}

static int compare_names(const void *a, const void *b)
{
    return total_compare_names(a, b);
}

totals_t *totals_new(void)
{
    return memory_new(1, sizeof(totals_t));
}

static void leave_it(void *total)
{
    (void)total; /* totals_destroy frees the list */
}

static void free_total(total_t *total)
{
    free(total->server);
    free(total->name);
    free(total);
}

void totals_destroy(totals_t **pointer)
{
    totals_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return;
    tdestroy(self->index, leave_it);
    for (size_t i = 0; i < self->count; i++)
        free_total(self->all[i]);
    free(self->all);
    free(self->dropped.hashes);
    free(self);
}

/* ---- rows ---- */

static void add(int64_t *sum, int64_t by)
{
    *sum = changes_sum(*sum, by);
}

static void add_counts(const counters_t *counters, void *sums, const void *counts)
{
    for (size_t i = 0; i < counters->count; i++) {
        const counter_t *counter = &counters->list[i];
        const int64_t count = counter_of(counter, counts);
        if (counter->in_totals && count != RESPONSE_UNKNOWN)
            add(counter_in(counter, sums), count);
    }
}

static void add_sums(total_t *sum, const total_t *total)
{
    sum->failures += total->failures;
    add_counts(&counters_of_publisher, &sum->pushed, &total->pushed);
    add_counts(&counters_of_subscription, &sum->received, &total->received);
    sum->knows_lost |= total->knows_lost;
    sum->is_derived |= total->is_derived;
    sum->lost_is_minimum |= total->lost_is_minimum || !total->knows_lost;
    sum->knows_not_received |= total->knows_not_received;
    add(&sum->not_received, total->not_received);
    add(&sum->not_received_ended, total->not_received_ended);
}

/* Servers, then losses, then events first: in which order rows are kept. */
static int compare_weights(const void *a, const void *b)
{
    const total_t *left = *(total_t *const *)a;
    const total_t *right = *(total_t *const *)b;
    const int64_t keys[][2] = {
        {left->kind == TOTAL_SERVER, right->kind == TOTAL_SERVER},
        {left->received.lost_event_count, right->received.lost_event_count},
        {left->received.missed_event_count, right->received.missed_event_count},
        {left->not_received, right->not_received},
        {total_events(left), total_events(right)}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? 1 : -1;
    return total_compare_names(left, right);
}

static uint64_t hash_of(const total_t *total)
{
    return name_set_hash(name_set_hash(total->kind, total->server), total->name);
}

static totals_rest_t *shared_row(totals_t *self, total_kind_t kind)
{
    return kind == TOTAL_PUBLISHED ? &self->published : &self->subscribed;
}

/* Adds up those streams that matter least, half of all, so that it needn't be done again soon. */
static void make_room(totals_t *self)
{
    qsort(self->all, self->count, sizeof *self->all, compare_weights);
    const size_t kept = self->count - self->streams / 2;
    for (size_t i = kept; i < self->count; i++) {
        total_t *total = self->all[i];
        totals_rest_t *rest = shared_row(self, total->kind);
        /* That is a state, and may be another one when the stream has a row again. */
        total->not_received = 0;
        add_sums(&rest->sum, total);
        name_set_add(&self->dropped, hash_of(total));
        rest->streams++;
        tdelete(total, &self->index, compare_names);
        free_total(total);
    }
    self->streams -= self->count - kept;
    self->count = kept;
    for (size_t i = 0; i < kept; i++)
        ((kept_t *)self->all[i])->place = i;
}

static total_t *total_of(totals_t *self, total_kind_t kind, const char *server, const char *name)
{
    total_t key = {
        .kind = kind, .server = (char *)(uintptr_t)server, .name = (char *)(uintptr_t)name};
    if (self->next < self->count && compare_names(&key, self->all[self->next]) == 0)
        return self->all[self->next++];
    total_t **found = tfind(&key, &self->index, compare_names);
    if (found) {
        self->next = ((const kept_t *)*found)->place + 1;
        return *found;
    }
    if (kind != TOTAL_SERVER && self->streams == TOTALS_MAX_STREAMS)
        make_room(self);
    kept_t *fresh = memory_new(1, sizeof *fresh);
    total_t *total = &fresh->total;
    *total = (total_t){.kind = kind, .server = memory_string(server), .name = memory_string(name)};
    fresh->place = self->count;
    if (!tsearch(total, &self->index, compare_names)) {
        fputs("out of memory\n", stderr);
        abort();
    }
    self->all = memory_resize(self->all, self->count + 1, sizeof *self->all);
    self->all[self->count++] = total;
    self->next = self->count;
    self->streams += kind != TOTAL_SERVER;
    if (kind != TOTAL_SERVER && name_set_has(&self->dropped, hash_of(total)))
        shared_row(self, kind)->streams--;
    return total;
}

static void add_received(total_t *total, const subscription_row_t *row, bool began)
{
    const loss_t *loss = &row->loss;
    subscription_counts_t steps = row->steps;
    steps.lost_event_count = loss->step;
    add_counts(&counters_of_subscription, &total->received, &steps);
    if (began)
        add(&total->not_received_ended, total->not_received);
    total->knows_not_received |= loss->not_received != RESPONSE_UNKNOWN;
    total->not_received = loss->not_received > 0 ? loss->not_received : 0;
    total->knows_lost |= loss->source != LOSS_UNKNOWN;
    total->is_derived |= loss->source == LOSS_DERIVED;
    total->lost_is_minimum |= loss->step_is_minimum;
}

static const char *name_of(const server_part_t *part)
{
    return part->reply->server ? part->reply->server : "?";
}

void totals_begin(totals_t *self, const struct timespec *time)
{
    if (self->snapshots++ == 0)
        self->first = *time;
    self->last = *time;
}

void totals_add_server(totals_t *self, const server_part_t *part)
{
    total_t *total = total_of(self, TOTAL_SERVER, name_of(part), "");
    total->polls++;
    total->failures += !part->changes;
    if (!part->changes)
        return;
    total->restarts += part->changes->server_restarted;
    if (part->seconds > 0)
        total->seconds += part->seconds;
}

void totals_add_published(totals_t *self, const server_part_t *part, const published_row_t *row)
{
    if (row->change->after)
        add_counts(&counters_of_publisher,
                   &total_of(self, TOTAL_PUBLISHED, name_of(part), row->name)->pushed, &row->steps);
}

void totals_add_subscription(totals_t *self, const server_part_t *part,
                             const subscription_row_t *row)
{
    if (row->change->after)
        add_received(total_of(self, TOTAL_SUBSCRIBED, name_of(part), row->topic), row,
                     part->changes->counts_anew || row->restarted ||
                         row->change->kind == CHANGE_NEW);
}

void totals_add(totals_t *self, const comparison_t *comparison, const struct timespec *time)
{
    totals_begin(self, time);
    for (size_t i = 0; i < comparison->part_count; i++) {
        const server_part_t *part = &comparison->parts[i];
        totals_add_server(self, part);
        for (size_t j = 0; j < part->published_count; j++)
            totals_add_published(self, part, &part->published[j]);
        for (size_t j = 0; j < part->subscription_count; j++)
            totals_add_subscription(self, part, &part->subscriptions[j]);
    }
}

/* ---- what came of it ---- */

int64_t total_events(const total_t *self)
{
    return self->kind == TOTAL_PUBLISHED ? self->pushed.pushed_event_count
                                         : self->received.event_count;
}

bool total_lost_is_unknown(const total_t *self)
{
    return !self->knows_lost || (self->received.lost_event_count == 0 && self->lost_is_minimum);
}

int64_t total_not_received(const total_t *self)
{
    return changes_sum(self->not_received, self->not_received_ended);
}

const total_t *const *totals_rows(const totals_t *self, size_t *count)
{
    *count = self->count;
    return (const total_t *const *)self->all;
}

const totals_rest_t *totals_rest_of(const totals_t *self, total_kind_t kind)
{
    static const totals_rest_t none;
    return kind == TOTAL_PUBLISHED    ? &self->published
           : kind == TOTAL_SUBSCRIBED ? &self->subscribed
                                      : &none;
}

double totals_seconds_of(const totals_t *self, const char *server)
{
    total_t key = {.kind = TOTAL_SERVER, .server = (char *)(uintptr_t)server, .name = ""};
    total_t **found = tfind(&key, &self->index, compare_names);
    return found ? (*found)->seconds : 0;
}

totals_sums_t totals_sum_up(const totals_t *self)
{
    totals_sums_t sums = {
        .polls = self->snapshots, .last = self->last, .subscriptions = self->subscribed.streams};
    for (size_t i = 0; i < self->count; i++) {
        const total_t *total = self->all[i];
        const bool minimum = sums.sum.lost_is_minimum;
        add_sums(&sums.sum, total);
        sums.servers += total->kind == TOTAL_SERVER;
        sums.subscriptions += total->kind == TOTAL_SUBSCRIBED;
        if (total->kind != TOTAL_SUBSCRIBED)
            sums.sum.lost_is_minimum = minimum;
        else
            sums.untold += total->lost_is_minimum || !total->knows_lost;
        if (total->seconds > sums.seconds)
            sums.seconds = total->seconds;
    }
    if (self->subscribed.streams > 0)
        add_sums(&sums.sum, &self->subscribed.sum);
    const double seconds = timespec_seconds_between(&self->first, &self->last);
    if (sums.seconds <= 0)
        sums.seconds = seconds;
    return sums;
}
