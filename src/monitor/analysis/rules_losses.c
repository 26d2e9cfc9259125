#include "monitor/analysis/rules_losses.h"

#include <inttypes.h>

void rule_overflow(const rule_t *self, const rules_input_t *input,
                   const rule_subscription_t *subscription)
{
    const loss_t *loss = subscription->loss;
    if (!loss || loss->step <= 0 || (double)loss->step < rule_threshold(self, input->settings))
        return;
    const published_stream_t *publisher = subscription->publisher;
    const bool watched = publisher && publisher->server != PUBLISHED_BY_SEVERAL;
    const finding_about_t about = {
        .server = subscription->part->reply->server,
        .stream = subscription->stream,
        .publisher = watched ? input->snapshot->replies[publisher->server].server
                             : subscription->now->channel_name,
        .subscriber = subscription->part->reply->server,
    };
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_add_events(finding, loss->step);
    finding_say(finding, "lost %" PRId64 " events on %s", finding->events, subscription->stream);
}
