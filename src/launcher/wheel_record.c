#include "launcher/wheel_record.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool wheel_record_is_plain(const char *path)
{
    do {
        size_t length = strcspn(path, "/");
        if (length == 0 || (length == 1 && path[0] == '.') ||
            (length == 2 && strncmp(path, "..", 2) == 0))
            return false;
        path += length;
        path += *path == '/';
    } while (*path != '\0');
    return true;
}

bool wheel_record_is_signature(const char *path, const char *info)
{
    size_t length = strlen(info);

    return strncmp(path, info, length) == 0 &&
           (strcmp(path + length, "RECORD.jws") == 0 || strcmp(path + length, "RECORD.p7s") == 0);
}

/* The path of a line, and where it ends: a path with a comma or a quote is quoted, and its quotes
 * are doubled. NULL and errno if it is not a plain path. */
static char *take_path(const char *line, size_t length, size_t *end)
{
    char *path = calloc(length + 1, 1);
    size_t size = 0;
    size_t at = 0;
    bool quoted = length > 0 && line[0] == '"';
    bool is_open = quoted;

    if (path == NULL)
        return NULL;
    for (at = quoted ? 1 : 0; at < length; at++) {
        if (quoted && line[at] == '"') {
            if (at + 1 == length || line[at + 1] != '"') {
                is_open = false;
                at++;
                break;
            }
            at++;
        } else if (!quoted && line[at] == ',') {
            break;
        }
        path[size++] = line[at];
    }
    *end = at;
    if (is_open || (at < length && line[at] != ',') || !wheel_record_is_plain(path)) {
        free(path);
        errno = EINVAL;
        return NULL;
    }
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

/* One line of the old text, without its end; false and errno if it can't be. */
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
    if (!is_changed(path, files, file_count) && !wheel_record_is_signature(path, new_prefix)) {
        write_path(out, path);
        fprintf(out, "%.*s\n", (int)(length - end), line + end);
    }
    free(path);
    return true;
}

char *wheel_record_update(const char *text, size_t size, const char *old_prefix,
                          const char *new_prefix, const wheel_file_t *files, size_t file_count)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    size_t start = 0;
    char *updated = NULL;
    size_t updated_size = 0;
    int error = 0;
    FILE *out = open_memstream(&updated, &updated_size);

    if (out == NULL)
        return NULL;
    if (size >= strlen(byte_order_mark) &&
        memcmp(text, byte_order_mark, strlen(byte_order_mark)) == 0)
        start = strlen(byte_order_mark); /* no part of the first path */
    for (size_t at = start; at < size;) {
        const char *line = text + at;
        const char *newline = memchr(line, '\n', size - at);
        size_t length = newline != NULL ? (size_t)(newline - line) : size - at;

        at += length + 1;
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length > 0 &&
            !update_line(out, line, length, old_prefix, new_prefix, files, file_count)) {
            error = errno;
            break;
        }
    }
    for (size_t i = 0; i < file_count; i++)
        write_file(out, &files[i]);
    if (ferror(out) && error == 0)
        error = ENOMEM;
    if (fclose(out) != 0 && error == 0)
        error = ENOMEM;
    if (error != 0) {
        free(updated);
        errno = error;
        return NULL;
    }
    return updated;
}
