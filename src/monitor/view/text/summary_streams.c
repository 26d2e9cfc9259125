#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "monitor/view/text/stream_cells.h"
#include "monitor/view/text/summary_parts.h"

/* ---- cells ----------------------------------------------------------------------------------- */

static void add_tag(char **tags, const char *tag)
{
    if (!*tag)
        return;
    char *longer = memory_format("%s%s%s", *tags, **tags ? ", " : "", tag);
    free(*tags);
    *tags = longer;
}

/* ---- streams --------------------------------------------------------------------------------- */

/* In a server's first answer there is nothing to compute rates from. */
static void add_rate_column(text_table_t *table, const server_part_t *part)
{
    if (!part->changes->first)
        text_table_column(table, "rate [1/s]", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
}

static void add_rate(text_table_t *table, const server_part_t *part, bool gone, double rate)
{
    if (part->changes->first)
        return;
    if (gone)
        text_table_cell(table, "");
    else
        stream_cells_rate(table, rate);
}

/* Only our agent has durations of all events. */
static bool has_durations(const summary_t *self, const server_part_t *part)
{
    return self->options->perf && part->reply->response->dialect == RESPONSE_AGENT;
}

static void add_duration_columns(text_table_t *table, const char *heading)
{
    text_table_column(table, heading, TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "99 %", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
}

void summary_print_publishers(const summary_t *self, const shown_server_t *server)
{
    const counters_t *counters = &counters_of_publisher;
    const server_part_t *part = server->part;
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "published event stream", TEXT_TABLE_LEFT);
    for (size_t i = 0; i < counters->count; i++)
        if (summary_shows_counter(&counters->list[i], part))
            stream_cells_count_columns(table, &counters->list[i], counters->list[i].heading);
    add_rate_column(table, part);
    if (has_durations(self, part))
        add_duration_columns(table, "push [us] median");
    for (size_t i = 0; i < server->published_count; i++) {
        const published_row_t *row = server->published[i];
        const response_publisher_t *after = row->change->after;
        char *tags = memory_string("");
        add_tag(&tags,
                row->restarted ? "restart" : summary_tag(row->change->kind, part->changes->first));
        add_tag(&tags, after && after->has_subscribers == RESPONSE_NO ? "nobody listens" : "");
        text_table_cell(table, tags);
        free(tags);
        if (row->restarted)
            text_table_row_color(table, COLOR_WARNING);
        text_table_cell(table, summary_short_name(self, row->name));
        for (size_t j = 0; j < counters->count; j++) {
            if (!summary_shows_counter(&counters->list[j], part))
                continue;
            stream_cells_count(table, counter_of(&counters->list[j], &row->counts));
            stream_cells_step(table, counter_of(&counters->list[j], &row->steps));
        }
        add_rate(table, part, !after, row->rate);
        if (has_durations(self, part))
            stream_cells_durations(table, &row->push_event);
    }
    summary_print_table(self, table);
}

static void add_tags(text_table_t *table, const server_part_t *part, const subscription_row_t *row)
{
    char *tags = memory_string("");
    color_t color = COLOR_NONE;
    if (row->new_losses > 0) {
        add_tag(&tags, row->only_misses ? "MISSED" : "LOST");
        color = COLOR_ALARM;
    } else if (row->restarted || row->publisher_restarted || row->loss.not_received > 0) {
        color = COLOR_WARNING;
    }
    if (row->earlier_losses > 0) {
        add_tag(&tags, row->only_misses ? "missed before" : "lost before");
        color = COLOR_WARNING;
    }
    add_tag(&tags, row->loss.not_received > 0 ? "NOT RECEIVED" : "");
    add_tag(&tags, summary_tag(row->change->kind, part->changes->first));
    add_tag(&tags, row->restarted ? "restart" : "");
    add_tag(&tags, row->publisher_restarted ? "publisher restart" : "");
    text_table_cell(table, tags);
    text_table_row_color(table, color);
    free(tags);
}

/* Whether there is a text now that is different from the previous one. */
static bool is_other(const char *before, const char *after)
{
    return after && (!before || strcmp(before, after) != 0);
}

static void add_losses(text_table_t *table, const server_part_t *part,
                       const subscription_row_t *row)
{
    const loss_t *loss = &row->loss;
    if (loss->source == LOSS_UNKNOWN || (part->changes->first && loss->source == LOSS_DERIVED))
        text_table_cell(table, NULL); /* nothing can be derived for the time before this answer */
    else
        stream_cells_lost(table, loss->lost, loss->is_minimum, loss->source == LOSS_DERIVED);
    stream_cells_step(table, loss->step);
    if (part->changes->first)
        return;
    if (loss->not_received == RESPONSE_UNKNOWN)
        text_table_cell(table, "");
    else
        stream_cells_count(table, loss->not_received);
}

/* One that comes and goes, and what it was. */
static void add_level(text_table_t *table, const counter_t *counter, const subscription_row_t *row)
{
    const subscription_change_t *change = row->change;
    const int64_t now = counter_of(counter, row->counts);
    const int64_t before = change->before && change->after
                               ? counter_of(counter, &change->before->counts)
                               : RESPONSE_UNKNOWN;
    stream_cells_count(table, now);
    if (before != RESPONSE_UNKNOWN && before != now)
        text_table_cellf(table, "(was %" PRId64 ")", before);
    else
        text_table_cell(table, "");
}

static void add_counters(text_table_t *table, const server_part_t *part,
                         const subscription_row_t *row)
{
    for (size_t i = 0; i < counters_of_subscription.count; i++) {
        const counter_t *counter = &counters_of_subscription.list[i];
        if (!summary_shows_counter(counter, part))
            continue;
        if (counter->kind == COUNTER_LOST) {
            add_losses(table, part, row);
        } else if (counter->kind == COUNTER_LEVEL) {
            add_level(table, counter, row);
        } else {
            stream_cells_count(table, counter_of(counter, row->counts));
            stream_cells_step(table, counter_of(counter, &row->steps));
        }
    }
}

static void add_subscription(text_table_t *table, const summary_t *self, const server_part_t *part,
                             const subscription_row_t *row)
{
    const response_subscription_t *before = row->change->before;
    const response_subscription_t *after = row->change->after;

    add_tags(table, part, row);
    text_table_cell(table, summary_short_name(self, row->topic));
    /* If the publisher isn't watched, the cell is empty, not "-". */
    if (row->loss.pushed == RESPONSE_UNKNOWN)
        text_table_cell(table, "");
    else
        stream_cells_count(table, row->loss.pushed);
    add_counters(table, part, row);
    if (self->options->verbose) {
        stream_cells_count(table, row->counts->server_counter);
        stream_cells_step(table, row->steps.server_counter);
    }
    add_rate(table, part, !after, row->rate);
    if (has_durations(self, part)) {
        stream_cells_durations(table, &row->latency);
        stream_cells_durations(table, &row->processing);
    }
    bool resubscribed =
        before && after && is_other(before->last_resubscribed, after->last_resubscribed);
    text_table_cell(table, resubscribed ? after->last_resubscribed : "");
    bool other_channel = before && after && is_other(before->channel_name, after->channel_name);
    text_table_cell(table, other_channel ? summary_short_name(self, after->channel_name) : "");
}

/* Explains the numbers of lost events in a table that aren't the agent's own. */
static void print_footnote(const summary_t *self, const shown_server_t *server)
{
    const struct timespec *since = NULL;
    bool several = false;
    for (size_t i = 0; !server->part->changes->first && i < server->subscription_count; i++) {
        const loss_t *loss = &server->subscriptions[i]->loss;
        if (loss->source != LOSS_DERIVED)
            continue;
        several |= since && since->tv_sec != loss->since.tv_sec;
        since = &loss->since;
    }
    if (!since)
        return;
    fputs(SUMMARY_INDENT STREAM_CELLS_DERIVED " since ", self->out);
    if (several) {
        fputs("each subscription was first seen\n", self->out);
        return;
    }
    char *time = local_time_text(since->tv_sec);
    fprintf(self->out, "%s, when it was first seen\n", time);
    free(time);
}

static void add_subscription_columns(text_table_t *table, const shown_server_t *server)
{
    for (size_t i = 0; i < counters_of_subscription.count; i++) {
        const counter_t *counter = &counters_of_subscription.list[i];
        const bool lost = counter->kind == COUNTER_LOST;
        if (!summary_shows_counter(counter, server->part))
            continue;
        stream_cells_count_columns(table, counter,
                                   lost && server->new_losses > 0 ? "LOST" : counter->heading);
        if (lost && !server->part->changes->first)
            text_table_column(table, "not received", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    }
}

void summary_print_subscriptions(const summary_t *self, const shown_server_t *server)
{
    const server_part_t *part = server->part;
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "subscription", TEXT_TABLE_LEFT);
    text_table_column(table, "pushed", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    add_subscription_columns(table, server);
    if (self->options->verbose) {
        text_table_column(table, "server counter", TEXT_TABLE_RIGHT);
        text_table_column(table, "", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL | TEXT_TABLE_JOINED);
    }
    add_rate_column(table, part);
    if (has_durations(self, part)) {
        add_duration_columns(table, "latency [us] median");
        add_duration_columns(table, "callbacks [us] median");
    }
    text_table_column(table, "resubscribed", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "now through channel", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    for (size_t i = 0; i < server->subscription_count; i++)
        add_subscription(table, self, part, server->subscriptions[i]);
    summary_print_table(self, table);
    print_footnote(self, server);
}
