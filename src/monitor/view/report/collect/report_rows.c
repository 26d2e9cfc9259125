#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/shorten.h"
#include "base/timespec.h"
#include "monitor/view/report/collect/report_parts.h"
#include "response/names.h"

static void free_server(report_collector_t *self, size_t server)
{
    report_server_t *one = &self->report.servers[server];
    free(one->name);
    free(one->error);
    free(one->agent_version);
    free(one->tango_version);
    free(one->agent_loaded);
    free(one->agent_attached);
    free(one->process_started);
    free(one->late_since);
    free(self->asked[server].blocks);
}

static void free_row(report_collector_t *self, report_kept_row_t *kept)
{
    report_row_t *row = &kept->row;
    self->bytes -= kept->point_capacity * sizeof *row->points;
    for (size_t i = 0; i < REPORT_DURATIONS; i++) {
        self->bytes -= row->cells[i].capacity * sizeof *row->cells[i].list;
        report_cells_clear(&row->cells[i]);
    }
    free(row->stream);
    free(row->topic);
    free(row->points);
    free(kept->blocks);
    free(kept);
}

void report_free_rows(report_collector_t *self)
{
    report_t *report = &self->report;
    for (size_t i = 0; i < report->row_count; i++)
        free_row(self, report_kept_row(self, i));
    for (size_t i = 0; i < report->server_count; i++)
        free_server(self, i);
    free(report->rows);
    free(report->servers);
    free(self->asked);
    report_index_clear(&self->row_index);
    report_index_clear(&self->server_index);
    for (size_t i = 0; i < 2; i++) {
        free(self->rows_left_out[i].hashes);
        free(self->servers_left_out[i].hashes);
    }
}

/* Whether a name is the one that was kept of a name with the same hash: of a longer one, the hash
 * says it. */
static bool is_name(const char *kept, const char *name)
{
    return strlen(name) > REPORT_NAME || strcmp(kept, name) == 0;
}

/* A list that doubles when it is full. */
static void *grow(void *list, size_t count, size_t *capacity, size_t size)
{
    enum { AT_FIRST = 16 };
    if (count < *capacity)
        return list;
    *capacity = *capacity > 0 ? 2 * *capacity : AT_FIRST;
    return memory_resize(list, *capacity, size);
}

/* ---- servers ---- */

static bool is_server(const report_collector_t *self, size_t server, uint64_t hash,
                      const char *name)
{
    return server < self->report.server_count && self->asked[server].hash == hash &&
           is_name(self->report.servers[server].name, name);
}

static size_t add_server(report_collector_t *self, uint64_t hash, const char *name)
{
    report_t *report = &self->report;
    const size_t server = report->server_count;
    size_t capacity = self->server_capacity;
    self->asked = grow(self->asked, server, &capacity, sizeof *self->asked);
    report->servers =
        grow(report->servers, server, &self->server_capacity, sizeof *report->servers);
    report->servers[server] = (report_server_t){.name = shorten_copy(name, REPORT_NAME)};
    self->asked[server] =
        (report_asked_t){.hash = hash,
                         .outage = REPORT_NONE,
                         .blocks = memory_new(self->block_count, sizeof *self->asked->blocks)};
    report_index_add(&self->server_index, hash, server);
    report->server_count++;
    return server;
}

size_t report_server_of(report_collector_t *self, const char *name, size_t place)
{
    const uint64_t hash = name_set_hash(0, name);
    if (is_server(self, place, hash, name))
        return place;
    size_t at = REPORT_NONE;
    for (size_t server = report_index_next(&self->server_index, hash, &at); server != REPORT_NONE;
         server = report_index_next(&self->server_index, hash, &at))
        if (is_server(self, server, hash, name))
            return server;
    if (self->report.server_count < REPORT_SERVERS)
        return add_server(self, hash, name);
    if (!name_set_has(&self->servers_left_out[1], hash))
        name_set_add(&self->servers_left_out[0], hash);
    return REPORT_NONE;
}

/* ---- rows ---- */

static uint64_t hash_of(uint64_t server, bool is_published, const char *name)
{
    return name_set_hash(server + is_published, name);
}

static report_kept_row_t *find(const report_collector_t *self, uint64_t hash, bool is_published,
                               size_t server, const char *name)
{
    size_t at = REPORT_NONE;
    for (size_t i = report_index_next(&self->row_index, hash, &at); i != REPORT_NONE;
         i = report_index_next(&self->row_index, hash, &at)) {
        const report_row_t *row = self->report.rows[i];
        if (row->is_published == is_published && row->server == server &&
            is_name(is_published ? row->stream : row->topic, name))
            return report_kept_row(self, i);
    }
    return NULL;
}

report_kept_row_t *report_find_row(const report_collector_t *self, bool is_published, size_t server,
                                   const char *name)
{
    return find(self, hash_of(self->asked[server].hash, is_published, name), is_published, server,
                name);
}

static report_kept_row_t *add_row(report_collector_t *self, uint64_t hash, bool is_published,
                                  size_t server, const char *name)
{
    report_t *report = &self->report;
    report_kept_row_t *kept = memory_new(1, sizeof *kept);
    kept->hash = hash;
    report_row_t *row = &kept->row;
    row->is_published = is_published;
    row->server = server;
    row->stream =
        shorten(is_published ? memory_string(name) : names_stream_of_topic(name), REPORT_NAME);
    row->topic = is_published ? NULL : shorten_copy(name, REPORT_NAME);
    row->gaps = row->not_received = RESPONSE_UNKNOWN;
    counters_clear(&counters_of_publisher, &row->pushed);
    counters_clear(&counters_of_subscription, &row->received);
    kept->stream_hash = name_set_hash(0, row->stream);
    report_index_add(&self->row_index, hash, report->row_count);
    report->rows =
        grow(report->rows, report->row_count, &self->row_capacity, sizeof(report_row_t *));
    report->rows[report->row_count++] = row;
    return kept;
}

report_kept_row_t *report_row_of(report_collector_t *self, bool is_published, size_t server,
                                 const char *name)
{
    const uint64_t hash = hash_of(self->asked[server].hash, is_published, name);
    report_kept_row_t *row = find(self, hash, is_published, server, name);
    if (row || self->report.row_count == REPORT_ROWS)
        return row;
    return add_row(self, hash, is_published, server, name);
}

void report_leave_out_row(report_collector_t *self, bool is_published, const char *server,
                          const char *name)
{
    const uint64_t hash = hash_of(name_set_hash(0, server), is_published, name);
    if (!name_set_has(&self->rows_left_out[1], hash))
        name_set_add(&self->rows_left_out[0], hash);
}

/* Of many rows, most have none: with a window, only those that have lost something need them. */
report_row_block_t *report_row_block(const report_collector_t *self, report_kept_row_t *row)
{
    if (!row->blocks)
        row->blocks = memory_new(self->block_count, sizeof *row->blocks);
    return &row->blocks[self->block];
}

/* ---- points ---- */

static void resize_points(report_collector_t *self, report_kept_row_t *row, size_t capacity)
{
    self->bytes += capacity * sizeof *row->row.points;
    self->bytes -= row->point_capacity * sizeof *row->row.points;
    row->point_capacity = capacity;
    row->row.points = memory_resize(row->row.points, capacity, sizeof *row->row.points);
}

report_point_t *report_point_of(report_collector_t *self, report_kept_row_t *kept)
{
    enum { AT_ONCE = 4 }; /* a quarter more than is needed */
    report_row_t *row = &kept->row;
    const size_t count = self->report.stream_axis.count;
    if (row->point_count < count) {
        if (kept->point_capacity < count)
            resize_points(self, kept, count + count / AT_ONCE + 1);
        memset(row->points + row->point_count, 0, (count - row->point_count) * sizeof *row->points);
        row->point_count = count;
    }
    return &row->points[count - 1];
}

static void add_count(uint32_t *sum, uint32_t count)
{
    *sum = count > UINT32_MAX - *sum ? UINT32_MAX : *sum + count;
}

static void join_points(report_point_t *to, const report_point_t *other)
{
    add_count(&to->events, other->events);
    add_count(&to->lost, other->lost);
    add_count(&to->lost_in_outage, other->lost_in_outage);
    add_count(&to->discarded, other->discarded);
    if (other->rate > to->rate)
        to->rate = other->rate;
}

void report_fold_row(report_collector_t *self, report_kept_row_t *kept)
{
    report_row_t *row = &kept->row;
    for (size_t i = 0; i < row->point_count; i++)
        if (i % 2 == 0)
            row->points[i / 2] = row->points[i];
        else
            join_points(&row->points[i / 2], &row->points[i]);
    row->point_count = (row->point_count + 1) / 2;
    if (kept->point_capacity > 2 * (row->point_count + 1))
        resize_points(self, kept, row->point_count + 1);
    for (size_t i = 0; i < REPORT_DURATIONS; i++) {
        self->bytes -= row->cells[i].capacity * sizeof *row->cells[i].list;
        report_cells_fold(&row->cells[i]);
        self->bytes += row->cells[i].capacity * sizeof *row->cells[i].list;
    }
}

void report_end_row(report_collector_t *self, report_kept_row_t *kept, size_t column)
{
    report_row_t *row = &kept->row;
    for (; row->point_count > column + 1; row->point_count--)
        join_points(&row->points[column], &row->points[row->point_count - 1]);
    for (size_t i = 0; i < REPORT_DURATIONS; i++) {
        self->bytes -= row->cells[i].capacity * sizeof *row->cells[i].list;
        report_cells_end(&row->cells[i], column);
        self->bytes += row->cells[i].capacity * sizeof *row->cells[i].list;
    }
}

void report_drop_of_row(report_collector_t *self, report_kept_row_t *kept, size_t columns)
{
    report_row_t *row = &kept->row;
    const size_t count = row->point_count > columns ? row->point_count - columns : 0;
    if (count > 0)
        memmove(row->points, row->points + (row->point_count - count), count * sizeof *row->points);
    row->point_count = count;
    for (size_t i = 0; i < REPORT_DURATIONS; i++) {
        self->bytes -= row->cells[i].capacity * sizeof *row->cells[i].list;
        report_cells_drop(&row->cells[i], columns);
        self->bytes += row->cells[i].capacity * sizeof *row->cells[i].list;
    }
}

/* ---- a window ---- */

static bool is_before_window(const report_collector_t *self, const struct timespec *time)
{
    return timespec_seconds_between(&self->report.axis.begin, time) < 0;
}

/* Forgets servers that nobody asks any more. Returns the new index of each; the caller frees it. */
static size_t *prune_servers(report_collector_t *self)
{
    report_t *report = &self->report;
    size_t *places = memory_new(report->server_count, sizeof *places);
    size_t kept = 0;
    report_index_clear(&self->server_index);
    for (size_t i = 0; i < report->server_count; i++) {
        places[i] = REPORT_NONE;
        if (is_before_window(self, &self->asked[i].polled)) {
            free_server(self, i);
            continue;
        }
        places[i] = kept;
        report->servers[kept] = report->servers[i];
        self->asked[kept] = self->asked[i];
        report_index_add(&self->server_index, self->asked[kept].hash, kept);
        kept++;
    }
    report->server_count = kept;
    return places;
}

/* What is gone, or, when others have to be left out, what hasn't changed. */
static bool is_past(const report_collector_t *self, const report_kept_row_t *row, bool is_full)
{
    return (row->is_gone || is_full) && is_before_window(self, &row->seen);
}

void report_prune_rows(report_collector_t *self)
{
    report_t *report = &self->report;
    size_t *places = prune_servers(self);
    size_t kept = 0;
    const size_t count = report->row_count;
    report_index_clear(&self->row_index);
    for (size_t i = 0; i < count; i++) {
        report_kept_row_t *row = report_kept_row(self, i);
        const size_t server = places[row->row.server];
        if (server == REPORT_NONE || is_past(self, row, count == REPORT_ROWS)) {
            free_row(self, row);
            continue;
        }
        row->row.server = server;
        report->rows[kept] = &row->row;
        report_index_add(&self->row_index, row->hash, kept++);
    }
    report->row_count = kept;
    report_prune_incidents(self, places);
    free(places);
}
