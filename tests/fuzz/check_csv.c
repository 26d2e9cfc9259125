#include "check_csv.h"

#include "fuzz.h"

enum { LONGEST = 64 };

typedef struct {
    char content[LONGEST]; /* without quotes, as far as it fits */
    size_t size;
    const char *end; /* of it in the text */
} cell_t;

static void add(cell_t *cell, char byte)
{
    REQUIRE((unsigned char)byte >= ' ' && byte != '\177');
    if (cell->size + 1 < LONGEST)
        cell->content[cell->size++] = byte;
    cell->content[cell->size] = '\0';
}

static cell_t cell_at(const char *at, const char *end)
{
    cell_t cell = {0};
    const bool is_quoted = at < end && *at == '"';
    for (at += is_quoted; at < end; at++) {
        if (is_quoted && *at == '"') {
            if (at + 1 == end || at[1] != '"')
                break;
            at++;
        } else if (!is_quoted && (*at == ',' || *at == '\n')) {
            break;
        } else {
            REQUIRE(is_quoted || *at != '"');
        }
        add(&cell, *at);
    }
    if (is_quoted) {
        REQUIRE(at < end && *at == '"');
        at++;
    }
    REQUIRE(at < end && (*at == ',' || *at == '\n'));
    cell.end = at;
    return cell;
}

static void check_cell(const cell_t *cell)
{
    REQUIRE(!strchr("=+@", cell->content[0]) || cell->size == 0);
    if (cell->content[0] == '-')
        REQUIRE(strspn(cell->content + 1, "0123456789.e-") == cell->size - 1);
}

int64_t check_csv(const char *text, size_t size, const char *what)
{
    const char *end = text + size;
    size_t columns = 0;
    int64_t sum = 0;
    while (text < end) {
        cell_t last = {0};
        cell_t cell = {0};
        size_t count = 0;
        do {
            last = cell;
            cell = cell_at(count > 0 ? text + 1 : text, end);
            check_cell(&cell);
            text = cell.end;
            count++;
        } while (*text == ',');
        text++;
        REQUIRE(columns == 0 || count == columns);
        columns = count;
        if (what && strcmp(last.content, what) == 0)
            sum += strtoll(cell.content, NULL, 10);
    }
    return sum;
}
