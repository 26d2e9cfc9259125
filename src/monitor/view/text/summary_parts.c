#include "monitor/view/text/summary_parts.h"

#include <stdlib.h>

#include "base/printable.h"
#include "monitor/view/text/stream_cells.h"

void summary_print_text(const summary_t *self, const char *text)
{
    char *copy = printable_copy(text, printable_locale_is_utf8());
    fputs(copy, self->out);
    free(copy);
}

const char *summary_short_name(const summary_t *self, const char *name)
{
    return stream_cells_short_name(self->prefix, name);
}

void summary_print_table(const summary_t *self, text_table_t *table)
{
    text_table_print(table, self->out, SUMMARY_INDENT, &self->options->style);
    text_table_destroy(&table);
}

const char *summary_tag(change_kind_t kind, bool first)
{
    if (kind == CHANGE_REMOVED)
        return "gone";
    /* In a first answer all is new: saying so on every line would hide what matters. */
    return kind == CHANGE_NEW && !first ? "new" : "";
}

bool summary_shows_counter(const counter_t *counter, const server_part_t *part)
{
    return counter->heading &&
           (!counter->agent_only || part->reply->response->dialect == RESPONSE_AGENT);
}
