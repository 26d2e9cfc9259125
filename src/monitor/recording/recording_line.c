#include "monitor/recording/recording_line.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_output.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "monitor/analysis/findings/finding_json.h"
#include "monitor/recording/delta.h"

/* The last answer of one server that is in the recording, as it is there. */
typedef struct {
    char *server;
    char *data; /* NULL: none yet */
    size_t size;
    char *pending; /* its new value, once the line is written */
    size_t pending_size;
} base_t;

struct recording_bases {
    base_t *bases;
    size_t count;
};

recording_bases_t *recording_bases_new(void)
{
    return memory_new(1, sizeof(recording_bases_t));
}

static void bases_clear(recording_bases_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->bases[i].server);
        free(self->bases[i].data);
        free(self->bases[i].pending);
    }
    free(self->bases);
    *self = (recording_bases_t){0};
}

void recording_bases_destroy(recording_bases_t **self)
{
    if (!*self)
        return;
    bases_clear(*self);
    free(*self);
    *self = NULL;
}

void recording_bases_settle(recording_bases_t *self, bool written)
{
    if (!written) {
        bases_clear(self);
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        base_t *base = &self->bases[i];
        if (!base->pending)
            continue;
        free(base->data);
        base->data = base->pending;
        base->size = base->pending_size;
        base->pending = NULL;
    }
}

/* The base of a server, a new one if there is none; mostly it has the same index as its reply. */
static base_t *base_of(recording_bases_t *self, const char *server, size_t place)
{
    for (size_t i = 0; i < self->count; i++) {
        base_t *base = &self->bases[(place + i) % self->count];
        if (strcmp(base->server, server) == 0)
            return base;
    }
    self->bases = memory_resize(self->bases, self->count + 1, sizeof *self->bases);
    base_t *base = &self->bases[self->count++];
    *base = (base_t){.server = memory_string(server)};
    return base;
}

static void write_time(FILE *out, const struct timespec *time)
{
    json_output_time(&(json_output_t){.out = out}, NULL, time);
}

static void write_error(FILE *out, const char *error)
{
    fputs("{\"error\":", out);
    json_text_write_string(out, error, strlen(error));
}

/* An answer that is JSON, in full or as changes. */
static void write_data(FILE *out, const reply_t *reply, base_t *base, bool full)
{
    if (!base) {
        fputs("{\"data\":", out);
        json_text_write_compact(out, reply->data, reply->data_size);
        return;
    }
    /* A server that is in a recording's line twice: its reader has the first answer by then. */
    const bool again = base->pending != NULL;
    free(base->pending);
    FILE *compact = memory_stream_open(&base->pending, &base->pending_size);
    json_text_write_compact(compact, reply->data, reply->data_size);
    memory_stream_close(compact);
    char *delta = full || again || !base->data
                      ? NULL
                      : delta_make(base->data, base->size, base->pending, base->pending_size);
    if (delta) {
        putc('{', out);
        fputs(delta, out);
    } else {
        fputs("{\"data\":", out);
        fwrite(base->pending, 1, base->pending_size, out);
    }
    free(delta);
}

/*
 * A text that isn't JSON, as a string; only its beginning if it could exceed the maximum of a
 * string: escaped, each byte may take six.
 */
static void write_text(FILE *out, const char *text, size_t size)
{
    char *string = NULL;
    size_t string_size = 0;
    FILE *copy = memory_stream_open(&string, &string_size);
    json_text_write_string(copy, text, size <= JSON_TEXT_MAX_TOKEN ? size : 0);
    memory_stream_close(copy);
    if (size <= JSON_TEXT_MAX_TOKEN && string_size <= JSON_TEXT_MAX_TOKEN)
        fwrite(string, 1, string_size, out);
    else
        json_text_write_string(out, text, JSON_TEXT_MAX_TOKEN / 8);
    free(string);
}

static void write_error_and_text(FILE *out, const reply_t *reply, const char *error)
{
    write_error(out, error);
    fputs(",\"text\":", out);
    write_text(out, reply->data, reply->data_size);
}

static void write_reply(FILE *out, const reply_t *reply, recording_bases_t *bases, size_t place,
                        bool full)
{
    char *wrong = NULL;
    if (!reply->data) {
        write_error(out, reply->error ? reply->error : "no answer");
    } else if (reply->data_is_text) {
        write_error_and_text(out, reply, reply->error);
    } else if (reply->response || json_text_is_valid(reply->data, reply->data_size, 0, &wrong)) {
        /* Anything that could be parsed is valid by this strict check, too. */
        write_data(out, reply, bases ? base_of(bases, reply->server, place) : NULL, full);
    } else {
        char *error = memory_format("the answer is not JSON: %s", wrong);
        write_error_and_text(out, reply, error);
        free(error);
    }
    free(wrong);
    if (reply->data && reply->answered > 0)
        fprintf(out, ",\"answered\":%.6f", reply->answered);
    putc('}', out);
}

/* Only where there are any: a further key of the line. */
static void write_findings(FILE *out, const findings_t *findings)
{
    size_t count = 0;
    const finding_t *const *now = findings ? findings_now(findings, &count) : NULL;
    if (count == 0)
        return;
    json_output_t json = {.out = out, .comma = true};
    json_output_open(&json, "findings", '[');
    for (size_t i = 0; i < count; i++)
        finding_json_write(&json, NULL, now[i]);
    json_output_close(&json, ']');
}

static void write_checks(FILE *out, const checks_t *checks)
{
    json_output_t json = {.out = out, .comma = true};
    if (checks->count > 0)
        checks_write(checks, &json, "checks");
}

char *recording_line(const snapshot_t *snapshot, const findings_t *findings,
                     recording_bases_t *bases, bool full, size_t *size)
{
    char *line = NULL;
    FILE *out = memory_stream_open(&line, size);
    fputs("{\"time\":", out);
    write_time(out, &snapshot->time);
    if (snapshot->asked > 0)
        fprintf(out, ",\"asked\":%.6f", snapshot->asked);
    fputs(",\"replies\":{", out);
    for (size_t i = 0; i < snapshot->reply_count; i++) {
        const reply_t *reply = &snapshot->replies[i];
        if (i > 0)
            putc(',', out);
        json_text_write_string(out, reply->server, strlen(reply->server));
        putc(':', out);
        write_reply(out, reply, bases, i, full);
    }
    putc('}', out);
    write_checks(out, &snapshot->checks);
    write_findings(out, findings);
    fputs("}\n", out);
    memory_stream_close(out);
    return line;
}

/* Begins a line without a snapshot; its content follows after a comma. */
static FILE *open_note(char **line, size_t *size)
{
    FILE *out = memory_stream_open(line, size);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    fputs("{\"time\":", out);
    write_time(out, &now);
    fputs(",\"replies\":{}", out);
    return out;
}

char *recording_lost_line(size_t lost, const struct timespec *since, size_t *size)
{
    char *line = NULL;
    FILE *out = open_note(&line, size);
    fprintf(out, ",\"lost_snapshots\":%zu,\"lost_since\":", lost);
    write_time(out, since);
    fputs("}\n", out);
    memory_stream_close(out);
    return line;
}

char *recording_cut_off_line(const char *fragment, size_t fragment_size, size_t *size)
{
    char *line = NULL;
    FILE *out = open_note(&line, size);
    fputs(",\"cut_off\":", out);
    write_text(out, fragment, fragment_size);
    fputs("}\n", out);
    memory_stream_close(out);
    return line;
}
