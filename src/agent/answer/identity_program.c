#include "agent/answer/identity_program.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 256 };

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* python, python3.11, python3-dbg, pypy3; not pythonic. */
static bool is_python(const char *name)
{
    if (strncmp(name, "python", 6) == 0)
        name += 6;
    else if (strncmp(name, "pypy", 4) == 0)
        name += 4;
    else
        return false;
    name += strspn(name, "0123456789.dmtw");
    return !*name || strcmp(name, "-dbg") == 0;
}

/* The word after this one; the end, if that was the last. */
static const char *next_word(const char *word, const char *end)
{
    const char *next = word + strlen(word) + 1;
    return next < end ? next : end;
}

/*
 * What one of Python's words of options says: *module is set for -m. Returns the word to go on
 * with, or the end if no script can follow (-c). Source: Python 3.13's "Command line and
 * environment".
 */
static const char *skip_option(const char *word, const char *end, const char **module)
{
    const char *after = next_word(word, end);
    if (strcmp(word, "--check-hash-based-pycs") == 0)
        return next_word(after < end ? after : word, end);
    if (word[1] == '-')
        return after;
    for (const char *letter = word + 1; *letter; letter++) {
        if (*letter == 'c')
            return end;
        if (*letter == 'm') {
            *module = letter[1] ? letter + 1 : after;
            return end;
        }
        if (*letter == 'W' || *letter == 'X')
            return letter[1] || after == end ? after : next_word(after, end);
    }
    return after;
}

/* What a Python runs: a script, or a module; NULL for its standard input, or -c. */
static const char *script_of(const char *line, const char *end)
{
    const char *module = NULL;
    const char *word = next_word(line, end);
    while (word < end && word[0] == '-' && word[1])
        word = skip_option(word, end, &module);
    if (module)
        return module < end && *module ? module : NULL;
    return word < end && *word && strcmp(word, "-") != 0 ? word : NULL;
}

/* The last part of a path that ends before *end, which is moved if it ends with slashes. */
static const char *last_part(const char *path, const char **end)
{
    while (*end > path && (*end)[-1] == '/')
        --*end;
    const char *name = *end;
    while (name > path && name[-1] != '/')
        name--;
    return name;
}

/* Copies the name of a file; of .../archiver/__main__.py, the folder's. */
static void copy_name(char *text, size_t size, const char *path)
{
    static const char main_file[] = "__main__.py";
    const char *end = path + strlen(path);
    const char *name = last_part(path, &end);
    if (name > path && strcmp(name, main_file) == 0) {
        end = name;
        name = last_part(path, &end);
    }
    snprintf(text, size, "%.*s", (int)(end - name), name);
}

void identity_program_of(char *text, size_t size, const char *line, size_t length)
{
    const char *end = line + length;
    const char *rest = line + strlen(line);
    const char *script = is_python(base_name(line)) ? script_of(line, end) : NULL;
    while (rest < end && !*rest)
        rest++;
    if (script) {
        copy_name(text, size, script);
    } else if (rest == end && strchr(line, ' ')) {
        /* It has overwritten its arguments: "gunicorn: worker [archiver]". */
        char title[NAME_SIZE];
        snprintf(title, sizeof title, "%.*s", (int)strcspn(line, ": "), line);
        copy_name(text, size, title);
    } else {
        copy_name(text, size, line);
    }
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
}
