#include "launcher/console.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

static const char *command; /* NULL: none is known yet */

void console_begin(const char *the_command)
{
    command = the_command;
}

int complain_of_usage(const char *format, ...)
{
    va_list args;

    fprintf(stderr, PROGRAM ": %s%s", command != NULL ? command : "", command != NULL ? ": " : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("; see " PROGRAM " --help\n", stderr);
    return EXIT_USAGE;
}

void complain(const char *format, ...)
{
    va_list args;

    fputs(PROGRAM ": ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    complain("cannot write to standard output: %s", strerror(errno));
    return EXIT_FAILURE;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

bool schema_is_known(const char *schema)
{
    static const char *const schemas[] = {"1", "legacy", NULL};
    char shown[128];
    if (is_one_of(schema, schemas))
        return true;
    show_text(schema, shown, sizeof shown);
    complain_of_usage("--schema must be 1 or legacy, not '%s'", shown);
    return false;
}

bool log_level_is_known(const char *level)
{
    static const char *const levels[] = {"off", "error", "info", "debug", NULL};
    char shown[128];
    if (is_one_of(level, levels))
        return true;
    show_text(level, shown, sizeof shown);
    complain_of_usage("--log must be off, error, info or debug, not '%s'", shown);
    return false;
}

/* Characters without a shape, and those that change the direction of text. */
static bool is_unseen(wchar_t character)
{
    return (character >= 0x200b && character <= 0x200f) ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2060 && character <= 0x206f) || character == 0xfeff ||
           character == 0xad || character == 0x61c;
}

void show_text(const char *text, char *shown, size_t size)
{
    mbstate_t state = {0};
    size_t used = 0;
    while (*text != '\0' && used + 1 < size) {
        wchar_t character = 0;
        size_t length = mbrtowc(&character, text, strlen(text), &state);
        const bool is_whole = length != (size_t)-1 && length != (size_t)-2;
        if (!is_whole) {
            state = (mbstate_t){0};
            length = 1;
        }
        if (!is_whole || !iswprint((wint_t)character) || is_unseen(character)) {
            shown[used++] = '?';
        } else if (used + length < size) {
            memcpy(shown + used, text, length);
            used += length;
        } else {
            break;
        }
        text += length;
    }
    shown[used] = '\0';
}

size_t shown_width(const char *shown)
{
    mbstate_t state = {0};
    size_t width = 0;
    while (*shown != '\0') {
        wchar_t character = 0;
        const size_t length = mbrtowc(&character, shown, strlen(shown), &state);
        if (length == (size_t)-1 || length == (size_t)-2)
            return width + strlen(shown);
        const int cells = wcwidth(character);
        width += cells > 0 ? (size_t)cells : 0;
        shown += length;
    }
    return width;
}
