#include "monitor/summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/changes.h"
#include "monitor/statistics.h"
#include "monitor/text_table.h"
#include "response/memory.h"
#include "response/printable.h"

#define INDENT "  "

/* One server's part of a snapshot, compared. */
typedef struct {
    const reply_t *reply;
    const response_t *before; /* NULL: not known */
    const char *failed;       /* why it failed the time before; NULL: it didn't */
    changes_t *changes;       /* NULL: the server failed */
    double seconds;           /* since the answer before; NAN: not known */
} part_t;

typedef struct {
    FILE *out;
    const summary_options_t *options;
    char *prefix; /* left out of all names; NULL: none */
    part_t *parts;
    size_t part_count;
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

/* The "tango://host:port/" a name begins with, as its length; 0 if it has none. */
static size_t prefix_length(const char *name)
{
    static const char scheme[] = "tango://";
    if (strncmp(name, scheme, sizeof(scheme) - 1) != 0) {
        return 0;
    }
    const char *slash = strchr(name + sizeof(scheme) - 1, '/');
    return slash ? (size_t)(slash - name) + 1 : 0;
}

/*
 * Takes one more name into account. Returns whether all names so far have the same prefix, which is
 * *prefix (the first name sets it).
 */
static bool share_prefix(char **prefix, const char *name)
{
    size_t length = prefix_length(name);
    if (length == 0) {
        return false;
    }
    if (!*prefix) {
        *prefix = memory_format("%.*s", (int)length, name);
        return true;
    }
    return strncmp(*prefix, name, length) == 0; /* to the slash, which ends both */
}

static bool share_prefix_of_changes(char **prefix, const changes_t *changes)
{
    bool shared = true;
    for (size_t i = 0; shared && i < changes->publisher_count; i++) {
        const publisher_change_t *change = &changes->publishers[i];
        shared = share_prefix(prefix, (change->after ? change->after : change->before)->name);
    }
    for (size_t i = 0; shared && i < changes->subscription_count; i++) {
        const subscription_change_t *change = &changes->subscriptions[i];
        shared = share_prefix(prefix, (change->after ? change->after : change->before)->topic);
    }
    for (size_t i = 0; shared && i < changes->channel_count; i++) {
        const channel_change_t *change = &changes->channels[i];
        shared = share_prefix(prefix, (change->after ? change->after : change->before)->name);
    }
    return shared;
}

/* The prefix that all names in this summary share, or NULL; the caller frees it. */
static char *find_prefix(const summary_t *self)
{
    char *prefix = NULL;
    bool shared = true;
    for (size_t i = 0; shared && i < self->part_count; i++) {
        if (self->parts[i].changes) {
            shared = share_prefix_of_changes(&prefix, self->parts[i].changes);
        }
    }
    if (!shared) {
        free(prefix);
        prefix = NULL;
    }
    return prefix;
}

static const char *short_name(const summary_t *self, const char *name)
{
    size_t length = self->prefix ? strlen(self->prefix) : 0;
    return length > 0 && strncmp(name, self->prefix, length) == 0 ? name + length : name;
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

static void add_rate(text_table_t *table, count_step_t step, double seconds)
{
    bool known = (step.kind == COUNT_UP || step.kind == COUNT_SAME) && seconds > 0;
    double rate = known ? (double)step.by / seconds : NAN;
    if (!known) {
        text_table_cell(table, "-");
    } else if (rate > 0 && rate < 0.05) {
        text_table_cell(table, "<0.1");
    } else {
        text_table_cellf(table, "%.1f", rate);
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

/* ---- publishers ------------------------------------------------------------------------------ */

/* Events pushed so far: the built-in command counts the one to come as well. */
static int64_t pushed_count(const response_t *response, const response_publisher_t *publisher)
{
    int64_t count = publisher->event_count;
    if (count > 0 && response_pushed_count_is_next(response)) {
        count--;
    }
    return count;
}

static count_step_t pushed_step(const part_t *part, const publisher_change_t *change)
{
    if (change->kind != CHANGE_CHANGED || part->changes->counters_restarted) {
        return changes_count(RESPONSE_UNKNOWN, RESPONSE_UNKNOWN);
    }
    int64_t before = pushed_count(part->before, change->before);
    int64_t after = pushed_count(part->reply->response, change->after);
    return changes_server_counter(before, after);
}

static void print_publishers(const summary_t *self, const part_t *part)
{
    const changes_t *changes = part->changes;
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "published event stream", TEXT_TABLE_LEFT);
    add_count_columns(table, "pushed", 0);
    text_table_column(table, "rate [1/s]", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);

    for (size_t i = 0; i < changes->publisher_count; i++) {
        const publisher_change_t *change = &changes->publishers[i];
        count_step_t step = pushed_step(part, change);
        bool restarted = step.kind == COUNT_RESTARTED;
        char *tags = memory_string("");
        add_tag(&tags, restarted ? "restart" : tag_of(change->kind, changes->first));
        add_tag(&tags, change->after && !change->after->has_subscribers ? "nobody listens" : "");
        text_table_cell(table, tags);
        free(tags);
        if (change->after) {
            text_table_cell(table, short_name(self, change->after->name));
            add_count(table, pushed_count(part->reply->response, change->after));
        } else {
            text_table_cell(table, short_name(self, change->before->name));
            add_count(table, pushed_count(part->before, change->before));
        }
        add_step(table, step);
        add_rate(table, step, part->seconds);
    }
    text_table_print(table, self->out, INDENT);
    text_table_destroy(&table);
}

/* ---- subscriptions --------------------------------------------------------------------------- */

/* A changed subscription with what its counts did. */
typedef struct {
    const subscription_change_t *change;
    count_step_t received;
    count_step_t missed;
    count_step_t lost;
    count_step_t outage_lost;
    count_step_t discarded;
    count_step_t publisher_restarts;
    bool restarted;           /* its own counts went down: it was made anew */
    bool publisher_restarted; /* the publisher's counter did */
    int64_t new_losses;       /* events lost, or misses where that is all one knows */
} subscription_row_t;

/* How many of a count are news: all of them, if there is nothing to compare with. */
static int64_t news_of(count_step_t step, int64_t after)
{
    if (step.kind == COUNT_UNKNOWN) {
        return after == RESPONSE_UNKNOWN ? 0 : after;
    }
    return step.by;
}

static subscription_row_t compare_counts(const part_t *part, const subscription_change_t *change)
{
    const count_step_t unknown = {.kind = COUNT_UNKNOWN, .by = 0};
    subscription_row_t row = {
        .change = change,
        .received = unknown,
        .missed = unknown,
        .lost = unknown,
        .outage_lost = unknown,
        .discarded = unknown,
        .publisher_restarts = unknown,
    };
    const response_subscription_t *before = change->before;
    const response_subscription_t *after = change->after;
    if (before && after && !part->changes->counters_restarted) {
        row.received = changes_count(before->event_count, after->event_count);
        row.missed = changes_count(before->missed_event_count, after->missed_event_count);
        row.lost = changes_count(before->lost_event_count, after->lost_event_count);
        row.outage_lost =
            changes_count(before->outage_lost_event_count, after->outage_lost_event_count);
        row.discarded = changes_count(before->discarded_event_count, after->discarded_event_count);
        row.publisher_restarts =
            changes_count(before->publisher_restart_count, after->publisher_restart_count);
        row.restarted =
            row.received.kind == COUNT_RESTARTED || row.missed.kind == COUNT_RESTARTED ||
            row.lost.kind == COUNT_RESTARTED || row.outage_lost.kind == COUNT_RESTARTED ||
            row.discarded.kind == COUNT_RESTARTED || row.publisher_restarts.kind == COUNT_RESTARTED;
        count_step_t counter =
            changes_server_counter(before->server_counter, after->server_counter);
        row.publisher_restarted = row.publisher_restarts.kind == COUNT_UP ||
                                  (row.publisher_restarts.kind == COUNT_UNKNOWN && !row.restarted &&
                                   counter.kind == COUNT_RESTARTED);
    }
    if (row.restarted) {
        /* Counts that are higher than before by chance can't be compared either. */
        row.received = row.missed = row.lost = row.outage_lost = unknown;
        row.discarded = row.publisher_restarts = unknown;
    }
    if (after) {
        row.new_losses = after->lost_event_count != RESPONSE_UNKNOWN
                             ? news_of(row.lost, after->lost_event_count)
                             : news_of(row.missed, after->missed_event_count);
    }
    return row;
}

/* Streams that lost most come first, all others in the order of their names. */
static int compare_rows(const void *a, const void *b)
{
    const subscription_row_t *left = a;
    const subscription_row_t *right = b;
    if (left->new_losses != right->new_losses) {
        return left->new_losses < right->new_losses ? 1 : -1;
    }
    return left->change < right->change ? -1 : left->change > right->change;
}

static void add_tags(text_table_t *table, const part_t *part, const subscription_row_t *row)
{
    char *tags = memory_string("");
    const response_subscription_t *after = row->change->after;
    if (after && row->new_losses > 0) {
        add_tag(&tags, after->lost_event_count != RESPONSE_UNKNOWN ? "LOST" : "MISSED");
    }
    add_tag(&tags, tag_of(row->change->kind, part->changes->first));
    add_tag(&tags, row->restarted ? "restart" : "");
    add_tag(&tags, row->publisher_restarted ? "publisher restart" : "");
    text_table_cell(table, tags);
    free(tags);
}

/* Whether there is a text now, and it isn't the one of before. */
static bool is_other(const char *before, const char *after)
{
    return after && (!before || strcmp(before, after) != 0);
}

static void add_subscription(text_table_t *table, const summary_t *self, const part_t *part,
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
    add_rate(table, row->received, part->seconds);
    bool resubscribed =
        before && after && is_other(before->last_resubscribed, after->last_resubscribed);
    text_table_cell(table, resubscribed ? after->last_resubscribed : "-");
    bool other_channel = before && after && is_other(before->channel_name, after->channel_name);
    text_table_cell(table, other_channel ? short_name(self, after->channel_name) : "-");
}

static void print_subscriptions(const summary_t *self, const part_t *part)
{
    size_t count = part->changes->subscription_count;
    subscription_row_t *rows = memory_new(count, sizeof(*rows));
    bool any_lost = false;
    for (size_t i = 0; i < count; i++) {
        rows[i] = compare_counts(part, &part->changes->subscriptions[i]);
        any_lost = any_lost || rows[i].new_losses > 0;
    }
    if (count > 1) {
        qsort(rows, count, sizeof(*rows), compare_rows);
    }

    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "subscription", TEXT_TABLE_LEFT);
    add_count_columns(table, "received", 0);
    add_count_columns(table, "missed", 0);
    add_count_columns(table, any_lost ? "LOST" : "lost", TEXT_TABLE_OPTIONAL);
    add_count_columns(table, "in outages", TEXT_TABLE_OPTIONAL);
    add_count_columns(table, "discarded", 0);
    add_count_columns(table, "callbacks", 0);
    add_count_columns(table, "publisher restarts", TEXT_TABLE_OPTIONAL);
    text_table_column(table, "rate [1/s]", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "resubscribed", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "now through channel", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    for (size_t i = 0; i < count; i++) {
        add_subscription(table, self, part, &rows[i]);
    }
    text_table_print(table, self->out, INDENT);
    text_table_destroy(&table);
    free(rows);
}

/* ---- channels and what isn't connected ------------------------------------------------------- */

static void print_channels(const summary_t *self, const part_t *part)
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
    text_table_print(table, self->out, INDENT);
    text_table_destroy(&table);
}

static void print_not_connected(const summary_t *self, const part_t *part)
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
        text_table_cell(table, tag_of(change->kind, part->changes->first));
        const char *device = short_name(self, shown->device);
        text_table_cellf(table, "%s%s%s", device, *shown->attribute ? "/" : "", shown->attribute);
        text_table_cell(table, shown->event_type);
        text_table_cell(table, shown->last_heartbeat);
        /* A device with its own prefix says where it is itself. */
        text_table_cell(table, prefix_length(shown->device) > 0 ? "-" : shown->tango_host);
    }
    text_table_print(table, self->out, INDENT);
    text_table_destroy(&table);
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

static void add_perf_row(text_table_t *table, const char *name, const double *values, size_t count)
{
    statistics_t statistics = statistics_of(values, count);
    text_table_cell(table, name);
    text_table_cellf(table, "%zu", statistics.count);
    add_number(table, statistics.mean, 1);
    text_table_cell(table, isfinite(statistics.standard_error) ? printable_plus_minus() : "");
    add_number(table, statistics.standard_error, 1);
    add_number(table, statistics.minimum, 0);
    add_number(table, statistics.percentile_1, 0);
    add_number(table, statistics.percentile_10, 0);
    add_number(table, statistics.median, 0);
    add_number(table, statistics.percentile_90, 0);
    add_number(table, statistics.percentile_99, 0);
    add_number(table, statistics.maximum, 0);
}

static double push_interval(const void *sample)
{
    return ((const response_push_sample_t *)sample)->micros_since_last_event;
}

static double push_duration(const void *sample)
{
    return ((const response_push_sample_t *)sample)->push_event_micros;
}

static double known_or_nan(int64_t count)
{
    return count == RESPONSE_UNKNOWN ? NAN : (double)count;
}

static double receive_interval(const void *sample)
{
    return ((const response_receive_sample_t *)sample)->micros_since_last_event;
}

static double receive_sleep(const void *sample)
{
    return ((const response_receive_sample_t *)sample)->sleep_micros;
}

static double receive_process(const void *sample)
{
    return ((const response_receive_sample_t *)sample)->process_micros;
}

static double receive_latency(const void *sample)
{
    return ((const response_receive_sample_t *)sample)->first_callback_latency_micros;
}

static double receive_callbacks(const void *sample)
{
    return known_or_nan(((const response_receive_sample_t *)sample)->callback_count);
}

static double receive_wakes(const void *sample)
{
    return known_or_nan(((const response_receive_sample_t *)sample)->wake_count);
}

/* One line of a table: a name and where its value is in a sample. */
typedef struct {
    const char *name;
    double (*value)(const void *sample);
} perf_row_t;

static const perf_row_t push_rows[] = {
    {"since last event [us]", push_interval},
    {"push event [us]", push_duration},
};

static const perf_row_t receive_rows[] = {
    {"since last event [us]", receive_interval}, {"sleep [us]", receive_sleep},
    {"process [us]", receive_process},           {"first callback latency [us]", receive_latency},
    {"callbacks [1/event]", receive_callbacks},  {"wake-ups [1/event]", receive_wakes},
};

static void print_push_perf(const summary_t *self, const response_t *response)
{
    size_t count = response->push_sample_count;
    if (count == 0) {
        return;
    }
    text_table_t *table = new_perf_table("events pushed");
    double *values = memory_new(count, sizeof(*values));
    for (size_t row = 0; row < sizeof(push_rows) / sizeof(push_rows[0]); row++) {
        for (size_t i = 0; i < count; i++) {
            values[i] = push_rows[row].value(&response->push_samples[i]);
        }
        add_perf_row(table, push_rows[row].name, values, count);
    }
    text_table_print(table, self->out, INDENT);
    text_table_destroy(&table);
    free(values);
}

/*
 * Duplicates are left out: nobody's callback ran for them, and they come right behind the event
 * that they repeat, so that they would tell of a hurry that there wasn't.
 */
static void print_receive_perf(const summary_t *self, const response_t *response)
{
    size_t discarded = 0;
    for (size_t i = 0; i < response->receive_sample_count; i++) {
        discarded += response->receive_samples[i].discarded;
    }
    if (response->receive_sample_count == 0) {
        return;
    }
    char *heading = discarded > 0
                        ? memory_format("events received (without %zu discarded)", discarded)
                        : memory_string("events received");
    text_table_t *table = new_perf_table(heading);
    double *values = memory_new(response->receive_sample_count, sizeof(*values));
    for (size_t row = 0; row < sizeof(receive_rows) / sizeof(receive_rows[0]); row++) {
        size_t count = 0;
        for (size_t i = 0; i < response->receive_sample_count; i++) {
            const response_receive_sample_t *sample = &response->receive_samples[i];
            if (!sample->discarded) {
                values[count++] = receive_rows[row].value(sample);
            }
        }
        add_perf_row(table, receive_rows[row].name, values, count);
    }
    text_table_print(table, self->out, INDENT);
    text_table_destroy(&table);
    free(values);
    free(heading);
}

static void print_perf(const summary_t *self, const response_t *response)
{
    bool on = response->push_perf_on || response->receive_perf_on;
    if (!on && (response->has_server || response->has_client)) {
        fputs(INDENT "performance monitoring is off\n", self->out);
    }
    print_push_perf(self, response);
    print_receive_perf(self, response);
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
static void print_server_heading(const summary_t *self, const part_t *part)
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

static void print_server(const summary_t *self, const part_t *part)
{
    const char *error = part->reply->error ? part->reply->error : "no answer";
    if (!part->changes && part->failed && strcmp(error, part->failed) == 0) {
        return; /* it was said when it began */
    }
    print_text(self->out, part->reply->server ? part->reply->server : "?");
    if (!part->changes) {
        fputs(": FAILED: ", self->out);
        print_text(self->out, error);
        fputc('\n', self->out);
        return;
    }
    if (part->failed) {
        fputs(": answers again", self->out);
    }
    print_server_heading(self, part);
    print_warnings(self, part->reply->response);
    print_publishers(self, part);
    print_subscriptions(self, part);
    print_channels(self, part);
    print_not_connected(self, part);
    if (self->options->perf) {
        print_perf(self, part->reply->response);
    }
}

/* ---- the snapshot ---------------------------------------------------------------------------- */

/* The same server's part of another snapshot; mostly it stands in the same place. */
static const reply_t *find_reply(const snapshot_t *snapshot, const char *server, size_t place)
{
    if (!server) {
        return NULL;
    }
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const reply_t *reply = &snapshot->replies[(place + i) % snapshot->reply_count];
        if (reply->server && strcmp(reply->server, server) == 0) {
            return reply;
        }
    }
    return NULL;
}

static double seconds_of(const snapshot_t *snapshot, const reply_t *reply)
{
    bool own = reply->time.tv_sec != 0 || reply->time.tv_nsec != 0;
    const struct timespec *time = own ? &reply->time : &snapshot->time;
    return (double)time->tv_sec + (double)time->tv_nsec / 1e9;
}

static part_t compare_reply(const snapshot_t *previous, const snapshot_t *current, size_t place)
{
    part_t part = {.reply = &current->replies[place], .seconds = NAN};
    const reply_t *before = previous ? find_reply(previous, part.reply->server, place) : NULL;
    part.failed = before ? before->error : NULL;
    if (!part.reply->response || part.reply->error) {
        return part;
    }
    if (before && before->response) {
        part.before = before->response;
        part.seconds = seconds_of(current, part.reply) - seconds_of(previous, before);
    }
    part.changes = changes_new(part.before, part.reply->response);
    return part;
}

static void print_heading(const summary_t *self, const snapshot_t *current)
{
    size_t failed = 0;
    for (size_t i = 0; i < self->part_count; i++) {
        failed += !self->parts[i].changes;
    }
    char *time = iso_time(current->time.tv_sec);
    fprintf(self->out, "%s  %zu of %zu %s answered", time, self->part_count - failed,
            self->part_count, self->part_count == 1 ? "server" : "servers");
    if (failed > 0) {
        fprintf(self->out, ", %zu FAILED", failed);
    }
    fputc('\n', self->out);
    if (self->prefix) {
        fputs("(names without ", self->out);
        print_text(self->out, self->prefix);
        fputs(")\n", self->out);
    }
    free(time);
}

void summary_print(FILE *out, const snapshot_t *previous, const snapshot_t *current,
                   const summary_options_t *options)
{
    summary_t self = {
        .out = out,
        .options = options,
        .parts = memory_new(current->reply_count, sizeof(part_t)),
        .part_count = current->reply_count,
    };
    for (size_t i = 0; i < self.part_count; i++) {
        self.parts[i] = compare_reply(previous, current, i);
    }
    self.prefix = find_prefix(&self);

    print_heading(&self, current);
    for (size_t i = 0; i < self.part_count; i++) {
        print_server(&self, &self.parts[i]);
    }
    fputc('\n', out);

    for (size_t i = 0; i < self.part_count; i++) {
        changes_destroy(&self.parts[i].changes);
    }
    free(self.parts);
    free(self.prefix);
}
