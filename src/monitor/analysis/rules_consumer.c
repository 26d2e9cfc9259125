#include "monitor/analysis/rules_consumer.h"

void rule_stuck_callback(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    const response_consumer_t *consumer = &part->reply->response->consumer;
    if (!consumer->topic || !(consumer->state_micros > rule_threshold(self, input->settings) * 1e6))
        return;
    const char *server = part->reply->server;
    const finding_about_t about = {
        .server = server, .subscriber = server, .object = consumer->topic};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding,
                "a callback of %s has been running for %.0f s in %s: it receives nothing meanwhile",
                consumer->topic, consumer->state_micros / 1e6, server);
}
