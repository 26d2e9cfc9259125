/*
 * report_parts: what the files of the report share, and nobody else uses.
 *
 * With a window, columns are dropped in blocks. All sums are kept by block, so that they can be
 * dropped with it; without a window there is one block, for ever.
 */
#ifndef STEM_REPORT_PARTS_H
#define STEM_REPORT_PARTS_H

#include "base/name_set.h"
#include "monitor/view/report/collect/report.h"

enum {
    REPORT_WINDOW_COLUMNS = 384, /* that a window is divided into */
    REPORT_BLOCK = 32,           /* columns */
    REPORT_BLOCKS = REPORT_WINDOW_COLUMNS / REPORT_BLOCK + 1,
    REPORT_INTERVALS = 31,            /* between polls, from which the period is known */
    REPORT_INCIDENTS_OF_SERVER = 500, /* so that a single one can't fill the list */
};

/* A clock that is set back by more seconds isn't waited for. */
#define REPORT_SET_BACK 3600

#define REPORT_SECONDS_OF_DAY 86400.0

/* ---- report_index: values by the hash of a name ---- */

typedef struct {
    uint64_t hash;
    size_t value; /* plus 1; 0: a free place */
} report_place_t;

/* All 0 is an empty one. */
typedef struct {
    report_place_t *list;
    size_t size; /* a power of two */
    size_t count;
} report_index_t;

void report_index_add(report_index_t *self, uint64_t hash, size_t value);

/* Goes through the values with that hash; *at begins as REPORT_NONE. REPORT_NONE: no more. */
size_t report_index_next(const report_index_t *self, uint64_t hash, size_t *at);

void report_index_clear(report_index_t *self);

/* ---- what is collected ---- */

typedef struct {
    int64_t polls;
    int64_t failures;
    int64_t restarts;
    double failed_seconds;
} report_server_block_t;

/* What only the collector knows of a server. */
typedef struct {
    uint64_t hash;       /* of its full name */
    bool answered;       /* ever */
    double interval;     /* between its last two answers, in s; NAN: not known */
    double push_rate;    /* in it, in 1/s; NAN: not known */
    double receive_rate; /* likewise */
    struct timespec polled;
    bool was_missing; /* what it answered then, in the recording */
    size_t outage;    /* the incident, while it fails; or REPORT_NONE */
    size_t incidents; /* that it has */
    report_server_block_t *blocks;
} report_asked_t;

typedef struct {
    report_sum_t sum; /* without a window; with one, it is that of the points */
    int64_t gaps;
    int64_t not_received_ended; /* as in total_t */
} report_row_block_t;

/* What is known of a row in a block. */
enum { KNOWN_GAPS = 1, KNOWN_LOST = 2, KNOWN_IS_DERIVED = 4, KNOWN_IS_MINIMUM = 8 };

/* A row, and what only the collector knows of it. */
typedef struct {
    report_row_t row;     /* comes first */
    uint64_t hash;        /* of the server's name, and of the full name */
    uint64_t stream_hash; /* of row.stream */
    size_t point_capacity;
    uint8_t known[REPORT_BLOCKS];
    report_row_block_t *blocks; /* NULL: all 0 */
    bool knows_not_received;    /* as in total_t */
    int64_t not_received;
    bool is_gone;         /* its server doesn't have it any more */
    struct timespec seen; /* when it last changed, or went */
    int64_t minute;       /* the last one in which it lost something, as counted by the collector */
    int64_t minute_lost;  /* in it */
} report_kept_row_t;

typedef struct {
    int64_t polls;
    int64_t restarts;
    int64_t lost_polls;
    int64_t incidents_left_out;
    double gap_seconds;
    report_sum_t pushed;
    report_sum_t received;
    bool knows_lost; /* these three of subscriptions without a row */
    bool is_derived;
    bool lost_is_minimum;
    bool lacks_cells;
    bool has_samples;
} report_block_t;

/* A report that is being collected. */
typedef struct {
    report_t report; /* comes first */
    report_options_t options;
    size_t block_count;
    size_t block; /* of the newest column */
    report_block_t blocks[REPORT_BLOCKS];

    /* time */
    bool has_polls;
    struct timespec previous; /* poll */
    double intervals[REPORT_INTERVALS];
    size_t interval_count;
    size_t next_interval;
    unsigned gaps_in_a_row;
    bool after_gap; /* the present poll is the first one after it */

    bool needs_pruning; /* something has left the window */

    /* servers and rows */
    report_asked_t *asked; /* as report.servers */
    size_t server_capacity;
    size_t row_capacity;
    report_index_t server_index;
    report_index_t row_index;
    name_set_t
        rows_left_out[2]; /* the newer ones, and, with a window, those of the window before */
    name_set_t servers_left_out[2];
    size_t left_out_blocks; /* so many blocks were dropped since the newer ones began */
    size_t bytes;           /* of points and cells of rows */
    bool is_full;           /* there is no memory for more cells */

    /* incidents */
    report_incident_t *incidents; /* in the order in which they were seen */
    size_t incident_count;
    size_t incident_capacity;
    bool has_remark; /* that isn't told yet: the next poll shows whether there is a gap */
    report_incident_t remark;

    /* minutes */
    report_column_t poll; /* the present one */
    report_column_t minute_sum;
    struct timespec minute_begin;
    int64_t minute; /* how many there were */
    report_minute_t worst[REPORT_MINUTES];
    size_t worst_count;
    char *stream_of_minute; /* of the settled list */

    /* findings */
    const findings_t *observed;
    const finding_t **findings;
    finding_t **copies; /* of as many */
} report_collector_t;

/* The row, by its index. */
static inline report_kept_row_t *report_kept_row(const report_collector_t *self, size_t row)
{
    return (report_kept_row_t *)(void *)self->report.rows[row];
}

/* The block that the present poll belongs to. */
static inline report_block_t *report_block(report_collector_t *self)
{
    return &self->blocks[self->block];
}

/* Adds what is more than 0; a sum stops at its maximum. */
static inline void report_sum(int64_t *sum, int64_t step)
{
    if (step > 0)
        *sum = changes_sum(*sum, step);
}

/* ---- report_time ---- */

extern const report_column_t report_no_column;

void report_join_columns(report_column_t *self, const report_column_t *other);

/* Makes the column of the next poll the newest one, if need be, and says when there was a gap. */
void report_take_time(report_collector_t *self, const struct timespec *time);

/* Joins pairs of the rows' columns until they are within the budget, as far as that goes. */
void report_keep_budget(report_collector_t *self);

/* So many seconds later, however many. */
struct timespec report_later(const struct timespec *time, double seconds);

/* ---- report_rows ---- */

/* The index of a server; REPORT_NONE: there are too many. place: to try first. */
size_t report_server_of(report_collector_t *self, const char *name, size_t place);

/* NULL: there are too many. name: of the stream or topic. */
report_kept_row_t *report_row_of(report_collector_t *self, bool is_published, size_t server,
                                 const char *name);

/* The same for one that may not be there. */
report_kept_row_t *report_find_row(const report_collector_t *self, bool is_published, size_t server,
                                   const char *name);

/* Counts a row that isn't there, once. */
void report_leave_out_row(report_collector_t *self, bool is_published, const char *server,
                          const char *name);

/* The newest block of a row. */
report_row_block_t *report_row_block(const report_collector_t *self, report_kept_row_t *row);

/* The point of the newest column. */
report_point_t *report_point_of(report_collector_t *self, report_kept_row_t *row);

/* Joins pairs of columns; makes one the last; drops so many of them. */
void report_fold_row(report_collector_t *self, report_kept_row_t *row);
void report_end_row(report_collector_t *self, report_kept_row_t *row, size_t column);
void report_drop_of_row(report_collector_t *self, report_kept_row_t *row, size_t columns);

/* Forgets servers and rows that aren't in the window any more. */
void report_prune_rows(report_collector_t *self);

void report_free_rows(report_collector_t *self);

/* ---- report_durations ---- */

/* Adds what was measured of a stream since the previous answer; row may be NULL. */
void report_add_durations(report_collector_t *self, report_kept_row_t *row,
                          report_duration_t duration, const duration_span_t *span);

/* The same from an answer's samples, if that is all there is. */
void report_add_samples(report_collector_t *self, const server_part_t *part);

report_percentiles_t report_percentiles_of(const report_cells_t *cells);

/* ---- report_incidents ---- */

/* begin and end are copied; text is taken over. The index, or REPORT_NONE: it was left out. */
size_t report_add_incident(report_collector_t *self, const report_incident_t *incident);

/* How a server answered to the present poll, before that is entered into it. */
void report_watch_server(report_collector_t *self, size_t server, const server_part_t *part,
                         const struct timespec *time);

/* Nothing was recorded from the previous poll to this one; or something was. */
void report_add_gap(report_collector_t *self, const struct timespec *end, double seconds);
void report_add_remark(report_collector_t *self);

/* By so many seconds, but not beyond the previous poll; there is one. */
void report_move_remark(report_collector_t *self, double seconds);

/* None is later than that: the clock was ahead. */
void report_end_incidents(report_collector_t *self, const struct timespec *time);

/* Forgets those that aren't in the window any more, and those of servers that aren't: places has
 * the new index of each, or REPORT_NONE. */
void report_prune_incidents(report_collector_t *self, const size_t *places);

void report_settle_incidents(report_collector_t *self);
void report_free_incidents(report_collector_t *self);

/* ---- report_minutes ---- */

/* Begins the minute of the present poll, if it is another one. */
void report_begin_minute(report_collector_t *self, const struct timespec *time);

/* What a row lost in the minute. */
void report_add_loss_to_minute(const report_collector_t *self, report_kept_row_t *row,
                               int64_t lost);

void report_prune_minutes(report_collector_t *self);
void report_settle_minutes(report_collector_t *self);
void report_free_minutes(report_collector_t *self);

/* ---- report_findings ---- */

void report_settle_findings(report_collector_t *self);
void report_free_findings(report_collector_t *self);

/* ---- report_streams ---- */

void report_settle_streams(report_collector_t *self);
void report_free_streams(report_collector_t *self);

#endif
