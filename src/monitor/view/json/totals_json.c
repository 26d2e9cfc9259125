#include "monitor/view/json/totals_json.h"

#include <stdlib.h>

#include "base/json_output.h"
#include "monitor/analysis/findings/finding_json.h"
#include "monitor/view/ranking.h"
#include "monitor/view/shown.h"

static void write_losses(json_output_t *json, const total_t *total, bool unknown)
{
    json_output_count(json, "lost", unknown ? RESPONSE_UNKNOWN : total->received.lost_event_count);
    json_output_boolean(json, "lost_is_minimum", !unknown && total->lost_is_minimum);
    json_output_boolean(json, "lost_is_derived", !unknown && total->is_derived);
    json_output_count(json, "not_received",
                      total->knows_not_received ? total_not_received(total) : RESPONSE_UNKNOWN);
}

static void write_counters(json_output_t *json, const total_t *total, total_kind_t kind)
{
    const bool pushed = kind == TOTAL_PUBLISHED;
    const counters_t *counters = pushed ? &counters_of_publisher : &counters_of_subscription;
    const void *counts = pushed ? (const void *)&total->pushed : &total->received;
    for (size_t i = 0; i < counters->count; i++) {
        const counter_t *counter = &counters->list[i];
        if (!counter->in_totals)
            continue;
        if (counter->kind == COUNTER_LOST)
            write_losses(json, total, total_lost_is_unknown(total));
        else
            json_output_count(json, counter->json, counter_of(counter, counts));
    }
}

static void write_rows(json_output_t *json, const ranking_totals_t *rows, total_kind_t kind)
{
    for (size_t i = 0; i < rows->count; i++) {
        const total_t *total = rows->rows[i];
        if (total->kind != kind)
            continue;
        json_output_open(json, NULL, '{');
        json_output_string(json, "server", total->server);
        if (kind == TOTAL_SERVER) {
            json_output_count(json, "polls", total->polls);
            json_output_count(json, "failures", total->failures);
            json_output_count(json, "restarts", total->restarts);
        } else {
            json_output_string(json, kind == TOTAL_PUBLISHED ? "stream" : "topic", total->name);
            write_counters(json, total, kind);
        }
        json_output_close(json, '}');
    }
}

/* null where every stream has a row. */
static void write_rest(json_output_t *json, const char *key, const totals_t *totals,
                       total_kind_t kind)
{
    const totals_rest_t *rest = totals_rest_of(totals, kind);
    if (rest->streams == 0) {
        json_output_string(json, key, NULL);
        return;
    }
    json_output_open(json, key, '{');
    json_output_count(json, "streams", (int64_t)rest->streams);
    write_counters(json, &rest->sum, kind);
    json_output_close(json, '}');
}

static void write_findings(json_output_t *json, const findings_t *findings, const filter_t *filter)
{
    size_t count = 0;
    const finding_t *const *all = findings ? findings_of_run(findings, &count) : NULL;
    json_output_open(json, "findings", '[');
    for (size_t i = 0; i < count; i++)
        if (!filter || shown_takes(filter, all[i]))
            finding_json_write(json, NULL, all[i]);
    json_output_close(json, ']');
}

void totals_json_write(FILE *out, const totals_t *self, const findings_t *findings,
                       const filter_t *filter, size_t left_out)
{
    json_output_t json = {.out = out};
    const totals_sums_t sums = totals_sum_up(self);
    ranking_totals_t rows = ranking_of_totals(self);
    json_output_open(&json, NULL, '{');
    json_output_time(&json, "time", &sums.last);
    json_output_open(&json, "totals", '{');
    json_output_count(&json, "polls", (int64_t)sums.polls);
    json_output_real(&json, "seconds", sums.seconds);
    json_output_count(&json, "failures", sums.sum.failures);
    json_output_count(&json, "summaries_left_out", (int64_t)left_out);
    write_losses(&json, &sums.sum, sums.subscriptions == 0 || total_lost_is_unknown(&sums.sum));
    json_output_open(&json, "servers", '[');
    write_rows(&json, &rows, TOTAL_SERVER);
    json_output_close(&json, ']');
    json_output_open(&json, "published", '[');
    write_rows(&json, &rows, TOTAL_PUBLISHED);
    json_output_close(&json, ']');
    json_output_open(&json, "subscriptions", '[');
    write_rows(&json, &rows, TOTAL_SUBSCRIBED);
    json_output_close(&json, ']');
    write_rest(&json, "more_published", self, TOTAL_PUBLISHED);
    write_rest(&json, "more_subscriptions", self, TOTAL_SUBSCRIBED);
    write_findings(&json, findings, filter);
    json_output_close(&json, '}');
    json_output_close(&json, '}');
    free(rows.rows);
}
