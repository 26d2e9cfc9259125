#include "monitor/analysis/findings/rules_connections.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/timespec.h"
#include "response/names.h"

static const char *server_at(const rules_input_t *input, size_t place)
{
    return input->snapshot->replies[place].server;
}

/* ---- not-connected ---- */

/* What helps against what a check has found; NULL: that is not known. */
static const char *advice_for(const check_t *check)
{
    switch (check ? check->outcome : CHECK_UNDONE) {
    case CHECK_NO_NAME:
        return "Check the spelling of the device's name, and whether the subscriber uses the right "
               "database (TANGO_HOST). If the name is right, define the device.";
    case CHECK_NOT_RUNNING:
        return "Start the device's server: Tango then connects within 10 s. If it runs, see "
               "whether its address can be reached.";
    case CHECK_TIMED_OUT:
        return "See what the device's server is doing: it takes connections and doesn't answer.";
    case CHECK_NO_ATTRIBUTE:
        return "Check the spelling of the attribute's name. If the device creates the attribute "
               "itself, see why it hasn't.";
    case CHECK_NO_EVENTS:
        return "Poll the attribute and set its abs_change or rel_change, or have the device's code "
               "push its events (set_change_event(), push_change_event()). Tango then connects "
               "within 10 s.";
    default:
        return NULL;
    }
}

void rule_not_connected(const rule_t *self, const rules_input_t *input, const server_part_t *part,
                        const response_not_connected_t *now, const response_not_connected_t *before)
{
    (void)before;
    const char *server = part->reply->server;
    char *subject = checks_attribute_subject(server, now);
    const check_t *check = checks_find(&input->snapshot->checks, CHECK_ATTRIBUTE, subject);
    char *stream = subject
                       ? memory_string(subject)
                       : memory_format("%s/%s.%s", now->device, now->attribute, now->event_type);
    const finding_about_t about = {.server = server, .stream = stream, .subscriber = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    const bool is_change = strcmp(now->event_type, "change") == 0;
    finding_say(finding, "not connected for %.0f s: %s/%s%s%s: %s (%s subscribes)",
                finding_seconds(finding), names_without_prefix(now->device), now->attribute,
                is_change ? "" : ", ", is_change ? "" : now->event_type,
                check ? check->text : "the reason isn't known", server);
    if (now->last_heartbeat)
        finding_evidence(finding, "Tango tries again every 10 s, the last time at %s",
                         now->last_heartbeat);
    if (check)
        finding_evidence(finding, "the monitor checked that %.0f s ago: %s",
                         timespec_seconds_between(&check->time, &input->snapshot->time),
                         check->text);
    if (check && check->outcome == CHECK_NO_NAME && names_prefix_length(now->device) == 0)
        finding_evidence(finding,
                         "the subscriber's answer doesn't say in which database the device "
                         "is, or that it has none: the monitor asked its own");
    const char *advice = advice_for(check);
    if (advice)
        finding_advise(finding, "%s", advice);
    free(stream);
    free(subject);
}

/* ---- name-mismatch ---- */

static int compare_row(const void *key, const void *row)
{
    return strcmp(key, ((const published_row_t *)row)->name);
}

/* How many events were pushed since the publisher's previous answer; RESPONSE_UNKNOWN. */
static int64_t pushed_since(const rules_input_t *input, const published_stream_t *stream)
{
    const server_part_t *part = &input->comparison->parts[stream->server];
    const published_row_t *row = part->published_count > 0
                                     ? bsearch(stream->name, part->published, part->published_count,
                                               sizeof *part->published, compare_row)
                                     : NULL;
    return row ? row->steps.pushed_event_count : RESPONSE_UNKNOWN;
}

/* The "host:port" of a name; "" if it has none. The caller frees it. */
static char *host_of(const char *name)
{
    static const char scheme[] = "tango://";
    const size_t length = names_prefix_length(name);
    return length == 0 ? memory_string("")
                       : memory_copy(name + sizeof scheme - 1, length - sizeof scheme);
}

/* Whether Tango has connected it anew, and nothing has come since. Both are times of one agent, so
 * their texts are in the order of time. */
static bool is_renewed_in_vain(const response_subscription_t *subscription)
{
    return subscription->last_resubscribed &&
           (!subscription->last_event ||
            strcmp(subscription->last_resubscribed, subscription->last_event) > 0);
}

bool connections_are_misnamed(const rules_input_t *input, const server_part_t *part,
                              const response_channel_t *channel)
{
    const response_t *response = part->reply->response;
    bool misnamed = false;
    if (channel->counts.heartbeat_count != 0)
        return false;
    for (size_t i = 0; i < response->subscription_count && !misnamed; i++) {
        const response_subscription_t *one = &response->subscriptions[i];
        if (!one->channel_name || strcmp(one->channel_name, channel->name) != 0 ||
            !is_renewed_in_vain(one))
            continue;
        char *stream = names_stream_of_topic(one->topic);
        misnamed = !published_find(input->published, stream) &&
                   published_find_respelled(input->published, stream, channel->name);
        free(stream);
    }
    return misnamed;
}

void rule_name_mismatch(const rule_t *self, const rules_input_t *input,
                        const rule_subscription_t *subscription)
{
    const published_stream_t *respelled = subscription->respelled;
    const response_t *response = subscription->part->reply->response;
    const response_channel_t *channel = subscription->channel;
    if (!respelled || response->dialect != RESPONSE_AGENT || !channel ||
        channel->counts.heartbeat_count != 0 || !is_renewed_in_vain(subscription->now))
        return;
    const char *server = subscription->part->reply->server;
    const finding_about_t about = {.server = server,
                                   .stream = subscription->stream,
                                   .publisher = server_at(input, respelled->server),
                                   .subscriber = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    const int64_t pushed = pushed_since(input, respelled);
    if (pushed > 0)
        finding_add_events(finding, pushed);
    char *waits = host_of(subscription->stream);
    char *pushes = host_of(respelled->name);
    const char *name = names_without_prefix(subscription->stream);
    finding_say(finding,
                "%s no longer reaches %s: %s pushes it under the host name %s, but it is "
                "expected under %s",
                name, server, about.publisher, pushes, waits);
    finding_evidence(finding, "%s pushes %s: %" PRId64 " event%s so far", about.publisher,
                     respelled->name, respelled->count, PLURAL(respelled->count));
    finding_evidence(finding, "%s expects %s: %" PRId64 " event%s received%s%s", server,
                     subscription->now->topic, subscription->now->counts.event_count,
                     PLURAL(subscription->now->counts.event_count),
                     subscription->now->last_event ? ", the last one at " : "",
                     subscription->now->last_event ? subscription->now->last_event : "");
    finding_evidence(
        finding, "Tango reconnected it at %s, under the old name, and no heartbeat has come since",
        subscription->now->last_resubscribed);
    finding_advise(finding,
                   "Start %s with TANGO_HOST=%s as before, or restart %s: a new subscription takes "
                   "over the publisher's name. Give all servers the same TANGO_HOST, with the "
                   "host's real name.",
                   about.publisher, waits, server);
    free(waits);
    free(pushes);
}

/* ---- expired ---- */

/* Heartbeats are due every 9 s. Where the channel is dead, something else is wrong. */
#define HEARTBEAT_SECONDS 30

/* From one time of an answer to another, in seconds; NAN: not known. */
static double seconds_between(const char *from, const char *to)
{
    struct timespec begin;
    struct timespec end;
    if (!from || !to || !timespec_parse(from, &begin) || !timespec_parse(to, &end))
        return NAN;
    return timespec_seconds_between(&begin, &end);
}

static bool channel_is_dead(const response_t *response, const response_channel_t *channel)
{
    return channel && response->dialect == RESPONSE_AGENT &&
           !(response_seconds_without_heartbeat(response, channel) < HEARTBEAT_SECONDS);
}

static void report_expired(const rule_t *self, const rules_input_t *input,
                           const rule_published_t *published, const subscriber_t *subscriber)
{
    const response_t *response = input->snapshot->replies[subscriber->server].response;
    const response_subscription_t *subscription = subscriber->subscription;
    const response_channel_t *channel = response_channel(response, subscription->channel_name);
    if (subscription->counts.callback_count == 0 || channel_is_dead(response, channel))
        return;
    const char *publisher = published->part->reply->server;
    const finding_about_t about = {.server = publisher,
                                   .stream = published->now->name,
                                   .publisher = publisher,
                                   .subscriber = server_at(input, subscriber->server)};
    finding_t *finding = findings_report(input->findings, self, &about);
    const double silent = seconds_between(published->now->last_subscription,
                                          published->part->reply->response->agent_time);
    char *since = silent >= 0 ? memory_format("hasn't been confirmed for %.0f s", silent)
                              : memory_string("was never confirmed");
    finding_say(finding, "%s no longer pushes %s, though %s listens: its subscription %s",
                publisher, names_without_prefix(published->now->name), about.subscriber, since);
    free(since);
    const char *confirmed = published->now->last_subscription;
    const char *pushed = published->now->last_event;
    finding_evidence(finding, "%s: last confirmed at %s; %" PRId64 " event%s pushed%s%s", publisher,
                     confirmed ? confirmed : "a time that isn't known",
                     published->now->counts.pushed_event_count,
                     PLURAL(published->now->counts.pushed_event_count),
                     pushed ? ", the last one at " : "", pushed ? pushed : "");
    finding_evidence(finding, "%s: %" PRId64 " event%s received%s%s", about.subscriber,
                     subscription->counts.event_count, PLURAL(subscription->counts.event_count),
                     subscription->last_event ? ", the last one at " : "",
                     subscription->last_event ? subscription->last_event : "");
    if (channel && channel->last_heartbeat)
        finding_evidence(finding, "the publisher's heartbeats go on: the last one came at %s",
                         channel->last_heartbeat);
}

void rule_expired(const rule_t *self, const rules_input_t *input, const rule_published_t *published)
{
    if (published->now->has_subscribers != RESPONSE_NO)
        return;
    size_t count = 0;
    const subscriber_t *subscribers =
        subscribers_find(input->subscribers, published->now->name, &count);
    for (size_t i = 0; i < count; i++)
        report_expired(self, input, published, &subscribers[i]);
}

/* ---- never-pushed ---- */

enum { MAXIMUM_NAMED = 10 };

static bool is_never_pushed(const response_publisher_t *publisher)
{
    return publisher->counts.pushed_event_count == 0 && publisher->has_subscribers == RESPONSE_YES;
}

static void say_never_pushed(finding_t *finding, const response_publisher_t *first, size_t count,
                             const char *server)
{
    const char *name = names_without_prefix(first->name);
    if (count == 1)
        finding_say(finding, "somebody listens to %s, and %s has never pushed it", name, server);
    else
        finding_say(finding,
                    "somebody listens to %s and %zu more stream%s, and %s has never pushed them",
                    name, count - 1, PLURAL(count - 1), server);
}

void rule_never_pushed(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    const response_t *response = part->reply->response;
    const response_publisher_t *first = NULL;
    finding_t *finding = NULL;
    size_t count = 0;
    for (size_t i = 0; i < response->publisher_count; i++) {
        const response_publisher_t *publisher = &response->publishers[i];
        if (!is_never_pushed(publisher))
            continue;
        if (!finding) {
            const finding_about_t about = {.server = part->reply->server,
                                           .publisher = part->reply->server};
            finding = findings_report(input->findings, self, &about);
            first = publisher;
        }
        if (count++ < MAXIMUM_NAMED)
            finding_evidence(finding, "%s: 0 events pushed, subscribed to or confirmed at %s",
                             publisher->name,
                             publisher->last_subscription ? publisher->last_subscription
                                                          : "a time that isn't known");
    }
    if (finding)
        say_never_pushed(finding, first, count, part->reply->server);
    if (count > MAXIMUM_NAMED)
        finding_evidence(finding, "and %zu more", count - MAXIMUM_NAMED);
}
