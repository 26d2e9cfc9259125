#include "monitor/recording/merge_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/timespec.h"

static void close_it(merge_file_t *self)
{
    if (self->replay)
        self->broken_lines = (int64_t)replay_broken_lines(self->replay);
    replay_destroy(&self->replay);
    self->has_ended = true;
}

void merge_file_clear(merge_file_t *self)
{
    snapshot_destroy(&self->next);
    replay_destroy(&self->replay);
    free(self->path);
    *self = (merge_file_t){0};
}

/* ---- the first look ---- */

/* So many are kept between two snapshots, and so many bytes of each: a recorder writes one where
 * polls are missing, and it is short. */
enum { KEPT_MAX = 1000, REMARK_MAX = 16384 };

/* Keeps what the replay says, in the order in which it says it. */
static void keep(vector_t *items, source_item_t *item)
{
    if (item->remark_size > REMARK_MAX) {
        free(item->remark);
        item->remark = NULL;
    }
    if (items->count >= KEPT_MAX && !item->damaged)
        source_item_clear(item);
    if (item->note || item->remark)
        *(source_item_t *)vector_add(items) = *item;
    *item = (source_item_t){0};
}

static void take_identity(merge_file_t *self)
{
    struct stat status;
    self->is_regular = replay_is_file(self->replay);
    if ((self->is_input ? fstat(STDIN_FILENO, &status) : stat(self->path, &status)) != 0)
        return;
    self->device = status.st_dev;
    self->inode = status.st_ino;
    self->size = (int64_t)status.st_size;
}

/* It has lines, and none of them is from a recording. */
static char *no_recording(const merge_file_t *self, const char *note)
{
    const char *name = self->is_input ? "standard input" : self->path;
    return memory_format("%s: isn't a recording: name files that ska-tango-event-monitor -o has "
                         "written (%s)",
                         name, note ? note : "its lines aren't JSON");
}

/* The note without the name of the file, which it begins with. */
static char *reason_of(const char *note)
{
    const char *colon = strstr(note, ": ");
    return memory_string(colon ? colon + 2 : note);
}

/* Reads on to the first snapshot. Returns what is wrong, or NULL. */
static char *find_first(merge_file_t *self, vector_t *items)
{
    char *first_note = NULL;
    bool is_recording = false;
    bool is_broken = false;
    bool more = true;
    while (more && !self->next) {
        source_item_t item;
        more = replay_next(self->replay, &item);
        is_recording |= item.snapshot || item.remark;
        is_broken |= item.damaged;
        if (item.damaged && item.note && !first_note)
            first_note = reason_of(item.note);
        self->next = item.snapshot;
        item.snapshot = NULL;
        item.damaged &= !more;
        keep(items, &item);
    }
    char *error = is_broken && !is_recording ? no_recording(self, first_note) : NULL;
    free(first_note);
    return error;
}

char *merge_file_look(merge_file_t *self, int stop_fd, vector_t *items)
{
    char *error = NULL;
    self->replay = replay_new(self->path, stop_fd, &error);
    if (!self->replay)
        return error;
    take_identity(self);
    const size_t before = items->count;
    error = find_first(self, items);
    self->has_first = self->next;
    if (self->next)
        self->first = self->next->time;
    if (self->is_regular && !self->is_input) {
        /* What is read again says again what can't be read. */
        while (items->count > before)
            source_item_clear(&((source_item_t *)items->items)[--items->count]);
        snapshot_destroy(&self->next);
        replay_destroy(&self->replay);
    } else if (!self->next) {
        close_it(self);
    }
    return error;
}

/* ---- reading ---- */

void merge_file_advance(merge_file_t *self, int stop_fd, vector_t *items)
{
    if (self->next || self->has_ended)
        return;
    if (!self->replay) {
        char *error = NULL;
        self->replay = replay_new(self->path, stop_fd, &error);
        if (!self->replay) {
            source_item_t item = {.note = error, .damaged = true};
            keep(items, &item);
            self->has_ended = true;
            return;
        }
    }
    bool more = true;
    while (more && !self->next) {
        source_item_t item;
        more = replay_next(self->replay, &item);
        self->next = item.snapshot;
        item.snapshot = NULL;
        /* A line that is passed over is counted; only a file that ends too early is a failure. */
        item.damaged &= !more;
        keep(items, &item);
    }
    self->broken_lines = (int64_t)replay_broken_lines(self->replay);
    if (!more)
        close_it(self);
    if (!self->next || self->last.tv_sec == 0)
        return;
    self->period_before = self->period;
    self->period = fmax(0, timespec_seconds_between(&self->last, &self->next->time));
}

double merge_file_read(const merge_file_t *self)
{
    if (!self->replay)
        return self->has_ended ? (double)self->size : 0;
    const double part = replay_part(self->replay);
    return isnan(part) ? 0 : part * (double)self->size;
}
