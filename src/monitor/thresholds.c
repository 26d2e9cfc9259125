#include "monitor/thresholds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list_file.h"
#include "base/memory.h"

/* Takes one line; false if it is wrong. */
static bool take_line(rule_settings_t *settings, const char *path, size_t number, char *line,
                      char **error)
{
    const char *assignment = list_file_trim(line);
    char *why = NULL;
    if (*assignment == '\0' || rule_settings_set(settings, assignment, &why))
        return true;
    *error = memory_format("%s: line %zu: %s", path, number, why);
    free(why);
    return false;
}

bool thresholds_read(rule_settings_t *settings, const char *path, char **error)
{
    *error = NULL;
    FILE *file = fopen(path, "re");
    if (!file) {
        *error = memory_format("%s: can't read it: %s", path, strerror(errno));
        return false;
    }
    char *line = memory_new(LIST_FILE_LINE_MAXIMUM, 1);
    bool good = true;
    for (size_t number = 1; good; number++) {
        const list_file_result_t result = list_file_next(file, line);
        if (result == LIST_FILE_END)
            break;
        good = result == LIST_FILE_LINE && take_line(settings, path, number, line, error);
        if (result == LIST_FILE_TOO_LONG)
            *error = memory_format("%s: line %zu is too long", path, number);
    }
    if (good && ferror(file)) {
        *error = memory_format("%s: can't read it: %s", path, strerror(errno));
        good = false;
    }
    free(line);
    fclose(file);
    return good;
}
