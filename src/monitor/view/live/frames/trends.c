#include "monitor/view/live/frames/trends.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/view/live/frames/frame.h"

/* What the numbers are of. */
typedef struct {
    atomic_size_t references;
    size_t stream_count; /* by id, at the beginning */
    size_t count;        /* with the servers */
    uint64_t ids[];
} subjects_t;

struct trends {
    atomic_size_t references;
    subjects_t *subjects;
    bool shares_subjects; /* with those of the poll before */
    float values[];       /* of the first kind, then of the second... */
};

static size_t size_of_ids(const subjects_t *self)
{
    return self->count * sizeof *self->ids;
}

static subjects_t *subjects_new(const frame_t *frame)
{
    const size_t count = frame->stream_count + frame->server_count;
    subjects_t *self = memory_new(1, sizeof *self + count * sizeof *self->ids);
    atomic_init(&self->references, 1);
    self->stream_count = frame->stream_count;
    for (size_t i = 0; i < frame->stream_count; i++)
        self->ids[self->count++] = frame->streams[i].id;
    for (size_t i = 0; i < frame->server_count; i++)
        self->ids[self->count++] = frame->servers[i].id;
    return self;
}

static void subjects_release(subjects_t *self)
{
    if (atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) == 1)
        free(self);
}

/* Those of the poll before, if they are the same; otherwise self. Takes self over. */
static subjects_t *subjects_merge(subjects_t *self, subjects_t *before)
{
    if (self->count != before->count || self->stream_count != before->stream_count ||
        memcmp(self->ids, before->ids, size_of_ids(self)) != 0)
        return self;
    subjects_release(self);
    atomic_fetch_add_explicit(&before->references, 1, memory_order_relaxed);
    return before;
}

static void set(trends_t *self, size_t place, trend_t kind, double value)
{
    self->values[(size_t)kind * self->subjects->count + place] = (float)value;
}

static void set_values(trends_t *self, const frame_t *frame)
{
    size_t place = 0;
    for (size_t i = 0; i < frame->stream_count; i++, place++) {
        const frame_stream_t *stream = &frame->streams[i];
        set(self, place, TREND_PUSH_RATE, stream->push_rate);
        set(self, place, TREND_RECEIVE_RATE, stream->receive_rate);
        set(self, place, TREND_NEW_LOSSES,
            stream->subscription_count > 0 ? (double)stream->new_losses : NAN);
        set(self, place, TREND_LATENCY, stream->latency_seconds);
        set(self, place, TREND_PROCESSING, stream->processing_seconds);
    }
    for (size_t i = 0; i < frame->server_count; i++, place++) {
        const frame_server_t *server = &frame->servers[i];
        set(self, place, TREND_PUSH_RATE, server->push_rate);
        set(self, place, TREND_RECEIVE_RATE, server->receive_rate);
        set(self, place, TREND_NEW_LOSSES, server->error ? NAN : (double)server->new_losses);
        set(self, place, TREND_LATENCY, NAN);
        set(self, place, TREND_PROCESSING, NAN);
    }
}

trends_t *trends_new(const struct frame *frame, const trends_t *before)
{
    subjects_t *subjects = subjects_new(frame);
    if (before)
        subjects = subjects_merge(subjects, before->subjects);
    trends_t *self =
        memory_new(1, sizeof *self + TREND_KINDS * subjects->count * sizeof *self->values);
    atomic_init(&self->references, 1);
    self->subjects = subjects;
    self->shares_subjects = before && subjects == before->subjects;
    set_values(self, frame);
    return self;
}

trends_t *trends_share(trends_t *self)
{
    atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
    return self;
}

void trends_release(trends_t **self)
{
    trends_t *trend = *self;
    *self = NULL;
    if (!trend || atomic_fetch_sub_explicit(&trend->references, 1, memory_order_acq_rel) > 1)
        return;
    subjects_release(trend->subjects);
    free(trend);
}

size_t trends_bytes(const trends_t *self)
{
    const subjects_t *subjects = self->subjects;
    return sizeof *self + TREND_KINDS * subjects->count * sizeof *self->values +
           (self->shares_subjects ? 0 : sizeof *subjects + size_of_ids(subjects));
}

static int compare_ids(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a;
    const uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* count: there is none. */
static size_t place_of(const subjects_t *self, uint64_t id)
{
    const uint64_t *found =
        self->stream_count > 0 ? bsearch(&id, self->ids, self->stream_count, sizeof id, compare_ids)
                               : NULL;
    if (found)
        return (size_t)(found - self->ids);
    size_t place = self->stream_count;
    while (place < self->count && self->ids[place] != id)
        place++;
    return place;
}

double trends_value(const trends_t *self, uint64_t id, trend_t kind, size_t *place)
{
    const subjects_t *subjects = self->subjects;
    if (*place >= subjects->count || subjects->ids[*place] != id)
        *place = place_of(subjects, id);
    if (*place >= subjects->count)
        return NAN;
    return (double)self->values[(size_t)kind * subjects->count + *place];
}
