#include "monitor/view/live/frames/timeline.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Marks of so many polls are kept: 48 MB, after 24 days of a poll every 2 s. Beyond, two are merged
 * into one. */
enum { MAXIMUM_MARKS = 1 << 20 };

/* Trends may take this part of the budget, frames the rest. */
enum { TREND_PART = 4 };

/* ---- things of polls, within a budget ---- */

typedef struct {
    size_t number;
    size_t bytes;
    void *thing;
} entry_t;

/* By number. Whatever is farthest from what is wanted makes room. */
typedef struct {
    size_t budget;
    void (*release)(void *thing);
    entry_t *entries; /* those in use begin at `first` */
    size_t first, end, capacity;
    size_t bytes;
} kept_t;

/* The first entry that isn't before a number; end: there is none. */
static size_t kept_from(const kept_t *self, size_t number)
{
    size_t low = self->first;
    for (size_t high = self->end; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (self->entries[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void *kept_find(const kept_t *self, size_t number)
{
    const size_t place = kept_from(self, number);
    return place < self->end && self->entries[place].number == number ? self->entries[place].thing
                                                                      : NULL;
}

static size_t distance(size_t number, size_t wanted)
{
    return number < wanted ? wanted - number : number - wanted;
}

/* Whether the first one is the next to make room; otherwise the last. */
static bool first_is_farthest(const kept_t *self, size_t wanted)
{
    return distance(self->entries[self->first].number, wanted) >
           distance(self->entries[self->end - 1].number, wanted);
}

static void kept_drop(kept_t *self, size_t wanted)
{
    const entry_t *entry =
        &self->entries[first_is_farthest(self, wanted) ? self->first++ : --self->end];
    self->bytes -= entry->bytes;
    self->release(entry->thing);
}

static void make_place(kept_t *self, size_t place)
{
    memmove(&self->entries[place + 1], &self->entries[place],
            (self->end - place) * sizeof *self->entries);
    self->end++;
}

/* Removes what is free at the beginning, or allocates more. */
static void extend(kept_t *self)
{
    if (self->first > self->capacity / 2) {
        memmove(self->entries, &self->entries[self->first],
                (self->end - self->first) * sizeof *self->entries);
        self->end -= self->first;
        self->first = 0;
        return;
    }
    self->capacity = self->capacity > 0 ? 2 * self->capacity : 64;
    self->entries = memory_resize(self->entries, self->capacity, sizeof *self->entries);
}

/* Takes the thing over; there is none of that number yet. */
static void kept_add(kept_t *self, const entry_t *entry, size_t wanted)
{
    if (self->end == self->capacity)
        extend(self);
    const size_t place = kept_from(self, entry->number);
    make_place(self, place);
    self->entries[place] = *entry;
    self->bytes += entry->bytes;
    while (self->bytes > self->budget && self->first < self->end)
        kept_drop(self, wanted);
}

/* Whether one of that number would be kept. */
static bool kept_wants(const kept_t *self, size_t number, size_t wanted)
{
    if (self->first == self->end || self->bytes < self->budget)
        return true;
    const entry_t *farthest =
        &self->entries[first_is_farthest(self, wanted) ? self->first : self->end - 1];
    return distance(number, wanted) < distance(farthest->number, wanted);
}

static void kept_clear(kept_t *self)
{
    for (size_t i = self->first; i < self->end; i++)
        self->release(self->entries[i].thing);
    free(self->entries);
}

/* ---- the timeline ---- */

struct timeline {
    pthread_mutex_t lock; /* of everything below */
    kept_t frames;
    kept_t trends;
    const frame_t *newest; /* is kept whatever is wanted; NULL: none yet */
    trends_t *last_trend;  /* the one added last; likewise */
    size_t count;
    size_t wanted;
    timeline_mark_t *marks;
    size_t mark_count, mark_capacity;
    size_t polls_a_mark; /* a power of two */
};

static void release_frame(void *frame)
{
    const frame_t *it = frame;
    frame_release(&it);
}

static void release_trend(void *trend)
{
    trends_t *it = trend;
    trends_release(&it);
}

timeline_t *timeline_new(size_t budget)
{
    timeline_t *self = memory_new(1, sizeof *self);
    pthread_mutex_init(&self->lock, NULL);
    self->trends = (kept_t){.budget = budget / TREND_PART, .release = release_trend};
    self->frames = (kept_t){.budget = budget - budget / TREND_PART, .release = release_frame};
    self->wanted = SIZE_MAX;
    self->polls_a_mark = 1;
    return self;
}

void timeline_destroy(timeline_t **self)
{
    timeline_t *timeline = *self;
    if (!timeline)
        return;
    kept_clear(&timeline->frames);
    kept_clear(&timeline->trends);
    frame_release(&timeline->newest);
    trends_release(&timeline->last_trend);
    free(timeline->marks);
    pthread_mutex_destroy(&timeline->lock);
    free(timeline);
    *self = NULL;
}

/* ---- marks ---- */

static uint32_t at_most_32_bits(size_t count)
{
    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static timeline_mark_t mark_of(const frame_t *frame)
{
    size_t findings = 0;
    for (size_t i = 0; i < frame->finding_count; i++) {
        const frame_finding_t *finding = &frame->findings[i];
        const bool lasts = finding->state == FINDING_BEGAN || finding->state == FINDING_LASTS;
        findings += lasts && finding->severity != SEVERITY_REMARK;
    }
    return (timeline_mark_t){.time = frame->time,
                             .failed = at_most_32_bits(frame->failed),
                             .findings = at_most_32_bits(findings),
                             .new_losses = frame->new_losses,
                             .push_rate = (float)frame->push_rate,
                             .receive_rate = (float)frame->receive_rate};
}

/* One for both: the earlier one's time, and whatever was worse. */
static void merge(timeline_mark_t *mark, const timeline_mark_t *later)
{
    if (later->failed > mark->failed)
        mark->failed = later->failed;
    if (later->findings > mark->findings)
        mark->findings = later->findings;
    mark->new_losses = changes_sum(mark->new_losses, later->new_losses);
    mark->push_rate = fmaxf(mark->push_rate, later->push_rate);
    mark->receive_rate = fmaxf(mark->receive_rate, later->receive_rate);
}

static void thin_out(timeline_t *self)
{
    for (size_t i = 0; i < self->mark_count / 2; i++) {
        self->marks[i] = self->marks[2 * i];
        merge(&self->marks[i], &self->marks[2 * i + 1]);
    }
    self->mark_count /= 2;
    self->polls_a_mark *= 2;
}

static void add_mark(timeline_t *self, const frame_t *frame)
{
    const timeline_mark_t mark = mark_of(frame);
    if (self->mark_count == MAXIMUM_MARKS && frame->number % self->polls_a_mark == 0)
        thin_out(self);
    if (frame->number % self->polls_a_mark != 0) {
        merge(&self->marks[self->mark_count - 1], &mark);
        return;
    }
    if (self->mark_count == self->mark_capacity) {
        self->mark_capacity = self->mark_capacity > 0 ? 2 * self->mark_capacity : 256;
        self->marks = memory_resize(self->marks, self->mark_capacity, sizeof *self->marks);
    }
    self->marks[self->mark_count++] = mark;
}

size_t timeline_marks(timeline_t *self, size_t number, timeline_mark_t *marks, size_t count)
{
    pthread_mutex_lock(&self->lock);
    const size_t left = number < self->count ? self->count - number : 0;
    const size_t copied = count < left ? count : left;
    for (size_t i = 0; i < copied; i++)
        marks[i] = self->marks[(number + i) / self->polls_a_mark];
    pthread_mutex_unlock(&self->lock);
    return copied;
}

/* ---- frames ---- */

static void take_newest(timeline_t *self, const frame_t *frame)
{
    frame_release(&self->newest);
    self->newest = frame_share(frame);
    self->count = frame->number + 1;
    add_mark(self, frame);
}

static void add_trend(timeline_t *self, const frame_t *frame)
{
    trends_t *trend = trends_new(frame, self->last_trend);
    trends_release(&self->last_trend);
    self->last_trend = trends_share(trend);
    if (kept_find(&self->trends, frame->number))
        trends_release(&trend);
    else
        kept_add(&self->trends, &(entry_t){frame->number, trends_bytes(trend), trend},
                 self->wanted);
}

void timeline_add(timeline_t *self, const frame_t *frame)
{
    pthread_mutex_lock(&self->lock);
    if (frame->number == self->count)
        take_newest(self, frame);
    add_trend(self, frame);
    if (kept_find(&self->frames, frame->number))
        frame_release(&frame);
    else
        kept_add(&self->frames, &(entry_t){frame->number, frame->bytes, (void *)(uintptr_t)frame},
                 self->wanted);
    pthread_mutex_unlock(&self->lock);
}

bool timeline_wants(timeline_t *self, size_t number)
{
    pthread_mutex_lock(&self->lock);
    const bool wants = number >= self->count || (!kept_find(&self->frames, number) &&
                                                 kept_wants(&self->frames, number, self->wanted));
    pthread_mutex_unlock(&self->lock);
    return wants;
}

size_t timeline_count(timeline_t *self)
{
    pthread_mutex_lock(&self->lock);
    const size_t count = self->count;
    pthread_mutex_unlock(&self->lock);
    return count;
}

const frame_t *timeline_frame(timeline_t *self, size_t number)
{
    pthread_mutex_lock(&self->lock);
    const frame_t *frame = self->newest && self->newest->number == number
                               ? self->newest
                               : kept_find(&self->frames, number);
    if (frame)
        frame_share(frame);
    pthread_mutex_unlock(&self->lock);
    return frame;
}

void timeline_trend(timeline_t *self, uint64_t id, trend_t kind, size_t last, double *values,
                    size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = NAN;
    pthread_mutex_lock(&self->lock);
    if (last >= self->count)
        last = self->count - 1; /* none yet: the number of no poll */
    const size_t before = last + 1 > count ? last + 1 - count : 0;
    size_t place = 0;
    for (size_t i = kept_from(&self->trends, before); i < self->trends.end; i++) {
        const entry_t *entry = &self->trends.entries[i];
        if (entry->number > last)
            break;
        values[count - 1 - (last - entry->number)] = trends_value(entry->thing, id, kind, &place);
    }
    pthread_mutex_unlock(&self->lock);
}

void timeline_want(timeline_t *self, size_t number)
{
    pthread_mutex_lock(&self->lock);
    self->wanted = number;
    pthread_mutex_unlock(&self->lock);
}
