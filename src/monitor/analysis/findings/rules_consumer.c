#include "monitor/analysis/findings/rules_consumer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/timespec.h"
#include "response/names.h"

/* ---- what waits for the consumer thread ---- */

static const response_subscription_t *find_subscription(const response_t *response,
                                                        const char *topic)
{
    for (size_t i = 0; i < response->subscription_count; i++)
        if (strcmp(response->subscriptions[i].topic, topic) == 0)
            return &response->subscriptions[i];
    return NULL;
}

/* How many events of all its subscriptions had been pushed by the previous poll, and haven't
 * arrived yet; of publishers that are watched. */
static int64_t waiting_events(const rules_input_t *input, const server_part_t *part)
{
    const response_t *response = part->reply->response;
    const server_losses_t *losses = losses_of_server(input->losses, part->reply->server,
                                                     (size_t)(part - input->comparison->parts));
    int64_t sum = 0;
    for (size_t i = 0; i < response->subscription_count; i++) {
        const loss_t *loss = losses_find(losses, response->subscriptions[i].topic);
        if (loss && loss->not_received > 0)
            sum = changes_sum(sum, loss->not_received);
    }
    return sum;
}

static void add_waiting(finding_t *finding, const rules_input_t *input, const server_part_t *part)
{
    const response_t *response = part->reply->response;
    if (response->channel_count > 0)
        finding_evidence(finding, "%s has %zu subscription%s, from %zu publisher%s",
                         part->reply->server, response->subscription_count,
                         PLURAL(response->subscription_count), response->channel_count,
                         PLURAL(response->channel_count));
    else /* a late agent doesn't know them before their next heartbeat */
        finding_evidence(finding, "%s has %zu subscription%s", part->reply->server,
                         response->subscription_count, PLURAL(response->subscription_count));
    const int64_t waiting = waiting_events(input, part);
    if (waiting > 0)
        finding_evidence(finding,
                         "%" PRId64 " event%s pushed before the previous poll still %s arrived "
                         "(of publishers that are watched)",
                         waiting, PLURAL(waiting), waiting == 1 ? "hasn't" : "haven't");
}

/* ---- stuck-callback ---- */

void rule_stuck_callback(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    const response_t *response = part->reply->response;
    const response_consumer_t *consumer = &response->consumer;
    const double seconds = consumer->state_micros / 1e6;
    if (!consumer->topic || !(seconds >= rule_threshold(self, input->settings)))
        return;
    const char *server = part->reply->server;
    const response_subscription_t *subscription = find_subscription(response, consumer->topic);
    char *stream = names_stream_of_topic(consumer->topic);
    const finding_about_t about = {
        .server = server,
        .stream = stream,
        .publisher =
            rules_publisher(input, stream, subscription ? subscription->channel_name : NULL),
        .subscriber = server,
    };
    finding_t *finding = findings_report(input->findings, self, &about);
    const struct timespec since = timespec_later(&input->snapshot->time, -seconds);
    finding_began(finding, &since);
    const size_t others = response->subscription_count - (subscription ? 1 : 0);
    char *wait = others > 0 ? memory_format(": %zu other stream%s wait%s for it", others,
                                            PLURAL(others), others == 1 ? "s" : "")
                            : memory_string(": it receives nothing meanwhile");
    finding_say(finding, "a callback for %s has been running for %.0f s in %s%s", stream, seconds,
                server, wait);
    finding_evidence(finding, "its consumer thread has been in this callback for %.1f s, since %s",
                     seconds, consumer->since ? consumer->since : "a time that isn't known");
    add_waiting(finding, input, part);
    finding_evidence(finding, "no heartbeats are received meanwhile either: after 10 s Tango "
                              "reports every channel as not responding");
    free(wait);
    free(stream);
}

/* ---- slow-callback ---- */

/* The callbacks of a topic since the previous answer. */
typedef struct {
    const char *name; /* topic, or attribute */
    double seconds;   /* that they took */
    int64_t count;
} busy_t;

enum { BUSIEST = 5 };

/* The busiest topics, and all together. */
typedef struct {
    busy_t worst[BUSIEST]; /* those with a name */
    double seconds;        /* of all */
    size_t topics;
    bool is_estimate; /* from samples */
} busy_list_t;

static void add_busy(busy_list_t *self, busy_t one)
{
    self->seconds += one.seconds;
    self->topics++;
    for (size_t i = 0; i < BUSIEST; i++)
        if (!self->worst[i].name || one.seconds > self->worst[i].seconds) {
            const busy_t next = self->worst[i];
            self->worst[i] = one;
            one = next;
        }
}

/* From the agent's histograms. False if there are none. */
static bool busy_by_histograms(const server_part_t *part, busy_list_t *list)
{
    for (size_t i = 0; i < part->subscription_count; i++) {
        const subscription_row_t *row = &part->subscriptions[i];
        const duration_t *took = &row->processing;
        if (took->count > 0 && took->mean_micros > 0)
            add_busy(list, (busy_t){.name = row->topic,
                                    .seconds = took->mean_micros / 1e6 * (double)took->count,
                                    .count = took->count});
    }
    return list->topics > 0;
}

static int compare_names(const void *a, const void *b)
{
    const response_receive_sample_t *left = *(const response_receive_sample_t *const *)a;
    const response_receive_sample_t *right = *(const response_receive_sample_t *const *)b;
    return strcmp(left->attr_name ? left->attr_name : "", right->attr_name ? right->attr_name : "");
}

static int64_t events_since(const server_part_t *part)
{
    int64_t sum = 0;
    for (size_t i = 0; i < part->subscription_count; i++)
        if (part->subscriptions[i].steps.event_count > 0)
            sum = changes_sum(sum, part->subscriptions[i].steps.event_count);
    return sum;
}

/*
 * From the samples of servers without the agent. They are of the newest events; the others are
 * taken to be like them. Samples name only the attribute.
 */
static bool busy_by_samples(const server_part_t *part, busy_list_t *list)
{
    enum { FEW = 10 };
    const response_t *response = part->reply->response;
    const response_receive_sample_t **samples =
        memory_new(response->receive_sample_count, sizeof *samples);
    size_t count = 0;
    for (size_t i = 0; i < response->receive_sample_count; i++)
        if (!response->receive_samples[i].discarded &&
            response->receive_samples[i].process_micros >= 0)
            samples[count++] = &response->receive_samples[i];
    const int64_t events = events_since(part);
    const double factor = count > 0 && events > (int64_t)count ? (double)events / (double)count : 1;
    if (count >= FEW)
        qsort(samples, count, sizeof *samples, compare_names);
    for (size_t i = 0; count >= FEW && i < count;) {
        busy_t one = {.name = samples[i]->attr_name ? samples[i]->attr_name : "?"};
        const size_t first = i;
        for (; i < count && compare_names(&samples[first], &samples[i]) == 0; i++)
            one.seconds += samples[i]->process_micros / 1e6;
        one.count = (int64_t)((double)(i - first) * factor);
        one.seconds *= factor;
        add_busy(list, one);
    }
    free(samples);
    list->is_estimate = true;
    return list->topics > 0;
}

static double share_of(double seconds, double all)
{
    return fmin(1, seconds / all);
}

static void report_busy(const rule_t *self, const rules_input_t *input, const server_part_t *part,
                        const busy_list_t *list)
{
    const char *server = part->reply->server;
    const busy_t *worst = &list->worst[0];
    const finding_about_t about = {.server = server, .subscriber = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    char *name = names_stream_of_topic(worst->name);
    const double mean_ms = worst->seconds / (double)worst->count * 1e3;
    finding_say(finding,
                "callbacks take %.0f %% of the time of %s, those for %s %.0f %%: %.3g ms each at "
                "%.3g/s, while everything else waits",
                100 * share_of(list->seconds, part->seconds), server, name,
                100 * share_of(worst->seconds, part->seconds), mean_ms,
                (double)worst->count / part->seconds);
    for (size_t i = 0; i < BUSIEST && list->worst[i].name; i++) {
        const busy_t *one = &list->worst[i];
        finding_evidence(finding,
                         "%s: %.1f %% of the time, %" PRId64 " event%s of %.3g ms on average",
                         one->name, 100 * share_of(one->seconds, part->seconds), one->count,
                         PLURAL(one->count), one->seconds / (double)one->count * 1e3);
    }
    if (list->is_estimate)
        finding_evidence(finding, "estimated from samples of the newest events");
    add_waiting(finding, input, part);
    free(name);
}

/* Without performance monitoring: in a callback at two polls in a row, and not in the same one,
 * while events wait. */
static void report_seen_busy(const rule_t *self, const rules_input_t *input,
                             const server_part_t *part)
{
    const response_consumer_t *now = &part->reply->response->consumer;
    if (!now->topic || !part->before || !part->before->consumer.topic ||
        part->changes->counters_restarted || !(now->state_micros / 1e6 < part->seconds))
        return;
    const int64_t waiting = waiting_events(input, part);
    if (waiting == 0)
        return;
    const char *server = part->reply->server;
    const finding_about_t about = {.server = server, .subscriber = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    char *name = names_stream_of_topic(now->topic);
    finding_say(finding,
                "%s was in a callback at each of the last polls, now in one for %s, and %" PRId64
                " event%s %s arrived",
                server, name, waiting, PLURAL(waiting), waiting == 1 ? "hasn't" : "haven't");
    if (now->longest_callback_micros > 0 && now->longest_callback_topic)
        finding_evidence(finding, "the longest callback so far: %.3g s, for %s",
                         now->longest_callback_micros / 1e6, now->longest_callback_topic);
    add_waiting(finding, input, part);
    finding_advise(finding, "Performance monitoring is off: run the monitor with -m to see which "
                            "callbacks take how much of the time.");
    free(name);
}

void rule_slow_callback(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    const response_t *response = part->reply->response;
    busy_list_t list = {.topics = 0};
    if (!(part->seconds > 0) || !response->has_client)
        return;
    const bool measured = busy_by_histograms(part, &list) ||
                          (response->dialect != RESPONSE_AGENT && busy_by_samples(part, &list));
    if (measured && share_of(list.seconds, part->seconds) >= rule_threshold(self, input->settings))
        report_busy(self, input, part, &list);
    else if (!response->receive_perf_on)
        report_seen_busy(self, input, part);
}

/* ---- late-heartbeats ---- */

/* What became of the heartbeats of a server's channels since the previous answer. */
typedef struct {
    size_t alive; /* channels that had heartbeats */
    size_t late;  /* of these, with some that came too late */
    int64_t missed;
} heartbeats_t;

static heartbeats_t heartbeats_between(const response_t *before, const response_t *now)
{
    heartbeats_t sum = {.alive = 0};
    size_t old = 0;
    for (size_t i = 0; i < now->channel_count; i++) {
        const response_channel_t *channel = &now->channels[i];
        while (old < before->channel_count && strcmp(before->channels[old].name, channel->name) < 0)
            old++;
        if (old == before->channel_count || strcmp(before->channels[old].name, channel->name) != 0)
            continue;
        const channel_counts_t *last = &before->channels[old].counts;
        const count_step_t step =
            changes_count(last->heartbeat_count, channel->counts.heartbeat_count);
        const count_step_t missed =
            changes_count(last->missed_heartbeat_count, channel->counts.missed_heartbeat_count);
        if (step.kind != COUNT_UP)
            continue;
        sum.alive++;
        if (missed.kind == COUNT_UP) {
            sum.late++;
            sum.missed = changes_sum(sum.missed, missed.by);
        }
    }
    return sum;
}

/* The callback that ended, or was seen under way, since the previous answer; NAN: none is known. */
static double long_callback(const response_consumer_t *before, const response_consumer_t *now,
                            const char **topic)
{
    if (now->longest_callback_topic &&
        (now->longest_callback_micros > before->longest_callback_micros ||
         isnan(before->longest_callback_micros))) {
        *topic = now->longest_callback_topic;
        return now->longest_callback_micros / 1e6;
    }
    *topic = before->topic;
    return before->topic ? before->state_micros / 1e6 : NAN;
}

void rule_late_heartbeats(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    if (!part->before || part->changes->counters_restarted)
        return;
    const response_t *now = part->reply->response;
    const char *topic = NULL;
    const double seconds = long_callback(&part->before->consumer, &now->consumer, &topic);
    if (!topic || !(seconds >= rule_threshold(self, input->settings)))
        return;
    const heartbeats_t heartbeats = heartbeats_between(part->before, now);
    if (heartbeats.alive == 0 || heartbeats.late < heartbeats.alive)
        return;
    const char *server = part->reply->server;
    char *stream = names_stream_of_topic(topic);
    const finding_about_t about = {.server = server, .subscriber = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(
        finding,
        "all heartbeats to %s (%zu channel%s) came late, because a callback for %s took %.0f s",
        server, heartbeats.late, PLURAL(heartbeats.late), stream, seconds);
    finding_evidence(finding,
                     "%" PRId64 " heartbeat%s hadn't arrived when the next one was due; no channel "
                     "had its heartbeats in time",
                     heartbeats.missed, PLURAL(heartbeats.missed));
    finding_evidence(finding,
                     "a callback for %s took %.1f s or more: heartbeats are received by the "
                     "same thread",
                     stream, seconds);
    free(stream);
}

/* ---- delayed ---- */

void rule_delayed(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    const response_consumer_t *consumer = &part->reply->response->consumer;
    const double seconds = consumer->delayed_micros / 1e6;
    if (!(seconds >= rule_threshold(self, input->settings)))
        return;
    const char *server = part->reply->server;
    const finding_about_t about = {.server = server, .subscriber = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    const struct timespec since = timespec_later(&input->snapshot->time, -seconds);
    finding_began(finding, &since);
    char *stream = consumer->topic ? names_stream_of_topic(consumer->topic) : NULL;
    if (stream)
        finding_say(finding,
                    "%s has received nothing for %.0f s: it is making a subscription, while a "
                    "callback for %s is running",
                    server, seconds, stream);
    else
        finding_say(finding,
                    "%s has received nothing for %.0f s: it is making a subscription, and that "
                    "doesn't finish",
                    server, seconds);
    finding_evidence(finding,
                     "its consumer thread has executed control commands only for %.1f s "
                     "(DELAY_EVENT without RELEASE_EVENT)",
                     seconds);
    if (stream)
        finding_evidence(finding, "a callback for %s has been running for %.1f s", stream,
                         consumer->state_micros / 1e6);
    else
        finding_evidence(finding, "no callback is running in its consumer thread");
    add_waiting(finding, input, part);
    free(stream);
}

/* ---- error-events ---- */

static void add_tangos_own_errors(finding_t *finding, const rule_subscription_t *subscription)
{
    const subscription_counts_t *counts = &subscription->now->counts;
    const response_channel_t *channel = subscription->channel;
    if (counts->missed_event_count > 0)
        finding_evidence(finding,
                         "Tango also called the callbacks with an error for each gap (%" PRId64
                         "): those errors aren't events, and aren't counted here",
                         counts->missed_event_count);
    if (channel && channel->counts.missed_heartbeat_count > 0)
        finding_evidence(finding,
                         "%" PRId64 " heartbeat%s of its channel didn't come in time: Tango "
                         "reports that to the callbacks as an error every 10 s",
                         channel->counts.missed_heartbeat_count,
                         PLURAL(channel->counts.missed_heartbeat_count));
}

void rule_error_events(const rule_t *self, const rules_input_t *input,
                       const rule_subscription_t *subscription)
{
    const subscription_row_t *row = subscription->row;
    if (!row || row->steps.error_event_count <= 0)
        return;
    const char *server = subscription->part->reply->server;
    const finding_about_t about = {
        .server = server,
        .stream = subscription->stream,
        .publisher = rules_publisher(input, subscription->stream, subscription->now->channel_name),
        .subscriber = server,
    };
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_add_events(finding, row->steps.error_event_count);
    finding_say(finding, "%" PRId64 " event%s of %s reached %s with an error instead of a value",
                finding->events, PLURAL(finding->events), subscription->stream, server);
    finding_evidence(finding, "since the previous poll: %" PRId64 " of %" PRId64 " events",
                     row->steps.error_event_count, row->steps.event_count);
    finding_evidence(
        finding, "since %s: %" PRId64 " of %" PRId64 " events, the last one at %s",
        response_is_older_subscription(subscription->part->reply->response, subscription->now)
            ? "the agent was attached"
            : "it subscribed",
        row->counts->error_event_count, row->counts->event_count,
        subscription->now->last_error_event ? subscription->now->last_error_event
                                            : "a time that isn't known");
    add_tangos_own_errors(finding, subscription);
}
