#include "monitor/analysis/rules_agent.h"

#include <inttypes.h>
#include <string.h>

#include "base/reasons.h"

void rule_no_answer(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    const char *error = part->reply->error ? part->reply->error : "no answer";
    if (strcmp(error, REASON_STOPPED) == 0)
        return;
    const char *server = part->reply->server;
    const finding_about_t about = {.server = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding, "no answer from %s: %s", server, error);
    finding_evidence(finding, "%s", error);
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
    finding_evidence(finding, "not counted %" PRId64 " times since the server started", uncounted);
}
