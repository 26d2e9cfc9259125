/*
 * The monitor's findings: whatever a recording contains, it is read, findings are made of it, and
 * all that is printed and recorded is text, JSON and XML that harm no reader; and what the exporter
 * exposes of it is taken whole by Prometheus.
 */
#include <jansson.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "base/printable.h"
#include "exposition.h"
#include "fuzz.h"
#include "json_change.h"
#include "monitor/analysis/observation.h"
#include "monitor/recording/recording_line.h"
#include "monitor/recording/replay.h"
#include "monitor/view/diagnosis/diagnosis.h"
#include "monitor/view/diagnosis/diagnosis_json.h"
#include "monitor/view/diagnosis/diagnosis_junit.h"
#include "monitor/view/diagnosis/diagnosis_text.h"
#include "monitor/view/json/summary_json.h"
#include "monitor/view/metrics/metrics_sink.h"
#include "monitor/view/text/findings_text.h"
#include "monitor/view/text/summary.h"
#include "monitor/view/text/totals_text.h"

enum { WIDTH = 70 };

/* ---- what must hold ---- */

static void check_finding(const finding_t *finding)
{
    REQUIRE(finding->rule && finding->identity);
    REQUIRE(finding->events >= RESPONSE_UNKNOWN && finding->among >= RESPONSE_UNKNOWN);
    REQUIRE(finding->events_in_all >= RESPONSE_UNKNOWN);
    REQUIRE(finding_seconds(finding) >= 0 && isfinite(finding_seconds(finding)));
    REQUIRE(finding->seconds_in_all >= 0 && isfinite(finding->seconds_in_all));
    REQUIRE(finding->state == FINDING_SUSPECTED || (finding->text && *finding->text));
    for (size_t i = 0; i < finding->evidence_count; i++)
        REQUIRE(finding->evidence[i] && *finding->evidence[i]);
}

static void check_findings(const findings_t *findings)
{
    size_t count = 0;
    const finding_t *const *list = findings_of_run(findings, &count);
    REQUIRE(count <= FINDINGS_MAXIMUM);
    for (size_t i = 0; i < count; i++)
        check_finding(list[i]);
    list = findings_now(findings, &count);
    for (size_t i = 0; i < count; i++)
        check_finding(list[i]);
}

/* Nothing but printable characters and line feeds reaches a terminal. */
static void check_text(char *text)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *printable = printable_copy(line, false);
        REQUIRE(strcmp(printable, line) == 0);
        free(printable);
    }
}

static void check_json(const char *text, size_t size)
{
    REQUIRE(strlen(text) == size);
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    REQUIRE(json_is_object(json));
    json_decref(json);
}

/* Tags that begin and end in order, values in quotes, and only characters of XML 1.0. */
static void check_xml(const char *text, size_t size)
{
    int depth = 0;
    bool in_tag = false;
    bool in_value = false;
    REQUIRE(strlen(text) == size);
    for (const char *at = text; *at;) {
        uint32_t character = 0;
        const size_t length = printable_decode(at, &character);
        REQUIRE(length > 0);
        REQUIRE(character >= 0x20 || character == '\n' || character == '\t');
        REQUIRE(character != 0xfffe && character != 0xffff);
        if (in_value) {
            REQUIRE(character != '<' && character != '\n' && character != '\t');
            in_value = character != '"';
        } else if (in_tag) {
            in_value = character == '"';
            in_tag = character != '>';
            depth -= character == '>' && (at[-1] == '/' || at[-1] == '?');
        } else if (character == '<') {
            in_tag = true;
            depth += at[1] == '/' ? -1 : 1;
            REQUIRE(depth >= 0);
        } else {
            REQUIRE(character != '>');
        }
        if (!in_tag && character == '&')
            REQUIRE(at[1] == '#' || strncmp(at, "&amp;", 5) == 0 || strncmp(at, "&lt;", 4) == 0 ||
                    strncmp(at, "&gt;", 4) == 0 || strncmp(at, "&quot;", 6) == 0);
        at += length;
    }
    REQUIRE(depth == 0 && !in_tag && !in_value);
}

/* ---- all that is printed ---- */

/* Streams with series of their own, and, by the limit, summed up. */
enum { EXPORTERS = 2 };

typedef struct {
    summary_options_t options;
    metrics_store_t *stores[EXPORTERS];
    sink_t *sinks[EXPORTERS];
    fail_on_t fail_on;
    diagnosis_t *diagnosis;
    recording_bases_t *bases;
} views_t;

static void begin_metrics(views_t *self)
{
    static const size_t limits[EXPORTERS] = {1000000, 20};
    for (size_t i = 0; i < EXPORTERS; i++) {
        const metrics_options_t options = {.series_limit = limits[i], .poll_period = 1};
        self->stores[i] = metrics_store_new(&options);
        self->sinks[i] = metrics_sink_new(self->stores[i]);
    }
}

static void check_page(metrics_store_t *store, metrics_format_t format, size_t piece)
{
    size_t size = 0;
    metrics_page_t *page = metrics_store_page(store, format);
    char *text = exposition_read(&page, piece, &size);
    REQUIRE(text);
    char *fault = exposition_fault(text, size, format);
    if (fault)
        fprintf(stderr, "%s\n", fault);
    REQUIRE(!fault);
    free(text);
}

static void show_metrics(const views_t *self, const observation_t *seen)
{
    for (size_t i = 0; i < EXPORTERS; i++) {
        char *error = NULL;
        REQUIRE(self->sinks[i]->methods->show(self->sinks[i], seen, &error) == SINK_OK);
        check_page(self->stores[i], METRICS_TEXT, 65536);
        check_page(self->stores[i], METRICS_OPENMETRICS, 1000);
    }
}

static void end_metrics(views_t *self)
{
    for (size_t i = 0; i < EXPORTERS; i++) {
        self->sinks[i]->methods->destroy(&self->sinks[i]);
        metrics_store_destroy(&self->stores[i]);
    }
}

static void show(views_t *self, const observation_t *seen)
{
    char *text = NULL;
    size_t size = 0;
    shown_t *shown = shown_new(seen->comparison, &self->options.filter);
    shown->findings = seen->findings;

    FILE *out = memory_stream_open(&text, &size);
    summary_print(out, shown, seen->snapshot, &self->options);
    memory_stream_close(out);
    check_text(text);
    free(text);

    out = memory_stream_open(&text, &size);
    summary_json_write(out, shown, seen->snapshot, &self->options);
    memory_stream_close(out);
    check_json(text, size);
    free(text);

    char *line = recording_line(seen->snapshot, seen->findings, self->bases, false, &size);
    char *wrong = NULL;
    REQUIRE(json_text_is_valid(line, size, RECORDING_LINE_LEVELS, &wrong));
    recording_bases_settle(self->bases, true);
    free(line);
    shown_destroy(&shown);
    diagnosis_add(self->diagnosis, seen);
    show_metrics(self, seen);
}

static void show_end(const views_t *self, const observation_t *seen)
{
    char *text = NULL;
    size_t size = 0;
    const diagnosis_result_t *result = diagnosis_result(self->diagnosis);

    FILE *out = memory_stream_open(&text, &size);
    findings_text_print_run(out, seen->findings, &self->options.filter, &self->options.style);
    totals_text_print(out, seen->totals, &self->options.style);
    diagnosis_text_print(out, result, &self->options.style);
    memory_stream_close(out);
    check_text(text);
    free(text);

    out = memory_stream_open(&text, &size);
    diagnosis_json_write(out, result, &self->fail_on);
    memory_stream_close(out);
    REQUIRE(size > 0 && text[size - 1] == '\n');
    check_json(text, size);
    free(text);

    out = memory_stream_open(&text, &size);
    diagnosis_junit_write(out, result, &self->fail_on);
    memory_stream_close(out);
    check_xml(text, size);
    free(text);
}

/* The bytes as a file. */
static replay_t *replay_of(const uint8_t *data, size_t size, int *fd)
{
    char path[64];
    char *error = NULL;
    *fd = memfd_create("recording", MFD_CLOEXEC);
    REQUIRE(*fd >= 0 && write(*fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", *fd);
    replay_t *replay = replay_new(path, -1, &error);
    REQUIRE(replay);
    return replay;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rule_settings_t settings = {0};
    views_t views = {.options = {.style = {.width = WIDTH}}, .bases = recording_bases_new()};
    int fd = -1;
    replay_t *replay = replay_of(data, size, &fd);
    observation_t *seen = observation_new(&settings);
    views.diagnosis = diagnosis_new(&views.options.filter, &views.fail_on);
    begin_metrics(&views);
    source_item_t item = {0};
    while (replay_next(replay, &item)) {
        if (item.snapshot) {
            observation_renew(seen, &item.snapshot, true);
            check_findings(seen->findings);
            show(&views, seen);
            observation_settle(seen);
        }
        source_item_clear(&item);
    }
    source_item_clear(&item);
    show_end(&views, seen);
    end_metrics(&views);
    diagnosis_destroy(&views.diagnosis);
    recording_bases_destroy(&views.bases);
    observation_destroy(&seen);
    replay_destroy(&replay);
    close(fd);
    return 0;
}

/* ---- changing a recording so that it stays one ---- */

/* Its lines that are JSON. */
static json_t *lines_of(const uint8_t *data, size_t size)
{
    json_t *lines = json_array();
    const char *at = (const char *)data;
    const char *end = at + size;
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = feed ? feed : end;
        json_t *line = json_loadb(at, (size_t)(line_end - at), 0, NULL);
        if (json_is_object(line))
            json_array_append(lines, line);
        json_decref(line);
        at = line_end + 1;
    }
    return lines;
}

/* Lets what is counted go up, or down. */
static void let_time_pass(json_t *value, unsigned *random)
{
    static const int64_t steps[] = {0, 1, 7, 1500, -3, 100000};
    const char *key;
    json_t *member;
    size_t i;
    json_object_foreach(value, key, member) let_time_pass(member, random);
    json_array_foreach(value, i, member) let_time_pass(member, random);
    const unsigned which = json_change_random(random) % 16;
    if (json_is_integer(value) && which < sizeof steps / sizeof *steps &&
        llabs(json_integer_value(value)) < INT32_MAX)
        json_integer_set(value, json_integer_value(value) + steps[which]);
}

/* One more poll, as the last one, some seconds later. */
static void poll_again(json_t *lines, unsigned *random)
{
    static const unsigned seconds[] = {1, 10, 10, 15, 40, 700};
    const size_t count = json_array_size(lines);
    json_t *line = json_deep_copy(json_array_get(lines, count - 1));
    const unsigned step = seconds[json_change_random(random) % 6];
    json_t *asked = json_object_get(line, "asked");
    const double now = json_number_value(asked) + step;
    char time[64];
    const unsigned long whole = now > 0 && now < 1e6 ? (unsigned long)now : count * step;
    snprintf(time, sizeof time, "2026-11-23T%02lu:%02lu:%02lu.000000+00:00", whole / 3600 % 24,
             whole / 60 % 60, whole % 60);
    json_object_set_new(line, "time", json_string(time));
    if (asked)
        json_object_set_new(line, "asked", json_real(now));
    if (json_change_random(random) % 4 > 0)
        let_time_pass(json_object_get(line, "replies"), random);
    json_array_append_new(lines, line);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    unsigned random = seed;
    json_t *lines = json_change_random(&random) % 8 > 0 ? lines_of(data, size) : json_array();
    const size_t count = json_array_size(lines);
    if (count == 0) {
        json_decref(lines);
        return LLVMFuzzerMutate(data, size, max_size);
    }
    const unsigned times = 1 + json_change_random(&random) % 3;
    for (unsigned i = 0; i < times; i++) {
        const unsigned what = json_change_random(&random) % 8;
        if (what < 2)
            poll_again(lines, &random);
        else if (what == 2 && json_array_size(lines) > 1)
            json_array_remove(lines, json_change_random(&random) % json_array_size(lines));
        else
            json_change(json_array_get(lines, json_change_random(&random) % json_array_size(lines)),
                        &random);
    }
    size_t used = 0;
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line)
    {
        char *text = json_dumps(line, JSON_COMPACT);
        const size_t length = text ? strlen(text) : 0;
        if (length > 0 && used + length + 1 <= max_size) {
            memcpy(data + used, text, length);
            data[used + length] = '\n';
            used += length + 1;
        }
        free(text);
    }
    json_decref(lines);
    return used > 0 ? used : LLVMFuzzerMutate(data, size, max_size);
}
