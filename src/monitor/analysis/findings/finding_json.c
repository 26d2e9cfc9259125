#include "monitor/analysis/findings/finding_json.h"

#include "monitor/analysis/findings/rules.h"

void finding_json_write(json_output_t *json, const char *key, const finding_t *finding)
{
    json_output_open(json, key, '{');
    finding_json_write_members(json, finding);
    json_output_close(json, '}');
}

void finding_json_write_members(json_output_t *json, const finding_t *finding)
{
    const finding_about_t *about = &finding->about;
    json_output_string(json, "rule", finding->rule->name);
    json_output_string(json, "group", finding->rule->group);
    json_output_string(json, "severity", severity_name(finding->severity));
    json_output_string(json, "state", finding_state_name(finding->state));
    json_output_string(json, "identity", finding->identity);
    json_output_string(json, "stream", about->stream);
    json_output_string(json, "publisher", about->publisher);
    json_output_string(json, "subscriber", about->subscriber);
    json_output_string(json, "server", about->server);
    json_output_string(json, "object", about->object);
    json_output_count(json, "events", finding->events);
    json_output_boolean(json, "events_is_minimum", finding->events_is_minimum);
    json_output_count(json, "of_events", finding->among);
    json_output_time(json, "since", &finding->since);
    json_output_time(json, "seen", &finding->seen);
    json_output_real(json, "seconds", finding_seconds(finding));
    json_output_count(json, "times", (int64_t)finding->times);
    json_output_count(json, "events_in_all", finding->events_in_all);
    json_output_real(json, "seconds_in_all", finding->seconds_in_all);
    json_output_string(json, "text", finding->text);
    json_output_open(json, "evidence", '[');
    for (size_t i = 0; i < finding->evidence_count; i++)
        json_output_string(json, NULL, finding->evidence[i]);
    json_output_close(json, ']');
    json_output_string(json, "advice", finding->advice);
}
