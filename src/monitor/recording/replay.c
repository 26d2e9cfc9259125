#include "monitor/recording/replay.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "base/name_index.h"
#include "base/timespec.h"
#include "monitor/recording/delta.h"
#include "monitor/recording/line_reader.h"
#include "monitor/recording/read_ahead.h"
#include "monitor/recording/recording_line.h"

/* The last answer of a server: what a line of changes starts from. */
typedef struct {
    char *server;
    char *data; /* NULL: not known */
    size_t size;
    size_t capacity; /* of data */
} base_t;

struct replay {
    source_t source; /* comes first */
    char *name;
    read_ahead_t *ahead; /* or NULL. While there is one, what is below is its thread's */
    bool is_large;       /* a regular file that is worth a thread */
    line_reader_t *reader;
    json_spans_t spans; /* of the line that is read */
    bool cut_off;       /* the last line was, and that was reported */
    bool mends;         /* there were lines without their last braces, and that was reported */
    base_t *bases;
    size_t base_count;
    name_index_t base_names;
    size_t good;    /* lines with content */
    size_t damaged; /* lines that were skipped */
    size_t untold;  /* of those, not yet reported */
};

/* How many skipped lines are reported one by one. */
#define NAMED_MAX 10

/* Regular files of this many bytes are read ahead. */
#define LARGE ((off_t)1 << 20)

/* A file with this many before the first good one is not a recording. */
#define DAMAGED_MAX 1000

replay_t *replay_new(const char *path, int stop_fd, char **error)
{
    char *why = NULL;
    line_reader_t *reader = line_reader_new(path, stop_fd, RECORDING_LINE_MAX, &why);
    *error = NULL;
    if (!reader) {
        *error = memory_format("%s: can't read it: %s", path, why);
        free(why);
        return NULL;
    }
    replay_t *self = memory_new(1, sizeof *self);
    self->name = memory_string(strcmp(path, "-") == 0 ? "standard input" : path);
    self->reader = reader;
    struct stat in;
    self->is_large =
        fstat(line_reader_fd(reader), &in) == 0 && S_ISREG(in.st_mode) && in.st_size >= LARGE;
    return self;
}

/*
 * After a line that can't be read: what it changed isn't known, so changes can't be applied until
 * the next full answers.
 */
static void forget_bases(replay_t *self)
{
    for (size_t i = 0; i < self->base_count; i++) {
        free(self->bases[i].server);
        free(self->bases[i].data);
    }
    self->base_count = 0;
    name_index_clear(&self->base_names);
}

void replay_destroy(replay_t **self)
{
    replay_t *replay = *self;
    if (!replay)
        return;
    read_ahead_destroy(&replay->ahead);
    forget_bases(replay);
    line_reader_destroy(&replay->reader);
    json_spans_clear(&replay->spans);
    free(replay->bases);
    free(replay->name);
    free(replay);
    *self = NULL;
}

bool replay_reads(const replay_t *self, const char *path)
{
    struct stat in;
    struct stat other;
    const bool standard_output = strcmp(path, "-") == 0;
    return fstat(line_reader_fd(self->reader), &in) == 0 && S_ISREG(in.st_mode) &&
           (standard_output ? fstat(STDOUT_FILENO, &other) : stat(path, &other)) == 0 &&
           in.st_dev == other.st_dev && in.st_ino == other.st_ino;
}

bool replay_is_file(const replay_t *self)
{
    struct stat in;
    return fstat(line_reader_fd(self->reader), &in) == 0 && S_ISREG(in.st_mode);
}

static double part_of_file(const replay_t *self)
{
    struct stat in;
    const int fd = line_reader_fd(self->reader);
    const off_t at = lseek(fd, 0, SEEK_CUR);
    if (at < 0 || fstat(fd, &in) != 0 || !S_ISREG(in.st_mode) || in.st_size <= 0)
        return NAN;
    return at < in.st_size ? (double)at / (double)in.st_size : 1;
}

static read_progress_t progress(void *context)
{
    const replay_t *self = context;
    return (read_progress_t){.part = part_of_file(self), .broken_lines = self->damaged};
}

double replay_part(const replay_t *self)
{
    return self->ahead ? read_ahead_progress(self->ahead).part : part_of_file(self);
}

size_t replay_broken_lines(const replay_t *self)
{
    return self->ahead ? read_ahead_progress(self->ahead).broken_lines : self->damaged;
}

/* ---- values ---- */

static bool is_key(json_slice_t key, const char *name)
{
    const size_t size = strlen(name);
    return key.size == size + 2 && memcmp(key.text + 1, name, size) == 0;
}

/* Finds the values of some keys in one pass; missing ones are empty. */
static void find_values(const replay_t *self, json_slice_t object, size_t count,
                        const char *const *names, json_slice_t *values)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (json_slice_t){"", 0};
    json_member_t member;
    for (size_t at = 0; json_text_member_in(&self->spans, object, &at, &member);)
        for (size_t i = 0; i < count; i++)
            if (values[i].size == 0 && is_key(member.key, names[i]))
                values[i] = member.value;
}

static bool is_string(json_slice_t value)
{
    return value.size > 0 && value.text[0] == '"';
}

static bool is_object(json_slice_t value)
{
    return value.size > 0 && value.text[0] == '{';
}

/* As a string of JSON. */
static bool parse_time(json_slice_t value, struct timespec *time)
{
    if (!is_string(value))
        return false;
    size_t size = 0;
    char *text = json_text_string(value, &size);
    const bool good = strlen(text) == size && timespec_parse(text, time);
    free(text);
    return good;
}

/* ---- replies ---- */

/* The base of a server, a new one if there is none; mostly it stands in the place of its reply. */
static base_t *base_of(replay_t *self, const char *server, size_t place)
{
    if (place < self->base_count && strcmp(self->bases[place].server, server) == 0)
        return &self->bases[place];
    const size_t found = name_index_find(&self->base_names, server);
    if (found != NAME_INDEX_NONE)
        return &self->bases[found];
    self->bases = memory_resize(self->bases, self->base_count + 1, sizeof *self->bases);
    base_t *base = &self->bases[self->base_count];
    *base = (base_t){.server = memory_string(server)};
    name_index_add(&self->base_names, base->server, self->base_count++);
    return base;
}

/* What there was before can be overwritten: a night has many answers, of much the same size. */
static void set_base(base_t *base, json_slice_t data)
{
    if (base->capacity < data.size || base->capacity / 4 > data.size) {
        free(base->data);
        base->data = memory_resize(NULL, data.size, 1);
        base->capacity = data.size;
    }
    memcpy(base->data, data.text, data.size);
    base->size = data.size;
}

/* By its changes. False if it isn't known what they change. */
static bool change_base(base_t *base, json_slice_t changes, json_slice_t removed)
{
    size_t size = 0;
    char *text = base->data
                     ? delta_apply(base->data, base->size, changes.text, changes.size,
                                   removed.size > 0 ? removed.text : NULL, removed.size, &size)
                     : NULL;
    free(base->data);
    base->data = text;
    base->size = base->capacity = size;
    return text != NULL;
}

/* The answer of a server: in full, or its changes. */
static void read_data(base_t *base, json_slice_t data, json_slice_t changes, json_slice_t removed,
                      reply_t *reply)
{
    if (data.size > 0) {
        set_base(base, data);
    } else if (!change_base(base, changes, removed)) {
        reply->is_missing = true;
        reply->error =
            memory_string("the recording has what changed, but no answer to apply it to");
        return;
    }
    const char *text = base->data;
    const size_t size = base->size;
    reply->data = memory_copy(text, size);
    reply->data_size = size;
    char *unreadable = NULL;
    reply->response = response_parse_valid(text, size, &unreadable);
    if (!reply->response)
        reply->error = memory_format("can't read its answer: %s", unreadable);
    free(unreadable);
}

/* More seconds than any machine has been running. */
#define CLOCK_MAX 1e12

/* A time by the monotonic clock of the monitor that recorded it; 0: not known. */
static double read_monotonic(json_slice_t value)
{
    const bool is_number = value.size > 0 && strchr("0123456789", *value.text);
    const double seconds = is_number ? json_text_number(value.text, value.size) : 0;
    return seconds < CLOCK_MAX ? seconds : 0;
}

static void read_reply(replay_t *self, json_slice_t value, size_t place, reply_t *reply)
{
    enum { DATA, CHANGES, REMOVED, ERROR, TEXT, ANSWERED, COUNT };
    static const char *const names[] = {"data", "changes", "removed", "error", "text", "answered"};
    json_slice_t values[COUNT];
    find_values(self, value, COUNT, names, values);
    if (values[DATA].size > 0 || values[CHANGES].size > 0) {
        reply->answered = read_monotonic(values[ANSWERED]);
        read_data(base_of(self, reply->server, place), values[DATA], values[CHANGES],
                  values[REMOVED], reply);
        return;
    }
    reply->error = is_string(values[ERROR]) ? json_text_string(values[ERROR], NULL)
                                            : memory_string("no answer");
    if (is_string(values[TEXT])) {
        reply->answered = read_monotonic(values[ANSWERED]);
        reply->data = json_text_string(values[TEXT], &reply->data_size);
        reply->data_is_text = true;
    }
}

/* ---- checks ---- */

/* A check that this version knows; others are skipped. */
static void read_check(const replay_t *self, json_slice_t value, check_t *check, checks_t *checks)
{
    enum { OUTCOME, TEXT, TIME, COUNT };
    static const char *const names[] = {"outcome", "text", "time"};
    json_slice_t values[COUNT];
    find_values(self, value, COUNT, names, values);
    if (!is_string(values[OUTCOME]) || !parse_time(values[TIME], &check->time))
        return;
    char *outcome = json_text_string(values[OUTCOME], NULL);
    check->outcome = check_outcome_of(outcome);
    free(outcome);
    check->text =
        is_string(values[TEXT]) ? json_text_string(values[TEXT], NULL) : memory_string("");
    if (check->outcome != CHECK_OUTCOMES)
        checks_add(checks, check);
}

static void read_checks(const replay_t *self, json_slice_t object, checks_t *checks)
{
    json_member_t kind;
    for (size_t at = 0;
         is_object(object) && json_text_member_in(&self->spans, object, &at, &kind);) {
        char *name = json_text_string(kind.key, NULL);
        json_member_t member;
        for (size_t in = 0; is_object(kind.value) &&
                            json_text_member_in(&self->spans, kind.value, &in, &member);) {
            check_t check = {.kind = check_kind_of(name)};
            check.subject = json_text_string(member.key, NULL);
            if (check.kind != CHECK_KINDS && is_object(member.value))
                read_check(self, member.value, &check, checks);
            check_clear(&check);
        }
        free(name);
    }
    checks_sort(checks);
}

static size_t count_members(const replay_t *self, json_slice_t object)
{
    json_member_t member;
    size_t count = 0;
    for (size_t at = 0; json_text_member_in(&self->spans, object, &at, &member);)
        count++;
    return count;
}

static char *lost_note(const replay_t *self, size_t number, json_slice_t lost)
{
    char *count = memory_copy(lost.text, lost.size < 20 ? lost.size : 0);
    const bool is_count = *count && count[strspn(count, "0123456789")] == '\0';
    char *note = memory_format("%s: line %zu: %s%ssnapshots were lost before it", self->name,
                               number, is_count ? count : "", is_count ? " " : "");
    free(count);
    return note;
}

/* The content of a line of JSON. */
static void read_object(replay_t *self, json_slice_t object, size_t number, source_item_t *item)
{
    enum { TIME, ASKED, REPLIES, CHECKS, LOST, COUNT };
    static const char *const names[] = {"time", "asked", "replies", "checks", "lost_snapshots"};
    json_slice_t values[COUNT];
    struct timespec time;
    find_values(self, object, COUNT, names, values);
    const json_slice_t replies = values[REPLIES];
    if (!is_object(replies) || !parse_time(values[TIME], &time)) {
        item->note = memory_format("%s: line %zu is not from a recording, and is skipped",
                                   self->name, number);
        item->damaged = true;
        return;
    }
    const size_t count = count_members(self, replies);
    if (count == 0) {
        FILE *out = memory_stream_open(&item->remark, &item->remark_size);
        json_text_write_compact(out, object.text, object.size);
        putc('\n', out);
        memory_stream_close(out);
        if (values[LOST].size > 0)
            item->note = lost_note(self, number, values[LOST]);
        return;
    }
    item->snapshot = snapshot_new(count);
    item->snapshot->time = time;
    item->snapshot->asked = read_monotonic(values[ASKED]);
    item->snapshot->is_recorded = true;
    json_member_t member;
    size_t at = 0;
    for (size_t i = 0; i < count && json_text_member_in(&self->spans, replies, &at, &member); i++) {
        item->snapshot->replies[i].server = json_text_string(member.key, NULL);
        read_reply(self, member.value, i, &item->snapshot->replies[i]);
    }
    read_checks(self, values[CHECKS], &item->snapshot->checks);
}

/* ---- lines ---- */

static bool is_json(replay_t *self, const char *text, size_t size, char **wrong)
{
    return json_text_index(text, size, RECORDING_LINE_LEVELS, &self->spans, wrong);
}

/* Whether a text that began within a string (or not) ends within one. */
static bool ends_in_string(const char *text, size_t size, bool in_string)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == '"')
            in_string = !in_string;
        else if (text[i] == '\\' && in_string)
            i++;
    return in_string;
}

/* No line of the script is longer, or consists of more. */
#define JOINED_MAX ((size_t)64 << 20)

/*
 * The script wrote errors as they came, with line feeds in them: joins the lines of such a string,
 * with escapes for the line feeds. *last becomes the last of them.
 */
static char *join_lines(replay_t *self, const line_t *first, line_t *last, size_t *size)
{
    char *text = NULL;
    FILE *out = memory_stream_open(&text, size);
    fwrite(first->text, 1, first->size, out);
    size_t joined = first->size;
    bool in_string = ends_in_string(first->text, first->size, false);
    line_t next;
    *last = *first;
    while (in_string && joined < JOINED_MAX && line_reader_next(self->reader, &next)) {
        if (next.size > 0 && next.text[0] == '{') {
            line_reader_put_back(self->reader);
            break;
        }
        *last = next;
        if (next.too_long)
            break;
        fputs("\\n", out);
        fwrite(next.text, 1, next.size, out);
        in_string = ends_in_string(next.text, next.size, true);
        joined += next.size;
    }
    memory_stream_close(out);
    return text;
}

/* Adds the two braces that the script left out. NULL if the result isn't a line either. */
static char *add_braces(replay_t *self, const char *text, size_t size)
{
    static const char *const names[] = {"replies"};
    char *whole = memory_resize(NULL, size + 3, 1);
    memcpy(whole, text, size);
    memcpy(whole + size, "}}", 3);
    char *wrong = NULL;
    json_slice_t replies = {"", 0};
    if (is_json(self, whole, size + 2, &wrong))
        find_values(self, (json_slice_t){whole, size + 2}, 1, names, &replies);
    free(wrong);
    if (is_object(replies) && replies.text + replies.size == whole + size + 1)
        return whole;
    free(whole);
    return NULL;
}

/*
 * Repairs a line that is not JSON, if it is one of the script's; or NULL. Lines that belong to it
 * are consumed too; *last is the last of them. One that was cut off may look the same: it is only
 * believed if there were others before.
 */
static char *mend_line(replay_t *self, const line_t *line, line_t *last, size_t *size)
{
    static const char beginning[] = "{\"time\":";
    *last = *line;
    if (line->size < sizeof beginning || line->size > JOINED_MAX ||
        memcmp(line->text, beginning, sizeof beginning - 1) != 0)
        return NULL;
    char *joined = NULL;
    const char *text = line->text;
    *size = line->size;
    if (!line->partial && ends_in_string(text, *size, false))
        text = joined = join_lines(self, line, last, size);
    char *whole = last->partial && !self->mends ? NULL : add_braces(self, text, *size);
    free(joined);
    *size += 2;
    return whole;
}

static void leave_out(const replay_t *self, size_t first, size_t last, const char *why,
                      source_item_t *item)
{
    item->damaged = true;
    item->note =
        first == last
            ? memory_format("%s: line %zu is not JSON, and is skipped: %s", self->name, first, why)
            : memory_format("%s: lines %zu to %zu are not JSON, and are skipped: %s", self->name,
                            first, last, why);
}

static void read_line(replay_t *self, const line_t *line, source_item_t *item)
{
    char *wrong = NULL;
    if (is_json(self, line->text, line->size, &wrong)) {
        read_object(self, (json_slice_t){line->text, line->size}, line->number, item);
        return;
    }
    line_t last;
    size_t size = 0;
    char *whole = mend_line(self, line, &last, &size);
    if (whole) {
        read_object(self, (json_slice_t){whole, size}, line->number, item);
        if (!self->mends && !item->note) {
            item->note =
                memory_format("%s: line %zu lacks its last two braces, like all lines of an older "
                              "tool: such lines are read as if the braces were there",
                              self->name, line->number);
            self->mends = true;
        }
    } else if (last.partial) {
        item->note =
            memory_format("%s: line %zu, the last one, is cut off", self->name, line->number);
        self->cut_off = true;
    } else {
        leave_out(self, line->number, last.number, wrong, item);
    }
    free(whole);
    free(wrong);
}

/* What there is to report at the end. */
static void read_end(const replay_t *self, source_item_t *item)
{
    char *error = NULL;
    const line_reader_end_t end = line_reader_end(self->reader, &error);
    switch (end) {
    case LINE_READER_WHOLE:
    case LINE_READER_STOPPED:
        break;
    case LINE_READER_FAILED:
        item->note = memory_format("%s: can't read it: %s", self->name, error);
        free(error);
        break;
    case LINE_READER_CUT_OFF:
        if (!self->cut_off)
            item->note = memory_format("%s: cut off after line %zu", self->name,
                                       line_reader_count(self->reader));
        break;
    case LINE_READER_DAMAGED:
        item->note = memory_format("%s: damaged after line %zu", self->name,
                                   line_reader_count(self->reader));
        break;
    case LINE_READER_TOO_LARGE:
        item->note = memory_format(
            "%s: can't decompress the data after line %zu: that takes more than 2 GiB of memory, "
            "or more than there is: compress it again with a smaller window or dictionary",
            self->name, line_reader_count(self->reader));
        break;
    }
    item->damaged =
        end != LINE_READER_WHOLE && end != LINE_READER_STOPPED && end != LINE_READER_CUT_OFF;
}

/* Reports only some of the skipped lines: a file that is not a recording has many. */
static void limit_notes(replay_t *self, source_item_t *item)
{
    self->good += item->snapshot || item->remark;
    if (!item->damaged)
        return;
    forget_bases(self);
    self->damaged++;
    char *note = item->note;
    item->note = NULL;
    if (self->damaged < NAMED_MAX)
        item->note = memory_string(note);
    else if (self->damaged == NAMED_MAX)
        item->note = memory_format("%s (others like it are only counted)", note);
    else
        self->untold++;
    free(note);
}

static bool is_no_recording(const replay_t *self)
{
    return self->good == 0 && self->damaged == DAMAGED_MAX;
}

static char *untold_note(replay_t *self)
{
    char *note =
        is_no_recording(self)
            ? memory_format(
                  "%s: it begins with %d lines that are not from a recording: reading stops",
                  self->name, DAMAGED_MAX)
            : memory_format("%s: %zu more line%s skipped", self->name, self->untold,
                            self->untold == 1 ? " is" : "s are");
    self->untold = 0;
    return note;
}

static bool next_item(replay_t *self, source_item_t *item)
{
    line_t line;
    *item = (source_item_t){0};
    const bool has_line = !is_no_recording(self) && line_reader_next(self->reader, &line);
    if (!has_line && self->untold > 0) {
        item->note = untold_note(self);
        item->damaged = true;
        return true;
    }
    if (!has_line) {
        if (!is_no_recording(self))
            read_end(self, item);
        return false;
    }
    if (line.too_long) {
        item->note =
            memory_format("%s: line %zu is longer than any line of a recording, and is skipped",
                          self->name, line.number);
        item->damaged = true;
    } else if (line.size > 0) {
        read_line(self, &line, item);
    }
    limit_notes(self, item);
    return true;
}

/* ---- in a thread ---- */

static bool next_ahead(void *context, source_item_t *item)
{
    return next_item(context, item);
}

bool replay_next(replay_t *self, source_item_t *item)
{
    /* Once no other recording needs the processor any more, there may be one. */
    if (self->is_large && !self->ahead)
        self->ahead = read_ahead_new(&(read_ahead_source_t){next_ahead, progress, self});
    return self->ahead ? read_ahead_next(self->ahead, item) : next_item(self, item);
}

/* ---- a source ---- */

static bool next(source_t *source, source_item_t *item)
{
    return replay_next((replay_t *)source, item);
}

static void destroy(source_t **source)
{
    replay_destroy((replay_t **)source);
}

source_t *replay_source(replay_t *self)
{
    static const source_methods_t methods = {.next = next, .destroy = destroy};
    self->source.methods = &methods;
    return &self->source;
}
