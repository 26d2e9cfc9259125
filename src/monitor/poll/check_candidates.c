#include "monitor/poll/check_candidates.h"

#include <stdint.h>
#include <stdlib.h>

/* A heartbeat is due every 9 s. */
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

/* maximum: so many channels. */
static bool find_channels(const response_t *response, size_t maximum, check_candidate_t take,
                          void *context)
{
    bool more = true;
    size_t found = 0;
    if (response_is_held_up(response, LATE_SECONDS))
        return true; /* what it hasn't received may have come */
    for (size_t i = 0; i < response->channel_count && more && found < maximum; i++) {
        const response_channel_t *channel = &response->channels[i];
        double seconds = 0;
        if (!channel_is_in_trouble(response, channel, &seconds))
            continue;
        found++;
        more = take(context, CHECK_DEVICE, channel->name, seconds);
        if (channel->endpoint)
            more |= take(context, CHECK_ENDPOINT, channel->endpoint, seconds);
        if (channel->event_endpoint)
            more |= take(context, CHECK_ENDPOINT, channel->event_endpoint, seconds);
    }
    return more;
}

/* Tango tries to make such a subscription every 10 s: at first it may simply not have succeeded
 * yet. */
#define NEW_SECONDS 5

static void find_subscriptions(const reply_t *reply, size_t maximum, check_candidate_t take,
                               void *context)
{
    const response_t *response = reply->response;
    bool more = true;
    for (size_t i = 0; i < response->not_connected_count && more && i < maximum; i++) {
        char *subject = checks_attribute_subject(reply->server, &response->not_connected[i]);
        more = !subject || take(context, CHECK_ATTRIBUTE, subject, NEW_SECONDS);
        free(subject);
    }
}

static void find(const snapshot_t *snapshot, size_t maximum, check_candidate_t take, void *context)
{
    bool more = true;
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const reply_t *reply = &snapshot->replies[i];
        if (!reply->response)
            continue;
        more = more && find_channels(reply->response, maximum, take, context);
        find_subscriptions(reply, maximum, take, context);
    }
}

/* So many of each server come before all others. */
enum { FIRST_OF_EACH = 4 };

void check_candidates_find(const snapshot_t *snapshot, check_candidate_t take, void *context)
{
    find(snapshot, FIRST_OF_EACH, take, context);
    find(snapshot, SIZE_MAX, take, context);
}
