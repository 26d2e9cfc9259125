#include "launcher/python_source.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

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

static size_t line_end(const source_t *self, size_t at)
{
    const char *end = memchr(self->text + at, '\n', self->size - at);
    return end ? (size_t)(end - self->text) + 1 : self->size;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

/* Whether there is nothing but blanks and a comment from `at` to the end of the line. */
static bool rest_is_empty(const source_t *self, size_t at)
{
    while (at < self->size && is_blank(self->text[at]))
        at++;
    return at == self->size || self->text[at] == '\n' || self->text[at] == '#';
}

static void skip_comments(source_t *self)
{
    if (self->at == 0 && starts_with(self, 0, "\xef\xbb\xbf"))
        self->at = 3; /* a byte order mark */
    while (self->at < self->size && rest_is_empty(self, self->at))
        self->at = line_end(self, self->at);
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
    for (at += length; at < self->size; at++) {
        if (self->text[at] == '\\')
            at++;
        else if (starts_with(self, at, quote))
            return at + length;
        else if (length == 1 && self->text[at] == '\n')
            break;
    }
    return start;
}

/* A docstring: one literal, or several that stand side by side, and nothing else in the statement.
 */
static void skip_docstring(source_t *self)
{
    size_t at = self->at;
    for (;;) {
        size_t quote = at;
        if (quote < self->size && strchr("rRuU", self->text[quote]))
            quote++;
        size_t end = string_end(self, quote);
        if (end == quote)
            return;
        at = end;
        while (at < self->size && is_blank(self->text[at]))
            at++;
        if (at < self->size && self->text[at] == ';')
            return; /* more on this line: what follows stays behind it */
        if (rest_is_empty(self, at))
            break;
    }
    self->at = line_end(self, at);
}

/* "from __future__ import a, b", perhaps in parentheses or with continued lines. */
static bool skip_future_import(source_t *self)
{
    size_t at = self->at;
    if (!starts_with(self, at, "from"))
        return false;
    at += strlen("from");
    if (at == self->size || !is_blank(self->text[at]))
        return false;
    while (at < self->size && is_blank(self->text[at]))
        at++;
    if (!starts_with(self, at, "__future__"))
        return false;
    int depth = 0;
    while (at < self->size) {
        char c = self->text[at];
        if (c == '#') {
            at = line_end(self, at) - 1;
            if (self->text[at] != '\n')
                break;
            continue;
        }
        if (c == '\\')
            at++;
        else if (c == '(')
            depth++;
        else if (c == ')')
            depth--;
        else if (c == '\n' && depth <= 0)
            break;
        at++;
    }
    self->at = at < self->size ? line_end(self, at) : self->size;
    return true;
}

size_t python_source_first_statement(const char *text, size_t size)
{
    source_t self = {text, size, 0};
    skip_comments(&self);
    skip_docstring(&self);
    do
        skip_comments(&self);
    while (skip_future_import(&self));
    return self.at;
}
