#include "monitor/view/live/screens/finding_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/plural.h"
#include "base/printable.h"
#include "monitor/view/text/duration_text.h"
#include "monitor/view/text/finding_line.h"

enum { MARK_WIDTH = 9 };

void finding_rows_clear(finding_rows_t *self)
{
    free(self->rows);
    *self = (finding_rows_t){0};
}

static bool lasts(const frame_finding_t *finding)
{
    return finding->state == FINDING_BEGAN || finding->state == FINDING_LASTS;
}

void finding_rows_update(finding_rows_t *self, const ui_t *ui, const frame_t *frame)
{
    self->rows = memory_resize(self->rows, frame->finding_count, sizeof *self->rows);
    self->count = self->lasting = 0;
    for (size_t i = 0; i < frame->finding_count; i++) {
        const frame_finding_t *finding = &frame->findings[i];
        if (finding->stream != FRAME_NONE && !ui_takes(ui, frame->streams[finding->stream].name))
            continue;
        self->rows[self->count++] = i;
        if (lasts(finding))
            self->lasting++;
    }
}

size_t finding_rows_find(const finding_rows_t *self, const frame_t *frame, const char *identity)
{
    const size_t finding = frame_find_finding(frame, identity);
    for (size_t i = 0; finding != FRAME_NONE && i < self->count; i++)
        if (self->rows[i] == finding)
            return i;
    return FRAME_NONE;
}

/* "35 s", or when it ended. The caller frees it. */
static char *time_of(const frame_finding_t *finding)
{
    if (lasts(finding))
        return duration_text(finding->seconds, 0);
    char *seen = local_time_of_day(finding->seen.tv_sec, finding->seen.tv_sec);
    char *text = memory_format("until %s", seen);
    free(seen);
    return text;
}

void finding_rows_draw(canvas_t *canvas, int row, const frame_finding_t *finding,
                       const char *prefix)
{
    static const char *const marks[] = {
        [SEVERITY_REMARK] = "remark", [SEVERITY_WARNING] = "WARNING", [SEVERITY_FAULT] = "FAULT"};
    static const look_t looks[] = {[SEVERITY_REMARK] = LOOK_PLAIN,
                                   [SEVERITY_WARNING] = LOOK_WARNING,
                                   [SEVERITY_FAULT] = LOOK_ALARM};
    const int columns = canvas_columns(canvas);
    const look_t look = lasts(finding) ? looks[finding->severity] : LOOK_DIM;
    char *time = time_of(finding);
    const int time_width = canvas_width(canvas, time) + 2;
    const int width = columns - MARK_WIDTH - time_width;
    canvas_text(canvas, row, 0, columns, look, marks[finding->severity]);
    if (width > 0) {
        char *text = finding_line_without_prefix(finding->text, prefix);
        char *printable = printable_copy(text, canvas_is_utf8(canvas));
        char *shorter = finding_line_shorten(printable, (size_t)width);
        canvas_text(canvas, row, MARK_WIDTH, width, look, shorter);
        free(shorter);
        free(printable);
        free(text);
        canvas_text_right(canvas, row, columns - time_width, time_width, look, time);
    }
    free(time);
}

/* How many servers say less than others. */
static size_t without_agent(const frame_t *frame)
{
    const char *agent = response_dialect_name(RESPONSE_AGENT);
    size_t count = 0;
    for (size_t i = 0; i < frame->server_count; i++)
        if (frame->servers[i].has_answer && frame->servers[i].source &&
            strcmp(frame->servers[i].source, agent) != 0)
            count++;
    return count;
}

void finding_rows_draw_none(canvas_t *canvas, int row, const frame_t *frame)
{
    const int columns = canvas_columns(canvas);
    const size_t less = without_agent(frame);
    if (frame->failed > 0)
        canvas_format(canvas, row, 0, columns, LOOK_WARNING,
                      "no findings, but %zu server%s can't be judged: press S", frame->failed,
                      PLURAL(frame->failed));
    else if (frame->number == 0)
        canvas_text(canvas, row, 0, columns, LOOK_DIM, "no findings yet: the first of two polls");
    else if (less > 0)
        canvas_format(canvas, row, 0, columns, LOOK_DIM,
                      "no findings; %zu server%s without the agent tell%s little", less,
                      PLURAL(less), less == 1 ? "s" : "");
    else
        canvas_text(canvas, row, 0, columns, LOOK_DIM, "no findings");
}
