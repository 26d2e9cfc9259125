#include "monitor/analysis/findings/rules_timing.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/timespec.h"
#include "base/vector.h"
#include "monitor/analysis/statistics.h"
#include "response/names.h"

/* ---- slow-push ---- */

/* The 99th percentile needs a hundred events; of fewer, the slowest one proves nothing. */
enum { MANY = 100, SOME = 10 };

static const char *quantile_name(int64_t count)
{
    return count >= MANY ? "99 of 100" : count >= SOME ? "9 of 10" : "half";
}

/* A size for people. */
static char *size_text(double bytes)
{
    if (bytes >= 1e6)
        return memory_format("%.3g MB", bytes / 1e6);
    if (bytes >= 1e3)
        return memory_format("%.3g kB", bytes / 1e3);
    return memory_format("%.0f bytes", bytes);
}

void rule_slow_push(const rule_t *self, const rules_input_t *input,
                    const rule_published_t *published)
{
    const published_row_t *row = published->row;
    const duration_t *took = row ? &row->push_event : NULL;
    if (!took || took->count == 0 || published->part->changes->first)
        return;
    const double quantile = took->count >= MANY   ? took->percentile_99_micros
                            : took->count >= SOME ? took->percentile_90_micros
                                                  : took->median_micros;
    if (!(quantile / 1e6 >= rule_threshold(self, input->settings)))
        return;
    const char *server = published->part->reply->server;
    const char *stream = published->now->name;
    const finding_about_t about = {.server = server, .stream = stream, .publisher = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    const int64_t pushed = row->steps.pushed_event_count;
    const bool is_sized = pushed > 0 && row->steps.byte_count > 0;
    char *size = is_sized ? size_text((double)row->steps.byte_count / (double)pushed) : NULL;
    finding_say(finding, "pushing %s takes up to %.3g s%s%s%s", stream, quantile / 1e6,
                size ? ", with " : "", size ? size : "", size ? " per event" : "");
    finding_evidence(finding,
                     "%" PRId64 " event%s since the previous poll: median %.3g s, 90th percentile "
                     "%.3g s, 99th %.3g s, longest %.3g s",
                     took->count, PLURAL(took->count), took->median_micros / 1e6,
                     took->percentile_90_micros / 1e6, took->percentile_99_micros / 1e6,
                     took->maximum_micros / 1e6);
    if (is_sized)
        finding_evidence(finding, "%s per event, %.3g events/s", size, row->rate);
    free(size);
}

void rule_slow_push_by_samples(const rule_t *self, const rules_input_t *input,
                               const server_part_t *part)
{
    const response_t *response = part->reply->response;
    if (response->dialect == RESPONSE_AGENT || part->changes->first ||
        response->push_sample_count < SOME)
        return;
    double *values = memory_new(response->push_sample_count, sizeof *values);
    for (size_t i = 0; i < response->push_sample_count; i++)
        values[i] = response->push_samples[i].push_event_micros;
    const statistics_t took = statistics_of(values, response->push_sample_count);
    free(values);
    const double quantile = took.count >= MANY ? took.percentile_99 : took.percentile_90;
    if (took.count < SOME || !(quantile / 1e6 >= rule_threshold(self, input->settings)))
        return;
    const char *server = part->reply->server;
    const finding_about_t about = {.server = server, .publisher = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding,
                "pushing an event takes %s up to %.3g s: %s of its newest %zu events took no "
                "longer",
                server, quantile / 1e6, quantile_name((int64_t)took.count), took.count);
    finding_evidence(finding, "the newest %zu events: median %.3g s, 99th percentile %.3g s",
                     took.count, took.median / 1e6, took.percentile_99 / 1e6);
    finding_evidence(finding, "which stream it is, only the agent can tell");
}

/* ---- clocks, by what servers say ---- */

/* How far a server's clock is ahead of the monitor's, in seconds: between these two, since it isn't
 * known when between the question and the answer it looked at its clock. */
typedef struct {
    double from;
    double to;
} offset_t;

/* False if that isn't known. */
static bool offset_of(const rules_input_t *input, size_t server, offset_t *offset)
{
    const snapshot_t *snapshot = input->snapshot;
    const reply_t *reply = &snapshot->replies[server];
    struct timespec time;
    if (!reply->response || reply->error || !reply->response->agent_time)
        return false;
    /* It was asked by an earlier poll. */
    if (reply->time.tv_sec != 0 || reply->time.tv_nsec != 0)
        return false;
    if (!(snapshot->asked > 0) || !(reply->answered >= snapshot->asked) ||
        !timespec_parse(reply->response->agent_time, &time))
        return false;
    offset->to = timespec_seconds_between(&snapshot->time, &time);
    offset->from = offset->to - (reply->answered - snapshot->asked);
    return true;
}

/* How much it is ahead at least (or behind, if negative); 0: the clocks may agree. */
static double least_of(const offset_t *offset)
{
    return offset->from > 0 ? offset->from : offset->to < 0 ? offset->to : 0;
}

/* Servers whose clocks are wrong by about the same. */
typedef struct {
    double offset;
    size_t first; /* of these servers, in the snapshot */
    size_t count;
} clock_group_t;

static void add_to_group(vector_t *groups, double offset, size_t server)
{
    const double close = 0.1 + fabs(offset) / 20;
    clock_group_t *list = groups->items;
    for (size_t i = 0; i < groups->count; i++)
        if (fabs(list[i].offset - offset) < close) {
            list[i].count++;
            return;
        }
    *(clock_group_t *)vector_add(groups) =
        (clock_group_t){.offset = offset, .first = server, .count = 1};
}

static void report_group(const rule_t *self, const rules_input_t *input, const clock_group_t *group,
                         size_t known)
{
    const char *server = input->snapshot->replies[group->first].server;
    const finding_about_t about = {.server = server, .object = "clock"};
    finding_t *finding = findings_report(input->findings, self, &about);
    const char *which = group->offset > 0 ? "ahead of" : "behind";
    const double seconds = fabs(group->offset);
    if (group->count == known && known > 1)
        finding_say(finding,
                    "the clocks of all %zu servers are %.3g s %s the monitor's: the monitor's "
                    "computer has the wrong time",
                    known, seconds, which);
    else if (group->count > 1)
        finding_say(finding, "the clocks of %s and %zu other server%s are %.3g s %s the monitor's",
                    server, group->count - 1, PLURAL(group->count - 1), seconds, which);
    else
        finding_say(finding, "the clock of %s is %.3g s %s the monitor's", server, seconds, which);
    finding_evidence(finding, "%s answered at %s by its own clock", server,
                     input->snapshot->replies[group->first].response->agent_time);
    finding_evidence(finding,
                     "servers that differ by that much: %zu of the %zu whose clocks are known",
                     group->count, known);
}

void rule_clocks(const rule_t *self, const rules_input_t *input)
{
    const double threshold = rule_threshold(self, input->settings);
    vector_t groups = {.item_size = sizeof(clock_group_t)};
    size_t known = 0;
    for (size_t i = 0; i < input->snapshot->reply_count; i++) {
        offset_t offset;
        if (!offset_of(input, i, &offset))
            continue;
        known++;
        const double least = least_of(&offset);
        if (least != 0 && fabs(least) >= threshold)
            add_to_group(&groups, least, i);
    }
    for (size_t i = 0; i < groups.count; i++)
        report_group(self, input, (clock_group_t *)groups.items + i, known);
    free(groups.items);
}

/* ---- clocks, by the timestamps of events ---- */

/* The latencies of one publisher's events since the previous answer, in seconds. */
typedef struct {
    const char *channel;
    const char *topic; /* one of its topics */
    size_t topics;
    int64_t count;
    double shortest;
    double longest;

    size_t ahead_topics; /* whose events come before their time */
    int64_t ahead_count;
    double most_ahead; /* the mean of the topic that is ahead most */
    const char *most_ahead_topic;
} latencies_t;

/* By channel, then by topic. */
static int compare_channels(const void *a, const void *b)
{
    const subscription_row_t *left = *(const subscription_row_t *const *)a;
    const subscription_row_t *right = *(const subscription_row_t *const *)b;
    const int order = strcmp(left->change->after->channel_name, right->change->after->channel_name);
    return order != 0 ? order : strcmp(left->topic, right->topic);
}

static void add_latencies(latencies_t *self, const subscription_row_t *row, double threshold)
{
    const duration_t *latency = &row->latency;
    self->topics++;
    self->count = changes_sum(self->count, latency->count);
    self->shortest = fmin(self->shortest, latency->minimum_micros / 1e6);
    self->longest = fmax(self->longest, latency->maximum_micros / 1e6);
    const double mean = latency->mean_micros / 1e6;
    if (latency->below_all == 0 || !(mean <= -threshold))
        return;
    self->ahead_topics++;
    self->ahead_count = changes_sum(self->ahead_count, latency->below_all);
    if (mean < self->most_ahead) {
        self->most_ahead = mean;
        self->most_ahead_topic = row->topic;
    }
}

/* Whether the clocks of both servers were compared with the monitor's; then whether they agree. */
static bool are_compared(const rules_input_t *input, const server_part_t *part, const char *stream,
                         double threshold, bool *agree)
{
    const published_stream_t *published = published_find(input->published, stream);
    offset_t theirs;
    offset_t ours;
    if (!published || published->server == PUBLISHED_BY_SEVERAL ||
        !offset_of(input, published->server, &theirs) ||
        !offset_of(input, (size_t)(part - input->comparison->parts), &ours))
        return false;
    *agree = fabs(least_of(&theirs)) < threshold && fabs(least_of(&ours)) < threshold;
    return true;
}

/* The least that a conclusion from latencies takes. */
enum { FEW_EVENTS = 3, ENOUGH_EVENTS = 10, ENOUGH_TOPICS = 2 };

static void report_latencies(const rule_t *self, const rules_input_t *input,
                             const server_part_t *part, const latencies_t *latencies, double busy)
{
    const double threshold = rule_threshold(self, input->settings);
    const bool is_ahead = latencies->ahead_count >= FEW_EVENTS;
    /* All about equally late, and not because they had to wait for callbacks. */
    const bool is_behind = latencies->topics >= ENOUGH_TOPICS &&
                           latencies->count >= ENOUGH_EVENTS && latencies->shortest >= threshold &&
                           latencies->longest <= 1.2 * latencies->shortest && busy < 0.5;
    if (!is_ahead && !is_behind)
        return;
    const char *topic = is_ahead ? latencies->most_ahead_topic : latencies->topic;
    char *stream = names_stream_of_topic(topic);
    bool agree = false;
    const bool compared = are_compared(input, part, stream, threshold, &agree);
    /* If the clocks differ, that is said of the server itself; late events may have old times. */
    if (compared && !(agree && is_ahead)) {
        free(stream);
        return;
    }
    const char *server = part->reply->server;
    const char *publisher = rules_publisher(input, stream, latencies->channel);
    const finding_about_t about = {
        .server = server, .publisher = publisher, .subscriber = server, .object = "timestamps"};
    finding_t *finding = findings_report(input->findings, self, &about);
    const char *why = compared ? "the publisher's code sets them, since the clocks agree"
                               : "the clocks differ, or the publisher's code sets them";
    if (is_ahead)
        finding_say(finding, "events of %s reach %s %.3g s before their own timestamps: %s",
                    publisher, server, -latencies->most_ahead, why);
    else
        finding_say(finding,
                    "events of %s always reach %s about %.3g s after their own timestamps: %s",
                    publisher, server, latencies->shortest, why);
    if (is_ahead)
        finding_evidence(finding,
                         "%zu of %zu streams, %" PRId64 " events since the previous poll; most "
                         "ahead: %s",
                         latencies->ahead_topics, latencies->topics, latencies->ahead_count,
                         stream);
    else
        finding_evidence(finding,
                         "%" PRId64 " events of %zu streams since the previous poll, between %.3g "
                         "and %.3g s",
                         latencies->count, latencies->topics, latencies->shortest,
                         latencies->longest);
    free(stream);
}

void rule_clocks_by_events(const rule_t *self, const rules_input_t *input,
                           const server_part_t *part)
{
    const double threshold = rule_threshold(self, input->settings);
    vector_t list = {.item_size = sizeof(const subscription_row_t *)};
    double busy = 0;
    for (size_t i = 0; i < part->subscription_count && !part->changes->first; i++) {
        const subscription_row_t *row = &part->subscriptions[i];
        if (row->processing.count > 0)
            busy += row->processing.mean_micros / 1e6 * (double)row->processing.count;
        if (row->latency.count > 0 && row->change->after && row->change->after->channel_name)
            *(const subscription_row_t **)vector_add(&list) = row;
    }
    const subscription_row_t **rows = list.items;
    if (list.count > 1)
        qsort(rows, list.count, sizeof *rows, compare_channels);
    for (size_t i = 0; i < list.count;) {
        const char *channel = rows[i]->change->after->channel_name;
        latencies_t one = {.channel = channel, .topic = rows[i]->topic, .shortest = INFINITY};
        for (; i < list.count && strcmp(rows[i]->change->after->channel_name, channel) == 0; i++)
            add_latencies(&one, rows[i], threshold);
        report_latencies(self, input, part, &one, busy / part->seconds);
    }
    free(rows);
}
