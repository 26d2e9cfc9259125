/*
 * report: what came of a recording, however long, or of the last hour: collected poll by poll, in
 * bounded memory, and read by whatever writes it down (text, HTML, JSON). Writers compute nothing
 * that is here, and ask nobody else.
 *
 * Time is divided into columns. A recording's columns begin small and are joined in pairs whenever
 * there are too many, so that their number stays bounded, nothing that was counted is lost, and a
 * peak stays a peak. With a window, columns have one width, and old ones are dropped.
 *
 * The axis follows the clock: a poll that is REPORT_JUMP days later than the one before, or so much
 * earlier, tells that the clock was set, not that time has passed. All that was before is moved by
 * the difference, so that it stays beside what comes after it. When a clock that was ahead is set
 * back by more than an hour, what came meanwhile is counted in the column of the time that it is
 * then; if it is set back by less, polls are counted in the newest column until their time has
 * come.
 *
 * With a window, one to 1.1 windows are kept, and every sum, list and number is of what is kept;
 * the axis follows a clock that is set back at once.
 *
 * What happened before a server's first answer isn't counted, as in totals.h.
 */
#ifndef STEM_REPORT_H
#define STEM_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "monitor/analysis/findings/findings.h"
#include "monitor/analysis/observation.h"
#include "monitor/view/filter.h"
#include "monitor/view/report/collect/report_cells.h"

/* At most so many of each; of more, what has none of its own is counted. */
enum {
    REPORT_COLUMNS = 960,        /* of the whole; at least half of them, once they were joined */
    REPORT_STREAM_COLUMNS = 480, /* of each row; fewer, down to the following, if there are many */
    REPORT_STREAM_COLUMNS_LEAST = 16,
    REPORT_ROWS = 20000,
    REPORT_SERVERS = 10000,
    REPORT_FINDINGS = 1000,
    REPORT_INCIDENTS = 5000,
    REPORT_MINUTES = 100,
    REPORT_JUMP = 100,  /* days */
    REPORT_NAME = 1000, /* bytes of a name, of which the middle is left out */
    REPORT_TEXT = 300,  /* likewise of another text */
};

/* No such index. */
#define REPORT_NONE SIZE_MAX

/* ---- time ---- */

/* Column i is from begin + i * width, and so many seconds long. */
typedef struct {
    struct timespec begin;
    double width; /* s */
    size_t count;
} report_axis_t;

/* One column of everything. */
typedef struct {
    uint32_t polls;
    uint32_t answers;  /* of servers */
    uint32_t failures; /* likewise */
    uint32_t restarts;
    uint32_t findings; /* the most faults and warnings that lasted at one poll */
    int64_t pushed;
    int64_t received;
    int64_t lost;
    int64_t lost_in_outage; /* of these; see loss_t */
    float push_rate;        /* the highest between two polls, over all servers, in 1/s; NAN: none.
                               Also in columns without a poll, between two that are no gap apart */
    float receive_rate;     /* likewise */
    float latency;          /* the highest 99th percentile of a stream in one poll, in s; NAN */
    float processing;       /* likewise */
} report_column_t;

/* One column of a published stream, or of a subscription. Counts stop at their maximum. */
typedef struct {
    uint32_t events; /* pushed; received */
    uint32_t lost;
    uint32_t lost_in_outage;
    uint32_t discarded;
    float rate; /* the highest between two answers, in 1/s, also in columns between them; 0: none */
} report_point_t;

/* ---- what is reported ---- */

typedef struct {
    char *name;       /* as in a reply */
    int64_t polls;    /* that asked it */
    int64_t failures; /* of them */
    int64_t restarts;
    double failed_seconds;       /* how long it didn't answer, in all */
    struct timespec first, last; /* answers; all 0: none */
    char *error;                 /* of its last failure, one line; NULL: none */
    bool fails;                  /* it failed the last time */
    const char *source;          /* response_dialect_name() of the last answer; NULL: none */
    char *agent_version;         /* NULL: none, or not known */
    char *tango_version;         /* likewise */
    char *agent_loaded;          /* as in response_t, of the last answer */
    char *agent_attached;        /* likewise */
    char *process_started;       /* likewise */
    char *late_since;            /* agent_since_text() of the last answer; or NULL */
    bool perf_on;                /* some answer was with performance monitoring */
} report_server_t;

typedef struct {
    int64_t events;
    int64_t lost;
    int64_t lost_in_outage;
    int64_t discarded;
} report_sum_t;

/* What durations are measured. */
typedef enum { REPORT_PUSH, REPORT_LATENCY, REPORT_PROCESSING, REPORT_DURATIONS } report_duration_t;

/* How long something took, of all events; NAN: not known. In s, and less than 12 % off. */
typedef struct {
    int64_t count;
    double median;
    double percentile_90;
    double percentile_99;
    double maximum;
} report_percentiles_t;

/* A stream as one server publishes it, or as one server receives it. */
typedef struct {
    bool is_published;
    size_t server;    /* its index */
    char *stream;     /* without IDL level */
    char *topic;      /* of a subscription, with it; NULL: published */
    report_sum_t sum; /* of the points */
    bool knows_lost;  /* some answer told, or lets it be derived; else lost is 0 */
    bool is_derived;
    bool lost_is_minimum;
    int64_t gaps;           /* missed_event_count: what servers without the agent tell; or
                               RESPONSE_UNKNOWN */
    int64_t not_received;   /* as in total_t, at the end; RESPONSE_UNKNOWN: not known */
    double rate;            /* the highest of the points, in 1/s */
    struct timespec worst;  /* the middle of the column with most losses; all 0: none */
    report_point_t *points; /* of the streams' axis; fewer than its columns if the last ones are
                               empty */
    size_t point_count;
    report_cells_t cells[REPORT_DURATIONS]; /* of the streams' axis; of those that are measured */
    report_percentiles_t percentiles[REPORT_DURATIONS];
    /* Every counter by its table: the sums of the steps since the beginning, also with a window;
     * RESPONSE_UNKNOWN: not known. Lost events, and those of outages, are those of loss_t. */
    publisher_counts_t pushed;
    subscription_counts_t received;
} report_row_t;

/* A stream: who publishes it, and who receives it. */
typedef struct {
    const char *name;          /* without IDL level */
    const char *short_name;    /* and without "tango://host:port/", inside name */
    size_t first_publisher;    /* in stream_rows */
    size_t publisher_count;    /* watched ones: mostly 1, or 0 */
    size_t first_subscription; /* likewise */
    size_t subscription_count;
    int64_t pushed;   /* RESPONSE_UNKNOWN: no watched server publishes it */
    int64_t received; /* by all; RESPONSE_UNKNOWN: nobody who is watched */
    int64_t lost;     /* by all; RESPONSE_UNKNOWN: not known */
    bool lost_is_minimum;
    bool lost_is_derived;
    int64_t lost_in_outage;
    int64_t not_received; /* RESPONSE_UNKNOWN: not known */
    size_t findings;      /* that are about it */
} report_stream_t;

typedef enum {
    INCIDENT_RESTART, /* of a server */
    INCIDENT_OUTAGE,  /* a server didn't answer */
    INCIDENT_GAP      /* nothing was recorded */
} incident_kind_t;

/* "restart", "outage", "gap". */
const char *incident_kind_name(incident_kind_t kind);

typedef struct {
    incident_kind_t kind;
    struct timespec begin; /* the last time that all was well; of a restart, the last answer before
                              it */
    struct timespec end;   /* the first time that it was so again */
    bool lasts;            /* it wasn't, up to the last poll */
    size_t server;         /* its index; REPORT_NONE: of a gap */
    char *text;            /* why, one line, or NULL; may hold anything from the network */
} report_incident_t;

/* One minute, for the worst ones. */
typedef struct {
    struct timespec begin;
    int64_t pushed;
    int64_t received;
    int64_t lost;
    uint32_t failures;
    uint32_t restarts;
    float latency;    /* as in a column */
    float processing; /* likewise */
    char *stream;     /* that lost most of it; NULL: none */
} report_minute_t;

/* Its users may read all members; lists are complete after report_settle(). */
typedef struct report {
    report_axis_t axis;
    report_column_t *columns;  /* axis.count */
    report_axis_t stream_axis; /* of rows; it begins at the same time, and its columns are as wide
                                  or a multiple of that */
    report_cells_t cells[REPORT_DURATIONS]; /* of everything, by the whole axis */
    report_percentiles_t percentiles[REPORT_DURATIONS];

    struct timespec first, last; /* polls; all 0: none */
    double period;               /* the typical time from one poll to the next, in s; NAN */
    int64_t polls;
    int64_t lost_polls;   /* that a recorder couldn't write, as it says itself */
    int64_t broken_lines; /* of recordings, that were passed over */
    double gap_seconds;   /* without any poll, in all */
    report_sum_t pushed;  /* of all rows, those without a row of their own included */
    report_sum_t received;
    bool knows_lost;
    bool lost_is_minimum;
    bool lost_is_derived;
    int64_t restarts;

    report_server_t *servers; /* in the order in which they were first asked */
    size_t server_count;
    report_row_t **rows; /* in no order */
    size_t row_count;
    report_stream_t *streams; /* most losses first, then what is missing, then most events */
    size_t stream_count;
    report_row_t **stream_rows;   /* of streams; a stream's are together */
    report_incident_t *incidents; /* by their begin */
    size_t incident_count;
    report_minute_t *minutes; /* the worst first: losses, then failures, then restarts */
    size_t minute_count;
    const finding_t *const *findings; /* faults first, then those with most events, then the newest;
                                         those that the filter takes */
    size_t finding_count;

    size_t streams_left_out; /* that have no row of their own; their events are in the sums */
    size_t servers_left_out;
    size_t incidents_left_out;
    size_t findings_left_out;
    bool cells_are_incomplete; /* of rows: there were more durations than there is memory for */
    bool percentiles_are_of_samples; /* those of everything, at least in part: of servers that keep
                                        no histograms only the newest 256 events at each answer are
                                        known, and not for rows */
} report_t;

typedef struct {
    filter_t filter;      /* which streams have rows, and which findings are shown */
    double window;        /* the last so many seconds only; 0: everything */
    size_t budget;        /* bytes for points and cells of rows; 0: REPORT_BUDGET */
    bool copies_findings; /* it is settled and read by another thread, with a lock */
} report_options_t;

#define REPORT_BUDGET ((size_t)48 << 20)

/* Of no poll yet; options are copied, but for the patterns of their filter. Never NULL. */
report_t *report_new(const report_options_t *options);

/* Frees it and sets *self to NULL; *self may be NULL. */
void report_destroy(report_t **self);

/* Takes the next poll, which must have a comparison. Unless its findings are copied, which is done
 * here, the observation must live until the report is settled, and they as long as it is read. */
void report_add(report_t *self, const observation_t *observation);

/* Takes a line of a recording without a snapshot: what it says is missing. */
void report_remark(report_t *self, const char *line, size_t size);

/* Completes lists and sums after the last poll so far; more may be added afterwards. What was in
 * lists before is gone then. */
void report_settle(report_t *self);

/* How many neighbouring columns to join so that there are at most so many, and each has a poll
 * unless there was a gap. */
size_t report_fold(const report_t *self, const report_axis_t *axis, size_t columns);

/* The middle of a column, of so many joined ones. */
struct timespec report_time_of(const report_axis_t *axis, size_t column, size_t fold);

#endif
