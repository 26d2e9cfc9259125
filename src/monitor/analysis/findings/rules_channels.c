#include "monitor/analysis/findings/rules_channels.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/reasons.h"
#include "base/timespec.h"
#include "monitor/analysis/changes.h"
#include "monitor/analysis/findings/rules_connections.h"
#include "response/endpoint.h"
#include "response/names.h"

/* A heartbeat is due every 9 s: after this time without one, one is late. */
#define LATE_SECONDS 12

/* A new channel is given more time for its first one, unless Tango itself has lost patience. */
#define NEW_SECONDS 25

/* ---- the publisher ---- */

/* Whether the streams that a server publishes may have the host of a channel's name. */
static bool may_have_channel(const reply_t *reply, const char *channel)
{
    if (names_prefix_length(reply->server) > 0)
        return names_have_same_port(reply->server, channel);
    const response_t *response = reply->response;
    return !response || response->publisher_count == 0 ||
           names_have_same_port(response->publishers[0].name, channel);
}

/* The watched server that a channel is named after; NULL: none, or it can't be told which. */
static const reply_t *publisher_of(const rules_input_t *input, const char *channel)
{
    const reply_t *found = NULL;
    for (size_t i = 0; i < input->snapshot->reply_count; i++) {
        const reply_t *reply = &input->snapshot->replies[i];
        if (!reply->server || !names_are_same_but_host(reply->server, channel) ||
            !may_have_channel(reply, channel))
            continue;
        if (found)
            return NULL;
        found = reply;
    }
    return found;
}

typedef enum {
    PUBLISHER_UNKNOWN, /* nobody has asked it */
    PUBLISHER_ANSWERS,
    PUBLISHER_STOPPED, /* on purpose, or it has another name now */
    PUBLISHER_GONE,    /* crashed, killed, or its host can't be reached */
    PUBLISHER_HANGS
} publisher_state_t;

/* A channel, and all that is known of it. */
typedef struct {
    const rules_input_t *input;
    const server_part_t *part;
    const response_channel_t *channel;
    const reply_t *publisher; /* NULL: it isn't watched */
    publisher_state_t state;
    const char *state_text; /* what it or the database says; or NULL */
    const check_t *checks[2];
    const char *endpoints[2]; /* of the heartbeats, of the events; NULL: not known */
    address_kind_t addresses[2];
} view_t;

static bool begins_with(const char *text, const char *begin)
{
    return text && strncmp(text, begin, strlen(begin)) == 0;
}

static publisher_state_t state_of(const reply_t *publisher)
{
    const char *error = publisher->error;
    /* What isn't an answer of ours is an answer all the same. */
    if (publisher->response || begins_with(error, REASON_NO_COMMAND) ||
        begins_with(error, REASON_NO_AGENT) || begins_with(error, REASON_COMMAND_GONE))
        return PUBLISHER_ANSWERS;
    return begins_with(error, REASON_STOPPED) || begins_with(error, REASON_NO_DEVICE)
               ? PUBLISHER_STOPPED
           : begins_with(error, REASON_NOT_RUNNING) || begins_with(error, REASON_ENDED)
               ? PUBLISHER_GONE
           : begins_with(error, "no answer") ? PUBLISHER_HANGS
                                             : PUBLISHER_UNKNOWN;
}

static void find_state(view_t *self)
{
    const check_t *check =
        checks_find(&self->input->snapshot->checks, CHECK_DEVICE, self->channel->name);
    if (self->publisher) {
        self->state_text = self->publisher->error;
        self->state = state_of(self->publisher);
        return;
    }
    if (!check)
        return;
    self->state_text = check->text;
    if (check->outcome == CHECK_GOOD)
        self->state = PUBLISHER_ANSWERS;
    else if (check->outcome == CHECK_NO_NAME || strcmp(check->text, REASON_STOPPED) == 0)
        self->state = PUBLISHER_STOPPED;
    else if (check->outcome == CHECK_NOT_RUNNING)
        self->state = PUBLISHER_GONE;
    else if (check->outcome == CHECK_TIMED_OUT)
        self->state = PUBLISHER_HANGS;
}

static view_t view_of(const rules_input_t *input, const server_part_t *part,
                      const response_channel_t *channel)
{
    view_t view = {
        .input = input,
        .part = part,
        .channel = channel,
        .publisher = publisher_of(input, channel->name),
        .endpoints = {channel->endpoint, channel->event_endpoint},
    };
    find_state(&view);
    for (size_t i = 0; i < 2; i++) {
        endpoint_t endpoint;
        view.checks[i] = checks_find(&input->snapshot->checks, CHECK_ENDPOINT, view.endpoints[i]);
        if (endpoint_parse(view.endpoints[i], &endpoint))
            view.addresses[i] = endpoint_address_kind(&endpoint);
    }
    return view;
}

static finding_about_t about_of(const view_t *self)
{
    return (finding_about_t){
        .server = self->part->reply->server,
        .publisher = self->publisher ? self->publisher->server : self->channel->name,
        .subscriber = self->part->reply->server,
    };
}

/* ---- endpoints ---- */

/* Whether a check says that nobody can connect to the endpoint, from here at least. */
static bool has_failed(const check_t *check)
{
    return check && check->outcome != CHECK_GOOD && check->outcome != CHECK_UNDONE;
}

static bool is_local(address_kind_t kind)
{
    return kind == ADDRESS_LOOPBACK || kind == ADDRESS_WILDCARD || kind == ADDRESS_LINK_LOCAL;
}

/* The endpoint to name: one that can't be reached, else that of the heartbeats. */
static size_t endpoint_to_blame(const view_t *self)
{
    return !has_failed(self->checks[0]) && has_failed(self->checks[1]) ? 1 : 0;
}

/* "tcp://127.0.0.1:38057: loopback, unreachable from another host"; the caller frees it. */
static char *describe_endpoint(const view_t *self, size_t which)
{
    const char *endpoint = self->endpoints[which];
    if (!endpoint)
        return memory_string("its endpoint isn't known");
    switch (self->addresses[which]) {
    case ADDRESS_LOOPBACK:
        return memory_format("%s: loopback, unreachable from another host", endpoint);
    case ADDRESS_WILDCARD:
        return memory_format("%s: a wildcard, no address that anybody can connect to", endpoint);
    case ADDRESS_LINK_LOCAL:
        return memory_format("%s: link-local, unreachable from another network", endpoint);
    case ADDRESS_PRIVATE:
    case ADDRESS_NAME:
    case ADDRESS_PUBLIC:
        break;
    }
    return memory_string(endpoint);
}

/* Whether a channel may be older than the agent, which came late: what came before isn't known. */
static bool may_be_older(const response_t *response, const response_channel_t *channel)
{
    if (!response_is_late(response))
        return false;
    bool any = false;
    for (size_t i = 0; i < response->subscription_count; i++) {
        const response_subscription_t *one = &response->subscriptions[i];
        if (!one->channel_name || strcmp(one->channel_name, channel->name) != 0)
            continue;
        any = true;
        if (response_is_older_subscription(response, one))
            return true;
    }
    return !any;
}

/* ---- evidence ---- */

static void add_endpoints(finding_t *finding, const view_t *self)
{
    static const char *const purposes[] = {"heartbeats", "events"};
    for (size_t i = 0; i < 2; i++) {
        if (!self->endpoints[i])
            continue;
        const char *kind = address_kind_name(self->addresses[i]);
        const check_t *check = self->checks[i];
        if (check)
            finding_evidence(finding,
                             "endpoint of its %s: %s%s%s%s; tried from the monitor's host: %s",
                             purposes[i], self->endpoints[i], kind ? " (" : "", kind ? kind : "",
                             kind ? " address)" : "", check->text);
        else
            finding_evidence(finding, "endpoint of its %s: %s%s%s%s", purposes[i],
                             self->endpoints[i], kind ? " (" : "", kind ? kind : "",
                             kind ? " address)" : "");
    }
}

/* When Tango last connected a channel anew, because it took it for dead; NULL: it didn't. */
static const char *connected_anew(const view_t *self)
{
    const response_t *response = self->part->reply->response;
    for (size_t i = 0; i < response->subscription_count; i++) {
        const response_subscription_t *one = &response->subscriptions[i];
        if (one->last_resubscribed && *one->last_resubscribed && one->channel_name &&
            strcmp(one->channel_name, self->channel->name) == 0)
            return one->last_resubscribed;
    }
    return NULL;
}

/* What is pushed and received on the channel. */
static void add_streams(finding_t *finding, const view_t *self)
{
    const rules_input_t *input = self->input;
    size_t topics = 0;
    const subscriber_t *list =
        subscribers_of_channel(input->subscribers, (size_t)(self->part - input->comparison->parts),
                               self->channel->name, &topics);
    size_t published = 0;
    int64_t received = 0;
    int64_t pushed = 0;
    for (size_t i = 0; i < topics; i++) {
        const response_subscription_t *one = list[i].subscription;
        if (one->counts.event_count > 0)
            received = changes_sum(received, one->counts.event_count);
        char *stream = names_stream_of_topic(one->topic);
        const published_stream_t *publisher = published_find(input->published, stream);
        free(stream);
        if (!publisher || publisher->count == RESPONSE_UNKNOWN)
            continue;
        published++;
        pushed = changes_sum(pushed, publisher->count);
    }
    if (published > 0)
        finding_evidence(finding,
                         "%zu subscription%s through this channel: %" PRId64
                         " event%s pushed by the publisher, %" PRId64 " received",
                         topics, PLURAL(topics), pushed, PLURAL(pushed), received);
    else
        finding_evidence(finding,
                         "%zu subscription%s through this channel: %" PRId64 " event%s received",
                         topics, PLURAL(topics), received, PLURAL(received));
}

static void add_evidence(finding_t *finding, const view_t *self)
{
    static const char *const states[] = {
        [PUBLISHER_UNKNOWN] = NULL,           [PUBLISHER_ANSWERS] = "answers",
        [PUBLISHER_STOPPED] = "was stopped",  [PUBLISHER_GONE] = "can't be reached",
        [PUBLISHER_HANGS] = "doesn't answer",
    };
    const channel_counts_t *counts = &self->channel->counts;
    const char *since = may_be_older(self->part->reply->response, self->channel)
                            ? "the agent was attached"
                            : "the channel was connected";
    if (counts->missed_heartbeat_count > 0)
        finding_evidence(finding,
                         "%" PRId64 " heartbeat%s received since %s, and %" PRId64
                         " missed before the last one",
                         counts->heartbeat_count, PLURAL(counts->heartbeat_count), since,
                         counts->missed_heartbeat_count);
    else
        finding_evidence(finding, "%" PRId64 " heartbeat%s received since %s",
                         counts->heartbeat_count, PLURAL(counts->heartbeat_count), since);
    if (self->channel->last_heartbeat)
        finding_evidence(finding, "the last one at %s, by the clock of %s",
                         self->channel->last_heartbeat, self->part->reply->server);
    if (states[self->state])
        finding_evidence(finding, "the publisher's admin device %s%s%s%s", states[self->state],
                         self->state == PUBLISHER_ANSWERS || !self->state_text ? "" : " (",
                         self->state == PUBLISHER_ANSWERS || !self->state_text ? ""
                                                                               : self->state_text,
                         self->state == PUBLISHER_ANSWERS || !self->state_text ? "" : ")");
    add_endpoints(finding, self);
    add_streams(finding, self);
}

/* ---- heartbeats ---- */

static bool never_came(const server_part_t *part, const response_channel_t *now)
{
    return now->counts.heartbeat_count == 0 && !may_be_older(part->reply->response, now);
}

static bool is_other(const char *a, const char *b)
{
    return !a || !b ? a != b : strcmp(a, b) != 0;
}

/*
 * Whether no heartbeat has come from the previous answer to this one, though it could have. After a
 * change of the endpoint Tango has connected anew: the next heartbeat has to be waited for.
 */
static bool stands_still(const server_part_t *part, const response_channel_t *now,
                         const response_channel_t *before)
{
    const response_t *response = part->reply->response;
    return before && now->counts.heartbeat_count != RESPONSE_UNKNOWN &&
           now->counts.heartbeat_count == before->counts.heartbeat_count &&
           !is_other(now->endpoint, before->endpoint) &&
           !response_is_held_up(response, LATE_SECONDS) &&
           !(response_seconds_without_heartbeat(response, now) < LATE_SECONDS);
}

/* What a finding remembers as its peaks, in seconds: before its first report, for how long the
 * channel had been seen to stand still; and since it began, until when the publisher was down,
 * negative if it had been stopped. */
enum { SEEN, DOWN };

/* For how long the monitor has seen it stand still: from the answer before the first report. */
static double seconds_seen(finding_t *finding, const server_part_t *part)
{
    if (finding->polls == 1)
        finding->peaks[SEEN] = fmax(0, part->seconds);
    return finding->peaks[SEEN] +
           timespec_seconds_between(&finding->reported_since, &finding->seen);
}

/*
 * Reports a channel that stands still, since its last heartbeat. It isn't certain before the
 * monitor itself has seen it for so many seconds, longer than a heartbeat takes: a clock may have
 * been set, and a subscriber that was stopped for a while answers before it receives what has come.
 */
static finding_t *report(const rule_t *self, const view_t *view, double certain_seconds)
{
    const finding_about_t about = about_of(view);
    finding_t *finding = findings_report(view->input->findings, self, &about);
    double seconds = response_seconds_without_heartbeat(view->part->reply->response, view->channel);
    const double seen = seconds_seen(finding, view->part);
    if (seen < certain_seconds || finding->polls < 2)
        finding_needs_polls(finding, finding->polls + 1);
    if (!(seconds >= seen))
        seconds = seen;
    const struct timespec since = timespec_later(&view->input->snapshot->time, -seconds);
    finding_began(finding, &since);
    add_evidence(finding, view);
    return finding;
}

/* So long ago it was down, though it answers now; NAN: it wasn't, or Tango has had time enough. */
static double back_for(finding_t *finding, const view_t *self, double enough)
{
    const double seconds = finding_seconds(finding);
    if (self->state == PUBLISHER_GONE || self->state == PUBLISHER_HANGS)
        finding->peaks[DOWN] = seconds;
    else if (self->state == PUBLISHER_STOPPED)
        finding->peaks[DOWN] = -seconds;
    const double back = seconds - fabs(finding->peaks[DOWN]);
    return finding->peaks[DOWN] != 0 && back <= enough ? back : NAN;
}

/*
 * Whether it is the endpoint that is to blame for a channel that never had a heartbeat: its address
 * is one that others can't reach, or can't be reached from here.
 */
static bool blames_endpoint(const view_t *self)
{
    if (!never_came(self->part, self->channel) ||
        (self->state != PUBLISHER_ANSWERS && self->state != PUBLISHER_UNKNOWN))
        return false;
    const bool failed = has_failed(self->checks[0]) || has_failed(self->checks[1]);
    return is_local(self->addresses[0]) || (failed && self->state == PUBLISHER_ANSWERS);
}

static void say_silent(finding_t *finding, const view_t *self, double threshold)
{
    const double back = back_for(finding, self, threshold);
    char *what = memory_format(
        never_came(self->part, self->channel)
            ? "no heartbeat from %s has reached %s since it connected %.0f s ago"
            : "no heartbeat from %s has reached %s for %.0f s",
        finding->about.publisher, finding->about.subscriber, finding_seconds(finding));
    const size_t which = endpoint_to_blame(self);
    char *endpoint = describe_endpoint(self, which);
    switch (self->state) {
    case PUBLISHER_STOPPED:
        finding->severity = SEVERITY_WARNING;
        finding_say(finding, "%s: the publisher was stopped, or has another name now", what);
        finding_advise(finding,
                       "Start the publisher again if it should run. If it runs under another name, "
                       "subscribe again, or restart %s: it asks the old admin device for ever. "
                       "cppTango 9.5 and later find the new one by themselves.",
                       finding->about.subscriber);
        break;
    case PUBLISHER_GONE:
        finding_say(finding, "%s: the publisher isn't running, or its host can't be reached", what);
        finding_advise(finding,
                       "Look for a crash in the publisher's log (coredumpctl), and start it "
                       "again; Tango then connects by itself. If it runs, look at the "
                       "network between the hosts.");
        break;
    case PUBLISHER_HANGS:
        finding_say(finding, "%s: the publisher runs, but doesn't answer", what);
        finding_advise(finding,
                       "See what the publisher is doing: gdb -p PID and thread apply all bt; "
                       "py-spy dump --pid PID. It may be stopped (state T in ps) or "
                       "blocked.");
        break;
    case PUBLISHER_ANSWERS:
        if (back >= 0) {
            if (finding->peaks[DOWN] < 0)
                finding->severity = SEVERITY_WARNING;
            finding_say(
                finding,
                "%s: the publisher didn't answer until %.0f s ago, and Tango is still connecting",
                what, back);
            finding_advise(finding,
                           "Wait: Tango connects again by itself, within 10 to 20 s as a rule. See "
                           "why the publisher was down: in its log, or with coredumpctl.");
        } else if (has_failed(self->checks[which])) {
            finding_say(finding,
                        "%s: the publisher answers, but not at its event endpoint (%s): %s", what,
                        endpoint, self->checks[which]->text);
        } else {
            finding_say(finding, "%s, though the publisher answers (%s)", what, endpoint);
        }
        break;
    case PUBLISHER_UNKNOWN:
        finding_say(finding, "%s (%s)", what, endpoint);
        break;
    }
    free(endpoint);
    free(what);
}

void rule_silent_channel(const rule_t *self, const rules_input_t *input, const server_part_t *part,
                         const response_channel_t *now, const response_channel_t *before)
{
    if (!stands_still(part, now, before) || connections_are_misnamed(input, part, now))
        return;
    const view_t view = view_of(input, part, now);
    if (!blames_endpoint(&view))
        say_silent(report(self, &view, LATE_SECONDS), &view, rule_threshold(self, input->settings));
}

void rule_unreachable_endpoint(const rule_t *self, const rules_input_t *input,
                               const server_part_t *part, const response_channel_t *now,
                               const response_channel_t *before)
{
    if (!never_came(part, now) || !stands_still(part, now, before) ||
        connections_are_misnamed(input, part, now))
        return;
    const view_t view = view_of(input, part, now);
    if (!blames_endpoint(&view))
        return;
    const char *anew = connected_anew(&view);
    finding_t *finding = report(self, &view, anew ? LATE_SECONDS : NEW_SECONDS);
    if (anew)
        finding_evidence(finding,
                         "Tango itself took the channel for dead, and reconnected it at %s", anew);
    const size_t which = endpoint_to_blame(&view);
    char *endpoint = describe_endpoint(&view, which);
    if (is_local(view.addresses[which]))
        finding_say(finding, "no events from %s can reach %s (%s)", finding->about.publisher,
                    finding->about.subscriber, endpoint);
    else
        finding_say(finding, "no events from %s can reach %s: %s: %s", finding->about.publisher,
                    finding->about.subscriber, endpoint, view.checks[which]->text);
    free(endpoint);
}

/* ---- frozen events ---- */

/* What came through a channel since the previous answer. */
typedef struct {
    bool has_events;
    size_t waiting_topics; /* whose publisher has pushed what hasn't come */
    int64_t waiting;       /* events */
} flow_t;

/* The channel that a subscription's events come through. A late agent doesn't know that of those
 * that are older than itself: it is named after the server that publishes the stream. */
static const char *channel_name_of(const rules_input_t *input, const server_part_t *part,
                                   const response_subscription_t *subscription)
{
    const response_t *response = part->reply->response;
    if (subscription->channel_name || !response_is_late(response))
        return subscription->channel_name;
    char *stream = names_stream_of_topic(subscription->topic);
    const char *publisher = rules_publisher(input, stream, NULL);
    free(stream);
    for (size_t i = 0; publisher && i < response->channel_count; i++)
        if (names_are_same_but_host(publisher, response->channels[i].name))
            return response->channels[i].name;
    return NULL;
}

/* The index of a channel, or channel_count. */
static size_t channel_index(const response_t *response, const char *name, size_t likely)
{
    if (!name)
        return response->channel_count;
    if (likely < response->channel_count && strcmp(response->channels[likely].name, name) == 0)
        return likely;
    size_t low = 0;
    size_t high = response->channel_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(response->channels[middle].name, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return response->channel_count;
}

static void find_events(const rules_input_t *input, const server_part_t *part, flow_t *flows)
{
    const response_t *response = part->reply->response;
    size_t index = 0;
    for (size_t i = 0; i < part->subscription_count; i++) {
        const subscription_row_t *row = &part->subscriptions[i];
        if (!row->change->after || (row->steps.event_count <= 0 &&
                                    row->steps.discarded_event_count <= 0 && row->change->before))
            continue;
        index = channel_index(response, channel_name_of(input, part, row->change->after), index);
        if (index < response->channel_count)
            flows[index].has_events = true; /* or a new subscription: it may yet come */
    }
}

static void find_waiting(const rules_input_t *input, const server_part_t *part, flow_t *flows)
{
    const response_t *response = part->reply->response;
    const server_losses_t *losses = losses_of_server(input->losses, part->reply->server,
                                                     (size_t)(part - input->comparison->parts));
    size_t index = 0;
    for (size_t i = 0; i < response->subscription_count; i++) {
        const response_subscription_t *one = &response->subscriptions[i];
        const loss_t *loss = losses_find(losses, one->topic);
        if (!loss || loss->not_received <= 0)
            continue;
        index = channel_index(response, channel_name_of(input, part, one), index);
        if (index == response->channel_count)
            continue;
        flows[index].waiting_topics++;
        flows[index].waiting = changes_sum(flows[index].waiting, loss->not_received);
    }
}

void rule_frozen_events(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    const response_t *response = part->reply->response;
    if (response->channel_count == 0 || !part->before || part->changes->counters_restarted ||
        response_is_held_up(response, LATE_SECONDS))
        return;
    flow_t *flows = memory_new(response->channel_count, sizeof *flows);
    find_events(input, part, flows);
    find_waiting(input, part, flows);
    for (size_t i = 0; i < response->channel_count; i++) {
        const flow_t *flow = &flows[i];
        const response_channel_t *channel = &response->channels[i];
        if (flow->has_events || flow->waiting == 0 ||
            !(response_seconds_without_heartbeat(response, channel) < LATE_SECONDS))
            continue;
        const view_t view = view_of(input, part, channel);
        const finding_about_t about = about_of(&view);
        finding_t *finding = findings_report(input->findings, self, &about);
        if (finding->mark == RESPONSE_UNKNOWN)
            finding->mark = flow->waiting;
        /* If no more is pushed, it may be the end of a burst that was lost. */
        if (flow->waiting <= finding->mark)
            finding_needs_polls(finding, finding->polls + 1);
        finding->events = flow->waiting;
        finding_say(finding,
                    "no events from %s reach %s any more, though its heartbeats do: %" PRId64
                    " pushed on %zu stream%s since the last one that arrived",
                    about.publisher, about.subscriber, flow->waiting, flow->waiting_topics,
                    PLURAL(flow->waiting_topics));
        add_evidence(finding, &view);
    }
    free(flows);
}
