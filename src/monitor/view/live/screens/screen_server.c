/* A server: how it is, what its consumer thread does, its connections and its streams. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/plural.h"
#include "monitor/view/live/screens/history_rows.h"
#include "monitor/view/live/screens/screen_parts.h"
#include "monitor/view/live/ui/facts.h"
#include "monitor/view/text/duration_text.h"
#include "monitor/view/text/stream_cells.h"
#include "response/names.h"

/* A heartbeat comes every 9 s; after 10 s Tango reports that there was none. */
static const double late_heartbeat_seconds = 11;

/* A callback that takes longer is worth a colour; after 10 s heartbeats are missed. */
static const double long_callback_seconds = 3;
static const double stuck_seconds = 10;

enum { POLLS_BACK = 200 };

typedef struct {
    screen_t screen;
    uint64_t id;
    kept_t kept;
    size_t index;       /* in the frame that is kept */
    unsigned filter;    /* ui_filter_version() of the following */
    size_t *subscribed; /* indices of subscriptions: most losses first, then by name */
    size_t subscribed_count;
    size_t *published; /* indices of streams: likewise */
    size_t published_count;
    const char *prefix; /* a name whose "tango://host:port/" is left out */
    page_t page;
    about_t about;
    facts_t head;
    facts_t consumer;
    rows_table_t channels;
    rows_table_t not_connected;
    rows_table_t subscribed_table;
    rows_table_t published_table;
    ui_t *ui; /* while it draws */
} screen_server_t;

static const frame_server_t *server_of(const screen_server_t *self)
{
    return &self->kept.frame->servers[self->index];
}

static const frame_subscription_t *subscription(const screen_server_t *self, size_t row)
{
    return &self->kept.frame->subscriptions[self->subscribed[row]];
}

static const frame_stream_t *published(const screen_server_t *self, size_t row)
{
    return &self->kept.frame->streams[self->published[row]];
}

/* ---- its streams, once for each frame ---- */

static int compare_subscribed(const void *a, const void *b, void *context)
{
    const frame_t *frame = context;
    const frame_subscription_t *left = &frame->subscriptions[*(const size_t *)a];
    const frame_subscription_t *right = &frame->subscriptions[*(const size_t *)b];
    if (left->lost != right->lost)
        return left->lost > right->lost ? -1 : 1;
    return strcmp(left->topic, right->topic);
}

static int compare_published(const void *a, const void *b, void *context)
{
    const frame_t *frame = context;
    const frame_stream_t *left = &frame->streams[*(const size_t *)a];
    const frame_stream_t *right = &frame->streams[*(const size_t *)b];
    if (left->lost != right->lost)
        return left->lost > right->lost ? -1 : 1;
    return strcmp(left->name, right->name);
}

static bool takes(const screen_server_t *self, const char *name)
{
    return ui_takes(self->ui, name) && ui_matches(self->ui, name);
}

static void find_streams(screen_server_t *self)
{
    const frame_t *frame = self->kept.frame;
    free(self->subscribed);
    free(self->published);
    self->subscribed = memory_new(frame->subscription_count, sizeof *self->subscribed);
    self->published = memory_new(frame->stream_count, sizeof *self->published);
    self->subscribed_count = self->published_count = 0;
    for (size_t i = 0; i < frame->subscription_count; i++)
        if (frame->subscriptions[i].server == self->index &&
            takes(self, frame->streams[frame->subscriptions[i].stream].name))
            self->subscribed[self->subscribed_count++] = i;
    for (size_t i = 0; i < frame->stream_count; i++)
        if (frame->streams[i].is_published && frame->streams[i].publisher == self->index &&
            takes(self, frame->streams[i].name))
            self->published[self->published_count++] = i;
    void *context = (void *)(uintptr_t)frame;
    qsort_r(self->subscribed, self->subscribed_count, sizeof *self->subscribed, compare_subscribed,
            context);
    qsort_r(self->published, self->published_count, sizeof *self->published, compare_published,
            context);
    self->prefix = self->published_count > 0    ? published(self, 0)->name
                   : self->subscribed_count > 0 ? subscription(self, 0)->topic
                                                : NULL;
}

/* A name without the prefix that most of its names have. */
static const char *short_name(const screen_server_t *self, const char *name)
{
    const size_t length = self->prefix ? names_prefix_length(self->prefix) : 0;
    return strncmp(name, self->prefix ? self->prefix : "", length) == 0 ? name + length : name;
}

/* ---- since when ---- */

/*
 * Since when, as far as frames go back, something is so in all of them: value() gives a frame's
 * time in seconds if it is, and 0 if not. "": it isn't so. The caller frees it.
 */
static char *since_text(const screen_server_t *self,
                        double (*value)(const frame_t *frame, const void *context),
                        const void *context)
{
    double times[POLLS_BACK];
    size_t count = 1;
    size_t first = 0;
    /* No farther back than needed: where it isn't so, a whole list may have to be looked through.
     */
    while (first == 0 && count < POLLS_BACK) {
        count = 4 * count < POLLS_BACK ? 4 * count : POLLS_BACK;
        ui_frame_values(self->ui, times, count, value, context);
        for (first = count; first > 0 && times[first - 1] > 0;)
            first--;
    }
    if (first == count)
        return memory_string("");
    const bool is_known = first > 0 && times[first - 1] == 0;
    char *time = local_time_of_day((time_t)times[first], self->kept.time.tv_sec);
    char *text = memory_format(is_known ? "%s" : "%s or earlier", time);
    free(time);
    return text;
}

static double when_it_failed(const frame_t *frame, const void *context)
{
    const screen_server_t *self = context;
    const size_t index = frame_find_server(frame, self->id);
    return index != FRAME_NONE && frame->servers[index].error ? (double)frame->time.tv_sec : 0;
}

typedef struct {
    uint64_t server;
    const frame_not_connected_t *entry;
    size_t place; /* of it, in its server's list */
} not_connected_t;

static bool is_same_entry(const frame_not_connected_t *a, const frame_not_connected_t *b)
{
    return strcmp(a->attribute, b->attribute) == 0 && strcmp(a->device, b->device) == 0 &&
           strcmp(a->event_type, b->event_type) == 0;
}

static double when_not_connected(const frame_t *frame, const void *context)
{
    const not_connected_t *wanted = context;
    const size_t index = frame_find_server(frame, wanted->server);
    if (index == FRAME_NONE)
        return 0;
    const frame_server_t *server = &frame->servers[index];
    const frame_not_connected_t *list = &frame->not_connected[server->first_not_connected];
    /* It is usually in the same place. */
    for (size_t i = 0; i < server->not_connected_count; i++)
        if (is_same_entry(&list[(wanted->place + i) % server->not_connected_count], wanted->entry))
            return (double)frame->time.tv_sec;
    return 0;
}

/* ---- what stands on top ---- */

/* What answers there: "agent 1.2.0, Tango 10.0.0, process 4711; monitoring is off (m switches it)".
 */
static void add_source(screen_server_t *self, const frame_server_t *server)
{
    const bool says_key = !server->perf_on && ui_status(self->ui)->is_live;
    char *process = server->pid == RESPONSE_UNKNOWN
                        ? memory_string("")
                        : memory_format(", process %" PRId64, server->pid);
    facts_add(&self->head, LOOK_PLAIN, "", "%s%s%s%s%s%s; monitoring is %s%s",
              server->source ? server->source : "-", server->agent_version ? " " : "",
              server->agent_version ? server->agent_version : "",
              server->tango_version ? ", Tango " : "",
              server->tango_version ? server->tango_version : "", process,
              server->perf_on ? "on" : "off", says_key ? " (m switches it)" : "");
    free(process);
    if (server->late_since)
        facts_add(&self->head, LOOK_PLAIN, "",
                  "agent %s: what was before, and what hasn't shown since, isn't known",
                  server->late_since);
}

static void add_state(screen_server_t *self, const frame_server_t *server)
{
    facts_t *facts = &self->head;
    if (server->error) {
        char *since = since_text(self, when_it_failed, self);
        facts_add_text(facts, LOOK_ALARM, "", "It doesn't answer%s%s: %s", *since ? " since " : "",
                       since, server->error);
        facts_add(facts, LOOK_DIM, "", "%s",
                  server->has_answer ? "What follows is of its last answer."
                                     : "It hasn't answered since the monitor started.");
        free(since);
    } else if (server->restarted) {
        facts_add(facts, LOOK_WARNING, "",
                  "It answers. It has restarted since its previous answer.");
    } else {
        facts_add(facts, LOOK_GOOD, "", "It answers.");
    }
    if (server->has_answer)
        add_source(self, server);
    if (server->subscribed > 0) {
        look_t look = LOOK_PLAIN;
        char *losses = losses_text(server->lost, server->new_losses, &look);
        facts_add(facts, look, "", "%s", losses);
        free(losses);
    }
}

static void make_head(screen_server_t *self, canvas_t *canvas)
{
    facts_begin(&self->head, canvas);
    char *gone = kept_says(&self->kept, "this server");
    if (self->kept.frame)
        facts_add_text(&self->head, LOOK_BOLD, "", "%s", server_of(self)->name);
    if (gone)
        facts_add_text(&self->head, LOOK_WARNING, "", "%s", gone);
    if (self->kept.frame)
        add_state(self, server_of(self));
    free(gone);
}

/* ---- what its consumer thread does ---- */

static look_t busy_look(double seconds)
{
    return seconds >= stuck_seconds           ? LOOK_ALARM
           : seconds >= long_callback_seconds ? LOOK_WARNING
                                              : LOOK_PLAIN;
}

static void add_activity(screen_server_t *self, const frame_server_t *server, const char *took)
{
    facts_t *facts = &self->consumer;
    const look_t look = busy_look(server->consumer_seconds);
    if (strcmp(server->consumer_state, "polling") == 0)
        facts_add_text(facts, LOOK_GOOD, "right now", "it waits for the next event, for %s so far",
                       took);
    else if (strcmp(server->consumer_state, "callbacks") == 0)
        facts_add_text(facts, look, "right now",
                       "it has been running a callback for %s, of %s. Nothing else is received "
                       "meanwhile: no other event, no heartbeat",
                       took,
                       server->consumer_topic ? short_name(self, server->consumer_topic)
                                              : "a stream that isn't known");
    else if (strcmp(server->consumer_state, "order") == 0)
        facts_add_text(facts, look, "right now",
                       "it has been connecting or disconnecting a stream for %s", took);
    else
        facts_add_text(facts, LOOK_PLAIN, "right now", "%s, for %s", server->consumer_state, took);
}

static void make_consumer(screen_server_t *self, canvas_t *canvas)
{
    const frame_server_t *server = server_of(self);
    facts_t *facts = &self->consumer;
    facts_begin(facts, canvas);
    if (!server->has_answer || (!server->consumer_state && server->subscribed == 0))
        return;
    if (!server->consumer_state) {
        facts_add_text(facts, LOOK_DIM, "",
                       "What it does isn't known: only servers with the agent say so.");
        return;
    }
    char *took = isfinite(server->consumer_seconds) ? duration_text(server->consumer_seconds, 1)
                                                    : memory_string("a time that isn't known");
    add_activity(self, server, took);
    free(took);
    if (server->delayed_seconds > 0) {
        char *delayed = duration_text(server->delayed_seconds, 1);
        facts_add_text(facts, busy_look(server->delayed_seconds), "delayed",
                       "for %s it has received no events, which wait, because a subscription is "
                       "being made",
                       delayed);
        free(delayed);
    }
    if (isfinite(server->longest_callback_seconds) && server->longest_callback_topic)
        facts_add_text(facts, LOOK_PLAIN, "longest so far", "a callback of %s, of %s",
                       value_text_duration(server->longest_callback_seconds).text,
                       short_name(self, server->longest_callback_topic));
}

/* ---- what isn't connected ---- */

static const frame_not_connected_t *not_connected(const screen_server_t *self, size_t row)
{
    return &self->kept.frame->not_connected[server_of(self)->first_not_connected + row];
}

static void not_connected_columns(void *context, text_table_t *table)
{
    (void)context;
    text_table_column(table, "not connected", TEXT_TABLE_NAME);
    text_table_column(table, "event type", TEXT_TABLE_LEFT);
    text_table_column(table, "since", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "last heartbeat", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
}

static void not_connected_cells(void *context, text_table_t *table, size_t row)
{
    const screen_server_t *self = context;
    const frame_not_connected_t *it = not_connected(self, row);
    const not_connected_t wanted = {.server = self->id, .entry = it, .place = row};
    char *since = since_text(self, when_not_connected, &wanted);
    text_table_cellf(table, "%s%s%s", short_name(self, it->device), *it->attribute ? "/" : "",
                     it->attribute);
    text_table_cell(table, it->event_type);
    text_table_cell(table, since);
    text_table_cell(table, it->last_heartbeat ? it->last_heartbeat : "");
    free(since);
}

static look_t not_connected_look(void *context, size_t row)
{
    (void)context;
    (void)row;
    return LOOK_WARNING;
}

static void draw_not_connected(void *context, const page_part_t *part)
{
    const screen_server_t *self = context;
    rows_table_draw(&self->not_connected, part);
}

/* ---- channels ---- */

static const frame_channel_t *channel(const screen_server_t *self, size_t row)
{
    return &self->kept.frame->channels[server_of(self)->first_channel + row];
}

static void channel_columns(void *context, text_table_t *table)
{
    (void)context;
    text_table_column(table, "event channel", TEXT_TABLE_NAME);
    text_table_column(table, "silent for", TEXT_TABLE_RIGHT);
    for (size_t i = 0; i < counters_of_channel.count; i++)
        text_table_column(table, counters_of_channel.list[i].heading,
                          TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "topics", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "endpoint", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "events from", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
}

static void channel_cells(void *context, text_table_t *table, size_t row)
{
    const screen_server_t *self = context;
    const frame_channel_t *it = channel(self, row);
    text_table_cell(table, short_name(self, it->name));
    if (isfinite(it->silent_seconds)) {
        char *silent = duration_text(it->silent_seconds, 1);
        text_table_cell(table, silent);
        free(silent);
    } else {
        text_table_cell(table, NULL);
    }
    for (size_t i = 0; i < counters_of_channel.count; i++) {
        const int64_t count = counter_of(&counters_of_channel.list[i], &it->counts);
        if (count == RESPONSE_UNKNOWN)
            text_table_cell(table, "");
        else
            stream_cells_count(table, count);
    }
    text_table_cellf(table, "%zu", it->subscriptions);
    text_table_cell(table, it->endpoint ? it->endpoint : "");
    text_table_cell(table, it->event_endpoint ? it->event_endpoint : "");
}

static look_t channel_look(void *context, size_t row)
{
    return channel(context, row)->silent_seconds > late_heartbeat_seconds ? LOOK_WARNING
                                                                          : LOOK_PLAIN;
}

static void draw_channels(void *context, const page_part_t *part)
{
    const screen_server_t *self = context;
    rows_table_draw(&self->channels, part);
}

/* A channel is named after its publisher. */
static page_target_t channel_target(void *context, size_t item)
{
    const screen_server_t *self = context;
    const frame_t *frame = self->kept.frame;
    const char *name = names_without_prefix(channel(self, item)->name);
    for (size_t i = 0; i < frame->server_count; i++)
        if (strcasecmp(names_without_prefix(frame->servers[i].name), name) == 0)
            return server_target(frame, i);
    return server_target(frame, FRAME_NONE);
}

/* ---- what it has subscribed to ---- */

static void subscribed_columns(void *context, text_table_t *table)
{
    (void)context;
    subscription_columns(table, "subscription");
    text_table_column(table, "publisher", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
}

static void subscribed_cells(void *context, text_table_t *table, size_t row)
{
    const screen_server_t *self = context;
    const frame_subscription_t *it = subscription(self, row);
    const frame_stream_t *stream = &self->kept.frame->streams[it->stream];
    subscription_cells(table, self->kept.frame, it, short_name(self, it->topic));
    text_table_cell(table, stream->publisher_name ? short_name(self, stream->publisher_name) : "");
}

static look_t subscribed_look(void *context, size_t row)
{
    const screen_server_t *self = context;
    return subscription_look(self->kept.frame, subscription(self, row));
}

static void draw_subscribed(void *context, const page_part_t *part)
{
    const screen_server_t *self = context;
    rows_table_draw(&self->subscribed_table, part);
}

static page_target_t subscribed_target(void *context, size_t item)
{
    const screen_server_t *self = context;
    return stream_target(self->kept.frame, subscription(self, item)->stream);
}

/* ---- what it publishes ---- */

static void published_columns(void *context, text_table_t *table)
{
    const unsigned number = TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL;
    (void)context;
    text_table_column(table, "", TEXT_TABLE_NAME | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "published event stream", TEXT_TABLE_NAME);
    text_table_column(table, "pushed", TEXT_TABLE_RIGHT);
    text_table_column(table, "", number | TEXT_TABLE_JOINED);
    text_table_column(table, "rate [1/s]", TEXT_TABLE_RIGHT);
    text_table_column(table, "lost", number);
    text_table_column(table, "subscribers", number);
    text_table_column(table, "push [us]", number);
    text_table_column(table, "99 %", number);
    text_table_column(table, "last event", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
}

static void published_cells(void *context, text_table_t *table, size_t row)
{
    const screen_server_t *self = context;
    const frame_stream_t *it = published(self, row);
    text_table_cell(table, it->new_losses > 0                   ? "LOST"
                           : it->has_subscribers == RESPONSE_NO ? "nobody listens"
                                                                : "");
    text_table_cell(table, short_name(self, it->name));
    stream_cells_count(table, it->pushed.pushed_event_count);
    stream_cells_step(table, it->pushed_steps.pushed_event_count);
    stream_cells_rate(table, it->push_rate);
    if (it->lost > 0)
        stream_cells_count(table, it->lost);
    else
        text_table_cell(table, "");
    text_table_cellf(table, "%zu", it->subscription_count);
    stream_cells_durations(table, &it->push_event.interval);
    char *last = event_time_text(it->last_event);
    text_table_cell(table, it->last_event ? last : "");
    free(last);
}

static look_t published_look(void *context, size_t row)
{
    const frame_stream_t *it = published(context, row);
    return it->new_losses > 0                     ? LOOK_ALARM
           : it->lost > 0 || it->not_received > 0 ? LOOK_WARNING
                                                  : LOOK_PLAIN;
}

static void draw_published(void *context, const page_part_t *part)
{
    const screen_server_t *self = context;
    rows_table_draw(&self->published_table, part);
}

static page_target_t published_target(void *context, size_t item)
{
    const screen_server_t *self = context;
    return stream_target(self->kept.frame, self->published[item]);
}

/* ---- history ---- */

typedef struct {
    trend_t kind;
    const char *label;
} trend_row_t;

/* What it has received, and what it has pushed: as far as it does. */
static const trend_row_t trend_rows[] = {
    {TREND_NEW_LOSSES, "LOST, each poll"},
    {TREND_RECEIVE_RATE, "received [1/s]"},
    {TREND_PUSH_RATE, "pushed [1/s]"},
};

enum { RECEIVING_ROWS = 2 };

static void draw_history(void *context, const page_part_t *part)
{
    const screen_server_t *self = context;
    if (part->heads)
        history_rows_heading(part->canvas, part->row, part->width);
    const trend_row_t *first = trend_rows + (server_of(self)->subscribed > 0 ? 0 : RECEIVING_ROWS);
    for (size_t i = 0; i < part->count; i++)
        history_rows_trend(self->ui, self->id, part->canvas, part->row + part->heads + (int)i,
                           part->width, first[part->from + i].label, first[part->from + i].kind);
}

static void add_history(screen_server_t *self)
{
    const frame_server_t *server = server_of(self);
    size_t count = server->published > 0 ? 1 : 0;
    if (server->subscribed > 0)
        count += RECEIVING_ROWS;
    if (count > 0)
        page_add(&self->page,
                 (page_block_t){.section = memory_string("The polls so far, oldest at the left"),
                                .rows = count,
                                .heads = true,
                                .draw = draw_history,
                                .context = self});
}

/* ---- the page ---- */

/* Also of what becomes of its streams elsewhere. */
static bool is_about_it(const frame_finding_t *finding, const void *context)
{
    const screen_server_t *self = context;
    return finding->server == self->index ||
           (finding->stream != FRAME_NONE &&
            self->kept.frame->streams[finding->stream].publisher == self->index);
}

static void add_facts(screen_server_t *self, const char *section, facts_t *facts)
{
    const size_t rows = facts_rows(facts);
    if (rows > 0)
        page_add(&self->page, (page_block_t){.section = memory_string(section),
                                             .rows = rows,
                                             .draw = facts_draw,
                                             .context = facts});
}

/* all: how many rows there would be without a filter. */
static void add_table(screen_server_t *self, const char *section, size_t rows, size_t all,
                      void (*draw)(void *context, const page_part_t *part),
                      page_target_t (*target)(void *context, size_t item))
{
    if (all == 0 && rows == 0)
        return;
    char *title = rows < all ? memory_format("%s (%zu of %zu match the filter)", section, rows, all)
                             : memory_format("%s (%zu)", section, rows);
    page_add(&self->page, (page_block_t){.section = title,
                                         .rows = rows,
                                         .heads = rows > 0,
                                         .items = target ? rows : 0,
                                         .draw = draw,
                                         .target = target,
                                         .context = self});
}

static void prepare_tables(screen_server_t *self)
{
    const frame_server_t *server = server_of(self);
    self->not_connected = (rows_table_t){.rows = server->not_connected_count,
                                         .columns = not_connected_columns,
                                         .cells = not_connected_cells,
                                         .look = not_connected_look,
                                         .context = self};
    self->channels = (rows_table_t){.rows = server->channel_count,
                                    .columns = channel_columns,
                                    .cells = channel_cells,
                                    .look = channel_look,
                                    .context = self};
    self->subscribed_table = (rows_table_t){.rows = self->subscribed_count,
                                            .columns = subscribed_columns,
                                            .cells = subscribed_cells,
                                            .look = subscribed_look,
                                            .context = self};
    self->published_table = (rows_table_t){.rows = self->published_count,
                                           .columns = published_columns,
                                           .cells = published_cells,
                                           .look = published_look,
                                           .context = self};
}

static void compose(screen_server_t *self, canvas_t *canvas)
{
    page_t *page = &self->page;
    make_head(self, canvas);
    page_begin(page);
    page_add(page, (page_block_t){.rows = facts_rows(&self->head),
                                  .draw = facts_draw,
                                  .context = &self->head});
    if (!self->kept.frame)
        return;
    about_add_first(&self->about, page);
    prepare_tables(self);
    make_consumer(self, canvas);
    add_facts(self, "Its consumer thread, which receives all events and runs the callbacks",
              &self->consumer);
    add_table(self, "What isn't connected, and is tried again", self->not_connected.rows,
              self->not_connected.rows, draw_not_connected, NULL);
    add_table(self, "Event channels that it receives by", self->channels.rows, self->channels.rows,
              draw_channels, channel_target);
    add_history(self);
    add_table(self, "What it has subscribed to", self->subscribed_table.rows,
              server_of(self)->subscribed, draw_subscribed, subscribed_target);
    add_table(self, "What it publishes", self->published_table.rows, server_of(self)->published,
              draw_published, published_target);
    about_add_rest(&self->about, page);
}

static void draw(screen_t *screen, ui_t *ui, canvas_t *canvas, int top, int bottom,
                 const frame_t *frame)
{
    screen_server_t *self = (screen_server_t *)screen;
    self->ui = ui;
    if (frame) {
        const size_t index = frame_find_server(frame, self->id);
        const bool is_new = kept_update(&self->kept, frame, index != FRAME_NONE);
        if (is_new)
            self->index = index;
        if (self->kept.frame && (is_new || self->filter != ui_filter_version(ui))) {
            self->filter = ui_filter_version(ui);
            find_streams(self);
            about_find(&self->about, self->kept.frame, is_about_it, self, self->prefix);
        }
    }
    compose(self, canvas);
    page_draw(&self->page, canvas, top, bottom);
}

static bool input(screen_t *screen, ui_t *ui, const ui_input_t *key, ui_request_t *request)
{
    screen_server_t *self = (screen_server_t *)screen;
    (void)request;
    return page_keys(&self->page, ui, key, self->kept.frame);
}

static const char *const *keys(const screen_t *screen)
{
    static const char *const list[] = {"Enter", "open", "Tab", "section", NULL, NULL};
    (void)screen;
    return list;
}

static void destroy(screen_t **screen)
{
    screen_server_t *self = (screen_server_t *)*screen;
    page_clear(&self->page);
    about_clear(&self->about);
    facts_clear(&self->head);
    facts_clear(&self->consumer);
    kept_clear(&self->kept);
    free(self->subscribed);
    free(self->published);
    free(self);
    *screen = NULL;
}

screen_t *screen_server_new(uint64_t id)
{
    static const screen_methods_t methods = {
        .name = "server", .input = input, .draw = draw, .keys = keys, .destroy = destroy};
    screen_server_t *self = memory_new(1, sizeof *self);
    self->screen.methods = &methods;
    self->id = id;
    return &self->screen;
}
