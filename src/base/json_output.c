#include "base/json_output.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json_text.h"
#include "base/local_time.h"

static void begin(json_output_t *self, const char *key)
{
    if (self->comma)
        putc(',', self->out);
    self->comma = true;
    if (!key)
        return;
    json_text_write_string(self->out, key, strlen(key));
    putc(':', self->out);
}

void json_output_open(json_output_t *self, const char *key, char bracket)
{
    begin(self, key);
    putc(bracket, self->out);
    self->comma = false;
}

void json_output_close(json_output_t *self, char bracket)
{
    putc(bracket, self->out);
    self->comma = true;
}

void json_output_string(json_output_t *self, const char *key, const char *text)
{
    begin(self, key);
    if (text)
        json_text_write_string(self->out, text, strlen(text));
    else
        fputs("null", self->out);
}

void json_output_boolean(json_output_t *self, const char *key, bool value)
{
    begin(self, key);
    fputs(value ? "true" : "false", self->out);
}

void json_output_count(json_output_t *self, const char *key, int64_t count)
{
    begin(self, key);
    if (count == JSON_OUTPUT_NULL)
        fputs("null", self->out);
    else
        fprintf(self->out, "%" PRId64, count);
}

void json_output_real(json_output_t *self, const char *key, double value)
{
    begin(self, key);
    if (isfinite(value))
        fprintf(self->out, "%.6g", value);
    else
        fputs("null", self->out);
}

void json_output_time(json_output_t *self, const char *key, const struct timespec *time)
{
    char text[LOCAL_TIME_EXACT_SIZE];
    local_time_exact(time, text);
    json_output_string(self, key, text[0] ? text : NULL);
}
