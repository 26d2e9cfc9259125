#include "base/list_file.h"

#include <string.h>

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
