#include "monitor/analysis/findings/rules_agent.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/reasons.h"
#include "response/names.h"

static bool begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

void rule_no_answer(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    static const char none[] = "no answer";
    const char *error = part->reply->error ? part->reply->error : none;
    /* Nothing is known to be wrong with it; but it was named, so the verdict is left open. */
    const bool is_unasked =
        begins_with(error, REASON_NO_COMMAND) || strcmp(error, REASON_NO_DEVICE) == 0 ||
        begins_with(error, REASON_NO_AGENT) || begins_with(error, REASON_NO_CLIENT);
    const char *server = part->reply->server;
    /* Scripts and GUIs end, as they should. */
    const bool is_over = strcmp(error, REASON_STOPPED) == 0 ||
                         (names_is_client(server) && begins_with(error, REASON_ENDED));
    if (is_over || is_unasked || part->reply->is_missing)
        return;
    const finding_about_t about = {.server = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    if (strncmp(error, none, sizeof none - 1) == 0)
        finding_say(finding, "no answer from %s%s", server, error + sizeof none - 1);
    else
        finding_say(finding, "no answer from %s: %s", server, error);
    finding_evidence(finding, "it didn't answer at %u poll%s in a row", finding->polls,
                     PLURAL(finding->polls));
    if (!begins_with(error, REASON_COMMAND_GONE))
        return;
    finding->severity = SEVERITY_WARNING;
    finding_say(finding, "%s can't be watched any more: %s", server, error);
    finding_advise(finding, "It runs. Load the agent into it as it is, with ska-tango-event-agent "
                            "attach on its host; have it started with the agent, if it is to be "
                            "watched from its start.");
}

void rule_uncounted(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    const int64_t uncounted = part->reply->response->agent_counts.uncounted;
    if (uncounted <= 0)
        return;
    const char *server = part->reply->server;
    const finding_about_t about = {.server = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding,
                "the agent in %s has more streams than its tables hold: not all of its events are "
                "counted",
                server);
    finding_evidence(finding, "not counted %" PRId64 " time%s since %s", uncounted,
                     PLURAL(uncounted), rules_counted_since(part->reply->response));
}

/* "3 published streams and 31 subscriptions"; the caller frees it. NULL: the answer is whole. */
static char *left_out_text(const response_truncated_t *truncated)
{
    const struct {
        int64_t count;
        const char *one;
        const char *many;
    } lists[] = {
        {truncated->event_counters, "event counter", "event counters"},
        {truncated->event_streams, "published stream", "published streams"},
        {truncated->event_callbacks, "subscription", "subscriptions"},
        {truncated->not_connected, "subscription that is not connected",
         "subscriptions that are not connected"},
        {truncated->event_channels, "event channel", "event channels"},
    };
    char *text = NULL;
    for (size_t i = sizeof lists / sizeof *lists; i-- > 0;) {
        if (lists[i].count <= 0)
            continue;
        char *longer = memory_format("%" PRId64 " %s%s%s", lists[i].count,
                                     lists[i].count == 1 ? lists[i].one : lists[i].many,
                                     !text                   ? ""
                                     : strstr(text, " and ") ? ", "
                                                             : " and ",
                                     text ? text : "");
        free(text);
        text = longer;
    }
    return text;
}

void rule_truncated(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    char *left_out = left_out_text(&part->reply->response->truncated);
    if (!left_out)
        return;
    const char *server = part->reply->server;
    const finding_about_t about = {.server = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding, "the answer of %s would be too large, and lacks %s", server, left_out);
    finding_evidence(finding, "the other rules don't see what it lacks");
    free(left_out);
}

void rule_unknown_topics(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    if (!part->before || part->changes->counters_restarted)
        return;
    /* Of some subscriptions that are older than itself, a late agent doesn't know. */
    if (response_is_late(part->reply->response))
        return;
    const int64_t before = part->before->agent_counts.unknown_topic_event_count;
    const int64_t now = part->reply->response->agent_counts.unknown_topic_event_count;
    if (before == RESPONSE_UNKNOWN || now <= before)
        return;
    const char *server = part->reply->server;
    const finding_about_t about = {.server = server, .subscriber = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_add_events(finding, now - before);
    finding_say(finding,
                "%s receives events under names that it never subscribed to: %" PRId64 " so far",
                server, finding->events);
    finding_evidence(finding,
                     "%" PRId64 " since the previous answer, %" PRId64 " since the server started",
                     now - before, now);
}

/* ---- of several servers at once ---- */

typedef const char *kind_of_t(const response_t *response);

/*
 * Names the servers of one kind, a few of them: "a and b", "a, b and 5 more". The caller frees it.
 */
static char *name_servers(const rules_input_t *input, kind_of_t *kind_of, const char *kind,
                          size_t *count)
{
    enum { NAMED = 3 };
    const char *named[NAMED] = {NULL};
    *count = 0;
    for (size_t i = 0; i < input->comparison->part_count; i++) {
        const reply_t *reply = input->comparison->parts[i].reply;
        const char *its = reply->response ? kind_of(reply->response) : NULL;
        if (!its || strcmp(its, kind) != 0)
            continue;
        if (*count < NAMED)
            named[*count] = reply->server;
        ++*count;
    }
    if (*count > NAMED)
        return memory_format("%s, %s and %zu more", named[0], named[1], *count - 2);
    return memory_format("%s%s%s%s%s", named[0],
                         *count == 3   ? ", "
                         : *count == 2 ? " and "
                                       : "",
                         *count >= 2 ? named[1] : "", *count == 3 ? " and " : "",
                         *count == 3 ? named[2] : "");
}

/* So many kinds are looked at, whatever hostile servers say. */
enum { MAXIMUM_KINDS = 8 };

/* Calls report for each kind of server. */
static void for_each_kind(const rule_t *self, const rules_input_t *input, kind_of_t *kind_of,
                          void (*report)(const rule_t *self, const rules_input_t *input,
                                         const char *kind, const char *servers, size_t count))
{
    const char *seen[MAXIMUM_KINDS];
    size_t seen_count = 0;
    for (size_t i = 0; i < input->comparison->part_count && seen_count < MAXIMUM_KINDS; i++) {
        const response_t *response = input->comparison->parts[i].reply->response;
        const char *kind = response ? kind_of(response) : NULL;
        bool is_new = kind != NULL;
        for (size_t j = 0; is_new && j < seen_count; j++)
            is_new = strcmp(seen[j], kind) != 0;
        if (!is_new)
            continue;
        seen[seen_count++] = kind;
        size_t count = 0;
        char *servers = name_servers(input, kind_of, kind, &count);
        report(self, input, kind, servers, count);
        free(servers);
    }
}

static const char *unwatched_of(const response_t *response)
{
    return response->agent_unwatched;
}

static void report_unwatched(const rule_t *self, const rules_input_t *input, const char *kind,
                             const char *servers, size_t count)
{
    const finding_about_t about = {.object = kind};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding, "the agent in %s can't watch: %s", servers, kind);
    finding_evidence(finding, "%zu %s", count, count == 1 ? "server" : "servers");
}

void rule_unwatched(const rule_t *self, const rules_input_t *input)
{
    for_each_kind(self, input, unwatched_of, report_unwatched);
}

/* The version of an agent that lacks what later ones say: first of all, what time it is. */
static const char *old_version_of(const response_t *response)
{
    const bool is_old = response->dialect == RESPONSE_AGENT && !response->agent_time;
    return is_old ? response->agent_version : NULL;
}

static void report_old_agent(const rule_t *self, const rules_input_t *input, const char *kind,
                             const char *servers, size_t count)
{
    const finding_about_t about = {.object = kind};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding,
                "the agent in %s is older than this monitor (%s): it doesn't say what time it is "
                "there, nor what it can't watch",
                servers, kind);
    finding_evidence(finding, "%zu %s with agent %s", count, count == 1 ? "server" : "servers",
                     kind);
}

void rule_old_agent(const rule_t *self, const rules_input_t *input)
{
    for_each_kind(self, input, old_version_of, report_old_agent);
}

/* ---- performance monitoring ---- */

/* In a recording, it may have been whoever recorded. */
void rule_monitoring_left_on(const rule_t *self, const rules_input_t *input,
                             const server_part_t *part)
{
    const response_t *response = part->reply->response;
    const bool is_on = (response->has_server && response->push_perf_on) ||
                       (response->has_client && response->receive_perf_on);
    if (!is_on || input->snapshot->is_recorded ||
        (input->settings && input->settings->switches_perf))
        return;
    const char *server = part->reply->server;
    const finding_about_t about = {.server = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding,
                "performance monitoring is on in %s, and it wasn't this monitor that "
                "switched it on",
                server);
}
