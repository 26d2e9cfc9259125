#include "base/list_file.h"

#include <string.h>

list_file_result_t list_file_next(FILE *file, char *line)
{
    size_t length = 0;
    int c = 0;
    while ((c = getc(file)) != EOF && c != '\n') {
        if (length == LIST_FILE_LINE_MAXIMUM - 1)
            return LIST_FILE_TOO_LONG;
        line[length++] = (char)c;
    }
    line[length] = '\0';
    return c == EOF && length == 0 ? LIST_FILE_END : LIST_FILE_LINE;
}

char *list_file_trim(char *line)
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
