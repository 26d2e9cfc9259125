/* A stream: its publisher, and all of its subscribers side by side. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "monitor/view/live/drawing/histogram_bars.h"
#include "monitor/view/live/screens/history_rows.h"
#include "monitor/view/live/screens/screen_parts.h"
#include "monitor/view/live/ui/facts.h"
#include "monitor/view/text/stream_cells.h"
#include "response/names.h"

enum {
    LABEL_WIDTH = HISTOGRAM_BARS_LABEL + 1, /* of what stands before the columns of subscribers */
    COLUMN_LEAST = 24,                      /* of a subscriber */
    COLUMN_MOST = 60,
    BARS_MOST = 100, /* cells of a bar and its count */
    VALUES = 24,
    HISTOGRAMS = 3,
    FEWEST_BARS = 4,
    MOST_BARS = 12
};

/* A line of what is known of each subscription. */
typedef enum {
    VALUE_COUNTER,
    VALUE_LOST,
    VALUE_NOT_RECEIVED,
    VALUE_RATE,
    VALUE_LATENCY_MEDIAN,
    VALUE_LATENCY_99,
    VALUE_PROCESSING_MEDIAN,
    VALUE_PROCESSING_99,
    VALUE_LAST_EVENT,
    VALUE_CHANNEL,
    VALUE_STATE
} value_kind_t;

typedef struct {
    value_kind_t kind;
    const char *label;
    const counter_t *counter;
} value_row_t;

typedef struct screen_stream screen_stream_t;

/* A section of bars: a kind of durations. */
typedef struct {
    screen_stream_t *screen;
    const frame_duration_t *durations[HISTOGRAM_BARS_COLUMNS];
    const char *names[HISTOGRAM_BARS_COLUMNS]; /* of servers */
    size_t count;
    histogram_bars_t bars;
} bars_t;

struct screen_stream {
    screen_t screen;
    uint64_t id;
    kept_t kept;
    size_t index;  /* in the frame that is kept */
    size_t *order; /* its subscriptions' indices in the frame: most losses first */
    size_t order_count;
    page_t page;
    about_t about;
    facts_t head;
    facts_t publisher;
    rows_table_t table;
    value_row_t values[VALUES];
    size_t value_count;
    int column_width; /* of subscribers side by side; 0: a table */
    size_t subscribers_block;
    size_t chosen;      /* in order: the cursor was there last */
    size_t shown;       /* in order: the first whose histograms and rates are shown */
    size_t shown_count; /* so many */
    bars_t histograms[HISTOGRAMS];
    ui_t *ui; /* while it draws */
};

static const frame_stream_t *stream_of(const screen_stream_t *self)
{
    return &self->kept.frame->streams[self->index];
}

static const frame_subscription_t *subscription(const screen_stream_t *self, size_t at)
{
    return &self->kept.frame->subscriptions[self->order[at]];
}

static const frame_server_t *server_of(const screen_stream_t *self, const frame_subscription_t *it)
{
    return &self->kept.frame->servers[it->server];
}

/* ---- the order of subscribers ---- */

static int compare_subscriptions(const void *a, const void *b, void *context)
{
    const frame_t *frame = context;
    const frame_subscription_t *left = &frame->subscriptions[*(const size_t *)a];
    const frame_subscription_t *right = &frame->subscriptions[*(const size_t *)b];
    if (left->lost != right->lost)
        return left->lost > right->lost ? -1 : 1;
    const int names = strcmp(frame->servers[left->server].name, frame->servers[right->server].name);
    return names ? names : strcmp(left->topic, right->topic);
}

static void sort_subscriptions(screen_stream_t *self)
{
    const frame_stream_t *stream = stream_of(self);
    free(self->order);
    self->order_count = stream->subscription_count;
    self->order = memory_new(self->order_count, sizeof *self->order);
    for (size_t i = 0; i < self->order_count; i++)
        self->order[i] = stream->first_subscription + i;
    qsort_r(self->order, self->order_count, sizeof *self->order, compare_subscriptions,
            (void *)(uintptr_t)self->kept.frame);
}

/* ---- what stands on top, and the publisher ---- */

static void add_losses(screen_stream_t *self, const frame_stream_t *stream)
{
    if (stream->is_gone)
        facts_add(&self->head, LOOK_WARNING, "", "No answer has it any more.");
    if (stream->subscription_count == 0) {
        facts_add(&self->head, LOOK_DIM, "", "No watched server subscribes to it.");
        return;
    }
    look_t look = LOOK_PLAIN;
    char *text = losses_text(stream->lost, stream->new_losses, &look);
    facts_add(&self->head, look, "", "%s", text);
    free(text);
    if (stream->not_received > 0)
        facts_add(&self->head, LOOK_WARNING, "",
                  "NOT RECEIVED: %" PRId64 " event%s pushed before the previous poll.",
                  stream->not_received, PLURAL(stream->not_received));
}

static void make_head(screen_stream_t *self, canvas_t *canvas)
{
    facts_begin(&self->head, canvas);
    char *gone = kept_says(&self->kept, "this stream");
    if (self->kept.frame)
        facts_add_text(&self->head, LOOK_BOLD, "", "%s", stream_of(self)->name);
    if (gone)
        facts_add_text(&self->head, LOOK_WARNING, "", "%s", gone);
    if (self->kept.frame)
        add_losses(self, stream_of(self));
    free(gone);
}

/* "median 12 us, 99 % 40 us, longest 51 us, of 20 events". The caller frees it. */
static char *durations_text(const duration_t *duration)
{
    if (duration->count <= 0)
        return memory_string("-");
    return memory_format("median %s, 99 %% %s, longest %s, of %" PRId64 " event%s",
                         value_text_duration(duration->median_micros / 1e6).text,
                         value_text_duration(duration->percentile_99_micros / 1e6).text,
                         value_text_duration(duration->maximum_micros / 1e6).text, duration->count,
                         PLURAL(duration->count));
}

static void make_publisher(screen_stream_t *self, canvas_t *canvas)
{
    static const char *const listens[] = {
        [RESPONSE_NOT_TOLD] = "-", [RESPONSE_NO] = "nobody listens", [RESPONSE_YES] = "yes"};
    const frame_stream_t *stream = stream_of(self);
    facts_t *facts = &self->publisher;
    facts_begin(facts, canvas);
    const bool watched = stream->publisher != FRAME_NONE;
    facts_add(facts, LOOK_PLAIN, "by", "%s%s",
              stream->publisher_name ? stream->publisher_name : "a server that isn't known",
              watched || stream->is_published ? "" : " (not watched: what it pushes isn't known)");
    if (watched && self->kept.frame->servers[stream->publisher].error)
        facts_add(facts, LOOK_ALARM, "", "It doesn't answer; what follows is of its last answer.");
    if (!stream->is_published)
        return;
    facts_add(facts, LOOK_PLAIN, "pushed", "%s %s   %s/s   %s",
              value_text_count(stream->pushed.pushed_event_count).text,
              value_text_step(stream->pushed_steps.pushed_event_count).text,
              value_text_rate(stream->push_rate).text,
              value_text_bytes(stream->pushed.byte_count).text);
    char *last = event_time_text(stream->last_event);
    facts_add(facts, LOOK_PLAIN, "last event", "%s", last);
    free(last);
    facts_add(facts, stream->has_subscribers == RESPONSE_NO ? LOOK_WARNING : LOOK_PLAIN,
              "has listeners", "%s", listens[stream->has_subscribers]);
    char *push = durations_text(&stream->push_event.interval);
    facts_add(facts, LOOK_PLAIN, "to push one", "%s", push);
    free(push);
}

static page_target_t publisher_target(void *context, size_t item)
{
    const screen_stream_t *self = context;
    (void)item;
    return server_target(self->kept.frame, stream_of(self)->publisher);
}

static void draw_publisher(void *context, const page_part_t *part)
{
    screen_stream_t *self = context;
    facts_draw(&self->publisher, part);
}

/* ---- the subscribers: values ---- */

static void add_value(screen_stream_t *self, value_kind_t kind, const char *label,
                      const counter_t *counter)
{
    if (self->value_count < VALUES)
        self->values[self->value_count++] = (value_row_t){kind, label, counter};
}

/* Those that only the agent counts are left out where nobody does. */
static bool is_counted(const screen_stream_t *self, const counter_t *counter)
{
    for (size_t i = 0; i < self->order_count; i++)
        if (counter_of(counter, &subscription(self, i)->counts) != RESPONSE_UNKNOWN)
            return true;
    return !counter->agent_only;
}

/* What hurts comes first. */
static void choose_values(screen_stream_t *self)
{
    self->value_count = 0;
    for (size_t i = 0; i < self->order_count; i++)
        if (server_of(self, subscription(self, i))->error) {
            add_value(self, VALUE_STATE, "state", NULL);
            break;
        }
    add_value(self, VALUE_COUNTER, "received", &counters_of_subscription.list[0]);
    add_value(self, VALUE_RATE, "rate [1/s]", NULL);
    add_value(self, VALUE_LOST, "lost", NULL);
    add_value(self, VALUE_NOT_RECEIVED, "not received", NULL);
    for (size_t i = 1; i < counters_of_subscription.count; i++) {
        const counter_t *counter = &counters_of_subscription.list[i];
        if (counter->heading && counter->kind != COUNTER_LOST && is_counted(self, counter))
            add_value(self, VALUE_COUNTER, counter->heading, counter);
    }
    add_value(self, VALUE_LATENCY_MEDIAN, "latency, median", NULL);
    add_value(self, VALUE_LATENCY_99, "latency, 99 %", NULL);
    add_value(self, VALUE_PROCESSING_MEDIAN, "callbacks, median", NULL);
    add_value(self, VALUE_PROCESSING_99, "callbacks, 99 %", NULL);
    add_value(self, VALUE_LAST_EVENT, "last event", NULL);
    add_value(self, VALUE_CHANNEL, "channel", NULL);
}

static look_t loss_look(const frame_subscription_t *it)
{
    return it->new_losses > 0 ? LOOK_ALARM : it->lost > 0 ? LOOK_WARNING : LOOK_PLAIN;
}

/* The caller frees it. */
static char *micros_text(const duration_t *duration, double micros)
{
    return memory_string(value_text_duration(duration->count > 0 ? micros / 1e6 : NAN).text);
}

/* A value; *look: how it looks. The caller frees it. */
static char *value_text(const screen_stream_t *self, const value_row_t *row,
                        const frame_subscription_t *it, look_t *look)
{
    *look = LOOK_PLAIN;
    switch (row->kind) {
    case VALUE_COUNTER: {
        const bool is_level = row->counter->kind == COUNTER_LEVEL;
        const int64_t step = is_level ? 0 : counter_of(row->counter, &it->steps);
        return memory_format("%s %s", value_text_count(counter_of(row->counter, &it->counts)).text,
                             value_text_step(step).text);
    }
    case VALUE_LOST:
        *look = loss_look(it);
        if (it->lost == RESPONSE_UNKNOWN)
            return memory_format("- %s", value_text_step(it->new_losses).text);
        return memory_format("%s %s", value_text_lost(it->lost, it->lost_is_minimum, false).text,
                             value_text_step(it->new_losses).text);
    case VALUE_NOT_RECEIVED:
        *look = it->not_received > 0 ? LOOK_WARNING : LOOK_PLAIN;
        return memory_string(value_text_count(it->not_received).text);
    case VALUE_RATE:
        return memory_string(value_text_rate(it->rate).text);
    case VALUE_LATENCY_MEDIAN:
        return micros_text(&it->latency.interval, it->latency.interval.median_micros);
    case VALUE_LATENCY_99:
        return micros_text(&it->latency.interval, it->latency.interval.percentile_99_micros);
    case VALUE_PROCESSING_MEDIAN:
        return micros_text(&it->processing.interval, it->processing.interval.median_micros);
    case VALUE_PROCESSING_99:
        return micros_text(&it->processing.interval, it->processing.interval.percentile_99_micros);
    case VALUE_LAST_EVENT:
        return event_time_text(it->last_event);
    case VALUE_STATE:
        *look = server_of(self, it)->error ? LOOK_ALARM : LOOK_PLAIN;
        return memory_string(server_of(self, it)->error ? "DOESN'T ANSWER" : "answers");
    case VALUE_CHANNEL:
    default:
        return memory_string(it->channel ? names_without_prefix(it->channel) : "-");
    }
}

/* ---- the subscribers side by side ---- */

static void draw_names(const screen_stream_t *self, const page_part_t *part, int row)
{
    canvas_text(part->canvas, row, 1, LABEL_WIDTH - 1, LOOK_DIM, "by");
    for (size_t i = 0; i < self->order_count; i++) {
        const int column = LABEL_WIDTH + (int)i * self->column_width;
        canvas_name(part->canvas, row, column, self->column_width - 1,
                    part->selected == i ? LOOK_SELECTED : LOOK_BOLD,
                    server_of(self, subscription(self, i))->name);
    }
}

static void draw_side_by_side(void *context, const page_part_t *part)
{
    const screen_stream_t *self = context;
    for (size_t i = 0; i < part->count; i++) {
        const int row = part->row + (int)i;
        if (part->from + i == 0) {
            draw_names(self, part, row);
            continue;
        }
        const value_row_t *value = &self->values[part->from + i - 1];
        canvas_text(part->canvas, row, 1, LABEL_WIDTH - 1, LOOK_DIM, value->label);
        for (size_t j = 0; j < self->order_count; j++) {
            look_t look = LOOK_PLAIN;
            char *text = value_text(self, value, subscription(self, j), &look);
            canvas_text(part->canvas, row, LABEL_WIDTH + (int)j * self->column_width,
                        self->column_width - 1, look, text);
            free(text);
        }
    }
}

static page_target_t subscriber_target(void *context, size_t item)
{
    const screen_stream_t *self = context;
    return server_target(self->kept.frame, subscription(self, item)->server);
}

static size_t subscriber_at(void *context, int column)
{
    const screen_stream_t *self = context;
    return column < LABEL_WIDTH ? PAGE_NONE : (size_t)((column - LABEL_WIDTH) / self->column_width);
}

/* ---- the subscribers in a table ---- */

static void table_columns(void *context, text_table_t *table)
{
    (void)context;
    subscription_columns(table, "subscriber");
    for (size_t i = 1; i < counters_of_subscription.count; i++) {
        const counter_t *counter = &counters_of_subscription.list[i];
        if (counter->heading && counter->kind == COUNTER_GROWS)
            text_table_column(table, counter->heading, TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    }
    text_table_column(table, "last event", TEXT_TABLE_LEFT | TEXT_TABLE_OPTIONAL);
}

static void table_cells(void *context, text_table_t *table, size_t row)
{
    const screen_stream_t *self = context;
    const frame_subscription_t *it = subscription(self, row);
    subscription_cells(table, self->kept.frame, it, server_of(self, it)->name);
    for (size_t i = 1; i < counters_of_subscription.count; i++) {
        const counter_t *counter = &counters_of_subscription.list[i];
        const int64_t count = counter_of(counter, &it->counts);
        if (!counter->heading || counter->kind != COUNTER_GROWS)
            continue;
        if (count == RESPONSE_UNKNOWN && counter->agent_only)
            text_table_cell(table, "");
        else
            stream_cells_count(table, count);
    }
    char *last = event_time_text(it->last_event);
    text_table_cell(table, it->last_event ? last : "");
    free(last);
}

static look_t table_look(void *context, size_t row)
{
    const screen_stream_t *self = context;
    return subscription_look(self->kept.frame, subscription(self, row));
}

static void draw_table(void *context, const page_part_t *part)
{
    screen_stream_t *self = context;
    rows_table_draw(&self->table, part);
}

static void add_subscribers(screen_stream_t *self, canvas_t *canvas)
{
    const size_t count = self->order_count;
    const int room = canvas_columns(canvas) - LABEL_WIDTH;
    if (count == 0)
        return;
    const int width = count <= HISTOGRAM_BARS_COLUMNS ? room / (int)count : 0;
    self->column_width = width < COLUMN_LEAST ? 0 : width > COLUMN_MOST ? COLUMN_MOST : width;
    self->subscribers_block = self->page.count;
    page_block_t block = {
        .section = memory_format("Subscribers (%zu)", count),
        .items = count,
        .target = subscriber_target,
        .context = self,
    };
    if (self->column_width > 0) {
        choose_values(self);
        block.rows = self->value_count + 1;
        block.items_share_row = true;
        block.draw = draw_side_by_side;
        block.item_at = subscriber_at;
    } else {
        self->table = (rows_table_t){.rows = count,
                                     .columns = table_columns,
                                     .cells = table_cells,
                                     .look = table_look,
                                     .context = self};
        block.rows = count;
        block.heads = true;
        block.draw = draw_table;
    }
    page_add(&self->page, block);
}

/* ---- histograms ---- */

/* Where the columns of bars begin, and how wide they are. */
static int bars_width(const bars_t *bars, int page_width)
{
    const int room = page_width - LABEL_WIDTH;
    const int width = bars->count > 0 ? room / (int)bars->count : room;
    return width > BARS_MOST ? BARS_MOST : width;
}

static void draw_bars(void *context, const page_part_t *part)
{
    const bars_t *bars = context;
    const int width = bars_width(bars, part->width);
    for (size_t i = 0; part->heads && i < bars->count; i++)
        canvas_name(part->canvas, part->row, LABEL_WIDTH + (int)i * width, width - 1, LOOK_DIM,
                    bars->names[i]);
    for (size_t i = 0; i < part->count; i++) {
        const int row = part->row + part->heads + (int)i;
        histogram_bars_label(&bars->bars, part->from + i, part->canvas, row, 0);
        for (size_t j = 0; j < bars->count; j++)
            histogram_bars_bar(&bars->bars, part->from + i, j, part->canvas, row,
                               LABEL_WIDTH + (int)j * width, width - 1, LOOK_BAR);
    }
}

/* How many rows of bars there may be, so that all can be seen at once. */
static size_t most_bars(int height)
{
    const int rows = height / 2 - 2; /* without section and names */
    return rows < FEWEST_BARS ? FEWEST_BARS : rows > MOST_BARS ? MOST_BARS : (size_t)rows;
}

static void add_bars(screen_stream_t *self, bars_t *bars, const char *title, int height)
{
    histogram_bars_make(&bars->bars, bars->durations, bars->count, most_bars(height));
    if (bars->bars.rows == 0)
        return;
    page_add(&self->page, (page_block_t){.section = memory_string(title),
                                         .rows = bars->bars.rows,
                                         .heads = true,
                                         .draw = draw_bars,
                                         .context = bars});
}

/* Whose bars and rates are shown: those of all of them, or of some from the cursor on. */
static void choose_subscribers(screen_stream_t *self, int width)
{
    const size_t selected = page_selected(&self->page, self->subscribers_block);
    if (selected != PAGE_NONE)
        self->chosen = selected;
    size_t most = width > LABEL_WIDTH ? (size_t)(width - LABEL_WIDTH) / COLUMN_LEAST : 1;
    if (most > HISTOGRAM_BARS_COLUMNS)
        most = HISTOGRAM_BARS_COLUMNS;
    if (most < 1)
        most = 1;
    if (most > self->order_count)
        most = self->order_count;
    self->shown_count = most;
    self->shown =
        self->chosen + most <= self->order_count ? self->chosen : self->order_count - most;
    if (self->column_width > 0)
        self->shown = 0;
}

/* ": 3 of 1000 subscribers, from the cursor on"; "" if it is all of them. The caller frees it. */
static char *which_text(const screen_stream_t *self)
{
    return self->shown_count < self->order_count
               ? memory_format(": %zu of %zu subscribers, from the cursor on", self->shown_count,
                               self->order_count)
               : memory_string("");
}

static const char *why_no_durations(const screen_stream_t *self)
{
    for (size_t i = 0; i < self->order_count; i++) {
        const frame_server_t *server = server_of(self, subscription(self, i));
        if (server->perf_on)
            return "No event came while they were measured.";
    }
    return ui_status(self->ui)->is_live
               ? "They aren't measured: monitoring is off (m switches it), or there is no agent."
               : "They weren't measured: monitoring was off, or there was no agent.";
}

static void draw_why(void *context, const page_part_t *part)
{
    canvas_text(part->canvas, part->row, 1, part->width - 1, LOOK_DIM, why_no_durations(context));
}

static void add_histograms(screen_stream_t *self, int height)
{
    const frame_stream_t *stream = stream_of(self);
    const size_t count = self->shown_count;
    bars_t *latency = &self->histograms[0];
    bars_t *processing = &self->histograms[1];
    bars_t *push = &self->histograms[2];
    for (size_t i = 0; i < count; i++) {
        const frame_subscription_t *it = subscription(self, self->shown + i);
        latency->names[i] = processing->names[i] = server_of(self, it)->name;
        latency->durations[i] = &it->latency;
        processing->durations[i] = &it->processing;
    }
    latency->count = processing->count = count;
    push->count = 1;
    push->names[0] = stream->publisher_name ? stream->publisher_name : "";
    push->durations[0] = &stream->push_event;
    const size_t before = self->page.count;
    char *which = which_text(self);
    char *latency_title = memory_format("Latency of all events since monitoring is on%s", which);
    char *processing_title =
        memory_format("Callbacks of all events since monitoring is on%s", which);
    add_bars(self, latency, latency_title, height);
    add_bars(self, processing, processing_title, height);
    add_bars(self, push, "Pushing of all events since monitoring is on", height);
    free(processing_title);
    free(latency_title);
    free(which);
    if (self->page.count == before)
        page_add(&self->page, (page_block_t){.section = memory_string("Durations"),
                                             .rows = 1,
                                             .draw = draw_why,
                                             .context = self});
}

/* ---- history ---- */

/* Those of a stream as a whole; the last is followed by those of its subscribers. */
static const struct {
    trend_t kind;
    const char *label;
} trends[] = {
    {TREND_NEW_LOSSES, "LOST, each poll"},
    {TREND_LATENCY, "latency, 99 %, the worst"},
    {TREND_PROCESSING, "callbacks, 99 %, the worst"},
    {TREND_PUSH_RATE, "pushed [1/s]"},
    {TREND_RECEIVE_RATE, "received, in all [1/s]"},
};

enum { TRENDS = sizeof trends / sizeof *trends };

/* Whose rate is wanted of other frames. */
typedef struct {
    uint64_t stream;
    uint64_t server;
    size_t place; /* where the subscription was in the frame shown, among its stream's */
} wanted_t;

static double subscriber_rate(const frame_t *frame, const void *context)
{
    const wanted_t *wanted = context;
    const size_t index = frame_find_stream(frame, wanted->stream);
    if (index == FRAME_NONE)
        return NAN;
    const frame_stream_t *stream = &frame->streams[index];
    const frame_subscription_t *list = &frame->subscriptions[stream->first_subscription];
    /* It is usually in the same place. */
    for (size_t i = 0; i < stream->subscription_count; i++) {
        const size_t at = (wanted->place + i) % stream->subscription_count;
        if (frame->servers[list[at].server].id == wanted->server)
            return list[at].rate;
    }
    return NAN;
}

static void draw_subscriber_trend(const screen_stream_t *self, const page_part_t *part, int row,
                                  size_t at)
{
    const frame_server_t *server = server_of(self, subscription(self, at));
    const wanted_t wanted = {
        .stream = self->id,
        .server = server->id,
        .place = self->order[at] - stream_of(self)->first_subscription,
    };
    double values[HISTORY_ROWS_MOST];
    ui_frame_values(self->ui, values, history_rows_polls(part->width), subscriber_rate, &wanted);
    char *label = memory_format("by %s", server->name);
    history_rows_draw(part->canvas, row, part->width, label, TREND_RECEIVE_RATE, values);
    free(label);
}

static void draw_history(void *context, const page_part_t *part)
{
    const screen_stream_t *self = context;
    if (part->heads)
        history_rows_heading(part->canvas, part->row, part->width);
    for (size_t i = 0; i < part->count; i++) {
        const int row = part->row + part->heads + (int)i;
        const size_t at = part->from + i;
        if (at < TRENDS)
            history_rows_trend(self->ui, self->id, part->canvas, row, part->width, trends[at].label,
                               trends[at].kind);
        else
            draw_subscriber_trend(self, part, row, self->shown + at - TRENDS);
    }
}

static void add_history(screen_stream_t *self)
{
    char *which = self->order_count > 1 ? which_text(self) : memory_string("");
    page_add(
        &self->page,
        (page_block_t){.section = memory_format("The polls so far, oldest at the left%s", which),
                       .rows = TRENDS + (self->order_count > 1 ? self->shown_count : 0),
                       .heads = true,
                       .draw = draw_history,
                       .context = self});
    free(which);
}

/* ---- the screen ---- */

static bool is_about_it(const frame_finding_t *finding, const void *context)
{
    const screen_stream_t *self = context;
    return finding->stream == self->index;
}

static void compose(screen_stream_t *self, canvas_t *canvas, int height)
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
    make_publisher(self, canvas);
    page_add(page, (page_block_t){.section = memory_string("Publisher"),
                                  .rows = facts_rows(&self->publisher),
                                  .items = stream_of(self)->publisher != FRAME_NONE,
                                  .draw = draw_publisher,
                                  .target = publisher_target,
                                  .context = self});
    add_subscribers(self, canvas);
    choose_subscribers(self, canvas_columns(canvas));
    add_history(self);
    add_histograms(self, height);
    about_add_rest(&self->about, page);
}

static void draw(screen_t *screen, ui_t *ui, canvas_t *canvas, int top, int bottom,
                 const frame_t *frame)
{
    screen_stream_t *self = (screen_stream_t *)screen;
    self->ui = ui;
    if (frame) {
        const size_t index = frame_find_stream(frame, self->id);
        if (kept_update(&self->kept, frame, index != FRAME_NONE)) {
            self->index = index;
            sort_subscriptions(self);
            about_find(&self->about, frame, is_about_it, self, stream_of(self)->name);
        }
    }
    compose(self, canvas, bottom - top);
    page_draw(&self->page, canvas, top, bottom);
}

static bool input(screen_t *screen, ui_t *ui, const ui_input_t *key, ui_request_t *request)
{
    screen_stream_t *self = (screen_stream_t *)screen;
    (void)request;
    if (key->key == 'u' && self->kept.frame)
        return open_target(ui, publisher_target(self, 0), self->kept.frame);
    return page_keys(&self->page, ui, key, self->kept.frame);
}

static const char *const *keys(const screen_t *screen)
{
    static const char *const list[] = {"Enter", "open",      "Tab", "section",
                                       "u",     "publisher", NULL,  NULL};
    (void)screen;
    return list;
}

static void destroy(screen_t **screen)
{
    screen_stream_t *self = (screen_stream_t *)*screen;
    page_clear(&self->page);
    about_clear(&self->about);
    facts_clear(&self->head);
    facts_clear(&self->publisher);
    kept_clear(&self->kept);
    free(self->order);
    free(self);
    *screen = NULL;
}

screen_t *screen_stream_new(uint64_t id)
{
    static const screen_methods_t methods = {
        .name = "stream", .input = input, .draw = draw, .keys = keys, .destroy = destroy};
    screen_stream_t *self = memory_new(1, sizeof *self);
    self->screen.methods = &methods;
    self->id = id;
    self->subscribers_block = PAGE_NONE;
    return &self->screen;
}
