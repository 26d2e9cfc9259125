#include "monitor/view/metrics/metrics_model.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/monotonic.h"
#include "base/vector.h"

enum { CHUNK_SIZE = 65536, RUNS = 8 };

/* One value, or a histogram. */
typedef struct {
    const metrics_kept_t *labels;
    int64_t value; /* of a histogram, its index */
} series_t;

/* Series with the same further labels. */
typedef struct {
    const char *extra; /* "": none */
    size_t end;
} run_t;

typedef struct {
    metrics_family_t about;
    run_t runs[RUNS];
    size_t run_count;
    vector_t series;
} family_t;

struct metrics_model {
    atomic_size_t references;
    arena_t *arena;
    vector_t families;
    vector_t histograms;
    uint64_t sizes[METRICS_OPENMETRICS + 1]; /* by format */
    size_t count;                            /* of series, as Prometheus counts them */
};

/* ---- histograms ---- */

typedef struct {
    double below_nanos;
    const char *le; /* in seconds, as Go writes it */
} bound_t;

/* Each fourth power of two, from the shortest time that the agent tells apart. */
static const bound_t bounds[METRICS_BOUNDS] = {
    {0x1p10, "1.024e-06"},    {0x1p12, "4.096e-06"},    {0x1p14, "1.6384e-05"},
    {0x1p16, "6.5536e-05"},   {0x1p18, "0.000262144"},  {0x1p20, "0.001048576"},
    {0x1p22, "0.004194304"},  {0x1p24, "0.016777216"},  {0x1p26, "0.067108864"},
    {0x1p28, "0.268435456"},  {0x1p30, "1.073741824"},  {0x1p32, "4.294967296"},
    {0x1p34, "17.179869184"}, {0x1p36, "68.719476736"},
};

int64_t metrics_sum(int64_t a, int64_t b)
{
    int64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum))
        return a > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

int64_t metrics_nanos_of_time(const struct timespec *time)
{
    int64_t nanos = 0;
    if (time->tv_sec < 0 ||
        __builtin_mul_overflow((int64_t)time->tv_sec, (int64_t)NS_PER_SECOND, &nanos))
        return RESPONSE_UNKNOWN;
    return metrics_sum(nanos, time->tv_nsec);
}

static int64_t nanos_of(double nanos)
{
    return nanos < 0x1p63 ? nanos > -0x1p63 ? (int64_t)nanos : INT64_MIN : INT64_MAX;
}

void metrics_histogram_merge(metrics_histogram_t *self, const metrics_histogram_t *other)
{
    for (size_t i = 0; i <= METRICS_BOUNDS; i++)
        self->counts[i] = metrics_sum(self->counts[i], other->counts[i]);
    self->sum_nanos = metrics_sum(self->sum_nanos, other->sum_nanos);
    self->has_sum = self->sum_nanos >= 0;
}

void metrics_histogram_add(metrics_histogram_t *self, const response_histogram_t *histogram)
{
    metrics_histogram_t added = {0};
    size_t at = 0;
    for (size_t i = 0; i < histogram->bucket_count; i++) {
        const response_bucket_t *bucket = &histogram->buckets[i];
        while (at < METRICS_BOUNDS && !(bucket->below_nanos <= bounds[at].below_nanos))
            at++;
        added.counts[at] = metrics_sum(added.counts[at], bucket->count);
    }
    added.sum_nanos = isnan(histogram->sum_nanos) ? 0 : nanos_of(histogram->sum_nanos);
    metrics_histogram_merge(self, &added);
}

/* ---- writing ---- */

static char *put(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

static char *put_text(char *at, const char *text)
{
    return put(at, text, strlen(text));
}

static char *put_digits(char *at, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do
        digits[--first] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return put(at, digits + first, sizeof digits - first);
}

/* A part of a second, without the zeros at its end. */
static char *put_fraction(char *at, uint64_t nanos)
{
    char digits[9];
    for (size_t i = sizeof digits; i-- > 0; nanos /= 10)
        digits[i] = (char)('0' + nanos % 10);
    size_t size = sizeof digits;
    while (digits[size - 1] == '0')
        size--;
    *at++ = '.';
    return put(at, digits, size);
}

static char *put_value(char *at, int64_t value, bool is_nanos)
{
    const uint64_t unit = is_nanos ? (uint64_t)NS_PER_SECOND : 1;
    const uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (value < 0)
        *at++ = '-';
    at = put_digits(at, magnitude / unit);
    return magnitude % unit > 0 ? put_fraction(at, magnitude % unit) : at;
}

/* ---- building ---- */

metrics_model_t *metrics_model_new(void)
{
    metrics_model_t *self = memory_new(1, sizeof *self);
    atomic_init(&self->references, 1);
    self->arena = arena_new(CHUNK_SIZE);
    self->families.item_size = sizeof(family_t);
    self->histograms.item_size = sizeof(metrics_histogram_t);
    return self;
}

metrics_model_t *metrics_model_share(metrics_model_t *self)
{
    atomic_fetch_add(&self->references, 1);
    return self;
}

static family_t *family_at(const metrics_model_t *self, size_t i)
{
    return &((family_t *)self->families.items)[i];
}

void metrics_model_release(metrics_model_t **self)
{
    metrics_model_t *model = *self;
    *self = NULL;
    if (!model || atomic_fetch_sub(&model->references, 1) > 1)
        return;
    for (size_t i = 0; i < model->families.count; i++)
        free(family_at(model, i)->series.items);
    free(model->families.items);
    free(model->histograms.items);
    arena_destroy(&model->arena);
    free(model);
}

const metrics_kept_t *metrics_model_keep(metrics_model_t *self, const metrics_labels_t *labels)
{
    char text[sizeof(metrics_kept_t) + METRICS_LABELS_SIZE];
    const metrics_kept_t head = {.size = (uint16_t)labels->size};
    memcpy(text, &head, sizeof head);
    memcpy(text + sizeof head, labels->text, labels->size);
    return arena_copy(self->arena, text, sizeof head + labels->size);
}

void metrics_model_begin(metrics_model_t *self, const metrics_family_t *family, size_t count)
{
    family_t *begun = self->families.count > 0 ? family_at(self, self->families.count - 1) : NULL;
    if (!begun || begun->series.count > 0)
        begun = vector_add(&self->families);
    begun->about = *family;
    begun->series.item_size = sizeof(series_t);
    if (count > begun->series.capacity) {
        begun->series.items = memory_resize(begun->series.items, count, sizeof(series_t));
        begun->series.capacity = count;
    }
}

static const char *extra_of(const family_t *self, size_t series)
{
    size_t i = 0;
    while (i + 1 < self->run_count && series >= self->runs[i].end)
        i++;
    return self->runs[i].extra;
}

static void add(metrics_model_t *self, const metrics_kept_t *labels, const char *extra,
                int64_t value)
{
    family_t *family = family_at(self, self->families.count - 1);
    const run_t *last = family->run_count > 0 ? &family->runs[family->run_count - 1] : NULL;
    if ((!last || strcmp(last->extra, extra) != 0) && family->run_count < RUNS)
        family->runs[family->run_count++].extra = extra;
    *(series_t *)vector_add(&family->series) = (series_t){.labels = labels, .value = value};
    family->runs[family->run_count - 1].end = family->series.count;
}

void metrics_model_add(metrics_model_t *self, const metrics_kept_t *labels, const char *extra,
                       int64_t value)
{
    add(self, labels, extra ? extra : "", value);
    self->count++;
}

void metrics_model_add_histogram(metrics_model_t *self, const metrics_kept_t *labels,
                                 const metrics_histogram_t *histogram)
{
    metrics_histogram_t *added = vector_add(&self->histograms);
    *added = *histogram;
    for (size_t i = 1; i <= METRICS_BOUNDS; i++) /* kept as they are shown: cumulative */
        added->counts[i] = metrics_sum(added->counts[i], added->counts[i - 1]);
    add(self, labels, "", (int64_t)self->histograms.count - 1);
    self->count += METRICS_BOUNDS + (size_t)(histogram->has_sum ? 3 : 1);
}

/* ---- reading ---- */

/* A family's name in the format: OpenMetrics has it without what its series end in. */
static size_t family_name_size(const metrics_family_t *self, metrics_format_t format)
{
    const size_t size = strlen(self->name);
    if (format == METRICS_TEXT)
        return size;
    return self->type == METRICS_COUNTER ? size - strlen("_total")
           : self->type == METRICS_INFO  ? size - strlen("_info")
                                         : size;
}

static const char *type_name(metrics_type_t type, metrics_format_t format)
{
    switch (type) {
    case METRICS_COUNTER:
        return "counter";
    case METRICS_HISTOGRAM:
        return "histogram";
    case METRICS_INFO:
        return format == METRICS_OPENMETRICS ? "info" : "gauge";
    case METRICS_GAUGE:
        break;
    }
    return "gauge";
}

/* "seconds", "bytes" or NULL. */
static const char *unit_of(const metrics_family_t *self)
{
    static const char *const units[] = {"seconds", "bytes"};
    const size_t size = family_name_size(self, METRICS_OPENMETRICS);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const size_t length = strlen(units[i]);
        if (size > length && self->name[size - length - 1] == '_' &&
            memcmp(self->name + size - length, units[i], length) == 0)
            return units[i];
    }
    return NULL;
}

enum { HEAD_HELP, HEAD_TYPE, HEAD_UNIT, HEAD_LINES };

/* A line of a family's head; its size, 0 if there is no such line. */
static size_t write_head(const metrics_family_t *self, metrics_format_t format, unsigned which,
                         char *line)
{
    static const char *const words[HEAD_LINES] = {"# HELP ", "# TYPE ", "# UNIT "};
    const char *text = which == HEAD_HELP              ? self->help
                       : which == HEAD_TYPE            ? type_name(self->type, format)
                       : format == METRICS_OPENMETRICS ? unit_of(self)
                                                       : NULL;
    if (!text)
        return 0;
    char *at = put_text(line, words[which]);
    at = put(at, self->name, family_name_size(self, format));
    *at++ = ' ';
    at = put_text(at, text);
    *at++ = '\n';
    return (size_t)(at - line);
}

/* name{labels,extra,le="..."} and a blank; suffix is of the name, le may be NULL. */
static char *put_name(char *at, const family_t *family, size_t place, const char *suffix,
                      const char *le)
{
    const metrics_kept_t *labels = ((const series_t *)family->series.items)[place].labels;
    const char *extra = extra_of(family, place);
    at = put_text(at, family->about.name);
    at = put_text(at, suffix);
    if (labels->size > 0 || *extra || le) {
        char separator = '{';
        if (labels->size > 0) {
            *at++ = separator;
            at = put(at, labels->text, labels->size);
            separator = ',';
        }
        if (*extra) {
            *at++ = separator;
            at = put_text(at, extra);
            separator = ',';
        }
        if (le) {
            *at++ = separator;
            at = put_text(at, "le=\"");
            at = put_text(at, le);
            *at++ = '"';
        }
        *at++ = '}';
    }
    *at++ = ' ';
    return at;
}

/* Of a series, by its place in the family. */
static size_t write_line(const family_t *family, size_t place, const char *suffix, const char *le,
                         int64_t value, bool is_nanos, char *line)
{
    char *at = put_name(line, family, place, suffix, le);
    at = put_value(at, value, is_nanos);
    *at++ = '\n';
    return (size_t)(at - line);
}

enum { LINE_INF = METRICS_BOUNDS, LINE_COUNT, LINE_SUM, HISTOGRAM_LINES };

/* A line of a histogram; 0 if there is no such line. */
static size_t write_histogram(const metrics_model_t *model, const family_t *family, size_t place,
                              unsigned which, char *line)
{
    const int64_t index = ((const series_t *)family->series.items)[place].value;
    const metrics_histogram_t *histogram =
        &((const metrics_histogram_t *)model->histograms.items)[index];
    if (which > LINE_INF && !histogram->has_sum)
        return 0; /* neither without the other: OpenMetrics has it so */
    if (which == LINE_SUM)
        return write_line(family, place, "_sum", NULL, histogram->sum_nanos, true, line);
    if (which == LINE_COUNT)
        return write_line(family, place, "_count", NULL, histogram->counts[METRICS_BOUNDS], false,
                          line);
    return write_line(family, place, "_bucket", which == LINE_INF ? "+Inf" : bounds[which].le,
                      histogram->counts[which], false, line);
}

static size_t next_of_head(metrics_reader_t *self, const family_t *family, char *line)
{
    while (self->line < HEAD_LINES) {
        const size_t size = write_head(&family->about, self->format, self->line++, line);
        if (size > 0)
            return size;
    }
    self->in_series = true;
    self->line = 0;
    self->series = 0;
    return 0;
}

static size_t next_of_series(metrics_reader_t *self, const family_t *family, char *line)
{
    const series_t *list = family->series.items;
    while (self->series < family->series.count) {
        const size_t place = self->series;
        if (family->about.type != METRICS_HISTOGRAM) {
            self->series++;
            return write_line(family, place, "", NULL, list[place].value, family->about.is_nanos,
                              line);
        }
        while (self->line < HISTOGRAM_LINES) {
            const size_t size = write_histogram(self->model, family, place, self->line++, line);
            if (size > 0)
                return size;
        }
        self->series++;
        self->line = 0;
    }
    self->in_series = false;
    self->line = 0;
    self->family++;
    return 0;
}

size_t metrics_reader_next(metrics_reader_t *self, char line[METRICS_LINE_SIZE])
{
    while (self->family < self->model->families.count) {
        const family_t *family = family_at(self->model, self->family);
        const size_t size =
            self->in_series ? next_of_series(self, family, line) : next_of_head(self, family, line);
        if (size > 0)
            return size;
    }
    return 0;
}

/* ---- sizes ---- */

/* The bytes of a family's series, which are the same in both formats. */
static uint64_t size_of_series(const metrics_model_t *self, size_t i)
{
    char line[METRICS_LINE_SIZE];
    const family_t *family = family_at(self, i);
    const size_t name_size = strlen(family->about.name);
    const bool is_simple = family->about.type != METRICS_HISTOGRAM;
    metrics_reader_t reader = {.model = self, .family = i, .in_series = true};
    const series_t *list = family->series.items;
    uint64_t all = 0;
    for (size_t j = 0; is_simple && j < family->series.count; j++) {
        const series_t *series = &list[j];
        const size_t value_size =
            (size_t)(put_value(line, series->value, family->about.is_nanos) - line);
        const size_t extra_size = strlen(extra_of(family, j));
        const bool both = series->labels->size > 0 && extra_size > 0;
        const bool any = series->labels->size > 0 || extra_size > 0;
        all += name_size + (any ? 2 : 0) + series->labels->size + both + extra_size + value_size +
               2; /* a blank and a line feed */
    }
    size_t size = 0;
    while (!is_simple && (size = next_of_series(&reader, family, line)) > 0)
        all += size;
    return all;
}

static uint64_t size_of_head(const metrics_family_t *about, metrics_format_t format)
{
    char line[METRICS_LINE_SIZE];
    uint64_t all = 0;
    for (unsigned i = 0; i < HEAD_LINES; i++)
        all += write_head(about, format, i, line);
    return all;
}

void metrics_model_seal(metrics_model_t *self)
{
    family_t *last = self->families.count > 0 ? family_at(self, self->families.count - 1) : NULL;
    if (last && last->series.count == 0) {
        free(last->series.items);
        self->families.count--;
    }
    for (size_t i = 0; i < self->families.count; i++) {
        family_t *family = family_at(self, i);
        family->series.items =
            memory_resize(family->series.items, family->series.count, sizeof(series_t));
        family->series.capacity = family->series.count;
        const uint64_t series = size_of_series(self, i);
        for (metrics_format_t format = METRICS_TEXT; format <= METRICS_OPENMETRICS; format++)
            self->sizes[format] += size_of_head(&family->about, format) + series;
    }
}

uint64_t metrics_model_size(const metrics_model_t *self, metrics_format_t format)
{
    return self->sizes[format];
}

size_t metrics_model_series(const metrics_model_t *self)
{
    return self->count;
}
