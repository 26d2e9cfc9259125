#include "launcher/wheel_record.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The path of a line, and where it ends: a path with a comma or a quote stands in quotes, and its
   quotes are doubled. */
static char *take_path(const char *line, size_t length, size_t *end)
{
    char *path = malloc(length + 1);
    size_t size = 0;
    size_t at = 0;
    bool quoted = length > 0 && line[0] == '"';

    if (path == NULL)
        return NULL;
    for (at = quoted ? 1 : 0; at < length; at++) {
        if (quoted && line[at] == '"') {
            if (at + 1 == length || line[at + 1] != '"') {
                at++;
                break;
            }
            at++;
        } else if (!quoted && line[at] == ',') {
            break;
        }
        path[size++] = line[at];
    }
    path[size] = '\0';
    *end = at;
    return path;
}

static void write_path(FILE *out, const char *path)
{
    if (strpbrk(path, ",\"\n") == NULL) {
        fputs(path, out);
        return;
    }
    fputc('"', out);
    for (; *path != '\0'; path++) {
        if (*path == '"')
            fputc('"', out);
        fputc(*path, out);
    }
    fputc('"', out);
}

/* base64 as URLs have it, without padding. */
static void write_digest(FILE *out, const void *content, size_t size)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned char text[2 * EVP_MAX_MD_SIZE];
    unsigned int length = 0;

    EVP_Digest(content, size, digest, &length, EVP_sha256(), NULL);
    EVP_EncodeBlock(text, digest, (int)length);
    for (const unsigned char *c = text; *c != '\0' && *c != '='; c++)
        fputc(*c == '+' ? '-' : *c == '/' ? '_' : *c, out);
}

static void write_file(FILE *out, const wheel_file_t *file)
{
    write_path(out, file->path);
    if (file->content == NULL) {
        fputs(",,\n", out);
        return;
    }
    fputs(",sha256=", out);
    write_digest(out, file->content, file->size);
    fprintf(out, ",%zu\n", file->size);
}

static bool is_changed(const char *path, const wheel_file_t *files, size_t file_count)
{
    for (size_t i = 0; i < file_count; i++)
        if (strcmp(files[i].path, path) == 0)
            return true;
    return false;
}

/* One line of the old text, without its end; false without memory. */
static bool update_line(FILE *out, const char *line, size_t length, const char *old_prefix,
                        const char *new_prefix, const wheel_file_t *files, size_t file_count)
{
    size_t end = 0;
    char *path = take_path(line, length, &end);
    char *renamed = NULL;

    if (path == NULL)
        return false;
    if (strncmp(path, old_prefix, strlen(old_prefix)) == 0) {
        if (asprintf(&renamed, "%s%s", new_prefix, path + strlen(old_prefix)) < 0)
            renamed = NULL;
        free(path);
        path = renamed;
        if (path == NULL)
            return false;
    }
    if (!is_changed(path, files, file_count)) {
        write_path(out, path);
        fprintf(out, "%.*s\n", (int)(length - end), line + end);
    }
    free(path);
    return true;
}

char *wheel_record_update(const char *text, size_t size, const char *old_prefix,
                          const char *new_prefix, const wheel_file_t *files, size_t file_count)
{
    char *updated = NULL;
    size_t updated_size = 0;
    bool ok = true;
    FILE *out = open_memstream(&updated, &updated_size);

    if (out == NULL)
        return NULL;
    for (size_t at = 0; at < size;) {
        const char *line = text + at;
        const char *newline = memchr(line, '\n', size - at);
        size_t length = newline != NULL ? (size_t)(newline - line) : size - at;

        at += length + 1;
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length > 0)
            ok = update_line(out, line, length, old_prefix, new_prefix, files, file_count) && ok;
    }
    for (size_t i = 0; i < file_count; i++)
        write_file(out, &files[i]);
    if (ferror(out))
        ok = false;
    if (fclose(out) != 0 || !ok) {
        free(updated);
        return NULL;
    }
    return updated;
}
