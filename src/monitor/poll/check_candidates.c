#include "monitor/poll/check_candidates.h"

/* A heartbeat is due every 10 s. */
#define LATE_SECONDS 15

/*
 * A channel without a heartbeat so far may be new. Of answers that don't count heartbeats, nothing
 * is known.
 */
static bool channel_is_in_trouble(const response_t *response, const response_channel_t *channel,
                                  double *seconds)
{
    *seconds = channel->counts.heartbeat_count == 0 ? LATE_SECONDS : 0;
    return channel->counts.heartbeat_count == 0 ||
           response_seconds_without_heartbeat(response, channel) > LATE_SECONDS;
}

static bool find_channels(const response_t *response, check_candidate_t take, void *context)
{
    bool more = true;
    if (response_is_held_up(response, LATE_SECONDS))
        return true; /* what it hasn't received may have come */
    for (size_t i = 0; i < response->channel_count && more; i++) {
        const response_channel_t *channel = &response->channels[i];
        double seconds = 0;
        if (!channel_is_in_trouble(response, channel, &seconds))
            continue;
        more = take(context, CHECK_DEVICE, channel->name, seconds);
        if (channel->endpoint)
            more |= take(context, CHECK_ENDPOINT, channel->endpoint, seconds);
        if (channel->event_endpoint)
            more |= take(context, CHECK_ENDPOINT, channel->event_endpoint, seconds);
    }
    return more;
}

void check_candidates_find(const snapshot_t *snapshot, check_candidate_t take, void *context)
{
    bool more = true;
    for (size_t i = 0; i < snapshot->reply_count && more; i++)
        if (snapshot->replies[i].response)
            more = find_channels(snapshot->replies[i].response, take, context);
}
