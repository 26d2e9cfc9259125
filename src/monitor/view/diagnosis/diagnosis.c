#include "monitor/view/diagnosis/diagnosis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/name_index.h"
#include "base/reasons.h"
#include "base/timespec.h"
#include "base/vector.h"
#include "monitor/analysis/findings/explanation.h"
#include "monitor/view/agent_since.h"
#include "monitor/view/shown.h"
#include "response/names.h"

struct diagnosis {
    const filter_t *filter;
    const fail_on_t *fail_on;
    vector_t servers; /* diagnosis_server_t */
    name_index_t names;
    totals_t *own; /* of what the filter takes */
    const totals_t *totals;
    const findings_t *findings; /* NULL: no poll yet */
    struct timespec first;
    struct timespec last;
    size_t polls;
    size_t streams;
    size_t subscriptions;
    vector_t sorted; /* const finding_t * */
    vector_t suspected;
    diagnosis_result_t result;
};

const char *verdict_name(verdict_t verdict)
{
    static const char *const names[] = {[VERDICT_UNKNOWN] = "unknown",
                                        [VERDICT_INCOMPLETE] = "incomplete",
                                        [VERDICT_HEALTHY] = "healthy",
                                        [VERDICT_FOUND] = "found"};
    return names[verdict];
}

diagnosis_t *diagnosis_new(const filter_t *filter, const fail_on_t *fail_on)
{
    diagnosis_t *self = memory_new(1, sizeof *self);
    self->filter = filter;
    self->fail_on = fail_on;
    self->servers.item_size = sizeof(diagnosis_server_t);
    self->sorted.item_size = self->suspected.item_size = sizeof(finding_t *);
    self->totals = self->own = totals_new();
    return self;
}

void diagnosis_destroy(diagnosis_t **self)
{
    if (!*self)
        return;
    diagnosis_server_t *servers = (*self)->servers.items;
    for (size_t i = 0; i < (*self)->servers.count; i++) {
        free(servers[i].server);
        free(servers[i].error);
        free(servers[i].late_since);
    }
    free(servers);
    name_index_clear(&(*self)->names);
    free((*self)->sorted.items);
    free((*self)->suspected.items);
    totals_destroy(&(*self)->own);
    free(*self);
    *self = NULL;
}

/* ---- what is watched ---- */

/* place is the index to try first: snapshots mostly have the same servers in the same order. */
static diagnosis_server_t *find_server(diagnosis_t *self, const char *name, size_t place)
{
    diagnosis_server_t *servers = self->servers.items;
    if (place < self->servers.count && strcmp(servers[place].server, name) == 0)
        return &servers[place];
    const size_t found = name_index_find(&self->names, name);
    if (found != NAME_INDEX_NONE)
        return &servers[found];
    diagnosis_server_t *added = vector_add(&self->servers);
    added->server = memory_string(name);
    name_index_add(&self->names, added->server, self->servers.count - 1);
    return added;
}

static void add_servers(diagnosis_t *self, const snapshot_t *snapshot)
{
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const reply_t *reply = &snapshot->replies[i];
        diagnosis_server_t *server = find_server(self, reply->server, i);
        free(server->error);
        server->error = NULL;
        server->polls++;
        if (reply->response) {
            server->answers++;
            server->failed_last = 0;
            server->dialect = reply->response->dialect;
            free(server->late_since);
            server->late_since = agent_since_text(reply->response);
        } else {
            server->failed_last++;
            server->error = memory_string(reply->error ? reply->error : "no answer");
        }
    }
}

static void count_streams(diagnosis_t *self, const snapshot_t *snapshot)
{
    size_t streams = 0;
    size_t subscriptions = 0;
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const response_t *response = snapshot->replies[i].response;
        for (size_t j = 0; response && j < response->publisher_count; j++)
            streams += filter_takes(self->filter, response->publishers[j].name);
        for (size_t j = 0; response && j < response->subscription_count; j++)
            subscriptions += filter_takes(self->filter, response->subscriptions[j].topic);
    }
    self->streams = streams > self->streams ? streams : self->streams;
    self->subscriptions = subscriptions > self->subscriptions ? subscriptions : self->subscriptions;
}

void diagnosis_add(diagnosis_t *self, const observation_t *observation)
{
    self->findings = observation->findings;
    self->last = observation->snapshot->time;
    if (self->polls++ == 0)
        self->first = self->last;
    shown_t *shown = shown_new(observation->comparison, self->filter);
    self->totals = shown_totals(shown, observation, self->filter, self->own);
    shown_destroy(&shown);
    add_servers(self, observation->snapshot);
    count_streams(self, observation->snapshot);
}

/* ---- what came of it ---- */

static bool lasts(const finding_t *finding)
{
    return finding->state < FINDING_ENDED;
}

static int compare_findings(const void *a, const void *b)
{
    const finding_t *left = *(const finding_t *const *)a;
    const finding_t *right = *(const finding_t *const *)b;
    if (left->severity != right->severity)
        return left->severity > right->severity ? -1 : 1;
    if (lasts(left) != lasts(right))
        return lasts(left) ? -1 : 1;
    const double later = timespec_seconds_between(&left->since, &right->since);
    if (later != 0)
        return later > 0 ? 1 : -1;
    return strcmp(left->identity, right->identity);
}

static void take_findings(diagnosis_t *self, diagnosis_result_t *result)
{
    size_t count = 0;
    const finding_t *const *all = self->findings ? findings_of_run(self->findings, &count) : NULL;
    self->sorted.count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!shown_takes(self->filter, all[i]))
            continue;
        *(const finding_t **)vector_add(&self->sorted) = all[i];
        result->severities[all[i]->severity]++;
        result->counting += fail_on_counts(self->fail_on, all[i]);
    }
    result->findings = self->sorted.items;
    result->finding_count = self->sorted.count;
    result->left_out = self->findings ? findings_left_out(self->findings) : 0;
    if (result->finding_count > 1)
        qsort(result->findings, result->finding_count, sizeof *result->findings, compare_findings);
}

/* More than that it begins with one poll, and may be missed by another one. */
#define SURE_MARGIN 5.0
/* So long nobody watches to be sure of something. */
#define LONGEST_WATCH 300.0

static void take_suspected(diagnosis_t *self, diagnosis_result_t *result)
{
    size_t count = 0;
    const finding_t *const *all =
        self->findings ? findings_suspected(self->findings, &count) : NULL;
    self->suspected.count = 0;
    for (size_t i = 0; i < count; i++) {
        const rule_t *rule = all[i]->rule;
        const double threshold = findings_threshold(self->findings, rule);
        if (!rule->holds || threshold > LONGEST_WATCH || all[i]->polls < self->polls ||
            !shown_takes(self->filter, all[i]) || !fail_on_counts(self->fail_on, all[i]))
            continue;
        *(const finding_t **)vector_add(&self->suspected) = all[i];
        result->sure_after = fmax(result->sure_after, ceil(threshold + SURE_MARGIN));
    }
    result->suspected = self->suspected.items;
    result->suspected_count = self->suspected.count;
}

static void take_totals(const diagnosis_t *self, diagnosis_result_t *result)
{
    const totals_sums_t sums = totals_sum_up(self->totals);
    const double seconds = timespec_seconds_between(&self->first, &self->last);
    result->totals = self->totals;
    result->seconds = sums.seconds > 0 ? sums.seconds : seconds > 0 ? seconds : 0;
    result->pushed = sums.sum.pushed.pushed_event_count;
    result->received = sums.sum.received.event_count;
    const bool unknown = sums.subscriptions > 0 && total_lost_is_unknown(&sums.sum);
    result->lost = unknown ? RESPONSE_UNKNOWN : sums.sum.received.lost_event_count;
    result->lost_is_minimum = sums.sum.lost_is_minimum;
    result->lost_is_derived = sums.sum.is_derived;
}

/* One time-out is nothing; one that crashed or hangs doesn't answer any more. */
static bool is_missing(const diagnosis_server_t *server)
{
    enum { SEVERAL = 2 };
    /* Scripts and GUIs end, as they should. */
    const bool is_over = server->error && names_is_client(server->server) &&
                         strcmp(server->error, REASON_ENDED) == 0 && server->answers > 0;
    return server->error && strcmp(server->error, REASON_STOPPED) != 0 && !is_over &&
           (server->answers == 0 || server->failed_last >= SEVERAL);
}

const diagnosis_result_t *diagnosis_result(diagnosis_t *self)
{
    diagnosis_result_t *result = &self->result;
    *result = (diagnosis_result_t){
        .polls = self->polls,
        .last = self->last,
        .servers = self->servers.items,
        .server_count = self->servers.count,
        .streams = self->streams,
        .subscriptions = self->subscriptions,
    };
    for (size_t i = 0; i < result->server_count; i++) {
        const diagnosis_server_t *server = &result->servers[i];
        result->answered += server->answers > 0;
        result->missing += is_missing(server);
        result->late += server->late_since != NULL;
        result->without_agent += server->answers > 0 && server->dialect != RESPONSE_AGENT;
    }
    take_totals(self, result);
    take_findings(self, result);
    take_suspected(self, result);
    result->verdict = result->answered == 0  ? VERDICT_UNKNOWN
                      : result->counting > 0 ? VERDICT_FOUND
                      : result->missing > 0  ? VERDICT_INCOMPLETE
                                             : VERDICT_HEALTHY;
    return result;
}

size_t diagnosis_untold(const diagnosis_result_t *self, const rule_t *rule)
{
    return rule->agent_only ? self->without_agent : 0;
}

char *diagnosis_advice(const finding_t *finding)
{
    if (finding->advice)
        return memory_string(finding->advice);
    char *text = explanation_of_what_to_do(finding->rule, 0);
    text[strcspn(text, "\n") == strlen(text) - 1 ? strlen(text) - 1 : strlen(text)] = '\0';
    return text;
}
