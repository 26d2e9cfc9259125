#include "monitor/analysis/rules_agent.h"

void rule_no_answer(const rule_t *self, const rules_input_t *input, const server_part_t *part)
{
    const char *server = part->reply->server;
    const finding_about_t about = {.server = server};
    finding_t *finding = findings_report(input->findings, self, &about);
    finding_say(finding, "%s doesn't answer", server);
    finding_evidence(finding, "%s", part->reply->error ? part->reply->error : "no answer");
}
