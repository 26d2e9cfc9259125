#include "launcher/python_source.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

typedef struct {
    const char *text;
    size_t size;
    size_t at;
} source_t;

static bool starts_with(const source_t *self, size_t at, const char *word)
{
    size_t length = strlen(word);
    return self->size - at >= length && memcmp(self->text + at, word, length) == 0;
}

/* The index after the backslash at `at` and what it escapes: a line end may have two characters. */
static size_t escape_end(const source_t *self, size_t at)
{
    at++;
    if (starts_with(self, at, "\r\n"))
        return at + 2;
    return at < self->size ? at + 1 : at;
}

static size_t line_end(const source_t *self, size_t at)
{
    const char *end = memchr(self->text + at, '\n', self->size - at);
    return end ? (size_t)(end - self->text) + 1 : self->size;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

/* Whether the line has nothing but blanks and a comment after `at`. */
static bool rest_is_empty(const source_t *self, size_t at)
{
    while (at < self->size && is_blank(self->text[at]))
        at++;
    return at == self->size || self->text[at] == '\n' || self->text[at] == '#';
}

static void skip_blanks(const source_t *self, size_t *at)
{
    while (*at < self->size && is_blank(self->text[*at]))
        (*at)++;
}

static void skip_comments(source_t *self)
{
    if (self->at == 0 && starts_with(self, 0, "\xef\xbb\xbf"))
        self->at = 3; /* a byte order mark */
    while (self->at < self->size && rest_is_empty(self, self->at))
        self->at = line_end(self, self->at);
}

/* In these a byte of ASCII is that character. */
static bool is_known_encoding(const char *name, size_t length)
{
    static const char *const known[] = {"utf-8",   "utf_8",  "utf8",       "ascii",
                                        "latin-1", "latin1", "iso-8859-1", "us-ascii"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (length == strlen(known[i]) && strncasecmp(name, known[i], length) == 0)
            return true;
    return false;
}

/* "# -*- coding: utf-8 -*-", where Python looks for it: in the first two lines. */
static bool has_known_encoding(const source_t *self)
{
    static const char key[] = "coding";
    static const char letters[] =
        "-_.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t end = line_end(self, line_end(self, 0));
    for (size_t at = 0; at < end; at++) {
        if (!starts_with(self, at, key))
            continue;
        size_t name = at + strlen(key);
        if (name == end || (self->text[name] != ':' && self->text[name] != '='))
            continue;
        for (name++; name < end && (self->text[name] == ' ' || self->text[name] == '\t');)
            name++;
        size_t length = 0;
        while (name + length < end && memchr(letters, self->text[name + length], strlen(letters)))
            length++;
        if (length > 0 && !is_known_encoding(self->text + name, length))
            return false;
    }
    return true;
}

/* The end of the string literal at `at`, without a prefix; `at` if there is none, or no end. */
static size_t string_end(const source_t *self, size_t at)
{
    size_t start = at;
    if (at == self->size || (self->text[at] != '"' && self->text[at] != '\''))
        return start;
    char quote[] = {self->text[at], self->text[at], self->text[at], '\0'};
    if (!starts_with(self, at, quote))
        quote[1] = '\0';
    size_t length = strlen(quote);
    for (at += length; at < self->size;) {
        if (self->text[at] == '\\') {
            at = escape_end(self, at);
            continue;
        }
        if (starts_with(self, at, quote))
            return at + length;
        if (length == 1 && self->text[at] == '\n')
            break;
        at++;
    }
    return start;
}

/* The opening quote of a string literal at `at` that can be a docstring, or where it isn't. */
static size_t skip_prefix(const source_t *self, size_t at)
{
    return at < self->size && memchr("rRuU", self->text[at], 4) ? at + 1 : at;
}

static bool is_string(const source_t *self, size_t at)
{
    at = skip_prefix(self, at);
    return at < self->size && (self->text[at] == '"' || self->text[at] == '\'');
}

/* A docstring: one literal, or several that stand side by side, and nothing else on its last line.
 */
static void skip_docstring(source_t *self)
{
    size_t at = self->at;
    while (is_string(self, at)) {
        size_t quote = skip_prefix(self, at);
        at = string_end(self, quote);
        if (at == quote)
            return;
        skip_blanks(self, &at);
        if (rest_is_empty(self, at)) {
            self->at = line_end(self, at);
            return;
        }
    }
}

static bool is_name_character(char c)
{
    return isascii(c) && (isalnum(c) || c == '_');
}

/* The end of the logical line that goes on at `at` with a list of names, perhaps in parentheses or
   on more lines; PYTHON_SOURCE_NOWHERE if there is more on it. */
static size_t names_end(const source_t *self, size_t at)
{
    int depth = 0;
    while (at < self->size) {
        char c = self->text[at];
        if (c == '\n' && depth == 0)
            return at + 1;
        if (c == '#') {
            at = line_end(self, at);
            if (depth == 0)
                return at;
        } else if (c == '\\') {
            at = escape_end(self, at);
            if (self->text[at - 1] != '\n')
                return PYTHON_SOURCE_NOWHERE;
        } else if (is_name_character(c) || is_blank(c) || memchr("\n,()", c, 4)) {
            depth += (c == '(') - (c == ')');
            at++;
        } else {
            return PYTHON_SOURCE_NOWHERE;
        }
    }
    return depth == 0 ? at : PYTHON_SOURCE_NOWHERE;
}

/* "from __future__ import a, b". False at another statement, where `at` stays, and at one that may
   be such an import, but isn't understood: then it is PYTHON_SOURCE_NOWHERE. */
static bool skip_future_import(source_t *self)
{
    static const char future[] = "__future__";
    size_t at = self->at;
    if (!starts_with(self, at, "from"))
        return false;
    at += strlen("from");
    size_t module = at;
    skip_blanks(self, &module);
    size_t end = module;
    while (end < self->size && (is_name_character(self->text[end]) || self->text[end] == '.'))
        end++;
    bool is_future = end - module == strlen(future) && starts_with(self, module, future);
    if (module == at && end > at)
        return false; /* another word, or "from.x" */
    /* On the next line, or with letters that Python takes for those of ASCII. */
    if (end == module || (end < self->size && !isascii(self->text[end])))
        self->at = PYTHON_SOURCE_NOWHERE;
    else if (is_future)
        self->at = names_end(self, end);
    return is_future && self->at != PYTHON_SOURCE_NOWHERE;
}

size_t python_source_first_statement(const char *text, size_t size)
{
    source_t self = {text, size, 0};
    if (!has_known_encoding(&self))
        return PYTHON_SOURCE_NOWHERE;
    skip_comments(&self);
    skip_docstring(&self);
    do
        skip_comments(&self);
    while (skip_future_import(&self));
    if (self.at >= size)
        return self.at;
    /* A string here may be a docstring; so may what stands in parentheses, or is continued. */
    char first = text[self.at];
    bool is_known = isascii(first) && (isalpha(first) || first == '_' || first == '@');
    return is_known && !is_string(&self, self.at) ? self.at : PYTHON_SOURCE_NOWHERE;
}
