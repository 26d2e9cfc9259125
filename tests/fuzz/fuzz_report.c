/*
 * A report: whatever servers answer, whenever that is by whatever clock, its sums are those of its
 * columns and of its rows, and nothing lies outside of what it says to have. Its JSON is JSON, and
 * its tables are tables, whose sums are the totals.
 */
#include <jansson.h>
#include <math.h>

#include "answering.h"
#include "base/memory.h"
#include "base/timespec.h"
#include "check_csv.h"
#include "fuzz.h"
#include "monitor/analysis/observation.h"
#include "monitor/view/report/collect/report.h"
#include "monitor/view/report/report_json.h"
#include "monitor/view/report/tables/csv_series.h"
#include "monitor/view/report/tables/csv_tables.h"

enum { NAMES = 6, SERVERS = 3, MOST_STEPS = 300 };

typedef struct {
    input_t input;
    json_t *names[NAMES]; /* of streams; NULL: the usual one */
    char *servers[SERVERS];
    int64_t counts[NAMES];
    int64_t lost[NAMES];
    int64_t slow;
    int pid;
    double asked;
    struct timespec time;
    observation_t *observation;
    report_t *report;
    report_options_t options;
    csv_file_t file; /* of the series, in memory */
    char *text;
    size_t size;
    csv_series_t *series;
} world_t;

/* ---- what servers say ---- */

static char *name_of(const world_t *self, unsigned i)
{
    const char *name = json_string_value(self->names[i]);
    return name ? memory_string(name) : memory_format("tango://host:10000/a/b/c/value_%u", i);
}

static json_t *histogram(const world_t *self, int64_t count)
{
    return json_pack("{s[[niI][iiI][iiI][inI]], sI}", "buckets", 1024, (json_int_t)count, 1024,
                     1152, (json_int_t)(count / 2), 1441792, 1572864, (json_int_t)self->slow,
                     1000000000, (json_int_t)(self->slow / 3), "count",
                     (json_int_t)count + (json_int_t)self->slow);
}

static json_t *publisher(world_t *self, unsigned which)
{
    json_t *streams = json_object();
    for (unsigned i = 0; i < NAMES; i++) {
        char *name = name_of(self, i);
        char *stream = memory_format("%s.change", name);
        json_t *one = json_pack("{sI}", "pushed_event_count", (json_int_t)self->counts[i]);
        if (which & 1)
            json_object_set_new(one, "push_event_histogram", histogram(self, self->counts[i]));
        if (which >> 1 >> i & 1)
            json_object_set_new(streams, stream, one);
        else
            json_decref(one);
        free(stream);
        free(name);
    }
    return json_pack("{si, s{si}, s{so}}", "version", 1, "agent", "pid", self->pid, "server",
                     "event_streams", streams);
}

static json_t *subscriber(world_t *self, unsigned which)
{
    json_t *topics = json_object();
    for (unsigned i = 0; i < NAMES; i++) {
        char *name = name_of(self, i);
        char *topic = memory_format("%s.idl5_change", name);
        const int64_t lost = self->lost[i] < self->counts[i] ? self->lost[i] : self->counts[i];
        json_t *one = json_pack("{ss, sI, sI, sI}", "channel_name", "dserver/Pub/1",
                                "server_counter", (json_int_t)self->counts[i], "event_count",
                                (json_int_t)(self->counts[i] - lost), "missed_event_count",
                                (json_int_t)(lost > 0));
        if (which & 1)
            json_object_set_new(one, "latency_histogram", histogram(self, self->counts[i]));
        if (which & 1)
            json_object_set_new(one, "lost_event_count", json_integer((json_int_t)lost));
        if (which >> 1 >> i & 1)
            json_object_set_new(topics, topic, one);
        else
            json_decref(one);
        free(topic);
        free(name);
    }
    json_t *samples =
        json_pack("[{si, si}]", "process_micros", 200, "first_callback_latency_micros", -5);
    json_t *client = json_pack("{so, so}", "event_callbacks", topics, "perf", samples);
    json_t *answer = json_pack("{si, so}", "version", 1, "client", client);
    if (which & 1)
        json_object_set_new(answer, "agent", json_pack("{si}", "pid", self->pid));
    return answer;
}

/* Mostly some seconds; or any, within the years that a recording may have. */
static void pass_time(world_t *self)
{
    static const time_t first_year = -62135596800;
    static const time_t last_year = 253402300799;
    const uint8_t how = input_byte(&self->input);
    int64_t seconds = how % 32;
    if (how > 200)
        seconds = (int64_t)(int32_t)input_number(&self->input) * (how % 8 == 0 ? 64 : 1);
    self->asked += how % 32;
    self->time.tv_nsec = how * 1000000L;
    self->time.tv_sec += seconds;
    if (self->time.tv_sec < first_year)
        self->time.tv_sec = first_year;
    if (self->time.tv_sec > last_year)
        self->time.tv_sec = last_year;
}

static void poll(world_t *self)
{
    const unsigned failing = input_byte(&self->input);
    const unsigned which = input_byte(&self->input);
    pass_time(self);
    snapshot_t *snapshot = snapshot_new(SERVERS);
    snapshot->asked = failing >> 7 ? 0 : self->asked;
    snapshot->time = self->time;
    for (unsigned i = 0; i < SERVERS; i++) {
        reply_t *reply = &snapshot->replies[i];
        reply->server = memory_string(self->servers[i]);
        if (failing >> i & 1)
            reply->error = answering_text(input_bytes(&self->input, 10));
        else
            answering_set(reply, i == 0 ? publisher(self, which) : subscriber(self, which),
                          self->asked);
    }
    observation_renew(self->observation, &snapshot, true);
    report_add(self->report, self->observation);
    csv_series_add(self->series, self->observation);
}

static void count(world_t *self)
{
    const unsigned i = input_byte(&self->input) % NAMES;
    self->counts[i] += input_number(&self->input) % (i == 0 ? UINT32_MAX : 1000);
    self->lost[i] += input_byte(&self->input) / 100;
    self->slow += input_byte(&self->input);
}

static void restart(world_t *self)
{
    self->pid++;
    for (unsigned i = 0; i < NAMES; i++)
        self->counts[i] = self->lost[i] = 0;
}

static void rename_stream(world_t *self)
{
    const unsigned i = input_byte(&self->input) % NAMES;
    char *name = answering_text(input_bytes(&self->input, input_byte(&self->input)));
    json_decref(self->names[i]);
    self->names[i] = json_string(name); /* NULL: it isn't UTF-8 */
    free(name);
}

static void rename_server(world_t *self)
{
    char **server = &self->servers[input_byte(&self->input) % SERVERS];
    free(*server);
    *server = answering_text(input_bytes(&self->input, input_byte(&self->input) % 16));
}

/* ---- what must hold ---- */

static void check_cells(const report_cells_t *cells, const report_axis_t *axis)
{
    for (size_t i = 0; i < cells->count; i++) {
        const report_cell_t *cell = &cells->list[i];
        REQUIRE(cell->column < axis->count && cell->bucket < REPORT_BUCKETS && cell->count > 0);
        if (i > 0)
            REQUIRE(cell[-1].column < cell->column ||
                    (cell[-1].column == cell->column && cell[-1].bucket < cell->bucket));
    }
}

static void check_row(const report_t *report, const report_row_t *row)
{
    int64_t events = 0;
    int64_t lost = 0;
    bool is_full = false;
    REQUIRE(row->server < report->server_count && row->point_count <= report->stream_axis.count);
    for (size_t i = 0; i < row->point_count; i++) {
        events += row->points[i].events;
        lost += row->points[i].lost;
        is_full |= row->points[i].events == UINT32_MAX || row->points[i].lost == UINT32_MAX;
    }
    REQUIRE(is_full || (row->sum.events == events && row->sum.lost == lost));
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        check_cells(&row->cells[i], &report->stream_axis);
}

static void check_columns(const report_t *report)
{
    int64_t polls = 0;
    int64_t pushed = 0;
    int64_t received = 0;
    int64_t lost = 0;
    for (size_t i = 0; i < report->axis.count; i++) {
        polls += report->columns[i].polls;
        pushed += report->columns[i].pushed;
        received += report->columns[i].received;
        lost += report->columns[i].lost;
    }
    REQUIRE(polls == report->polls && pushed == report->pushed.events &&
            received == report->received.events && lost == report->received.lost);
    REQUIRE(report->axis.count <= REPORT_COLUMNS);
    REQUIRE(report->stream_axis.count <= REPORT_STREAM_COLUMNS);
    REQUIRE(report->stream_axis.width >= report->axis.width);
    REQUIRE(report->axis.count == 0 ||
            (double)(report->axis.count - 1) * report->axis.width <
                (double)report->stream_axis.count * report->stream_axis.width);
    REQUIRE(timespec_seconds_between(&report->first, &report->last) >= 0);
}

static void check_streams(const report_t *report)
{
    size_t rows = 0;
    for (size_t i = 0; i < report->stream_count; i++) {
        const report_stream_t *stream = &report->streams[i];
        rows += stream->publisher_count + stream->subscription_count;
        REQUIRE(stream->first_publisher + stream->publisher_count <= report->row_count);
        REQUIRE(stream->first_subscription + stream->subscription_count <= report->row_count);
    }
    REQUIRE(rows == report->row_count);
}

static void check(const world_t *self)
{
    const report_t *report = self->report;
    check_columns(report);
    check_streams(report);
    for (size_t i = 0; i < report->row_count; i++)
        check_row(report, report->rows[i]);
    for (size_t i = 0; i < REPORT_DURATIONS; i++)
        check_cells(&report->cells[i], &report->axis);
    for (size_t i = 0; i < report->incident_count; i++) {
        const report_incident_t *incident = &report->incidents[i];
        REQUIRE(incident->server == REPORT_NONE || incident->server < report->server_count);
    }
    REQUIRE(report->minute_count <= REPORT_MINUTES && report->finding_count <= REPORT_FINDINGS);
    for (size_t i = 0; i < report->finding_count; i++)
        REQUIRE(report->findings[i]->text);
    REQUIRE(report->gap_seconds >= -1 && !isnan(report->gap_seconds));
    for (size_t columns = 1; columns < REPORT_COLUMNS; columns *= 7)
        REQUIRE(report_fold(report, &report->axis, columns) >= 1);
    if (self->options.window <= 0 && self->options.filter.count == 0) {
        const totals_sums_t sums = totals_sum_up(self->observation->totals);
        REQUIRE(report->pushed.events == sums.sum.pushed.pushed_event_count);
        REQUIRE(report->received.events == sums.sum.received.event_count);
        REQUIRE(report->received.lost == sums.sum.received.lost_event_count);
    }
}

/* ---- what is written ---- */

static void check_json(const report_t *report)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    report_json_write(out, report);
    memory_stream_close(out);
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    REQUIRE(json_integer_value(json_object_get(json, "polls")) == report->polls);
    json_decref(json);
    free(text);
}

static void check_tables(const report_t *report)
{
    static void (*const tables[])(csv_file_t *, const report_t *) = {
        csv_totals_write, csv_findings_write, csv_servers_write, csv_incidents_write};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char *text = NULL;
        size_t size = 0;
        csv_file_t file = {.out = memory_stream_open(&text, &size)};
        tables[i](&file, report);
        memory_stream_close(file.out);
        (void)check_csv(text, size, NULL);
        free(text);
    }
}

static void check_series(world_t *self)
{
    csv_series_destroy(&self->series);
    memory_stream_close(self->file.out);
    const int64_t pushed = check_csv(self->text, self->size, "pushed");
    const int64_t received = check_csv(self->text, self->size, "received");
    const int64_t lost = check_csv(self->text, self->size, "lost");
    if (self->options.filter.count == 0) {
        const totals_sums_t sums = totals_sum_up(self->observation->totals);
        REQUIRE(pushed == sums.sum.pushed.pushed_event_count);
        REQUIRE(received == sums.sum.received.event_count);
        REQUIRE(lost == sums.sum.received.lost_event_count);
    }
    free(self->text);
}

static void step(world_t *self)
{
    switch (input_byte(&self->input) % 16) {
    case 0:
        restart(self);
        break;
    case 1:
        rename_stream(self);
        break;
    case 2:
        rename_server(self);
        break;
    case 3: {
        const input_t line = input_bytes(&self->input, input_byte(&self->input));
        report_remark(self->report, (const char *)line.data, line.size);
        break;
    }
    case 4:
        report_settle(self->report);
        check(self);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        count(self);
        break;
    default:
        poll(self);
        break;
    }
}

static report_options_t options_of(input_t *input)
{
    static char *patterns[] = {"*value_1*"};
    const uint8_t bits = input_byte(input);
    report_options_t options = {.copies_findings = bits & 1, .budget = bits & 2 ? 3000 : 0};
    if (bits & 4)
        options.window = bits & 8 ? 3600 : 60;
    if (bits & 16)
        options.filter = (filter_t){.patterns = patterns, .count = 1};
    return options;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rule_settings_t settings = {0};
    world_t self = {
        .input = {data, size},
        .observation = observation_new(&settings),
        .asked = 1000,
        .time = {.tv_sec = 1790000000},
        .pid = 1,
    };
    for (unsigned i = 0; i < SERVERS; i++)
        self.servers[i] = memory_format("dserver/Server/%u", i);
    self.options = options_of(&self.input);
    self.report = report_new(&self.options);
    self.file.out = memory_stream_open(&self.text, &self.size);
    self.series = csv_series_new(&self.file, &self.options.filter);
    for (int i = 0; i < MOST_STEPS && self.input.size > 0; i++)
        step(&self);
    report_settle(self.report);
    check(&self);
    check_json(self.report);
    check_tables(self.report);
    check_series(&self);
    report_destroy(&self.report);
    observation_destroy(&self.observation);
    for (int i = 0; i < NAMES; i++)
        json_decref(self.names[i]);
    for (int i = 0; i < SERVERS; i++)
        free(self.servers[i]);
    return 0;
}
