#include "monitor/recording/rotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

bool rotation_is_on(const rotation_t *self)
{
    return self->bytes > 0 || self->seconds > 0;
}

/* Periods begin at multiples of their length in local time: those of a day at midnight. */
static int64_t slot_of(const rotation_t *self, time_t time)
{
    struct tm local;
    if (self->seconds == 0 || !localtime_r(&time, &local))
        return 0;
    return (time + local.tm_gmtoff) / self->seconds;
}

void rotation_begin(rotation_t *self, time_t time)
{
    self->slot = slot_of(self, time);
}

bool rotation_is_due(const rotation_t *self, off_t size, time_t now)
{
    return (self->bytes > 0 && size >= self->bytes) ||
           (self->seconds > 0 && slot_of(self, now) != self->slot);
}

/*
 * With the time in it, and a number if that name is taken. Sorted by bytes, and in the usual
 * locales, the names are in the order of time, the recording's own last: a letter comes after the
 * dot. Clocks may be set back, as local time is each autumn; then the last name's time is used
 * again.
 */
char *rotation_name(rotation_t *self, const char *name, time_t now)
{
    struct tm local;
    char time_text[sizeof self->rotated_at] = "0";
    if (localtime_r(&now, &local))
        strftime(time_text, sizeof time_text, "%Y%m%dT%H%M%S", &local);
    if (strcmp(time_text, self->rotated_at) <= 0) {
        self->rotated_number++;
    } else {
        memcpy(self->rotated_at, time_text, sizeof time_text);
        self->rotated_number = 0;
    }
    const char *slash = strrchr(name, '/');
    const char *dot = strchr(slash ? slash + 2 : name + 1, '.'); /* not that of ".hidden" */
    const size_t stem = dot ? (size_t)(dot - name) : strlen(name);
    for (;; self->rotated_number++) {
        char *number = self->rotated_number > 0 ? memory_format("n%06d", self->rotated_number)
                                                : memory_string("");
        char *path =
            memory_format("%.*s-%s%s%s", (int)stem, name, self->rotated_at, number, name + stem);
        free(number);
        struct stat taken; /* also by a dangling link */
        if (lstat(path, &taken) != 0)
            return path;
        free(path);
    }
}
