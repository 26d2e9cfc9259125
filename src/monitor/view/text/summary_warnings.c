#include <inttypes.h>

#include "monitor/view/text/summary_parts.h"

/* How many events arrived since the previous answer under names that nobody subscribed to. */
static int64_t unknown_topic_events(const server_part_t *part)
{
    const int64_t now = part->reply->response->agent_counts.unknown_topic_event_count;
    const int64_t before = part->before && !part->changes->counters_restarted
                               ? part->before->agent_counts.unknown_topic_event_count
                               : 0;
    return now > before ? now - (before > 0 ? before : 0) : 0;
}

static bool is_truncated(const response_truncated_t *truncated)
{
    return truncated->event_counters > 0 || truncated->event_streams > 0 ||
           truncated->event_callbacks > 0 || truncated->not_connected > 0 ||
           truncated->event_channels > 0;
}

static void print_left_out(const summary_t *self, const response_truncated_t *truncated)
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
    const size_t count = sizeof lists / sizeof *lists;
    size_t last = 0;
    for (size_t i = 0; i < count; i++)
        last = lists[i].count > 0 ? i : last;
    const char *separator = "; ";
    bool many = false;
    fputs("  NOT SHOWN: the answer would be too large", self->out);
    for (size_t i = 0; i < count; i++) {
        if (lists[i].count <= 0)
            continue;
        const bool first = *separator == ';';
        many = lists[i].count > 1 || !first;
        fprintf(self->out, "%s%" PRId64 " %s", !first && i == last ? " and " : separator,
                lists[i].count, lists[i].count == 1 ? lists[i].one : lists[i].many);
        separator = ", ";
    }
    fprintf(self->out, " %s left out\n", many ? "are" : "is");
}

bool summary_has_warnings(const server_part_t *part)
{
    const response_t *response = part->reply->response;
    return response->agent_counts.uncounted > 0 || unknown_topic_events(part) > 0 ||
           is_truncated(&response->truncated);
}

void summary_print_warnings(const summary_t *self, const server_part_t *part)
{
    const response_t *response = part->reply->response;
    const response_truncated_t *truncated = &response->truncated;
    if (response->agent_counts.uncounted > 0) {
        fprintf(self->out, "  NOT COUNTED %" PRId64 " times: the agent's tables are full\n",
                response->agent_counts.uncounted);
    }
    if (unknown_topic_events(part) > 0) {
        fprintf(self->out,
                "  NOT COUNTED: %" PRId64 " events under names that this server has no "
                "subscription for\n",
                unknown_topic_events(part));
    }
    if (is_truncated(truncated))
        print_left_out(self, truncated);
}
