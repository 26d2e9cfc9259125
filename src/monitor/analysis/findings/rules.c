#include "monitor/analysis/findings/rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "base/vector.h"
#include "monitor/analysis/findings/rules_agent.h"
#include "monitor/analysis/findings/rules_channels.h"
#include "monitor/analysis/findings/rules_connections.h"
#include "monitor/analysis/findings/rules_consumer.h"
#include "monitor/analysis/findings/rules_losses.h"
#include "monitor/analysis/findings/rules_timing.h"
#include "response/names.h"

/* In the order in which docs/findings.md explains them. */
const rule_t rules[] = {
    /* rules_losses */
    {.name = "overflow",
     .group = "loss",
     .severity = SEVERITY_FAULT,
     .title = "events lost because a queue was full",
     .threshold = 1,
     .unit = "events",
     .counts = true,
     .keep = 30,
     .subscription = rule_overflow},
    {.name = "unnoticed-loss",
     .group = "loss",
     .severity = SEVERITY_FAULT,
     .title = "events lost that their subscriber hasn't noticed yet",
     .threshold = 1,
     .unit = "events",
     .polls = 2,
     .subscription = rule_unnoticed_loss},
    {.name = "not-received",
     .group = "loss",
     .severity = SEVERITY_WARNING,
     .title = "events pushed and not received: on their way, or lost",
     .threshold = 2,
     .unit = "s",
     .holds = true,
     .subscription = rule_not_received},
    {.name = "outage",
     .group = "loss",
     .severity = SEVERITY_FAULT,
     .title = "events lost while there was no connection",
     .threshold = 1,
     .unit = "events",
     .counts = true,
     .keep = 30,
     .subscription = rule_outage},
    {.name = "publisher-restart",
     .group = "loss",
     .severity = SEVERITY_WARNING,
     .title = "a restarted publisher that was subscribed to again late",
     .threshold = 30,
     .unit = "s",
     .keep = 30,
     .agent_only = true,
     .subscription = rule_publisher_restart},
    {.name = "earlier-losses",
     .group = "loss",
     .severity = SEVERITY_WARNING,
     .title = "events lost before the monitor first asked the subscriber",
     .threshold = 1,
     .unit = "events",
     .keep = 30,
     .subscription = rule_earlier_losses},
    {.name = "duplicates",
     .group = "loss",
     .severity = SEVERITY_WARNING,
     .title = "events that come twice, or seem to",
     .threshold = 10,
     .unit = "events",
     .polls = 3,
     .subscription = rule_duplicates},
    {.name = "no-counter",
     .group = "loss",
     .severity = SEVERITY_REMARK,
     .title = "a publisher that doesn't number its events",
     .subscription = rule_no_counter},
    /* rules_consumer */
    {.name = "stuck-callback",
     .group = "stuck",
     .severity = SEVERITY_FAULT,
     .title = "a callback that doesn't return",
     .threshold = 10,
     .unit = "s",
     .agent_only = true,
     .server = rule_stuck_callback},
    {.name = "delayed",
     .group = "stuck",
     .severity = SEVERITY_FAULT,
     .title = "no events are received, because a subscription is being made",
     .threshold = 5,
     .unit = "s",
     .agent_only = true,
     .server = rule_delayed},
    {.name = "slow-callback",
     .group = "stuck",
     .severity = SEVERITY_WARNING,
     .title = "callbacks take nearly all of the time",
     .threshold = 0.8,
     .unit = "of the time",
     .polls = 2,
     .lasts = 5, /* a burst that the queues hold takes some seconds, too */
     .server = rule_slow_callback},
    {.name = "late-heartbeats",
     .group = "stuck",
     .severity = SEVERITY_WARNING,
     .title = "all heartbeats late because of a callback",
     .threshold = 5,
     .unit = "s",
     .keep = 30,
     .agent_only = true,
     .server = rule_late_heartbeats},
    {.name = "error-events",
     .group = "error",
     .severity = SEVERITY_WARNING,
     .title = "errors instead of values",
     .threshold = 3,
     .unit = "events",
     .counts = true,
     .keep = 60,
     .agent_only = true,
     .subscription = rule_error_events},
    /* rules_channels */
    {.name = "silent-channel",
     .group = "channel",
     .severity = SEVERITY_FAULT,
     .title = "an event channel without heartbeats",
     .threshold = 35,
     .unit = "s",
     .holds = true,
     .agent_only = true,
     .channel = rule_silent_channel},
    {.name = "unreachable-endpoint",
     .group = "channel",
     .severity = SEVERITY_FAULT,
     .title = "a publisher whose endpoint its subscriber can't reach",
     .threshold = 12,
     .unit = "s",
     .holds = true,
     .agent_only = true,
     .channel = rule_unreachable_endpoint},
    {.name = "frozen-events",
     .group = "channel",
     .severity = SEVERITY_FAULT,
     .title = "an event channel on which heartbeats arrive, and events don't",
     .threshold = 20,
     .unit = "s",
     .holds = true,
     .agent_only = true,
     .server = rule_frozen_events},
    /* rules_connections */
    {.name = "not-connected",
     .group = "connection",
     .severity = SEVERITY_FAULT,
     .title = "a subscription that can't be made",
     .threshold = 12,
     .unit = "s",
     .holds = true,
     .not_connected = rule_not_connected},
    {.name = "name-mismatch",
     .group = "connection",
     .severity = SEVERITY_FAULT,
     .title = "publisher and subscriber name a stream differently",
     .threshold = 15,
     .unit = "s",
     .holds = true,
     .polls = 2,
     .agent_only = true,
     .subscription = rule_name_mismatch},
    {.name = "expired",
     .group = "connection",
     .severity = SEVERITY_FAULT,
     .title = "a stream that is no longer pushed though somebody listens",
     .polls = 2,
     .agent_only = true,
     .published = rule_expired},
    {.name = "never-pushed",
     .group = "connection",
     .severity = SEVERITY_REMARK,
     .title = "streams that somebody listens to, and that were never pushed",
     .threshold = 3600,
     .unit = "s",
     .holds = true,
     .agent_only = true,
     .server = rule_never_pushed},
    /* rules_timing */
    {.name = "slow-push",
     .group = "push",
     .severity = SEVERITY_WARNING,
     .title = "pushing events takes long",
     .threshold = 0.1,
     .unit = "s",
     .polls = 2,
     .server = rule_slow_push_by_samples,
     .published = rule_slow_push},
    {.name = "clocks",
     .group = "clock",
     .severity = SEVERITY_WARNING,
     .title = "clocks that disagree",
     .threshold = 0.5,
     .unit = "s",
     .polls = 2,
     .agent_only = true,
     .server = rule_clocks_by_events,
     .everything = rule_clocks},
    /* rules_agent */
    {.name = "no-answer",
     .group = "agent",
     .severity = SEVERITY_FAULT,
     .title = "a server that doesn't answer",
     .threshold = 10,
     .unit = "s",
     .holds = true,
     .failed = rule_no_answer},
    {.name = "uncounted",
     .group = "agent",
     .severity = SEVERITY_WARNING,
     .title = "an agent whose tables are full",
     .agent_only = true,
     .server = rule_uncounted},
    {.name = "truncated",
     .group = "agent",
     .severity = SEVERITY_WARNING,
     .title = "an answer that is too large to be whole",
     .agent_only = true,
     .server = rule_truncated},
    {.name = "unknown-topics",
     .group = "agent",
     .severity = SEVERITY_WARNING,
     .title = "events under names that nobody subscribed to",
     .threshold = 10,
     .unit = "s",
     .holds = true,
     .agent_only = true,
     .server = rule_unknown_topics},
    {.name = "unwatched",
     .group = "agent",
     .severity = SEVERITY_REMARK,
     .title = "an agent that can't watch everything",
     .agent_only = true,
     .everything = rule_unwatched},
    {.name = "old-agent",
     .group = "agent",
     .severity = SEVERITY_REMARK,
     .title = "an agent older than this monitor",
     .agent_only = true,
     .everything = rule_old_agent},
    {.name = "monitoring-left-on",
     .group = "agent",
     .severity = SEVERITY_REMARK,
     .title = "performance monitoring that somebody left on",
     .threshold = 3600,
     .unit = "s",
     .holds = true,
     .server = rule_monitoring_left_on},
};

const size_t rules_count = sizeof rules / sizeof *rules;

const rule_t *rules_find(const char *name)
{
    for (size_t i = 0; i < rules_count; i++)
        if (strcmp(rules[i].name, name) == 0)
            return &rules[i];
    return NULL;
}

static void add_word(vector_t *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(((const char **)words->items)[i], word) == 0)
            return;
    *(const char **)vector_add(words) = word;
}

char *rules_nearest(const char *misspelt, const char *const *further)
{
    vector_t words = {.item_size = sizeof(char *)};
    for (size_t i = 0; i < rules_count; i++)
        add_word(&words, rules[i].name);
    for (size_t i = 0; i < rules_count; i++)
        add_word(&words, rules[i].group);
    for (; further && *further; further++)
        add_word(&words, *further);
    char *nearest = nearest_words(misspelt, words.items, words.count);
    free(words.items);
    return nearest;
}

/* ---- settings ---- */

static char *no_such_rule(const char *name)
{
    char *nearest = rules_nearest(name, NULL);
    char *error = memory_format("there is no rule '%s'%s%s", name, nearest ? ": perhaps " : "",
                                nearest ? nearest : "");
    free(nearest);
    return error;
}

bool rule_settings_set(rule_settings_t *self, const char *assignment, char **error)
{
    *error = NULL;
    const char *equals = strchr(assignment, '=');
    char *name =
        memory_copy(assignment, equals ? (size_t)(equals - assignment) : strlen(assignment));
    const rule_t *rule = rules_find(name);
    char *end = NULL;
    const double value = equals ? strtod(equals + 1, &end) : NAN;
    const bool is_number = equals && end > equals + 1 && *end == '\0' && isfinite(value) &&
                           strchr("0123456789.", equals[1]) &&
                           equals[1 + strspn(equals + 1, "0123456789.eE+-")] == '\0';
    if (!equals)
        *error = memory_format("'%s' is not RULE=VALUE", assignment);
    else if (!rule)
        *error = no_such_rule(name);
    else if (!rule->unit)
        *error = memory_format("the rule '%s' has no threshold", name);
    else if (!is_number)
        *error = memory_format("the threshold of '%s' is a number of at least 0 (%s), not '%s'",
                               name, rule->unit, equals + 1);
    free(name);
    if (*error)
        return false;
    if (!self->thresholds) {
        self->thresholds = memory_new(rules_count, sizeof *self->thresholds);
        for (size_t i = 0; i < rules_count; i++)
            self->thresholds[i] = rules[i].threshold;
    }
    self->thresholds[rule - rules] = value;
    return true;
}

void rule_settings_clear(rule_settings_t *self)
{
    free(self->thresholds);
    self->thresholds = NULL;
}

double rule_threshold(const rule_t *self, const rule_settings_t *settings)
{
    const ptrdiff_t index = self - rules;
    const bool is_of_table = index >= 0 && (size_t)index < rules_count;
    return settings && settings->thresholds && is_of_table ? settings->thresholds[index]
                                                           : self->threshold;
}

/* ---- for rules ---- */

const char *rules_counted_since(const response_t *response)
{
    return response_is_late(response) ? "the agent was attached" : "the server started";
}

const char *rules_publisher(const rules_input_t *input, const char *stream,
                            const char *channel_name)
{
    const published_stream_t *publisher = published_find(input->published, stream);
    return publisher && publisher->server != PUBLISHED_BY_SEVERAL
               ? input->snapshot->replies[publisher->server].server
               : channel_name;
}

/* ---- going through an observation ---- */

/*
 * Lists of two answers are sorted by name. Goes on in the earlier one to that name; at is where it
 * is there. Returns the entry, or NULL.
 */
static const void *entry_before(const void *list, size_t count, size_t size, size_t *at,
                                const char *name)
{
    while (*at < count) {
        const void *entry = (const char *)list + *at * size;
        const int order = strcmp(*(char *const *)entry, name); /* an entry begins with its name */
        if (order == 0)
            return entry;
        if (order > 0)
            return NULL;
        (*at)++;
    }
    return NULL;
}

/* The previous answer, if counts can be compared with it. */
static const response_t *comparable(const server_part_t *part)
{
    return part->changes->counters_restarted ? NULL : part->before;
}

static void apply_to_subscription(const rules_input_t *input,
                                  const rule_subscription_t *subscription)
{
    for (size_t i = 0; i < rules_count; i++)
        if (rules[i].subscription)
            rules[i].subscription(&rules[i], input, subscription);
}

static void apply_to_subscriptions(const rules_input_t *input, const server_part_t *part,
                                   const server_losses_t *losses)
{
    const response_t *now = part->reply->response;
    const response_t *before = comparable(part);
    size_t at = 0;
    size_t row = 0;
    for (size_t i = 0; i < now->subscription_count; i++) {
        const response_subscription_t *one = &now->subscriptions[i];
        while (row < part->subscription_count &&
               strcmp(part->subscriptions[row].topic, one->topic) < 0)
            row++;
        const bool has_row = row < part->subscription_count &&
                             strcmp(part->subscriptions[row].topic, one->topic) == 0;
        char *stream = names_stream_of_topic(one->topic);
        const published_stream_t *publisher = published_find(input->published, stream);
        const rule_subscription_t subscription = {
            .part = part,
            .now = one,
            .before = before ? entry_before(before->subscriptions, before->subscription_count,
                                            sizeof *one, &at, one->topic)
                             : NULL,
            .row = has_row ? &part->subscriptions[row] : NULL,
            .loss = losses_find(losses, one->topic),
            .publisher = publisher,
            .respelled =
                publisher ? NULL
                          : published_find_respelled(input->published, stream, one->channel_name),
            .channel = response_channel(now, one->channel_name),
            .stream = stream,
        };
        apply_to_subscription(input, &subscription);
        free(stream);
    }
}

static void apply_to_published(const rules_input_t *input, const server_part_t *part)
{
    const response_t *now = part->reply->response;
    const response_t *before = comparable(part);
    size_t at = 0;
    size_t row = 0;
    for (size_t i = 0; i < now->publisher_count; i++) {
        const response_publisher_t *one = &now->publishers[i];
        while (row < part->published_count && strcmp(part->published[row].name, one->name) < 0)
            row++;
        const bool has_row =
            row < part->published_count && strcmp(part->published[row].name, one->name) == 0;
        const rule_published_t published = {
            .part = part,
            .now = one,
            .before = before ? entry_before(before->publishers, before->publisher_count,
                                            sizeof *one, &at, one->name)
                             : NULL,
            .row = has_row ? &part->published[row] : NULL,
        };
        for (size_t j = 0; j < rules_count; j++)
            if (rules[j].published)
                rules[j].published(&rules[j], input, &published);
    }
}

static void apply_to_channels(const rules_input_t *input, const server_part_t *part)
{
    const response_t *now = part->reply->response;
    const response_t *before = comparable(part);
    for (size_t i = 0; i < now->channel_count; i++) {
        const response_channel_t *one = &now->channels[i];
        for (size_t j = 0; j < rules_count; j++)
            if (rules[j].channel)
                rules[j].channel(&rules[j], input, part, one,
                                 before ? response_channel(before, one->name) : NULL);
    }
}

static void apply_to_not_connected(const rules_input_t *input, const server_part_t *part)
{
    const response_t *now = part->reply->response;
    const response_t *before = comparable(part);
    for (size_t i = 0; i < now->not_connected_count; i++) {
        const response_not_connected_t *one = &now->not_connected[i];
        const response_not_connected_t *last =
            before && before->not_connected_count > 0
                ? bsearch(one, before->not_connected, before->not_connected_count, sizeof *one,
                          response_compare_not_connected)
                : NULL;
        for (size_t j = 0; j < rules_count; j++)
            if (rules[j].not_connected)
                rules[j].not_connected(&rules[j], input, part, one, last);
    }
}

void rules_apply(const rules_input_t *input)
{
    for (size_t i = 0; i < input->comparison->part_count; i++) {
        const server_part_t *part = &input->comparison->parts[i];
        for (size_t j = 0; j < rules_count; j++) {
            if (!part->changes && rules[j].failed)
                rules[j].failed(&rules[j], input, part);
            if (part->changes && rules[j].server)
                rules[j].server(&rules[j], input, part);
        }
        if (!part->changes)
            continue;
        apply_to_subscriptions(input, part,
                               losses_of_server(input->losses, part->reply->server, i));
        apply_to_published(input, part);
        apply_to_channels(input, part);
        apply_to_not_connected(input, part);
    }
    for (size_t j = 0; j < rules_count; j++)
        if (rules[j].everything)
            rules[j].everything(&rules[j], input);
}
