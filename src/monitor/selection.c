#include "monitor/selection.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "response/memory.h"
#include "tango/tango_client.h"

static const char scheme[] = "tango://";

/* What a name says without "tango://host:port/". */
static const char *path_of(const char *name)
{
    if (strncmp(name, scheme, sizeof scheme - 1) != 0)
        return name;
    const char *slash = strchr(name + sizeof scheme - 1, '/');
    return slash ? slash + 1 : name;
}

static bool is_excluded(const selection_options_t *options, const char *name)
{
    for (size_t i = 0; i < options->excluded_count; i++) {
        if (fnmatch(options->excluded[i], name, FNM_CASEFOLD) == 0 ||
            fnmatch(options->excluded[i], path_of(name), FNM_CASEFOLD) == 0)
            return true;
    }
    return false;
}

static bool fail(selection_t *self, char *error)
{
    if (self->error)
        free(error);
    else
        self->error = error;
    return false;
}

static void add(selection_t *self, const char *name, bool optional)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->targets[i].name, name) == 0) {
            self->targets[i].optional &= optional;
            return;
        }
    }
    self->targets = memory_resize(self->targets, self->count + 1, sizeof *self->targets);
    self->targets[self->count++] = (target_t){memory_string(name), optional};
}

/* The servers of the exported devices that match. */
static bool add_pattern(selection_t *self, const selection_options_t *options, const char *pattern)
{
    tango_match_t *matches = NULL;
    size_t count = 0;
    tango_error_t error = {0};
    if (!tango_client_match(pattern, &matches, &count, &error)) {
        fail(self, memory_format("%s: %s", pattern, error.text ? error.text : "unknown error"));
        tango_error_clear(&error);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_excluded(options, matches[i].device) && !is_excluded(options, matches[i].admin))
            add(self, matches[i].admin, true);
    }
    tango_matches_free(matches, count);
    if (count == 0)
        return fail(self,
                    memory_format("%s: the database has no exported device of that name", pattern));
    return true;
}

static bool add_name(selection_t *self, const selection_options_t *options, const char *name)
{
    if (strchr(name, '*'))
        return add_pattern(self, options, name);
    if (!is_excluded(options, name))
        add(self, name, options->skip_unsupported);
    return true;
}

/* Cuts off blanks and a comment; a '#' begins one at the start of a line or after a blank. */
static char *trim(char *line)
{
    static const char blanks[] = " \t\r\n";
    line += strspn(line, blanks);
    for (char *c = line; *c; c++) {
        if (*c == '#' && (c == line || strchr(blanks, c[-1]))) {
            *c = '\0';
            break;
        }
    }
    size_t length = strlen(line);
    while (length > 0 && strchr(blanks, line[length - 1]))
        line[--length] = '\0';
    return line;
}

static bool add_file(selection_t *self, const selection_options_t *options, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(self, memory_format("%s: can't read it: %s", path, strerror(errno)));
    char *line = NULL;
    size_t room = 0;
    bool good = true;
    for (size_t number = 1; good && getline(&line, &room, file) >= 0; number++) {
        const char *name = trim(line);
        if (strpbrk(name, " \t"))
            good = fail(self, memory_format("%s: line %zu: one name a line, please", path, number));
        else if (*name)
            good = add_name(self, options, name);
    }
    if (good && ferror(file))
        good = fail(self, memory_format("%s: can't read it: %s", path, strerror(errno)));
    free(line);
    fclose(file);
    return good;
}

selection_t selection_make(const selection_options_t *options)
{
    selection_t self = {0};
    bool good = !options->all || add_pattern(&self, options, "dserver/*");
    for (size_t i = 0; good && i < options->name_count; i++) {
        const char *name = options->names[i];
        good = name[0] == '@' ? add_file(&self, options, name + 1) : add_name(&self, options, name);
    }
    if (good && self.count == 0)
        fail(&self, memory_string("nothing is left to watch"));
    return self;
}

void selection_clear(selection_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->targets[i].name);
    free(self->targets);
    free(self->error);
    *self = (selection_t){0};
}
