#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "monitor/view/report/collect/report_parts.h"
#include "monitor/view/shown.h"

static int compare_findings(const void *a, const void *b)
{
    const finding_t *left = *(const finding_t *const *)a;
    const finding_t *right = *(const finding_t *const *)b;
    if (left->severity != right->severity)
        return left->severity > right->severity ? -1 : 1;
    if (left->events_in_all != right->events_in_all)
        return left->events_in_all > right->events_in_all ? -1 : 1;
    const double later = timespec_seconds_between(&left->since, &right->since);
    if (later != 0)
        return later > 0 ? 1 : -1;
    return strcmp(left->identity, right->identity);
}

static bool is_shown(const report_collector_t *self, const finding_t *finding)
{
    const bool is_past = self->options.window > 0 &&
                         timespec_seconds_between(&self->report.axis.begin, &finding->seen) < 0;
    return !is_past && shown_takes(&self->options.filter, finding);
}

/* ---- copies ---- */

static void free_copy(finding_t *self)
{
    for (size_t i = 0; i < self->evidence_count; i++)
        free(self->evidence[i]);
    free(self->evidence);
    free(self->text);
    free(self->advice);
    free(self->identity);
    free((char *)self->about.server);
    free((char *)self->about.stream);
    free((char *)self->about.publisher);
    free((char *)self->about.subscriber);
    free((char *)self->about.object);
    free(self);
}

static finding_t *copy_of(const finding_t *other)
{
    finding_t *self = memory_new(1, sizeof *self);
    *self = *other;
    self->about = (finding_about_t){.server = memory_string(other->about.server),
                                    .stream = memory_string(other->about.stream),
                                    .publisher = memory_string(other->about.publisher),
                                    .subscriber = memory_string(other->about.subscriber),
                                    .object = memory_string(other->about.object)};
    self->identity = memory_string(other->identity);
    self->text = memory_string(other->text);
    self->advice = memory_string(other->advice);
    self->evidence = memory_new(other->evidence_count, sizeof *self->evidence);
    for (size_t i = 0; i < other->evidence_count; i++)
        self->evidence[i] = memory_string(other->evidence[i]);
    return self;
}

static void copy_all(report_collector_t *self)
{
    self->copies = memory_new(self->report.finding_count, sizeof *self->copies);
    for (size_t i = 0; i < self->report.finding_count; i++)
        self->findings[i] = self->copies[i] = copy_of(self->findings[i]);
}

void report_free_findings(report_collector_t *self)
{
    for (size_t i = 0; self->copies && i < self->report.finding_count; i++)
        free_copy(self->copies[i]);
    free(self->copies);
    free(self->findings);
    self->copies = NULL;
    self->findings = NULL;
    self->report.findings = NULL;
    self->report.finding_count = 0;
}

void report_settle_findings(report_collector_t *self)
{
    report_t *report = &self->report;
    size_t count = 0;
    size_t kept = 0;
    const finding_t *const *list = self->observed ? findings_of_run(self->observed, &count) : NULL;
    report_free_findings(self);
    self->findings = memory_new(count, sizeof(finding_t *));
    for (size_t i = 0; i < count; i++)
        if (is_shown(self, list[i]))
            self->findings[kept++] = list[i];
    if (kept > 1)
        qsort(self->findings, kept, sizeof(finding_t *), compare_findings);
    report->finding_count = kept < REPORT_FINDINGS ? kept : REPORT_FINDINGS;
    report->findings_left_out =
        kept - report->finding_count + (self->observed ? findings_left_out(self->observed) : 0);
    if (self->options.copies_findings)
        copy_all(self);
    report->findings = self->findings;
}
