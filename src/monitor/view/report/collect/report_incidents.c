#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "base/plural.h"
#include "base/shorten.h"
#include "base/timespec.h"
#include "monitor/view/report/collect/report_parts.h"

const char *incident_kind_name(incident_kind_t kind)
{
    static const char *const names[] = {
        [INCIDENT_RESTART] = "restart", [INCIDENT_OUTAGE] = "outage", [INCIDENT_GAP] = "gap"};
    return names[kind];
}

static bool is_left_out(const report_collector_t *self, size_t server)
{
    return self->incident_count == REPORT_INCIDENTS ||
           (server != REPORT_NONE && self->asked[server].incidents == REPORT_INCIDENTS_OF_SERVER);
}

size_t report_add_incident(report_collector_t *self, const report_incident_t *incident)
{
    enum { AT_FIRST = 16 };
    if (is_left_out(self, incident->server)) {
        report_block(self)->incidents_left_out++;
        free(incident->text);
        return REPORT_NONE;
    }
    if (self->incident_count == self->incident_capacity) {
        self->incident_capacity =
            self->incident_capacity > 0 ? 2 * self->incident_capacity : AT_FIRST;
        self->incidents =
            memory_resize(self->incidents, self->incident_capacity, sizeof *self->incidents);
    }
    if (incident->server != REPORT_NONE)
        self->asked[incident->server].incidents++;
    self->incidents[self->incident_count] = *incident;
    return self->incident_count++;
}

/* ---- servers ---- */

static void begin_outage(report_collector_t *self, size_t server, const char *why,
                         const struct timespec *time)
{
    report_asked_t *asked = &self->asked[server];
    const struct timespec *begin = asked->was_missing ? &asked->polled
                                   : asked->answered  ? &self->report.servers[server].last
                                                      : time;
    asked->outage =
        report_add_incident(self, &(report_incident_t){.kind = INCIDENT_OUTAGE,
                                                       .begin = *begin,
                                                       .end = *time,
                                                       .lasts = true,
                                                       .server = server,
                                                       .text = shorten_copy(why, REPORT_TEXT)});
}

static void go_on(report_collector_t *self, size_t server, const struct timespec *time)
{
    report_asked_t *asked = &self->asked[server];
    const double seconds = timespec_seconds_between(&asked->polled, time);
    if (seconds > 0 && !self->after_gap)
        asked->blocks[self->block].failed_seconds += seconds;
    if (asked->outage != REPORT_NONE)
        self->incidents[asked->outage].end = *time;
}

void report_watch_server(report_collector_t *self, size_t server, const server_part_t *part,
                         const struct timespec *time)
{
    report_asked_t *asked = &self->asked[server];
    const report_server_t *before = &self->report.servers[server];
    const bool fails = server_part_fails(part);
    if (before->fails)
        go_on(self, server, time);
    else if (fails)
        begin_outage(self, server, part->reply->error, time);
    if (!fails && asked->outage != REPORT_NONE) {
        self->incidents[asked->outage].lasts = false;
        asked->outage = REPORT_NONE;
    }
    if (part->changes && part->changes->server_restarted)
        report_add_incident(self,
                            &(report_incident_t){.kind = INCIDENT_RESTART,
                                                 .begin = asked->answered ? before->last : *time,
                                                 .end = *time,
                                                 .server = server});
}

/* ---- gaps ---- */

void report_add_gap(report_collector_t *self, const struct timespec *end, double seconds)
{
    report_incident_t gap = {
        .kind = INCIDENT_GAP, .begin = self->previous, .end = *end, .server = REPORT_NONE};
    report_block(self)->gap_seconds += seconds;
    if (self->has_remark) {
        gap.text = self->remark.text;
        self->has_remark = false;
    }
    report_add_incident(self, &gap);
}

void report_add_remark(report_collector_t *self)
{
    if (self->has_remark)
        report_add_incident(self, &self->remark);
    self->has_remark = false;
}

/* Returns by how many seconds it was later. */
static double bring_forward(struct timespec *time, const struct timespec *latest)
{
    const double later = timespec_seconds_between(latest, time);
    if (later > 0)
        *time = *latest;
    return later > 0 ? later : 0;
}

void report_move_remark(report_collector_t *self, double seconds)
{
    struct timespec *const times[] = {&self->remark.begin, &self->remark.end};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        *times[i] = report_later(times[i], seconds);
        (void)bring_forward(times[i], &self->previous);
    }
}

void report_end_incidents(report_collector_t *self, const struct timespec *time)
{
    for (size_t i = 0; i < self->incident_count; i++) {
        report_incident_t *incident = &self->incidents[i];
        const double shorter =
            bring_forward(&incident->end, time) - bring_forward(&incident->begin, time);
        if (incident->kind == INCIDENT_GAP && !incident->text)
            report_block(self)->gap_seconds -= shorter;
    }
}

enum { TIME, LOST, SINCE, CUT_OFF, REMARK_KEYS };

static bool is_key(json_slice_t key, const char *name)
{
    const size_t size = strlen(name);
    return key.size == size + 2 && memcmp(key.text + 1, name, size) == 0;
}

static void find_values(json_slice_t object, json_slice_t *values)
{
    static const char *const names[REMARK_KEYS] = {
        [TIME] = "time", [LOST] = "lost_snapshots", [SINCE] = "lost_since", [CUT_OFF] = "cut_off"};
    json_member_t member;
    for (size_t at = 0; json_text_member(object, &at, &member);)
        for (size_t i = 0; i < REMARK_KEYS; i++)
            if (values[i].size == 0 && is_key(member.key, names[i]))
                values[i] = member.value;
}

static bool read_time(json_slice_t value, struct timespec *time)
{
    if (value.size == 0 || value.text[0] != '"')
        return false;
    char *text = json_text_string(value, NULL);
    const bool good = timespec_parse(text, time);
    free(text);
    return good;
}

/* How many snapshots; 0: it doesn't say that. */
static int64_t read_count(json_slice_t value)
{
    const double most = (double)(INT64_C(1) << 53);
    const bool is_number = value.size > 0 && strchr("0123456789", value.text[0]);
    const double count = is_number ? json_text_number(value.text, value.size) : 0;
    return count >= 1 && count < most ? (int64_t)count : 0;
}

/* An object in one line, which is JSON. */
static bool is_object(const char *line, size_t size)
{
    char *wrong = NULL;
    const bool good = size > 0 && line[0] == '{' && json_text_is_valid(line, size, 0, &wrong);
    free(wrong);
    return good;
}

/* A time that the recording can't have been made at is that of the last poll. */
static void keep_near(const report_collector_t *self, struct timespec *time)
{
    const double away = timespec_seconds_between(&self->previous, time);
    if (self->has_polls && fabs(away) > REPORT_JUMP * REPORT_SECONDS_OF_DAY)
        *time = self->previous;
}

void report_remark(report_t *report, const char *line, size_t size)
{
    report_collector_t *self = (report_collector_t *)report;
    json_slice_t values[REMARK_KEYS] = {0};
    report_incident_t remark = {.kind = INCIDENT_GAP, .server = REPORT_NONE};
    if (!is_object(line, size))
        return;
    find_values((json_slice_t){line, size}, values);
    const int64_t lost = read_count(values[LOST]);
    if ((values[CUT_OFF].size == 0 && lost == 0) || !read_time(values[TIME], &remark.end))
        return;
    keep_near(self, &remark.end);
    if (!read_time(values[SINCE], &remark.begin))
        remark.begin = remark.end;
    keep_near(self, &remark.begin);
    if (timespec_seconds_between(&remark.begin, &remark.end) < 0)
        remark.begin = remark.end;
    report_add_remark(self);
    report_sum(&report_block(self)->lost_polls, lost);
    remark.text =
        lost > 0 ? memory_format("%" PRId64 " poll%s could not be written", lost, PLURAL(lost))
                 : memory_string("the recording was cut off: its writer was killed, or the machine "
                                 "crashed");
    self->remark = remark;
    self->has_remark = true;
}

/* ---- a window ---- */

static bool is_past(const report_collector_t *self, const report_incident_t *incident,
                    const size_t *places)
{
    const bool has_gone =
        incident->server != REPORT_NONE && places[incident->server] == REPORT_NONE;
    return has_gone || (!incident->lasts &&
                        timespec_seconds_between(&self->report.axis.begin, &incident->end) < 0);
}

void report_prune_incidents(report_collector_t *self, const size_t *places)
{
    for (size_t i = 0; i < self->report.server_count; i++) {
        self->asked[i].outage = REPORT_NONE;
        self->asked[i].incidents = 0;
    }
    size_t kept = 0;
    for (size_t i = 0; i < self->incident_count; i++) {
        report_incident_t incident = self->incidents[i];
        if (is_past(self, &incident, places)) {
            free(incident.text);
            continue;
        }
        if (incident.server != REPORT_NONE) {
            incident.server = places[incident.server];
            self->asked[incident.server].incidents++;
            if (incident.lasts)
                self->asked[incident.server].outage = kept;
        }
        self->incidents[kept++] = incident;
    }
    self->incident_count = kept;
}

/* ---- the list ---- */

static int compare_incidents(const void *a, const void *b)
{
    const report_incident_t *left = a;
    const report_incident_t *right = b;
    const double later = timespec_seconds_between(&left->begin, &right->begin);
    if (later != 0)
        return later > 0 ? -1 : 1;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return left->server < right->server ? -1 : left->server > right->server;
}

void report_settle_incidents(report_collector_t *self)
{
    report_t *report = &self->report;
    report_add_remark(self);
    free(report->incidents);
    report->incident_count = self->incident_count;
    report->incidents = memory_new(self->incident_count, sizeof *report->incidents);
    for (size_t i = 0; i < self->incident_count; i++)
        report->incidents[i] = self->incidents[i];
    if (self->incident_count > 1)
        qsort(report->incidents, self->incident_count, sizeof *report->incidents,
              compare_incidents);
}

void report_free_incidents(report_collector_t *self)
{
    for (size_t i = 0; i < self->incident_count; i++)
        free(self->incidents[i].text);
    if (self->has_remark)
        free(self->remark.text);
    free(self->incidents);
    free(self->report.incidents);
}
