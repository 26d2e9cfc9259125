#include "monitor/summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/perf_rows.h"
#include "monitor/stream_cells.h"
#include "monitor/text_table.h"
#include "monitor/top.h"
#include "response/memory.h"
#include "response/printable.h"

#define INDENT "  "

/* Where more servers than that have nothing to tell, they share a line. */
enum { QUIET_SERVERS = 8 };

typedef struct {
    FILE *out;
    const summary_options_t *options;
    char *prefix; /* left out of all names; NULL: none */
    const comparison_t *comparison;
} summary_t;

/* ---- text ------------------------------------------------------------------------------------ */

/* Prints text from elsewhere. */
static void print_text(FILE *out, const char *text)
{
    char *copy = printable_copy(text, printable_locale_is_utf8());
    fputs(copy, out);
    free(copy);
}

/* The local time with its offset, as ISO 8601 writes it; the caller frees it. */
static char *iso_time(time_t time)
{
    struct tm fields;
    char text[64] = "";
    /* A time that the calendar can't hold is printed as nothing. */
    if (!localtime_r(&time, &fields)) {
        return memory_string("?");
    }
    size_t size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &fields);
    if (size < 2) {
        return memory_string("?");
    }
    /* strftime's +0100 is +01:00 in the extended format. */
    return memory_format("%.*s:%s", (int)(size - 2), text, text + size - 2);
}

static const char *short_name(const summary_t *self, const char *name)
{
    return stream_cells_short_name(self->prefix, name);
}

static void begin_color(const summary_t *self, color_t color)
{
    fputs(terminal_color(color, self->options->style.color), self->out);
}

static void end_color(const summary_t *self)
{
    begin_color(self, COLOR_NONE);
}

static void print_table(const summary_t *self, text_table_t *table)
{
    text_table_print(table, self->out, INDENT, &self->options->style);
    text_table_destroy(&table);
}

/* ---- cells ----------------------------------------------------------------------------------- */

static void add_count(text_table_t *table, int64_t count)
{
    if (count == RESPONSE_UNKNOWN) {
        text_table_cell(table, "-");
    } else {
        text_table_cellf(table, "%" PRId64, count);
    }
}

/* A count that is worth a column only where there were any. */
static void add_count_if_any(text_table_t *table, int64_t count)
{
    if (count > 0) {
        add_count(table, count);
    } else {
        text_table_cell(table, "-");
    }
}

static void add_step(text_table_t *table, count_step_t step)
{
    if (step.kind == COUNT_UP) {
        text_table_cellf(table, "(+%" PRId64 ")", step.by);
    } else {
        text_table_cell(table, "");
    }
}

static void add_count_columns(text_table_t *table, const char *heading, unsigned flags)
{
    text_table_column(table, heading, TEXT_TABLE_RIGHT | flags);
    text_table_column(table, "", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL | TEXT_TABLE_JOINED);
}

static const char *tag_of(change_kind_t kind, bool first)
{
    if (kind == CHANGE_REMOVED) {
        return "gone";
    }
    /* In a first answer all is new: saying so on every line would hide what matters. */
    return kind == CHANGE_NEW && !first ? "new" : "";
}

static void add_tag(char **tags, const char *tag)
{
    if (!*tag) {
        return;
    }
    char *longer = memory_format("%s%s%s", *tags, **tags ? ", " : "", tag);
    free(*tags);
    *tags = longer;
}

/* ---- streams --------------------------------------------------------------------------------- */

static void print_publishers(const summary_t *self, const server_part_t *part)
{
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "published event stream", TEXT_TABLE_LEFT);
    add_count_columns(table, "pushed", 0);
    text_table_column(table, "rate [1/s]", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    if (self->options->perf) {
        text_table_column(table, "push [us] median", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
        text_table_column(table, "99 %", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    }
    for (size_t i = 0; i < part->published_count; i++) {
        const published_row_t *row = &part->published[i];
        const response_publisher_t *after = row->change->after;
        char *tags = memory_string("");
        add_tag(&tags,
                row->restarted ? "restart" : tag_of(row->change->kind, part->changes->first));
        add_tag(&tags, after && !after->has_subscribers ? "nobody listens" : "");
        text_table_cell(table, tags);
        free(tags);
        if (row->restarted) {
            text_table_row_color(table, COLOR_WARNING);
        }
        text_table_cell(table, short_name(self, row->name));
        add_count(table, row->pushed);
        add_step(table, row->step);
        stream_cells_rate(table, row->rate);
        if (self->options->perf) {
            stream_cells_micros(table, row->push_event.median_micros);
            stream_cells_micros(table, row->push_event.percentile_99_micros);
        }
    }
    print_table(self, table);
}

static void add_tags(text_table_t *table, const server_part_t *part, const subscription_row_t *row)
{
    char *tags = memory_string("");
    const response_subscription_t *after = row->change->after;
    color_t color = COLOR_NONE;
    if (after && row->new_losses > 0) {
        add_tag(&tags, after->lost_event_count != RESPONSE_UNKNOWN ? "LOST" : "MISSED");
        color = COLOR_ALARM;
    } else if (row->restarted || row->publisher_restarted) {
        color = COLOR_WARNING;
    }
    add_tag(&tags, tag_of(row->change->kind, part->changes->first));
    add_tag(&tags, row->restarted ? "restart" : "");
    add_tag(&tags, row->publisher_restarted ? "publisher restart" : "");
    text_table_cell(table, tags);
    text_table_row_color(table, color);
    free(tags);
}

/* Whether there is a text now, and it isn't the one of before. */
static bool is_other(const char *before, const char *after)
{
    return after && (!before || strcmp(before, after) != 0);
}

static void add_subscription(text_table_t *table, const summary_t *self, const server_part_t *part,
                             const subscription_row_t *row)
{
    const response_subscription_t *before = row->change->before;
    const response_subscription_t *after = row->change->after;
    const response_subscription_t *shown = after ? after : before;

    add_tags(table, part, row);
    text_table_cell(table, short_name(self, shown->topic));
    add_count(table, shown->event_count);
    add_step(table, row->received);
    add_count(table, shown->missed_event_count);
    add_step(table, row->missed);
    add_count(table, shown->lost_event_count);
    add_step(table, row->lost);
    add_count_if_any(table, shown->outage_lost_event_count);
    add_step(table, row->outage_lost);
    add_count(table, shown->discarded_event_count);
    add_step(table, row->discarded);
    /* Not a counter: callbacks come and go. */
    add_count(table, shown->callback_count);
    if (before && after && before->callback_count != after->callback_count &&
        before->callback_count != RESPONSE_UNKNOWN) {
        text_table_cellf(table, "(was %" PRId64 ")", before->callback_count);
    } else {
        text_table_cell(table, "");
    }
    add_count_if_any(table, shown->publisher_restart_count);
    add_step(table, row->publisher_restarts);
    stream_cells_rate(table, row->rate);
    if (self->options->perf) {
        stream_cells_micros(table, row->latency.median_micros);
        stream_cells_micros(table, row->latency.percentile_99_micros);
        stream_cells_micros(table, row->processing.median_micros);
        stream_cells_micros(table, row->processing.percentile_99_micros);
    }
    bool resubscribed =
        before && after && is_other(before->last_resubscribed, after->last_resubscribed);
    text_table_cell(table, resubscribed ? after->last_resubscribed : "-");
    bool other_channel = before && after && is_other(before->channel_name, after->channel_name);
    text_table_cell(table, other_channel ? short_name(self, after->channel_name) : "-");
}

static void print_subscriptions(const summary_t *self, const server_part_t *part)
{
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "subscription", TEXT_TABLE_LEFT);
    add_count_columns(table, "received", 0);
    add_count_columns(table, "missed", 0);
    add_count_columns(table, part->new_losses > 0 ? "LOST" : "lost", TEXT_TABLE_OPTIONAL);
    add_count_columns(table, "in outages", TEXT_TABLE_OPTIONAL);
    add_count_columns(table, "discarded", 0);
    add_count_columns(table, "callbacks", 0);
    add_count_columns(table, "publisher restarts", TEXT_TABLE_OPTIONAL);
    text_table_column(table, "rate [1/s]", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    if (self->options->perf) {
        text_table_column(table, "latency [us] median", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
        text_table_column(table, "99 %", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
        text_table_column(table, "callbacks [us] median", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
        text_table_column(table, "99 %", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    }
    text_table_column(table, "resubscribed", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "now through channel", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    for (size_t i = 0; i < part->subscription_count; i++) {
        add_subscription(table, self, part, &part->subscriptions[i]);
    }
    print_table(self, table);
}

/* ---- channels and what isn't connected ------------------------------------------------------- */

static void print_channels(const summary_t *self, const server_part_t *part)
{
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "event channel", TEXT_TABLE_LEFT);
    text_table_column(table, "endpoint", TEXT_TABLE_LEFT);
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL | TEXT_TABLE_JOINED);
    for (size_t i = 0; i < part->changes->channel_count; i++) {
        const channel_change_t *change = &part->changes->channels[i];
        const response_channel_t *shown = change->after ? change->after : change->before;
        text_table_cell(table, tag_of(change->kind, part->changes->first));
        text_table_cell(table, short_name(self, shown->name));
        text_table_cell(table, shown->endpoint);
        if (change->kind == CHANGE_CHANGED) {
            const char *before = change->before->endpoint;
            text_table_cellf(table, "(was %s)", before ? before : "-");
        } else {
            text_table_cell(table, "");
        }
    }
    print_table(self, table);
}

static void print_not_connected(const summary_t *self, const server_part_t *part)
{
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "not connected", TEXT_TABLE_LEFT);
    text_table_column(table, "event type", TEXT_TABLE_LEFT);
    text_table_column(table, "last heartbeat", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "tango host", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    for (size_t i = 0; i < part->changes->not_connected_count; i++) {
        const not_connected_change_t *change = &part->changes->not_connected[i];
        const response_not_connected_t *shown = change->after ? change->after : change->before;
        if (!stream_filter_takes_attribute(&self->options->filter, shown)) {
            continue;
        }
        text_table_cell(table, tag_of(change->kind, part->changes->first));
        const char *device = short_name(self, shown->device);
        text_table_cellf(table, "%s%s%s", device, *shown->attribute ? "/" : "", shown->attribute);
        text_table_cell(table, shown->event_type);
        text_table_cell(table, shown->last_heartbeat);
        /* A device with its own prefix says where it is itself. */
        text_table_cell(table,
                        comparison_prefix_length(shown->device) > 0 ? "-" : shown->tango_host);
    }
    print_table(self, table);
}

/* ---- performance ----------------------------------------------------------------------------- */

static text_table_t *new_perf_table(const char *heading)
{
    text_table_t *table = text_table_new();
    text_table_column(table, heading, TEXT_TABLE_LEFT);
    text_table_column(table, "count", TEXT_TABLE_RIGHT);
    text_table_column(table, "mean", TEXT_TABLE_RIGHT);
    text_table_column(table, printable_plus_minus(), TEXT_TABLE_LEFT | TEXT_TABLE_JOINED);
    text_table_column(table, "std error", TEXT_TABLE_RIGHT | TEXT_TABLE_JOINED);
    static const char *const headings[] = {"min", "1 %", "10 %", "median", "90 %", "99 %", "max"};
    for (size_t i = 0; i < sizeof(headings) / sizeof(headings[0]); i++) {
        text_table_column(table, headings[i], TEXT_TABLE_RIGHT);
    }
    return table;
}

static void add_number(text_table_t *table, double value, int decimals)
{
    if (isfinite(value)) {
        text_table_cellf(table, "%.*f", decimals, value);
    } else {
        text_table_cell(table, "-");
    }
}

static void print_samples(const summary_t *self, const response_t *response, perf_side_t side)
{
    size_t count = 0;
    perf_row_t *rows = perf_rows_new(response, side, &count);
    const size_t discarded = side == PERF_RECEIVED ? perf_discarded_count(response) : 0;
    char *heading = memory_string(side == PERF_PUSHED ? "events pushed" : "events received");
    if (discarded > 0) {
        free(heading);
        heading = memory_format("events received (without %zu discarded)", discarded);
    }
    text_table_t *table = new_perf_table(heading);
    for (size_t i = 0; i < count; i++) {
        const statistics_t *statistics = &rows[i].statistics;
        text_table_cell(table, rows[i].label);
        text_table_cellf(table, "%zu", statistics->count);
        add_number(table, statistics->mean, 1);
        text_table_cell(table, isfinite(statistics->standard_error) ? printable_plus_minus() : "");
        add_number(table, statistics->standard_error, 1);
        add_number(table, statistics->minimum, 0);
        add_number(table, statistics->percentile_1, 0);
        add_number(table, statistics->percentile_10, 0);
        add_number(table, statistics->median, 0);
        add_number(table, statistics->percentile_90, 0);
        add_number(table, statistics->percentile_99, 0);
        add_number(table, statistics->maximum, 0);
    }
    print_table(self, table);
    free(heading);
    free(rows);
}

static void print_perf(const summary_t *self, const response_t *response)
{
    bool on = response->push_perf_on || response->receive_perf_on;
    if (!on && (response->has_server || response->has_client)) {
        fputs(INDENT "performance monitoring is off\n", self->out);
    }
    print_samples(self, response, PERF_PUSHED);
    print_samples(self, response, PERF_RECEIVED);
}

/* ---- servers --------------------------------------------------------------------------------- */

/* Says once who answers, for it decides what can be known. */
static void print_source(const summary_t *self, const response_t *response)
{
    switch (response->dialect) {
    case RESPONSE_AGENT:
        fputs("agent", self->out);
        if (response->agent_version) {
            fputc(' ', self->out);
            print_text(self->out, response->agent_version);
        }
        if (response->tango_version) {
            fputs(", Tango ", self->out);
            print_text(self->out, response->tango_version);
        }
        if (response->agent_pid != RESPONSE_UNKNOWN) {
            fprintf(self->out, ", process %" PRId64, response->agent_pid);
        }
        break;
    case RESPONSE_VERSION_1:
        fputs("built-in command (doesn't count lost events)", self->out);
        break;
    case RESPONSE_LEGACY:
        fputs("patched server (doesn't count lost events)", self->out);
        break;
    }
}

/* What the server's own line says behind its name. */
static void print_server_heading(const summary_t *self, const server_part_t *part)
{
    const response_t *response = part->reply->response;
    const changes_t *changes = part->changes;
    if (changes->server_restarted) {
        fputs(": restarted, its counters started again; ", self->out);
        print_source(self, response);
    } else if (changes->counters_restarted) {
        fputs(": answers in another way than before, its counters can't be compared; ", self->out);
        print_source(self, response);
    } else if (changes->first) {
        fputs(": ", self->out);
        print_source(self, response);
        if (!changes_any(changes)) {
            fputs("; no event streams", self->out);
        }
    } else if (!changes_any(changes)) {
        fputs(": no change", self->out);
        if (response->not_connected_count > 0) {
            fprintf(self->out, ", %zu still not connected", response->not_connected_count);
        }
    }
    fputc('\n', self->out);
}

/* Callbacks take less as a rule, and nothing else is received meanwhile. */
#define LONG_MICROS 1e6

static bool has_warnings(const response_t *response)
{
    const response_consumer_t *consumer = &response->consumer;
    return (consumer->topic && consumer->state_micros > LONG_MICROS) ||
           consumer->delayed_micros > LONG_MICROS || response->agent_uncounted > 0;
}

/* What goes on in the server that needs somebody's attention, whether or not it is new. */
static void print_warnings(const summary_t *self, const response_t *response)
{
    const response_consumer_t *consumer = &response->consumer;
    if (consumer->topic && consumer->state_micros > LONG_MICROS) {
        fputs("  IN A CALLBACK of ", self->out);
        print_text(self->out, short_name(self, consumer->topic));
        fprintf(self->out, " for %.1f s: no event is received meanwhile\n",
                consumer->state_micros / 1e6);
    }
    if (consumer->delayed_micros > LONG_MICROS) {
        fprintf(self->out, "  EVENTS WAIT for %.1f s: a subscription is being made\n",
                consumer->delayed_micros / 1e6);
    }
    if (response->agent_uncounted > 0) {
        fprintf(self->out,
                "  NOT COUNTED %" PRId64 " times: the agent has no room for more names\n",
                response->agent_uncounted);
    }
}

static void print_failure(const summary_t *self, const server_part_t *part, const char *error)
{
    begin_color(self, COLOR_ALARM);
    print_text(self->out, part->reply->server ? part->reply->server : "?");
    fputs(": FAILED: ", self->out);
    print_text(self->out, error);
    end_color(self);
    fputc('\n', self->out);
}

/* Nothing that anybody would miss if it weren't there. */
static bool is_quiet(const summary_t *self, const server_part_t *part)
{
    const response_t *response = part->reply->response;
    return part->changes && !part->failed && !part->changes->first && !self->options->perf &&
           !changes_any(part->changes) && !has_warnings(response) &&
           response->not_connected_count == 0;
}

static void print_server(const summary_t *self, const server_part_t *part)
{
    const char *error = part->reply->error ? part->reply->error : "no answer";
    if (!part->changes && part->failed && strcmp(error, part->failed) == 0) {
        return; /* it was said when it began */
    }
    if (!part->changes) {
        print_failure(self, part, error);
        return;
    }
    const bool told = part->failed || part->changes->server_restarted || !self->options->top ||
                      has_warnings(part->reply->response);
    if (!told) {
        return;
    }
    begin_color(self, part->changes->counters_restarted ? COLOR_WARNING
                      : part->failed                    ? COLOR_GOOD
                                                        : COLOR_HEADING);
    print_text(self->out, part->reply->server ? part->reply->server : "?");
    end_color(self);
    if (part->failed) {
        fputs(": answers again", self->out);
    }
    print_server_heading(self, part);
    print_warnings(self, part->reply->response);
    if (self->options->top) {
        return;
    }
    print_publishers(self, part);
    print_subscriptions(self, part);
    print_channels(self, part);
    print_not_connected(self, part);
    if (self->options->perf) {
        print_perf(self, part->reply->response);
    }
}

/* ---- the snapshot ---------------------------------------------------------------------------- */

static void print_heading(const summary_t *self, const snapshot_t *current)
{
    const size_t count = self->comparison->part_count;
    const size_t failed = self->comparison->failed;
    char *time = iso_time(current->time.tv_sec);
    begin_color(self, COLOR_HEADING);
    fprintf(self->out, "%s  %zu of %zu %s answered", time, count - failed, count,
            count == 1 ? "server" : "servers");
    end_color(self);
    if (failed > 0) {
        fputs(", ", self->out);
        begin_color(self, COLOR_ALARM);
        fprintf(self->out, "%zu FAILED", failed);
        end_color(self);
    }
    fputc('\n', self->out);
    if (self->prefix) {
        fputs("(names without ", self->out);
        print_text(self->out, self->prefix);
        fputs(")\n", self->out);
    }
    free(time);
}

void summary_print(FILE *out, const comparison_t *comparison, const snapshot_t *current,
                   const summary_options_t *options)
{
    summary_t self = {
        .out = out,
        .options = options,
        .prefix = stream_cells_prefix(comparison),
        .comparison = comparison,
    };
    size_t quiet = 0;
    for (size_t i = 0; i < comparison->part_count; i++) {
        quiet += is_quiet(&self, &comparison->parts[i]);
    }
    print_heading(&self, current);
    if (options->top > 0) {
        top_print(out, comparison, self.prefix, options);
    }
    for (size_t i = 0; i < comparison->part_count; i++) {
        if (quiet <= QUIET_SERVERS || !is_quiet(&self, &comparison->parts[i])) {
            print_server(&self, &comparison->parts[i]);
        }
    }
    if (quiet > QUIET_SERVERS && !options->top) {
        fprintf(out, "%zu servers: no change\n", quiet);
    }
    fputc('\n', out);
    free(self.prefix);
}
