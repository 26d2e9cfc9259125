#include "monitor/recording/recording.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/outlet.h"
#include "monitor/recording/recording_file.h"
#include "monitor/recording/recording_line.h"

/* How much may wait for the reader of a pipe, in bytes; a single snapshot may be larger. */
#define CAPACITY (16 << 20)

struct recording {
    recording_file_t file;
    outlet_t *outlet; /* for a file that is not a regular one; otherwise NULL */
    int stop_fd;
    bool waits;     /* for its reader, rather than lose a snapshot */
    bool gone;      /* its reader */
    int last_errno; /* why the last snapshot was lost; 0: it wasn't */
    size_t lost;    /* snapshots since the last line that was written */
    size_t untold;  /* lost snapshots that were not reported yet */
    struct timespec lost_since;
    int64_t full_every;       /* 0: always */
    int64_t since_full;       /* lines; 0: the next one is to be full */
    recording_bases_t *bases; /* what changes are compared with; NULL if full_every is 0 */
};

recording_t *recording_new(const recording_options_t *options, int stop_fd, char **error,
                           char **note)
{
    *error = NULL;
    if (note)
        *note = NULL;
    recording_t *self = memory_new(1, sizeof *self);
    self->file = (recording_file_t){
        .fd = -1, .rotation = {.bytes = options->rotate_bytes, .seconds = options->rotate_seconds}};
    self->stop_fd = stop_fd;
    self->waits = options->waits;
    self->full_every = options->full_every;
    if (options->full_every > 0)
        self->bases = recording_bases_new();
    if (!recording_file_open(&self->file, options->path, options->append, error, note))
        recording_destroy(&self);
    else if (!self->file.regular)
        self->outlet = outlet_new(self->file.fd, NULL);
    return self;
}

void recording_destroy(recording_t **self)
{
    if (!*self)
        return;
    const bool unused = outlet_destroy(&(*self)->outlet);
    recording_file_clear(&(*self)->file, !unused);
    recording_bases_destroy(&(*self)->bases);
    free(*self);
    *self = NULL;
}

bool recording_reopen(recording_t *self, char **error)
{
    return recording_file_reopen(&self->file, error);
}

bool recording_goes_to_standard_output(const char *path)
{
    return recording_file_is_standard_output(path);
}

/* Makes sure that there is a file to write to. False if not, and then errno. */
static bool make_ready(recording_t *self, char **error)
{
    const bool ready = recording_file_make_ready(&self->file, self->last_errno, error);
    const int why = errno;
    if (self->file.is_other) {
        if (self->bases)
            recording_bases_settle(self->bases, false);
        self->since_full = 0;
        self->file.is_other = false;
    }
    errno = why;
    return ready;
}

/* Reports why it can't record, unless that was already reported last. */
static void say_trouble(recording_t *self, int why, char **error)
{
    if (why != self->last_errno) {
        free(*error);
        *error =
            why == EAGAIN
                ? memory_format("%s: nobody reads it: snapshots are lost until somebody does",
                                self->file.name)
                : memory_format("%s: can't record: %s%s: snapshots are lost until it works again",
                                self->file.name, strerror(why),
                                why == EFBIG ? " (see ulimit -f, or --rotate)" : "");
    }
    self->last_errno = why;
}

/* The result for a snapshot that couldn't be written; EAGAIN: because nobody reads. */
static sink_result_t lose(recording_t *self, const snapshot_t *snapshot, int why, char **error)
{
    if (self->lost++ == 0)
        self->lost_since = snapshot->time;
    self->untold++;
    say_trouble(self, why, error);
    return SINK_FAILED;
}

/* The lines for a snapshot. */
static char *make_lines(recording_t *self, const snapshot_t *snapshot, const findings_t *findings,
                        size_t *size)
{
    size_t line_size = 0;
    size_t lost_size = 0;
    char *line = recording_line(snapshot, findings, self->bases, self->since_full == 0, &line_size);
    char *lost = self->lost ? recording_lost_line(self->lost, &self->lost_since, &lost_size) : NULL;
    char *lines = memory_resize(lost, lost_size + line_size, 1);
    memcpy(lines + lost_size, line, line_size);
    free(line);
    *size = lost_size + line_size;
    return lines;
}

/*
 * A pipe's reader may not read; what is accepted is written completely, now or later. Frees block.
 */
static sink_result_t write_to_reader(recording_t *self, char *block, size_t size, char **error)
{
    const bool taken = outlet_put(self->outlet, OUTLET_RESULT, block, size, CAPACITY);
    const outlet_state_t state =
        self->waits ? outlet_wait(self->outlet, -1, self->stop_fd) : outlet_state(self->outlet);
    const int why = state == OUTLET_FAILING ? errno : EAGAIN;
    self->gone = state == OUTLET_CLOSED || (self->waits && state == OUTLET_PENDING);
    if (self->gone) {
        free(*error);
        *error =
            memory_format(state == OUTLET_CLOSED
                              ? "%s: its reader has gone: stopping"
                              : "%s: its reader has stopped reading: the last snapshot is lost",
                          self->file.name);
        return SINK_CLOSED;
    }
    if (taken && state == OUTLET_FAILING)
        say_trouble(self, why, error);
    errno = why;
    return taken ? SINK_OK : SINK_FAILED;
}

/* Lines as they are written to the file, all together as one block. Frees lines. */
static char *block_of(const recording_t *self, char *lines, size_t *size)
{
    if (self->file.compression == COMPRESSION_NONE)
        return lines;
    char *block = compression_block(self->file.compression, lines, *size, size);
    free(lines);
    return block;
}

/* Writes lines and frees them. If that failed errno says why, or *error that it ever will. */
static sink_result_t write_block(recording_t *self, char *lines, size_t size, char **error)
{
    char *block = block_of(self, lines, &size);
    if (self->outlet)
        return write_to_reader(self, block, size, error);
    const bool written = recording_file_write(&self->file, block, size);
    const int why = errno;
    free(block);
    errno = why;
    return written ? SINK_OK : SINK_FAILED;
}

/* Reports that it records again, if it does, and how much was lost. */
static void say_again(recording_t *self, char **error)
{
    if (self->outlet && outlet_state(self->outlet) != OUTLET_IDLE)
        return;
    if (self->last_errno) {
        free(*error);
        *error = memory_format("%s: recording again; %zu snapshot%s lost", self->file.name,
                               self->untold, self->untold == 1 ? " was" : "s were");
    }
    self->untold = 0;
    self->last_errno = 0;
}

sink_result_t recording_write(recording_t *self, const snapshot_t *snapshot,
                              const findings_t *findings, char **error)
{
    *error = NULL;
    if (!make_ready(self, error))
        return lose(self, snapshot, errno, error);
    size_t size = 0;
    sink_result_t result = SINK_FAILED;
    char *lines = make_lines(self, snapshot, findings, &size);
    if (size <= RECORDING_LINE_MAX) {
        result = write_block(self, lines, size, error);
    } else {
        free(lines);
        errno = EMSGSIZE;
    }
    const int why = errno;
    if (self->bases)
        recording_bases_settle(self->bases, result == SINK_OK);
    if (self->full_every > 0)
        self->since_full = result == SINK_OK ? (self->since_full + 1) % self->full_every : 0;
    if (result == SINK_FAILED)
        return lose(self, snapshot, why, error);
    if (result == SINK_OK) {
        self->lost = 0;
        say_again(self, error);
    }
    return result;
}

sink_result_t recording_write_remark(recording_t *self, const char *line, size_t size, char **error)
{
    sink_result_t result = SINK_FAILED;
    *error = NULL;
    if (make_ready(self, error)) {
        char *copy = memory_new(size, 1);
        memcpy(copy, line, size);
        result = write_block(self, copy, size, error);
    }
    if (result == SINK_FAILED && !*error)
        *error = memory_format("%s: can't record: %s: a line that reports lost snapshots is lost",
                               self->file.name, strerror(errno));
    return result;
}

sink_result_t recording_finish(recording_t *self, bool told, char **error)
{
    *error = NULL;
    if (!self->outlet || self->gone)
        return SINK_OK;
    if (self->lost > 0) {
        size_t size = 0;
        char *line = recording_lost_line(self->lost, &self->lost_since, &size);
        line = block_of(self, line, &size);
        outlet_put(self->outlet, OUTLET_MESSAGE, line, size, SIZE_MAX);
    }
    const outlet_state_t state =
        outlet_wait(self->outlet, told ? OUTLET_GRACE_MS : -1, told ? -1 : self->stop_fd);
    const char *why = state == OUTLET_FAILING ? strerror(errno) : "its reader has stopped reading";
    const size_t lost = self->lost + outlet_pending(self->outlet, OUTLET_RESULT);
    if (state == OUTLET_CLOSED)
        *error = memory_format("%s: its reader has gone", self->file.name);
    else if (lost > 0)
        *error = memory_format("%s: %s: the last %zu snapshot%s lost", self->file.name, why, lost,
                               lost == 1 ? " is" : "s are");
    return *error ? SINK_FAILED : SINK_OK;
}
