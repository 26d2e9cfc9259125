#include "monitor/view/live/screens/screen_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/plural.h"
#include "monitor/view/live/screens/finding_rows.h"
#include "monitor/view/text/stream_cells.h"
#include "response/names.h"

/* So many findings are above everything else. */
enum { FINDINGS_FIRST = 4 };

/* A table with no more rows than this keeps its columns where they are while it scrolls. */
enum { ROWS_FOR_WIDTHS = 100 };

/* ---- what is shown of a thing that may not be there any more ---- */

bool kept_update(kept_t *self, const frame_t *frame, bool has)
{
    self->time = frame->time;
    self->is_there = has;
    if (!has || frame == self->frame)
        return false;
    frame_release(&self->frame);
    self->frame = frame_share(frame);
    return true;
}

void kept_clear(kept_t *self)
{
    frame_release(&self->frame);
}

char *kept_says(const kept_t *self, const char *what)
{
    if (self->is_there)
        return NULL;
    char *now = local_time_of_day(self->time.tv_sec, self->time.tv_sec);
    char *text = NULL;
    if (!self->frame) {
        text = memory_format("The poll of %s has nothing of %s.", now, what);
    } else {
        char *then = local_time_of_day(self->frame->time.tv_sec, self->time.tv_sec);
        text = memory_format("The poll of %s has nothing of %s; this is of %s.", now, what, then);
        free(then);
    }
    free(now);
    return text;
}

/* ---- findings ---- */

static bool lasts(const frame_finding_t *finding)
{
    return finding->state < FINDING_ENDED;
}

void about_clear(about_t *self)
{
    free(self->indices);
    free(self->prefix);
    *self = (about_t){.count = 0};
}

void about_find(about_t *self, const frame_t *frame,
                bool (*takes)(const frame_finding_t *finding, const void *context),
                const void *context, const char *name)
{
    about_clear(self);
    self->frame = frame;
    self->indices = memory_new(frame->finding_count, sizeof *self->indices);
    for (size_t i = 0; i < frame->finding_count; i++)
        if (takes(&frame->findings[i], context)) {
            self->lasting += lasts(&frame->findings[i]);
            self->indices[self->count++] = i;
        }
    const size_t length = name ? names_prefix_length(name) : 0;
    if (length > 0)
        self->prefix = memory_copy(name, length);
}

/* FNV-1a. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325U;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3U;
    return hash;
}

static page_target_t finding_target(const about_t *self, size_t at)
{
    const size_t index = self->indices[at];
    return (page_target_t){PAGE_FINDING, hash_of(self->frame->findings[index].identity), index};
}

static void draw_findings(const about_t *self, size_t offset, const page_part_t *part)
{
    for (size_t i = 0; i < part->count; i++) {
        const size_t item = part->from + i;
        const int row = part->row + (int)i;
        finding_rows_draw(part->canvas, row, &self->frame->findings[self->indices[offset + item]],
                          self->prefix);
        if (item == part->selected)
            canvas_set_look(part->canvas, row, 0, part->width, LOOK_SELECTED);
    }
}

static size_t shown_first(const about_t *self)
{
    return self->lasting < FINDINGS_FIRST ? self->lasting : FINDINGS_FIRST;
}

static void draw_first(void *context, const page_part_t *part)
{
    draw_findings(context, 0, part);
}

static page_target_t target_of_first(void *context, size_t item)
{
    return finding_target(context, item);
}

static void draw_rest(void *context, const page_part_t *part)
{
    draw_findings(context, shown_first(context), part);
}

static page_target_t target_of_rest(void *context, size_t item)
{
    return finding_target(context, shown_first(context) + item);
}

void about_add_first(about_t *self, page_t *page)
{
    const size_t rows = shown_first(self);
    page_add(page, (page_block_t){.rows = rows,
                                  .items = rows,
                                  .draw = draw_first,
                                  .target = target_of_first,
                                  .context = self});
}

void about_add_rest(about_t *self, page_t *page)
{
    const size_t rows = self->count - shown_first(self);
    if (rows == 0)
        return;
    const size_t lasting = self->lasting - shown_first(self);
    page_add(page, (page_block_t){.section = memory_format(
                                      lasting > 0 ? "More findings (%zu, of which %zu last)"
                                                  : "Findings that are over (%zu)",
                                      rows, lasting),
                                  .rows = rows,
                                  .items = rows,
                                  .draw = draw_rest,
                                  .target = target_of_rest,
                                  .context = self});
}

/* ---- tables ---- */

void rows_table_draw(const rows_table_t *self, const page_part_t *part)
{
    const bool all = self->rows <= ROWS_FOR_WIDTHS;
    const size_t from = all ? 0 : part->from;
    const size_t count = all ? self->rows : part->count;
    text_table_t *table = text_table_new();
    self->columns(self->context, table);
    for (size_t i = 0; i < count; i++)
        self->cells(self->context, table, from + i);
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    text_table_print(table, out, " ", &(text_style_t){.width = (size_t)part->width});
    memory_stream_close(out);
    text_table_destroy(&table);
    char *rest = text;
    char *line = strsep(&rest, "\n");
    if (part->heads && line)
        canvas_text(part->canvas, part->row, 0, part->width, LOOK_DIM, line);
    for (size_t i = from; i < part->from + part->count && (line = strsep(&rest, "\n")); i++) {
        if (i < part->from)
            continue;
        const look_t look = i == part->selected ? LOOK_SELECTED : self->look(self->context, i);
        canvas_text(part->canvas, part->row + part->heads + (int)(i - part->from), 0, part->width,
                    look, line);
    }
    free(text);
}

void subscription_columns(text_table_t *table, const char *heading)
{
    const unsigned number = TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL;
    text_table_column(table, "", TEXT_TABLE_NAME | TEXT_TABLE_OPTIONAL);
    text_table_column(table, heading, TEXT_TABLE_NAME);
    text_table_column(table, "received", TEXT_TABLE_RIGHT);
    text_table_column(table, "", number | TEXT_TABLE_JOINED);
    text_table_column(table, "rate [1/s]", TEXT_TABLE_RIGHT);
    text_table_column(table, "lost", TEXT_TABLE_RIGHT);
    text_table_column(table, "", number | TEXT_TABLE_JOINED);
    text_table_column(table, "not received", number);
    text_table_column(table, "latency [us]", number);
    text_table_column(table, "99 %", number);
    text_table_column(table, "callbacks [us]", number);
    text_table_column(table, "99 %", number);
}

static const char *mark_of(const frame_t *frame, const frame_subscription_t *it)
{
    return frame->servers[it->server].error ? "NO ANSWER"
           : it->new_losses > 0             ? "LOST"
           : it->not_received > 0           ? "NOT RECEIVED"
           : it->restarted                  ? "restart"
                                            : "";
}

void subscription_cells(text_table_t *table, const frame_t *frame, const frame_subscription_t *it,
                        const char *name)
{
    text_table_cell(table, mark_of(frame, it));
    text_table_cell(table, name);
    stream_cells_count(table, it->counts.event_count);
    stream_cells_step(table, it->steps.event_count);
    stream_cells_rate(table, it->rate);
    if (it->lost == RESPONSE_UNKNOWN)
        text_table_cell(table, NULL);
    else
        stream_cells_lost(table, it->lost, it->lost_is_minimum, false);
    stream_cells_step(table, it->new_losses);
    if (it->not_received == RESPONSE_UNKNOWN)
        text_table_cell(table, "");
    else
        stream_cells_count(table, it->not_received);
    stream_cells_durations(table, &it->latency.interval);
    stream_cells_durations(table, &it->processing.interval);
}

look_t subscription_look(const frame_t *frame, const frame_subscription_t *it)
{
    return frame->servers[it->server].error || it->new_losses > 0 ? LOOK_ALARM
           : it->not_received > 0 || it->lost > 0                 ? LOOK_WARNING
                                                                  : LOOK_PLAIN;
}

/* ---- other things ---- */

char *losses_text(int64_t lost, int64_t step, look_t *look)
{
    *look = step > 0 ? LOOK_ALARM : lost > 0 ? LOOK_WARNING : lost == 0 ? LOOK_GOOD : LOOK_DIM;
    if (step > 0 && lost > step)
        return memory_format("LOST: %" PRId64 " event%s since the previous poll, %" PRId64
                             " so far.",
                             step, PLURAL(step), lost);
    if (step > 0)
        return memory_format("LOST: %" PRId64 " event%s since the previous poll.", step,
                             PLURAL(step));
    if (lost > 0)
        return memory_format("LOST: %" PRId64 " event%s, but none since the "
                             "previous poll.",
                             lost, PLURAL(lost));
    return memory_string(lost == 0 ? "No events known to be lost."
                                   : "Whether events were lost isn't known.");
}

char *event_time_text(const char *iso)
{
    enum { DECIMALS = 3 };
    if (!iso)
        return memory_string("-");
    const char *point = strchr(iso, '.');
    if (!point)
        return memory_string(iso);
    const size_t digits = strspn(point + 1, "0123456789");
    const size_t kept = digits < DECIMALS ? digits : DECIMALS;
    return memory_format("%.*s%s", (int)(point + 1 + kept - iso), iso, point + 1 + digits);
}

page_target_t stream_target(const frame_t *frame, size_t index)
{
    if (index >= frame->stream_count)
        return (page_target_t){.kind = PAGE_NOTHING, .index = PAGE_NONE};
    return (page_target_t){PAGE_STREAM, frame->streams[index].id, index};
}

page_target_t server_target(const frame_t *frame, size_t index)
{
    if (index >= frame->server_count)
        return (page_target_t){.kind = PAGE_NOTHING, .index = PAGE_NONE};
    return (page_target_t){PAGE_SERVER, frame->servers[index].id, index};
}

bool open_target(ui_t *ui, page_target_t target, const frame_t *frame)
{
    if (target.kind == PAGE_STREAM)
        ui_push(ui, screen_stream_new(target.id));
    else if (target.kind == PAGE_SERVER)
        ui_push(ui, screen_server_new(target.id));
    else if (target.kind == PAGE_FINDING && frame && target.index < frame->finding_count)
        ui_push(ui, screen_finding_new(frame->findings[target.index].identity));
    else
        return false;
    return true;
}

bool page_keys(page_t *page, ui_t *ui, const ui_input_t *input, const frame_t *frame)
{
    if (input->key == UI_KEY_ENTER)
        return open_target(ui, page_target(page), frame);
    if (input->key == UI_KEY_DOUBLE_CLICK) {
        const ui_input_t click = {.key = UI_KEY_CLICK, .row = input->row, .column = input->column};
        return page_input(page, &click) && open_target(ui, page_target(page), frame);
    }
    return page_input(page, input);
}
