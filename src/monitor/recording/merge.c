#include "monitor/recording/merge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/timespec.h"
#include "base/vector.h"
#include "monitor/recording/merge_file.h"
#include "monitor/recording/merge_order.h"
#include "monitor/recording/merge_snapshots.h"

/* How much later another file's snapshot may be to belong to one, while the time from one to the
 * next isn't known, in s. */
#define PERIOD_DEFAULT 1.0

/* A time from one to the next that is so many times as long as the one before is a gap. */
#define GAP_PERIODS 3

/* Files whose monotonic clocks differ by more than this are of different hosts or boots, in s. */
#define SAME_CLOCK 5.0

struct merge {
    source_t source;     /* comes first */
    merge_file_t *files; /* those that have snapshots by their first time, then the others */
    size_t count;
    size_t begun; /* files, from the first one on, that were opened */
    int stop_fd;
    bool has_since, has_until;
    struct timespec since, until;
    merge_order_t order;    /* of the answers of each server */
    snapshot_t *base;       /* what was before since, so far; or NULL */
    snapshot_t *held;       /* the one that is next; or NULL */
    vector_t items;         /* source_item_t: what comes before the next snapshot */
    size_t taken;           /* of these */
    struct timespec latest; /* the last snapshot with a monotonic time */
    double latest_asked;    /* likewise; 0: none */
};

/* ---- files ---- */

static bool is_same_file(const merge_file_t *left, const merge_file_t *right)
{
    return (left->is_input && right->is_input) ||
           (left->is_regular && right->is_regular && left->device == right->device &&
            left->inode == right->inode);
}

static bool has_file(const merge_t *self, const merge_file_t *file)
{
    for (size_t i = 0; i < self->count; i++)
        if (is_same_file(&self->files[i], file))
            return true;
    return false;
}

static int compare_files(const void *a, const void *b)
{
    const merge_file_t *left = a;
    const merge_file_t *right = b;
    if (left->has_first != right->has_first)
        return left->has_first ? -1 : 1;
    const double later = timespec_seconds_between(&left->first, &right->first);
    if (later != 0)
        return later > 0 ? -1 : 1;
    return left->place < right->place ? -1 : left->place > right->place;
}

/* Unless it was named before. Returns what is wrong with it, or NULL. */
static char *add_file(merge_t *self, const char *path, size_t place)
{
    merge_file_t file = {
        .path = memory_string(path), .place = place, .is_input = strcmp(path, "-") == 0};
    char *error = NULL;
    if (!has_file(self, &file))
        error = merge_file_look(&file, self->stop_fd, &self->items);
    if (!error && !has_file(self, &file))
        self->files[self->count++] = file;
    else
        merge_file_clear(&file);
    return error;
}

merge_t *merge_new(char *const *paths, size_t count, const merge_options_t *options, int stop_fd,
                   char **error)
{
    merge_t *self = memory_new(1, sizeof *self);
    self->items.item_size = sizeof(source_item_t);
    self->stop_fd = stop_fd;
    self->files = memory_new(count, sizeof *self->files);
    merge_limit(self, options);
    *error = NULL;
    for (size_t i = 0; i < count && !*error; i++)
        *error = add_file(self, paths[i], i);
    if (*error)
        merge_destroy(&self);
    else if (count > 0)
        qsort(self->files, self->count, sizeof *self->files, compare_files);
    return self;
}

void merge_destroy(merge_t **self)
{
    merge_t *merge = *self;
    if (!merge)
        return;
    for (size_t i = 0; i < merge->count; i++)
        merge_file_clear(&merge->files[i]);
    source_item_t *items = merge->items.items;
    for (size_t i = merge->taken; i < merge->items.count; i++)
        source_item_clear(&items[i]);
    snapshot_destroy(&merge->base);
    snapshot_destroy(&merge->held);
    free(merge->order.places);
    free(merge->items.items);
    free(merge->files);
    free(merge);
    *self = NULL;
}

void merge_limit(merge_t *self, const merge_options_t *options)
{
    self->has_since = options->since;
    self->has_until = options->until;
    if (options->since)
        self->since = *options->since;
    if (options->until)
        self->until = *options->until;
}

bool merge_begin(const merge_t *self, struct timespec *begin)
{
    const bool has_one = self->count > 0 && self->files[0].has_first;
    if (has_one)
        *begin = self->files[0].first;
    return has_one;
}

bool merge_reads(const merge_t *self, const char *path)
{
    struct stat status;
    const bool found =
        strcmp(path, "-") == 0 ? fstat(STDOUT_FILENO, &status) == 0 : stat(path, &status) == 0;
    const merge_file_t other = {.is_regular = found && S_ISREG(status.st_mode),
                                .device = found ? status.st_dev : 0,
                                .inode = found ? status.st_ino : 0};
    return has_file(self, &other);
}

size_t merge_file_count(const merge_t *self)
{
    return self->count;
}

int64_t merge_size(const merge_t *self)
{
    int64_t size = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (!self->files[i].is_regular)
            return 0;
        size += self->files[i].size;
    }
    return size;
}

double merge_part(const merge_t *self)
{
    const int64_t size = merge_size(self);
    double read = 0;
    for (size_t i = 0; i < self->count; i++)
        read += merge_file_read(&self->files[i]);
    return size > 0 ? fmin(1, read / (double)size) : NAN;
}

int64_t merge_broken_lines(const merge_t *self)
{
    int64_t broken = 0;
    for (size_t i = 0; i < self->count; i++)
        broken += self->files[i].broken_lines;
    return broken;
}

/* ---- what is next ---- */

static bool is_before(const struct timespec *time, const struct timespec *other)
{
    return timespec_seconds_between(time, other) > 0;
}

/* Whose next snapshot is the earliest, of the open files; NULL: none has one. */
static merge_file_t *earliest(const merge_t *self)
{
    merge_file_t *first = NULL;
    for (size_t i = 0; i < self->begun; i++) {
        merge_file_t *file = &self->files[i];
        if (file->next && (!first || is_before(&file->next->time, &first->next->time)))
            first = file;
    }
    return first;
}

/* The next snapshot of a file; what is after the end isn't read. */
static void advance(merge_t *self, merge_file_t *file)
{
    merge_file_advance(file, self->stop_fd, &self->items);
    if (file->next && self->has_until && is_before(&self->until, &file->next->time)) {
        snapshot_destroy(&file->next);
        replay_destroy(&file->replay);
        file->has_ended = true;
    }
}

/* Opens those that begin before a time; without one, the next one that has anything. */
static void begin_until(merge_t *self, const struct timespec *time)
{
    while (self->begun < self->count) {
        merge_file_t *file = &self->files[self->begun];
        if (time && !(file->has_first && is_before(&file->first, time)))
            return;
        self->begun++;
        advance(self, file);
        if (!time && file->next)
            return;
    }
}

/* Whose next snapshot is the earliest of all; NULL: there is none any more. */
static merge_file_t *first_of_all(merge_t *self)
{
    if (!earliest(self))
        begin_until(self, NULL);
    const merge_file_t *first = earliest(self);
    if (!first)
        return NULL;
    const struct timespec time = first->next->time;
    begin_until(self, &time);
    return earliest(self);
}

/* ---- the monotonic clocks ---- */

/*
 * Times by the monotonic clocks of several hosts, or boots, can't be compared. Each file's is
 * shifted to that of the first one, as far as the time of day tells, once.
 */
static void shift_clock(merge_t *self, merge_file_t *file, snapshot_t *snapshot)
{
    if (snapshot->asked <= 0)
        return;
    if (!file->knows_shift && self->latest_asked > 0) {
        const double there =
            self->latest_asked + timespec_seconds_between(&self->latest, &snapshot->time);
        const double shift = there - snapshot->asked;
        file->shift = fabs(shift) > SAME_CLOCK ? shift : 0;
    }
    file->knows_shift = true;
    snapshot->asked += file->shift;
    for (size_t i = 0; i < snapshot->reply_count; i++)
        if (snapshot->replies[i].answered > 0)
            snapshot->replies[i].answered += file->shift;
    if (snapshot->asked > 0) {
        self->latest = snapshot->time;
        self->latest_asked = snapshot->asked;
        return;
    }
    /* Of a host that was started before the first one's: not worth the trouble. */
    snapshot->asked = 0;
    for (size_t i = 0; i < snapshot->reply_count; i++)
        snapshot->replies[i].answered = 0;
}

/* ---- snapshots of one moment ---- */

static snapshot_t *take(merge_t *self, merge_file_t *file)
{
    snapshot_t *snapshot = file->next;
    file->next = NULL;
    file->last = snapshot->time;
    shift_clock(self, file, snapshot);
    if (self->count > 1)
        merge_order_keep(&self->order, snapshot, file->place);
    advance(self, file);
    return snapshot;
}

/* Until when a snapshot of another file belongs to one that was just taken from this file. */
static struct timespec end_of_moment(const merge_file_t *file)
{
    const double most = file->period_before > 0 ? GAP_PERIODS * file->period_before : INFINITY;
    const double period = file->period > 0 ? fmin(file->period, most) : PERIOD_DEFAULT;
    const struct timespec end = timespec_later(&file->last, period);
    return file->next && is_before(&file->next->time, &end) ? file->next->time : end;
}

/* Whether it belongs to the moment: it has other servers, or is the same once more. */
static bool belongs(const snapshot_t *moment, const snapshot_t *snapshot)
{
    return timespec_seconds_between(&moment->time, &snapshot->time) == 0 ||
           merge_snapshots_adds(moment, snapshot);
}

/* Adds what other files have at the same moment: no file twice. */
static void add_others(merge_t *self, snapshot_t *moment, struct timespec end)
{
    merge_file_t *file = NULL;
    begin_until(self, &end);
    while ((file = earliest(self)) && is_before(&file->next->time, &end) &&
           !is_before(&file->next->time, &moment->time) && belongs(moment, file->next)) {
        snapshot_t *snapshot = take(self, file);
        moment->is_part |= snapshot->is_part;
        merge_snapshots_add(moment, &snapshot);
        const struct timespec next = end_of_moment(file);
        if (is_before(&next, &end))
            end = next;
        begin_until(self, &end);
    }
}

/* Whether a file has begun, and goes on, that has nothing at this moment. */
static bool lacks_any(const merge_t *self, const struct timespec *moment)
{
    for (size_t i = 0; i < self->begun; i++) {
        const merge_file_t *file = &self->files[i];
        if (file->next && file->last.tv_sec != 0 && is_before(&file->last, moment))
            return true;
    }
    return false;
}

/* The earliest of all snapshots, and its file; NULL: there is none. Of some, all came too late. */
static snapshot_t *take_first(merge_t *self, merge_file_t **file)
{
    snapshot_t *snapshot = NULL;
    while ((*file = first_of_all(self))) {
        snapshot = take(self, *file);
        if (snapshot->reply_count > 0)
            return snapshot;
        snapshot_destroy(&snapshot);
    }
    return NULL;
}

/* The next moment; NULL: there is none. */
static snapshot_t *next_moment(merge_t *self)
{
    merge_file_t *file = NULL;
    snapshot_t *moment = take_first(self, &file);
    if (moment && self->count > 1) {
        add_others(self, moment, end_of_moment(file));
        moment->is_part |= lacks_any(self, &moment->time);
    }
    return moment;
}

/* ---- as a source ---- */

/* Adds to what is known of before since: the last answer of each server, and when it was asked. */
static void add_to_base(merge_t *self, snapshot_t **moment)
{
    if (!self->base) {
        self->base = *moment;
        *moment = NULL;
        return;
    }
    snapshot_t *base = self->base;
    const struct timespec time = (*moment)->time;
    const double asked = (*moment)->asked;
    merge_snapshots_add(base, moment);
    for (size_t i = 0; i < base->reply_count; i++) {
        reply_t *reply = &base->replies[i];
        const struct timespec own = reply->time.tv_sec != 0 ? reply->time : base->time;
        const bool is_other = timespec_seconds_between(&own, &time) != 0;
        reply->time = is_other ? own : (struct timespec){0};
    }
    base->time = time;
    base->asked = asked;
}

/* What is said to be missing before since doesn't matter. */
static void forget_remarks(merge_t *self)
{
    source_item_t *items = self->items.items;
    for (size_t i = self->taken; i < self->items.count; i++) {
        free(items[i].remark);
        items[i].remark = NULL;
    }
}

/*
 * The next moment that isn't before since, after what was before; NULL: there is none, or, with
 * *more, it has to be looked for further.
 */
static snapshot_t *next_wanted(merge_t *self, bool *more)
{
    snapshot_t *moment = next_moment(self);
    *more = moment;
    if (moment && self->has_since && is_before(&moment->time, &self->since)) {
        add_to_base(self, &moment);
        forget_remarks(self);
        return NULL;
    }
    if (!moment || !self->base)
        return moment;
    self->held = moment;
    moment = self->base;
    self->base = NULL;
    self->has_since = false;
    return moment;
}

static bool give_item(merge_t *self, source_item_t *item)
{
    if (self->taken == self->items.count)
        return false;
    *item = ((source_item_t *)self->items.items)[self->taken++];
    if (self->taken == self->items.count)
        self->taken = self->items.count = 0;
    return true;
}

static bool next(source_t *source, source_item_t *item)
{
    merge_t *self = (merge_t *)source;
    *item = (source_item_t){.snapshot = self->held};
    self->held = NULL;
    if (item->snapshot)
        return true;
    (void)first_of_all(self); /* what is said before its first snapshot */
    if (give_item(self, item))
        return true;
    bool more = false;
    item->snapshot = next_wanted(self, &more);
    return more || give_item(self, item);
}

static void destroy(source_t **source)
{
    merge_destroy((merge_t **)source);
}

source_t *merge_source(merge_t *self)
{
    static const source_methods_t methods = {.next = next, .destroy = destroy};
    self->source.methods = &methods;
    return &self->source;
}
