#include "monitor/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/compression.h"
#include "monitor/delta.h"
#include "response/json_text.h"
#include "response/memory.h"

enum { PIECE = 65536 };

/* The last answer of a server: what a line of changes starts from. */
typedef struct {
    char *server;
    char *data;
    size_t size;
} base_t;

struct replay {
    char *name;
    int in_fd;
    int stop_fd;
    int error; /* errno of a read that failed, or 0 */
    bool stopped;
    decompressor_t *decompressor; /* NULL: it isn't compressed */
    decompressor_state_t state;
    bool begun;
    bool broken; /* the rest can't be read */
    char *text;  /* what was read and not yet given out */
    size_t size;
    size_t room;
    size_t line_number;
    bool partial; /* the last line has no line feed */
    base_t *bases;
    size_t base_count;
};

replay_t *replay_new(const char *path, int stop_fd, char **error)
{
    const bool standard_input = strcmp(path, "-") == 0;
    /* A FIFO that nobody writes to yet is waited for where a signal can end that. */
    const int in_fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    *error = NULL;
    if (in_fd < 0) {
        *error = memory_format("%s: can't read it: %s", path, strerror(errno));
        return NULL;
    }
    replay_t *self = memory_new(1, sizeof *self);
    self->name = memory_string(standard_input ? "standard input" : path);
    self->in_fd = in_fd;
    self->stop_fd = stop_fd;
    self->state = DECOMPRESSOR_END;
    return self;
}

void replay_destroy(replay_t **self)
{
    replay_t *replay = *self;
    if (!replay)
        return;
    for (size_t i = 0; i < replay->base_count; i++) {
        free(replay->bases[i].server);
        free(replay->bases[i].data);
    }
    if (replay->in_fd != STDIN_FILENO)
        close(replay->in_fd);
    decompressor_destroy(&replay->decompressor);
    free(replay->bases);
    free(replay->text);
    free(replay->name);
    free(replay);
    *self = NULL;
}

bool replay_reads(const replay_t *self, const char *path)
{
    struct stat in;
    struct stat other;
    const bool standard_output = strcmp(path, "-") == 0;
    return fstat(self->in_fd, &in) == 0 && S_ISREG(in.st_mode) &&
           (standard_output ? fstat(STDOUT_FILENO, &other) : stat(path, &other)) == 0 &&
           in.st_dev == other.st_dev && in.st_ino == other.st_ino;
}

/* ---- text ---- */

/* Reads what is there, and waits for it; 0 at the end, when told to stop, or when that failed. */
static size_t read_piece(replay_t *self, char *piece, size_t size)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = self->in_fd, .events = POLLIN},
                               {.fd = self->stop_fd, .events = POLLIN}};
        const bool ready = poll(fds, 2, -1) > 0;
        if (ready && fds[1].revents) {
            self->stopped = true;
            return 0;
        }
        const ssize_t got = ready ? read(self->in_fd, piece, size) : -1;
        if (got >= 0)
            return (size_t)got;
        if (errno != EINTR && errno != EAGAIN) {
            self->error = errno;
            self->broken = true;
            return 0;
        }
    }
}

static char *copy_of(const char *text, size_t size)
{
    char *copy = memory_new(size + 1, 1);
    memcpy(copy, text, size);
    return copy;
}

static char *make_room(replay_t *self)
{
    if (self->room - self->size < PIECE) {
        self->room = self->room < PIECE ? (size_t)2 * PIECE : 2 * self->room;
        self->text = memory_resize(self->text, self->room, 1);
    }
    return self->text + self->size;
}

/* Reads some more text. False at the end, or when there is nothing that can be read. */
static bool read_more(replay_t *self)
{
    char piece[PIECE];
    if (self->broken)
        return false;
    const size_t got = read_piece(self, piece, sizeof piece);
    if (got == 0 && (self->stopped || self->broken))
        return false;
    if (!self->begun) {
        self->begun = true;
        const compression_t kind = compression_of_data(piece, got);
        if (kind != COMPRESSION_NONE)
            self->decompressor = decompressor_new(kind);
    }
    if (!self->decompressor) {
        memcpy(make_room(self), piece, got);
        self->size += got;
        return got > 0;
    }
    const void *next = piece;
    size_t left = got;
    size_t written = PIECE;
    while (!self->broken && (left > 0 || (written == PIECE && self->state != DECOMPRESSOR_END))) {
        char *out = make_room(self);
        self->state = decompressor_run(self->decompressor, &next, &left, out, PIECE, &written);
        self->size += written;
        self->broken = self->state == DECOMPRESSOR_BROKEN;
    }
    return got > 0;
}

/* The next line, without its line feed; the caller frees it. NULL at the end. */
static char *next_line(replay_t *self, size_t *size)
{
    size_t searched = 0;
    char *feed = NULL;
    for (;;) {
        feed = self->size > searched ? memchr(self->text + searched, '\n', self->size - searched)
                                     : NULL;
        if (feed)
            break;
        searched = self->size;
        if (!read_more(self) && self->size == searched)
            break;
    }
    if (!feed && (self->size == 0 || self->stopped))
        return NULL;
    *size = feed ? (size_t)(feed - self->text) : self->size;
    char *line = copy_of(self->text, *size);
    const size_t taken = *size + (feed != NULL);
    memmove(self->text, self->text + taken, self->size - taken);
    self->size -= taken;
    self->line_number++;
    self->partial = !feed;
    return line;
}

/* ---- lines ---- */

static bool is_key(json_slice_t key, const char *name)
{
    const size_t size = strlen(name);
    return key.size == size + 2 && memcmp(key.text + 1, name, size) == 0;
}

/* The value of a key; empty if there is none. */
static json_slice_t value_of(json_slice_t object, const char *name)
{
    json_member_t member;
    for (size_t at = 0; json_text_member(object, &at, &member);)
        if (is_key(member.key, name))
            return member.value;
    return (json_slice_t){"", 0};
}

static bool is_string(json_slice_t value)
{
    return value.size > 0 && value.text[0] == '"';
}

/* "2026-03-01T12:00:00.000000+01:00" */
static bool parse_time(json_slice_t value, struct timespec *time)
{
    if (!is_string(value))
        return false;
    char *text = json_text_string(value);
    struct tm fields = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &fields);
    long micros = 0;
    int hours = 0;
    int minutes = 0;
    char sign = '+';
    const bool good = rest && sscanf(rest, ".%6ld%c%2d:%2d", &micros, &sign, &hours, &minutes) == 4;
    if (good) {
        const long offset = (hours * 60L + minutes) * 60 * (sign == '-' ? -1 : 1);
        time->tv_sec = timegm(&fields) - offset;
        time->tv_nsec = micros * 1000;
    }
    free(text);
    return good;
}

static base_t *base_of(replay_t *self, const char *server)
{
    for (size_t i = 0; i < self->base_count; i++)
        if (strcmp(self->bases[i].server, server) == 0)
            return &self->bases[i];
    self->bases = memory_resize(self->bases, self->base_count + 1, sizeof *self->bases);
    self->bases[self->base_count] = (base_t){.server = memory_string(server)};
    return &self->bases[self->base_count++];
}

/* The answer of a server: whole, or what it changed. */
static void read_data(replay_t *self, json_slice_t data, json_slice_t changes, json_slice_t removed,
                      reply_t *reply)
{
    base_t *base = base_of(self, reply->server);
    size_t size = data.size;
    char *text = NULL;
    if (data.size > 0)
        text = copy_of(data.text, size);
    else if (base->data)
        text = delta_apply(base->data, base->size, changes.text, changes.size,
                           removed.size > 0 ? removed.text : NULL, removed.size, &size);
    if (!text) {
        reply->error = memory_string("the recording has what changed, but not of what");
        return;
    }
    free(base->data);
    base->data = text;
    base->size = size;
    reply->data = copy_of(text, size);
    reply->data_size = size;
    char *unreadable = NULL;
    reply->response = response_parse(text, size, &unreadable);
    if (!reply->response)
        reply->error = memory_format("can't read its answer: %s", unreadable);
    free(unreadable);
}

static void read_reply(replay_t *self, json_slice_t value, reply_t *reply)
{
    const json_slice_t data = value_of(value, "data");
    const json_slice_t changes = value_of(value, "changes");
    const json_slice_t error = value_of(value, "error");
    const json_slice_t text = value_of(value, "text");
    if (data.size > 0 || changes.size > 0) {
        read_data(self, data, changes, value_of(value, "removed"), reply);
        return;
    }
    reply->error = is_string(error) ? json_text_string(error) : memory_string("no answer");
    if (is_string(text)) {
        reply->data = json_text_string(text);
        reply->data_size = strlen(reply->data);
    }
}

static size_t count_members(json_slice_t object)
{
    json_member_t member;
    size_t count = 0;
    for (size_t at = 0; json_text_member(object, &at, &member);)
        count++;
    return count;
}

/* The snapshot of a line. NULL if it has none, and then *note if it should have. */
static snapshot_t *read_line(replay_t *self, const char *line, size_t size, char **note,
                             bool *damaged)
{
    char *wrong = NULL;
    if (self->partial && !json_text_is_valid(line, size, &wrong)) {
        free(wrong);
        *note =
            memory_format("%s: line %zu, the last one, is cut off", self->name, self->line_number);
        self->state = DECOMPRESSOR_END; /* so it needs no other note */
        return NULL;
    }
    if (!json_text_is_valid(line, size, &wrong)) {
        *note = memory_format("%s: line %zu is no JSON, and is left out: %s", self->name,
                              self->line_number, wrong);
        free(wrong);
        *damaged = true;
        return NULL;
    }
    const json_slice_t object = {line, size};
    const json_slice_t replies = value_of(object, "replies");
    const json_slice_t lost = value_of(object, "lost_snapshots");
    struct timespec time;
    if (replies.size == 0 || replies.text[0] != '{' ||
        !parse_time(value_of(object, "time"), &time)) {
        *note = memory_format("%s: line %zu is none of a recording, and is left out", self->name,
                              self->line_number);
        *damaged = true;
        return NULL;
    }
    const size_t count = count_members(replies);
    if (count == 0) {
        if (lost.size > 0)
            *note = memory_format("%s: line %zu: %.*s snapshots were lost before it", self->name,
                                  self->line_number, (int)lost.size, lost.text);
        return NULL;
    }
    snapshot_t *snapshot = snapshot_new(count);
    snapshot->time = time;
    json_member_t member;
    size_t at = 0;
    for (size_t i = 0; i < count && json_text_member(replies, &at, &member); i++) {
        snapshot->replies[i].server = json_text_string(member.key);
        read_reply(self, member.value, &snapshot->replies[i]);
    }
    return snapshot;
}

bool replay_next(replay_t *self, snapshot_t **snapshot, char **note, bool *damaged)
{
    *snapshot = NULL;
    *note = NULL;
    *damaged = false;
    size_t size = 0;
    char *line = next_line(self, &size);
    if (line) {
        *snapshot = size > 0 ? read_line(self, line, size, note, damaged) : NULL;
        free(line);
        return true;
    }
    if (self->stopped)
        return false;
    if (self->error != 0)
        *note = memory_format("%s: can't read it: %s", self->name, strerror(self->error));
    else if (self->broken || self->state == DECOMPRESSOR_MORE)
        *note = memory_format("%s: %s behind line %zu", self->name,
                              self->broken ? "damaged" : "cut off", self->line_number);
    *damaged = self->broken;
    return false;
}
