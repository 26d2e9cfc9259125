/*
 * screen_parts: shared by the screens about one thing.
 */
#ifndef STEM_SCREEN_PARTS_H
#define STEM_SCREEN_PARTS_H

#include "monitor/view/live/ui/page.h"
#include "monitor/view/live/ui/ui_parts.h"
#include "monitor/view/text/text_table.h"

/* ---- what is shown of a thing that may not be there any more ---- */

/* All 0 at first. */
typedef struct {
    const frame_t *frame; /* the last one that had it; shared. NULL: none had */
    struct timespec time; /* of the poll that is shown */
    bool is_there;        /* in the frame that is shown */
} kept_t;

/* Takes a frame into account; has: it has the thing. True: what is known is in another frame now.
 */
bool kept_update(kept_t *self, const frame_t *frame, bool has);
void kept_clear(kept_t *self);

/* One line that says that it is gone, and when it was seen; NULL: it is there. what: "the stream".
 * The caller frees it. */
char *kept_says(const kept_t *self, const char *what);

/* ---- findings about a thing ---- */

/* All 0 at first. */
typedef struct {
    const frame_t *frame;
    size_t *indices; /* in the frame: those that last first */
    size_t count;
    size_t lasting;
    char *prefix; /* left out of names; NULL: none */
} about_t;

/* Finds those for which takes() says so. name: of a stream, of which "tango://host:port/" is left
 * out everywhere; or NULL. */
void about_find(about_t *self, const frame_t *frame,
                bool (*takes)(const frame_finding_t *finding, const void *context),
                const void *context, const char *name);
void about_clear(about_t *self);

/* Adds them to a page: the few that are to be seen first, as far as they last, and all others. */
void about_add_first(about_t *self, page_t *page);
void about_add_rest(about_t *self, page_t *page);

/* ---- tables ---- */

/* A table of which the rows that are seen are made only. */
typedef struct {
    size_t rows;
    void (*columns)(void *context, text_table_t *table);
    void (*cells)(void *context, text_table_t *table, size_t row);
    look_t (*look)(void *context, size_t row);
    void *context;
} rows_table_t;

/* For a page_block_t, which must have a heading (heads). */
void rows_table_draw(const rows_table_t *self, const page_part_t *part);

/* The columns of a subscription that are the same wherever one is a row: a mark, a name and
 * numbers. */
void subscription_columns(text_table_t *table, const char *heading);
void subscription_cells(text_table_t *table, const frame_t *frame, const frame_subscription_t *it,
                        const char *name);
look_t subscription_look(const frame_t *frame, const frame_subscription_t *it);

/* ---- other things ---- */

/* One line on events that were lost so far, or RESPONSE_UNKNOWN, and since the previous poll; and
 * how it looks. The caller frees it. */
char *losses_text(int64_t lost, int64_t step, look_t *look);

/* The ISO time of an event, to the millisecond; "-" for NULL. The caller frees it. */
char *event_time_text(const char *iso);

/* Opens what is under the cursor of a page, which shows frame. False: there is nothing. */
bool open_target(ui_t *ui, page_target_t target, const frame_t *frame);

/* Takes keys of a page: scrolling, and Enter or a double click, which opens. */
bool page_keys(page_t *page, ui_t *ui, const ui_input_t *input, const frame_t *frame);

/* What a target for a stream or server is, by its index in a frame; FRAME_NONE: nothing. */
page_target_t stream_target(const frame_t *frame, size_t index);
page_target_t server_target(const frame_t *frame, size_t index);

#endif
