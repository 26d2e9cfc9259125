#include "monitor/view/report/report_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "base/plural.h"
#include "base/printable.h"
#include "base/timespec.h"
#include "monitor/view/text/duration_text.h"
#include "monitor/view/text/finding_line.h"
#include "monitor/view/text/text_table.h"
#include "monitor/view/text/value_text.h"
#include "response/names.h"

#define INDENT "  "

typedef struct {
    FILE *out;
    const report_t *report;
    const report_text_options_t *options;
    char *prefix; /* that all names have; or NULL */
} page_t;

static bool is_set(const struct timespec *time)
{
    return time->tv_sec != 0 || time->tv_nsec != 0;
}

/* ---- names ---- */

/* Takes one more name into account; false if its prefix is another one. */
static bool share_prefix(char **prefix, const char *name)
{
    const size_t length = name ? names_prefix_length(name) : 0;
    if (length > 0 && !*prefix)
        *prefix = memory_copy(name, length);
    return length == 0 || strncmp(*prefix, name, length) == 0; /* to the slash, which ends both */
}

/* The prefix of all names, such as "tango://HOST:PORT/"; NULL: there are several, or none. */
static char *prefix_of(const report_t *report)
{
    char *prefix = NULL;
    bool shared = true;
    for (size_t i = 0; shared && i < report->stream_count; i++)
        shared = share_prefix(&prefix, report->streams[i].name);
    for (size_t i = 0; shared && i < report->server_count; i++)
        shared = share_prefix(&prefix, report->servers[i].name);
    char *found = shared ? finding_line_prefix(report->findings, report->finding_count) : NULL;
    shared = shared && (!found || share_prefix(&prefix, found));
    free(found);
    if (shared)
        return prefix;
    free(prefix);
    return NULL;
}

/* Inside the name. */
static const char *short_name(const page_t *self, const char *name)
{
    const size_t length = self->prefix ? strlen(self->prefix) : 0;
    return length > 0 && strncmp(name, self->prefix, length) == 0 ? name + length : name;
}

static const char *server_name(const page_t *self, size_t server)
{
    return server < self->report->server_count
               ? short_name(self, self->report->servers[server].name)
               : NULL;
}

/* ---- parts of lines ---- */

static void print_heading(const page_t *self, const char *heading)
{
    const bool color = self->options->style.color;
    fprintf(self->out, "\n%s%s%s\n", terminal_color(COLOR_HEADING, color), heading,
            color ? terminal_color(COLOR_NONE, true) : "");
}

/* What isn't shown of a list, and how to see it. */
static void print_more(const page_t *self, size_t count, const char *what)
{
    const size_t top = self->options->top;
    if (count > top)
        fprintf(self->out, INDENT "and %zu more %s%s (--top %zu shows all)\n", count - top, what,
                PLURAL(count - top), count);
}

static void print_uncounted(const page_t *self, size_t count, const char *what)
{
    if (count > 0)
        fprintf(self->out, INDENT "besides %zu %s%s that there was no memory for\n", count, what,
                PLURAL(count));
}

static void add_duration(text_table_t *table, double seconds)
{
    text_table_cell(table, isnan(seconds) ? "" : value_text_duration(seconds).text);
}

/* "12:00:03"; with the day, if the report is of more than one. The caller frees it. */
static char *time_text(const page_t *self, time_t time)
{
    enum { DAY = 86400, SIZE = 64 };
    const report_t *report = self->report;
    const bool is_short = timespec_seconds_between(&report->first, &report->last) < DAY;
    struct tm fields;
    char text[SIZE] = "?";
    if (localtime_r(&time, &fields))
        strftime(text, sizeof text, is_short ? "%H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &fields);
    return memory_string(text);
}

static void add_time(const page_t *self, text_table_t *table, const struct timespec *time)
{
    char *text = is_set(time) ? time_text(self, time->tv_sec) : NULL;
    text_table_cell(table, text ? text : "");
    free(text);
}

static void print_table(const page_t *self, text_table_t **table)
{
    text_table_print(*table, self->out, INDENT, &self->options->style);
    text_table_destroy(table);
}

static void columns_of(text_table_t *table, const char *const *headings, unsigned flags)
{
    for (; *headings; headings++)
        text_table_column(table, *headings, flags);
}

/* ---- what it is about ---- */

static void print_period(const page_t *self)
{
    const report_t *report = self->report;
    char *from = local_time_text(report->first.tv_sec);
    char *to = local_time_text(report->last.tv_sec);
    char *length = duration_text(timespec_seconds_between(&report->first, &report->last), 1);
    fprintf(self->out, "From %s to %s: %s\n", from, to, length);
    free(length);
    free(to);
    free(from);
}

static void print_polls(const page_t *self)
{
    const report_t *report = self->report;
    const size_t servers = report->server_count + report->servers_left_out;
    fprintf(self->out, "%" PRId64 " poll%s of %zu server%s", report->polls, PLURAL(report->polls),
            servers, PLURAL(servers));
    if (report->period > 0)
        fprintf(self->out, ", one every %s", value_text_duration(report->period).text);
    if (self->options->files > 1)
        fprintf(self->out, ", in %zu files", self->options->files);
    fputc('\n', self->out);
}

static int64_t not_received(const report_t *report)
{
    int64_t sum = 0;
    for (size_t i = 0; i < report->stream_count; i++)
        if (report->streams[i].not_received > 0)
            sum += report->streams[i].not_received;
    return sum;
}

static void print_sums(const page_t *self)
{
    const report_t *report = self->report;
    const report_sum_t *received = &report->received;
    fprintf(self->out, "%" PRId64 " event%s pushed, %" PRId64 " received, ", report->pushed.events,
            PLURAL(report->pushed.events), received->events);
    if (report->knows_lost)
        fprintf(self->out, "%s%" PRId64 " LOST", report->lost_is_minimum ? ">=" : "",
                received->lost);
    else
        fputs("whether events were LOST isn't known", self->out);
    if (received->lost_in_outage > 0)
        fprintf(self->out, " (%" PRId64 " of them in outages)", received->lost_in_outage);
    if (not_received(report) > 0)
        fprintf(self->out, ", %" PRId64 " not received", not_received(report));
    fputc('\n', self->out);
}

/* The servers whose agent came late. */
static void print_late(const page_t *self)
{
    const report_t *report = self->report;
    size_t count = 0;
    for (size_t i = 0; i < report->server_count; i++) {
        const report_server_t *server = &report->servers[i];
        if (!server->late_since || count++ >= self->options->top)
            continue;
        char *name = printable_copy(server_name(self, i), printable_locale_is_utf8());
        fprintf(self->out, "What was before isn't known of %s: agent %s\n", name,
                server->late_since);
        free(name);
    }
    if (count > self->options->top)
        fprintf(self->out, "nor of %zu more servers\n", count - self->options->top);
}

/* What is missing in the recording itself. */
static void print_gaps(const page_t *self)
{
    const report_t *report = self->report;
    if (report->gap_seconds > 0 || report->lost_polls > 0 || report->broken_lines > 0)
        fputs("Missing in the recording:\n", self->out);
    if (report->gap_seconds > 0) {
        char *gaps = duration_text(report->gap_seconds, 0);
        fprintf(self->out, INDENT "%s in all in which nothing was recorded\n", gaps);
        free(gaps);
    }
    if (report->lost_polls > 0)
        fprintf(self->out, INDENT "%" PRId64 " poll%s that couldn't be written\n",
                report->lost_polls, PLURAL(report->lost_polls));
    if (report->broken_lines > 0)
        fprintf(self->out, INDENT "%" PRId64 " line%s that can't be read\n", report->broken_lines,
                PLURAL(report->broken_lines));
}

/* ---- findings ---- */

/* "1 min 5 s", "12 events", "12 events, 1 min 5 s": its text has the events of one time only. */
static char *in_all(const finding_t *finding)
{
    char *duration = duration_text(finding->seconds_in_all, 0);
    if (finding->events_in_all <= 0)
        return duration;
    const bool is_point = finding->seconds_in_all <= 0;
    char *text =
        memory_format("%s%" PRId64 " event%s%s%s", finding->events_is_minimum ? "at least " : "",
                      finding->events_in_all, PLURAL(finding->events_in_all), is_point ? "" : ", ",
                      is_point ? "" : duration);
    free(duration);
    return text;
}

/* "12:00:03 to 12:00:38", "3 times from ... to ..., 1 min 5 s in all". The caller frees it. */
static char *period_of(const page_t *self, const finding_t *finding)
{
    const struct timespec *first = finding->times > 1 ? &finding->first : &finding->since;
    char *from = time_text(self, first->tv_sec);
    char *to = time_text(self, finding->seen.tv_sec);
    char *total = in_all(finding);
    const bool lasts = timespec_seconds_between(&finding->seen, &self->report->last) <= 0;
    char *text = finding->times > 1      ? memory_format(" (%zu times from %s to %s, %s in all)",
                                                         finding->times, from, to, total)
                 : lasts                 ? memory_format(" (from %s to the end)", from)
                 : strcmp(from, to) == 0 ? memory_format(" (at %s)", from)
                                         : memory_format(" (from %s to %s)", from, to);
    free(total);
    free(to);
    free(from);
    return text;
}

static void print_findings(const page_t *self)
{
    const report_t *report = self->report;
    size_t count = 0;
    print_heading(self, report->finding_count > 0 ? "Found" : "Nothing was found");
    for (; count < report->finding_count && count < self->options->top; count++) {
        /* Of all of them it is past. */
        finding_t finding = *report->findings[count];
        finding.state = FINDING_LASTS;
        char *period = period_of(self, &finding);
        finding_line_print(self->out, &finding, self->prefix, period, &self->options->style);
        free(period);
    }
    print_more(self, report->finding_count, "finding");
    print_uncounted(self, report->findings_left_out, "finding");
    if (report->finding_count > 0)
        fputs(INDENT "(ska-tango-event-monitor --explain RULE: what one means, and what to do)\n",
              self->out);
}

/* ---- streams ---- */

/* The highest of a percentile, of those who receive a stream; NAN: not known. */
static double worst_of(const page_t *self, const report_stream_t *stream,
                       report_duration_t duration, size_t member)
{
    double worst = NAN;
    for (size_t i = 0; i < stream->subscription_count; i++) {
        const report_row_t *row = self->report->stream_rows[stream->first_subscription + i];
        const double value = *(const double *)((const char *)&row->percentiles[duration] + member);
        worst = fmax(worst, value);
    }
    return worst;
}

/* When most was lost. */
static struct timespec worst_time(const page_t *self, const report_stream_t *stream)
{
    const report_row_t *worst = NULL;
    for (size_t i = 0; i < stream->subscription_count; i++) {
        const report_row_t *row = self->report->stream_rows[stream->first_subscription + i];
        if (is_set(&row->worst) && (!worst || row->sum.lost > worst->sum.lost))
            worst = row;
    }
    return worst ? worst->worst : (struct timespec){0};
}

static void add_publisher(const page_t *self, text_table_t *table, const report_stream_t *stream)
{
    const report_row_t *first =
        stream->publisher_count > 0 ? self->report->stream_rows[stream->first_publisher] : NULL;
    if (stream->publisher_count > 1)
        text_table_cellf(table, "%zu servers", stream->publisher_count);
    else
        text_table_cell(table, first ? server_name(self, first->server) : NULL);
}

static void add_stream(const page_t *self, text_table_t *table, const report_stream_t *stream)
{
    const struct timespec worst = worst_time(self, stream);
    const size_t median = offsetof(report_percentiles_t, median);
    const size_t percentile_99 = offsetof(report_percentiles_t, percentile_99);
    text_table_cell(table, short_name(self, stream->name));
    add_publisher(self, table, stream);
    text_table_cellf(table, "%zu", stream->subscription_count);
    text_table_cell(table, value_text_count(stream->pushed).text);
    text_table_cell(table, value_text_count(stream->received).text);
    text_table_cell(
        table,
        stream->lost == RESPONSE_UNKNOWN
            ? NULL
            : value_text_lost(stream->lost, stream->lost_is_minimum, stream->lost_is_derived).text);
    text_table_cell(table, stream->not_received == RESPONSE_UNKNOWN
                               ? ""
                               : value_text_count(stream->not_received).text);
    add_duration(table, worst_of(self, stream, REPORT_LATENCY, median));
    add_duration(table, worst_of(self, stream, REPORT_LATENCY, percentile_99));
    add_duration(table, worst_of(self, stream, REPORT_PROCESSING, percentile_99));
    add_time(self, table, &worst);
    if (stream->lost > 0)
        text_table_row_color(table, COLOR_ALARM);
}

static void print_streams(const page_t *self)
{
    static const char *const counts[] = {"pushed", "received", "LOST", NULL};
    static const char *const durations[] = {"latency", "99 %", "callbacks 99 %", "most at", NULL};
    const report_t *report = self->report;
    bool derived = false;
    text_table_t *table = text_table_new();
    text_table_column(table, "stream", TEXT_TABLE_NAME);
    text_table_column(table, "publisher", TEXT_TABLE_OPTIONAL);
    text_table_column(table, "subscribers", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    columns_of(table, counts, TEXT_TABLE_RIGHT);
    text_table_column(table, "not received", TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    columns_of(table, durations, TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    print_heading(self, "Streams");
    for (size_t i = 0; i < report->stream_count && i < self->options->top; i++) {
        add_stream(self, table, &report->streams[i]);
        derived |= report->streams[i].lost > 0 && report->streams[i].lost_is_derived;
    }
    print_table(self, &table);
    print_more(self, report->stream_count, "stream");
    print_uncounted(self, report->streams_left_out, "stream");
    if (derived)
        fputs(INDENT VALUE_TEXT_MARK " derived from counters\n", self->out);
    if (report->stream_count == 0)
        fputs(INDENT "none\n", self->out);
}

/* ---- restarts, outages, gaps ---- */

static double length_of(const report_incident_t *incident)
{
    return timespec_seconds_between(&incident->begin, &incident->end);
}

/* The longest first. */
static int compare_lengths(const void *a, const void *b)
{
    const report_incident_t *left = *(const report_incident_t *const *)a;
    const report_incident_t *right = *(const report_incident_t *const *)b;
    const double difference = length_of(right) - length_of(left);
    return difference > 0 ? 1 : difference < 0 ? -1 : left < right ? -1 : left > right;
}

/* By their place in the report, which is by begin. */
static int compare_places(const void *a, const void *b)
{
    const report_incident_t *left = *(const report_incident_t *const *)a;
    const report_incident_t *right = *(const report_incident_t *const *)b;
    return left < right ? -1 : left > right;
}

static void add_incident(const page_t *self, text_table_t *table, const report_incident_t *incident)
{
    char *length = duration_text(length_of(incident), 0);
    add_time(self, table, &incident->begin);
    if (incident->lasts)
        text_table_cell(table, "the end");
    else
        add_time(self, table, &incident->end);
    text_table_cell(table, length);
    text_table_cell(table, incident->kind == INCIDENT_OUTAGE ? "no answer"
                           : incident->kind == INCIDENT_GAP  ? "not recorded"
                                                             : "restart");
    text_table_cell(table,
                    incident->server == REPORT_NONE ? "" : server_name(self, incident->server));
    text_table_cell(table, incident->text ? incident->text : "");
    free(length);
}

static void print_incidents(const page_t *self)
{
    const report_t *report = self->report;
    const size_t count = report->incident_count;
    const size_t shown = count < self->options->top ? count : self->options->top;
    if (count == 0)
        return;
    const report_incident_t **list = memory_new(count, sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = &report->incidents[i];
    qsort(list, count, sizeof *list, compare_lengths);
    qsort(list, shown, sizeof *list, compare_places);
    text_table_t *table = text_table_new();
    text_table_column(table, "from", TEXT_TABLE_RIGHT);
    text_table_column(table, "to", TEXT_TABLE_RIGHT);
    text_table_column(table, "for", TEXT_TABLE_RIGHT);
    text_table_column(table, "what", TEXT_TABLE_LEFT);
    text_table_column(table, "server", TEXT_TABLE_NAME);
    text_table_column(table, "why", TEXT_TABLE_OPTIONAL);
    for (size_t i = 0; i < shown; i++)
        add_incident(self, table, list[i]);
    print_heading(self, "Restarts, outages, and gaps in the recording");
    print_table(self, &table);
    print_more(self, count, "shorter one");
    print_uncounted(self, report->incidents_left_out, "other");
    free(list);
}

/* ---- minutes ---- */

static void add_minute(const page_t *self, text_table_t *table, const report_minute_t *minute)
{
    add_time(self, table, &minute->begin);
    text_table_cell(table, value_text_count(minute->pushed).text);
    text_table_cell(table, value_text_count(minute->received).text);
    text_table_cell(table, value_text_count(minute->lost).text);
    text_table_cellf(table, "%" PRIu32, minute->failures);
    text_table_cellf(table, "%" PRIu32, minute->restarts);
    add_duration(table, (double)minute->latency);
    add_duration(table, (double)minute->processing);
    text_table_cell(table, minute->stream ? short_name(self, minute->stream) : "");
}

static bool is_bad(const report_minute_t *minute)
{
    return minute->lost > 0 || minute->failures > 0 || minute->restarts > 0;
}

static void print_minutes(const page_t *self)
{
    static const char *const counts[] = {"pushed", "received", "LOST", NULL};
    static const char *const others[] = {"no answer", "restarts", "latency 99 %", "callbacks 99 %",
                                         NULL};
    const report_t *report = self->report;
    text_table_t *table = text_table_new();
    text_table_column(table, "minute", TEXT_TABLE_RIGHT);
    columns_of(table, counts, TEXT_TABLE_RIGHT);
    columns_of(table, others, TEXT_TABLE_RIGHT | TEXT_TABLE_OPTIONAL);
    text_table_column(table, "most of it on", TEXT_TABLE_OPTIONAL);
    size_t bad = 0;
    for (size_t i = 0; i < report->minute_count; i++)
        if (is_bad(&report->minutes[i]) && bad++ < self->options->top)
            add_minute(self, table, &report->minutes[i]);
    if (bad > 0)
        print_heading(self, "Worst minutes");
    print_table(self, &table);
    if (bad > 0 && report->minute_count < REPORT_MINUTES)
        print_more(self, bad, "minute");
}

/* ---- durations ---- */

static void print_durations(const page_t *self)
{
    static const char *const names[REPORT_DURATIONS] = {[REPORT_PUSH] = "pushing one",
                                                        [REPORT_LATENCY] = "latency",
                                                        [REPORT_PROCESSING] = "callbacks"};
    static const char *const headings[] = {"events", "median", "90 %", "99 %", "longest", NULL};
    const report_t *report = self->report;
    text_table_t *table = text_table_new();
    text_table_column(table, "", TEXT_TABLE_LEFT);
    columns_of(table, headings, TEXT_TABLE_RIGHT);
    bool any = false;
    for (size_t i = 0; i < REPORT_DURATIONS; i++) {
        const report_percentiles_t *one = &report->percentiles[i];
        if (one->count <= 0)
            continue;
        any = true;
        text_table_cell(table, names[i]);
        text_table_cell(table, value_text_count(one->count).text);
        text_table_cell(table, value_text_duration(one->median).text);
        text_table_cell(table, value_text_duration(one->percentile_90).text);
        text_table_cell(table, value_text_duration(one->percentile_99).text);
        text_table_cell(table, value_text_duration(one->maximum).text);
    }
    print_heading(self, "How long events took");
    print_table(self, &table);
    if (!any)
        fputs(INDENT "isn't known: record with -m, so that servers measure it\n", self->out);
    else if (report->percentiles_are_of_samples)
        fputs(INDENT "of servers without the agent, the newest 256 events at each poll only\n",
              self->out);
}

void report_text_write(FILE *out, const report_t *self, const report_text_options_t *options)
{
    page_t page = {.out = out, .report = self, .options = options, .prefix = prefix_of(self)};
    print_period(&page);
    print_polls(&page);
    print_sums(&page);
    print_gaps(&page);
    if (page.prefix) {
        char *prefix = printable_copy(page.prefix, printable_locale_is_utf8());
        fprintf(out, "Names are without %s\n", prefix);
        free(prefix);
    }
    print_late(&page);
    print_findings(&page);
    print_streams(&page);
    print_incidents(&page);
    print_minutes(&page);
    print_durations(&page);
    free(page.prefix);
}
