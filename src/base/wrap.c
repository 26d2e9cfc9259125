#include "base/wrap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"

static void write_blanks(FILE *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        putc(' ', out);
}

void wrap_text(FILE *out, const char *text, size_t width, size_t column, size_t indent)
{
    char *copy = memory_string(text);
    char *rest = NULL;
    bool begins_line = true;
    for (char *word = strtok_r(copy, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        const size_t size = printable_width(word);
        if (!begins_line && width > 0 && column + 1 + size > width) {
            putc('\n', out);
            write_blanks(out, indent);
            column = indent;
        } else if (!begins_line) {
            putc(' ', out);
            column++;
        }
        fputs(word, out);
        column += size;
        begins_line = false;
    }
    putc('\n', out);
    free(copy);
}
