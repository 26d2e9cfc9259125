#include "monitor/view/diagnosis/diagnosis_json.h"

#include <stdlib.h>

#include "base/json_output.h"
#include "monitor/analysis/findings/explanation.h"
#include "monitor/analysis/findings/finding_json.h"

static void write_servers(json_output_t *json, const diagnosis_result_t *result)
{
    json_output_open(json, "servers", '[');
    for (size_t i = 0; i < result->server_count; i++) {
        const diagnosis_server_t *server = &result->servers[i];
        json_output_open(json, NULL, '{');
        json_output_string(json, "server", server->server);
        json_output_string(json, "state", server->error ? "failed" : "answered");
        json_output_string(json, "error", server->error);
        json_output_string(json, "source",
                           server->answers > 0 ? response_dialect_name(server->dialect) : NULL);
        json_output_count(json, "polls", (int64_t)server->polls);
        json_output_count(json, "failures", (int64_t)(server->polls - server->answers));
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
}

static void write_untold(json_output_t *json, const diagnosis_result_t *result)
{
    json_output_open(json, "rules_without_answer", '[');
    for (size_t i = 0; i < rules_count; i++)
        if (diagnosis_untold(result, &rules[i]) > 0)
            json_output_string(json, NULL, rules[i].name);
    json_output_close(json, ']');
    json_output_open(json, "servers_with_late_agent", '[');
    for (size_t i = 0; i < result->server_count; i++)
        if (result->servers[i].late_since)
            json_output_string(json, NULL, result->servers[i].server);
    json_output_close(json, ']');
    json_output_open(json, "servers_without_agent", '[');
    for (size_t i = 0; i < result->server_count; i++)
        if (result->servers[i].answers > 0 && result->servers[i].dialect != RESPONSE_AGENT)
            json_output_string(json, NULL, result->servers[i].server);
    json_output_close(json, ']');
}

static void write_findings(json_output_t *json, const diagnosis_result_t *result,
                           const fail_on_t *fail_on)
{
    json_output_open(json, "findings", '[');
    for (size_t i = 0; i < result->finding_count; i++) {
        json_output_open(json, NULL, '{');
        finding_json_write_members(json, result->findings[i]);
        json_output_boolean(json, "counts", fail_on_counts(fail_on, result->findings[i]));
        json_output_close(json, '}');
    }
    json_output_close(json, ']');
    json_output_count(json, "findings_left_out", (int64_t)result->left_out);
}

static void write_suspected(json_output_t *json, const diagnosis_result_t *result)
{
    json_output_open(json, "suspected", '[');
    for (size_t i = 0; i < result->suspected_count; i++)
        finding_json_write(json, NULL, result->suspected[i]);
    json_output_close(json, ']');
}

/* Of the rules that found something. */
static void write_explanations(json_output_t *json, const diagnosis_result_t *result)
{
    json_output_open(json, "explanations", '{');
    for (size_t i = 0; i < rules_count; i++) {
        bool found = false;
        for (size_t j = 0; j < result->finding_count && !found; j++)
            found = result->findings[j]->rule == &rules[i];
        if (!found)
            continue;
        char *text = explanation_text(&rules[i], 0);
        json_output_string(json, rules[i].name, text);
        free(text);
    }
    json_output_close(json, '}');
}

void diagnosis_json_write(FILE *out, const diagnosis_result_t *result, const fail_on_t *fail_on)
{
    json_output_t json = {.out = out};
    json_output_open(&json, NULL, '{');
    if (result->polls > 0)
        json_output_time(&json, "time", &result->last);
    else
        json_output_string(&json, "time", NULL);
    json_output_string(&json, "verdict", verdict_name(result->verdict));
    json_output_real(&json, "seconds", result->seconds);
    json_output_count(&json, "polls", (int64_t)result->polls);
    for (int severity = SEVERITY_FAULT; severity >= SEVERITY_REMARK; severity--) {
        static const char *const keys[] = {[SEVERITY_REMARK] = "remarks",
                                           [SEVERITY_WARNING] = "warnings",
                                           [SEVERITY_FAULT] = "faults"};
        json_output_count(&json, keys[severity], (int64_t)result->severities[severity]);
    }
    json_output_count(&json, "counting", (int64_t)result->counting);
    json_output_count(&json, "streams", (int64_t)result->streams);
    json_output_count(&json, "subscriptions", (int64_t)result->subscriptions);
    json_output_count(&json, "pushed", result->pushed);
    json_output_count(&json, "received", result->received);
    json_output_count(&json, "lost", result->lost);
    json_output_boolean(&json, "lost_is_minimum", result->lost_is_minimum);
    json_output_boolean(&json, "lost_is_derived", result->lost_is_derived);
    write_servers(&json, result);
    write_untold(&json, result);
    write_findings(&json, result, fail_on);
    write_suspected(&json, result);
    write_explanations(&json, result);
    json_output_close(&json, '}');
    putc('\n', out);
}
