#include "monitor/view/live/frames/frame_findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/name_set.h"
#include "base/timespec.h"
#include "monitor/analysis/findings/rules.h"

static bool lasts(const finding_t *finding)
{
    return finding->state == FINDING_BEGAN || finding->state == FINDING_LASTS;
}

/* Those that last first, and the newest first among these and among the others. */
static int compare_findings(const void *a, const void *b)
{
    const finding_t *left = *(const finding_t *const *)a;
    const finding_t *right = *(const finding_t *const *)b;
    if (lasts(left) != lasts(right))
        return lasts(left) ? -1 : 1;
    const double later = timespec_seconds_between(&left->since, &right->since);
    if (later < 0 || later > 0)
        return later > 0 ? 1 : -1;
    if (left->severity != right->severity)
        return left->severity > right->severity ? -1 : 1;
    return strcmp(left->identity, right->identity);
}

static const char *const *evidence_of(making_t *self, const finding_t *finding)
{
    const char **lines = memory_new(finding->evidence_count, sizeof *lines);
    for (size_t i = 0; i < finding->evidence_count; i++)
        lines[i] = making_name(self, finding->evidence[i]);
    const char *const *copy = making_copy(self, lines, finding->evidence_count * sizeof *lines);
    free(lines);
    return copy;
}

static int compare_id(const void *id, const void *stream)
{
    const uint64_t left = *(const uint64_t *)id;
    const uint64_t right = ((const frame_stream_t *)stream)->id;
    return left < right ? -1 : left > right;
}

static size_t find_stream(const making_t *self, const char *name)
{
    if (!name || self->streams.count == 0)
        return FRAME_NONE;
    const uint64_t id = name_set_hash(0, name);
    const frame_stream_t *found =
        bsearch(&id, self->streams.items, self->streams.count, sizeof(frame_stream_t), compare_id);
    return found ? (size_t)(found - (const frame_stream_t *)self->streams.items) : FRAME_NONE;
}

/* Counts it once for each server that it is about. Returns the first of them. */
static size_t count_for_servers(making_t *self, const finding_t *finding)
{
    const finding_about_t *about = &finding->about;
    const size_t servers[] = {making_find_server(self, about->server),
                              making_find_server(self, about->subscriber),
                              making_find_server(self, about->publisher)};
    size_t first = FRAME_NONE;
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        bool is_new = servers[i] != FRAME_NONE;
        for (size_t j = 0; j < i; j++)
            is_new &= servers[j] != servers[i];
        if (!is_new)
            continue;
        if (lasts(finding))
            self->servers[servers[i]].findings++;
        if (first == FRAME_NONE)
            first = servers[i];
    }
    return first;
}

static void add(making_t *self, const finding_t *finding)
{
    const size_t stream = find_stream(self, finding->about.stream);
    const size_t server = count_for_servers(self, finding);
    if (stream != FRAME_NONE && lasts(finding))
        ((frame_stream_t *)self->streams.items)[stream].findings++;
    *(frame_finding_t *)vector_add(&self->findings) =
        (frame_finding_t){.identity = making_name(self, finding->identity),
                          .rule = finding->rule->name,
                          .severity = finding->severity,
                          .state = finding->state,
                          .text = making_name(self, finding->text),
                          .evidence = evidence_of(self, finding),
                          .evidence_count = finding->evidence_count,
                          .advice = making_name(self, finding->advice),
                          .since = finding->since,
                          .seen = finding->seen,
                          .seconds = finding_seconds(finding),
                          .times = finding->times,
                          .server = server,
                          .stream = stream};
}

void frame_findings_add(making_t *self)
{
    size_t count = 0;
    const finding_t *const *run = findings_of_run(self->observation->findings, &count);
    const finding_t **sorted = memory_new(count, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = run[i];
    if (count > 1)
        qsort(sorted, count, sizeof *sorted, compare_findings);
    const size_t shown = count < FRAME_MAXIMUM_FINDINGS ? count : FRAME_MAXIMUM_FINDINGS;
    for (size_t i = 0; i < shown; i++)
        add(self, sorted[i]);
    free(sorted);
    self->frame->frame.findings_left_out =
        findings_left_out(self->observation->findings) + count - shown;
}
