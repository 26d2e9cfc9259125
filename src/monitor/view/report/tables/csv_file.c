#include "monitor/view/report/tables/csv_file.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/printable.h"

/* Bytes that are written at a time. */
enum { BUFFER = 1 << 18 };

/* ---- cells ---- */

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

/* What spreadsheets take for the beginning of a formula. Those of full width count in Japanese and
 * Chinese ones, too. */
static bool is_formula(const char *text)
{
    static const char *const beginnings[] = {"=",      "+",      "-",      "@",
                                             "\uff1d", "\uff0b", "\uff0d", "\uff20"};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static char *quoted(const char *text)
{
    char *cell = memory_new(2 * strlen(text) + sizeof "\"\"", 1);
    char *end = cell;
    *end++ = '"';
    for (; *text; text++) {
        if (*text == '"')
            *end++ = '"';
        *end++ = *text;
    }
    *end++ = '"';
    *end = '\0';
    return cell;
}

/* A blank at an end is quoted, since some readers take it away. */
static bool needs_quotes(const char *text)
{
    const size_t size = strlen(text);
    return size > 0 && (strpbrk(text, ",\"") || text[0] == ' ' || text[size - 1] == ' ');
}

char *csv_cell(const char *text)
{
    if (!text)
        return memory_string("");
    char *cell = is_plain(text) ? memory_string(text) : printable_copy(text, true);
    if (is_formula(cell)) {
        char *harmless = memory_format("'%s", cell);
        free(cell);
        cell = harmless;
    }
    if (!needs_quotes(cell))
        return cell;
    char *result = quoted(cell);
    free(cell);
    return result;
}

/* ---- files ---- */

/* With the rights that open() would give it: nobody else asks for the mask meanwhile. */
static bool set_rights(int fd)
{
    const mode_t mask = umask(0);
    umask(mask);
    return fchmod(fd, 0666 & ~mask) == 0;
}

bool csv_file_open(csv_file_t *self, const char *directory, const char *name)
{
    *self = (csv_file_t){.path = memory_format("%s/%s", directory, name),
                         .temporary = memory_format("%s/.%s.XXXXXX", directory, name)};
    const int fd = mkstemp(self->temporary);
    if (fd < 0) {
        const int error = errno;
        free(self->temporary);
        self->temporary = NULL;
        errno = error;
        return false;
    }
    self->out = set_rights(fd) ? fdopen(fd, "w") : NULL;
    if (!self->out) {
        const int error = errno;
        close(fd);
        csv_file_discard(self);
        errno = error;
        return false;
    }
    setvbuf(self->out, NULL, _IOFBF, BUFFER);
    return true;
}

static void begin_cell(csv_file_t *self)
{
    if (self->comma)
        putc(',', self->out);
    self->comma = true;
}

void csv_file_cell(csv_file_t *self, const char *cell)
{
    begin_cell(self);
    fputs(cell, self->out);
}

void csv_file_text(csv_file_t *self, const char *text)
{
    char *cell = csv_cell(text);
    csv_file_cell(self, cell);
    free(cell);
}

void csv_file_count(csv_file_t *self, int64_t count)
{
    begin_cell(self);
    if (count != -1)
        fprintf(self->out, "%" PRId64, count);
}

void csv_file_real(csv_file_t *self, double value)
{
    begin_cell(self);
    if (isfinite(value))
        fprintf(self->out, "%.6g", value);
}

void csv_file_time(csv_file_t *self, const struct timespec *moment)
{
    char text[LOCAL_TIME_EXACT_SIZE] = "";
    if (moment->tv_sec != 0 || moment->tv_nsec != 0)
        local_time_exact(moment, text);
    csv_file_cell(self, text);
}

void csv_file_boolean(csv_file_t *self, bool value)
{
    csv_file_cell(self, value ? "TRUE" : "FALSE");
}

void csv_file_end_row(csv_file_t *self)
{
    putc('\n', self->out);
    self->comma = false;
    if (self->error == 0 && ferror(self->out))
        self->error = errno ? errno : EIO;
}

bool csv_file_close(csv_file_t *self)
{
    if (fclose(self->out) != 0 && self->error == 0)
        self->error = errno;
    self->out = NULL;
    errno = self->error;
    return self->error == 0;
}

bool csv_file_publish(csv_file_t *self)
{
    if (rename(self->temporary, self->path) != 0)
        return false;
    free(self->temporary);
    self->temporary = NULL;
    return true;
}

void csv_file_discard(csv_file_t *self)
{
    if (self->temporary)
        unlink(self->temporary);
    free(self->temporary);
    self->temporary = NULL;
}

void csv_file_clear(csv_file_t *self)
{
    if (self->out)
        fclose(self->out);
    csv_file_discard(self);
    free(self->path);
    *self = (csv_file_t){0};
}
