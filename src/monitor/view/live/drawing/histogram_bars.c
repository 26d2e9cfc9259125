#include "monitor/view/live/drawing/histogram_bars.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "monitor/view/text/value_text.h"

enum { COUNT_WIDTH = 10 };

/*
 * The scale of the rows: as a logarithm to the base 2, but straight between two powers. So are the
 * bounds of the agent's buckets, of which there are 8 between two powers.
 */
static double scale(double nanos)
{
    int exponent = 0;
    const double fraction = frexp(nanos, &exponent); /* 0.5 to 1 */
    return exponent - 1 + (2 * fraction - 1);
}

static double unscale(double place)
{
    const double power = floor(place);
    return exp2(power) * (1 + place - power);
}

static bool is_open_below(const frame_bucket_t *bucket)
{
    return !(bucket->from_nanos > 0);
}

static bool is_open_above(const frame_bucket_t *bucket)
{
    return !isfinite(bucket->below_nanos);
}

/* Where a bucket is on the scale, at least 0, a nanosecond: open ones are just beside their bound.
 */
static double place_of(const frame_bucket_t *bucket)
{
    const double beside = 1e-6;
    double place = 0;
    if (!is_open_below(bucket) && !is_open_above(bucket))
        place = scale(bucket->from_nanos / 2 + bucket->below_nanos / 2);
    else if (!is_open_below(bucket))
        place = scale(bucket->from_nanos) + beside;
    else if (!is_open_above(bucket) && bucket->below_nanos > 0)
        place = scale(bucket->below_nanos) - beside;
    return isfinite(place) && place > 0 ? place : 0;
}

typedef struct {
    double lowest; /* places */
    double highest;
    bool open_below; /* the lowest has no lower bound */
    bool open_above;
    bool any;
} range_t;

static void widen(range_t *range, const frame_bucket_t *bucket)
{
    const double place = place_of(bucket);
    if (bucket->count <= 0)
        return;
    range->lowest = range->any ? fmin(range->lowest, place) : place;
    range->highest = range->any ? fmax(range->highest, place) : place;
    range->open_below |= is_open_below(bucket);
    range->open_above |= is_open_above(bucket);
    range->any = true;
}

static void add(int64_t *sum, int64_t count)
{
    if (__builtin_add_overflow(*sum, count, sum))
        *sum = INT64_MAX; /* of an answer that makes no sense */
}

static void count(histogram_bars_t *self, size_t column, const frame_bucket_t *bucket, double first,
                  double step)
{
    const double place = place_of(bucket);
    if (bucket->count <= 0)
        return;
    const double row = floor((place - first) / step);
    const size_t at = row < 0 ? 0 : row >= (double)self->rows ? self->rows - 1 : (size_t)row;
    add(&self->counts[at][column], bucket->count);
    if (self->counts[at][column] > self->maximum)
        self->maximum = self->counts[at][column];
}

void histogram_bars_make(histogram_bars_t *self, const frame_duration_t *const *histograms,
                         size_t columns, size_t rows)
{
    *self = (histogram_bars_t){
        .columns = columns < HISTOGRAM_BARS_COLUMNS ? columns : HISTOGRAM_BARS_COLUMNS};
    range_t range = {.any = false};
    for (size_t i = 0; i < self->columns; i++)
        for (size_t j = 0; j < histograms[i]->bucket_count; j++)
            widen(&range, &histograms[i]->buckets[j]);
    if (!range.any || rows == 0)
        return;
    if (rows > HISTOGRAM_BARS_ROWS)
        rows = HISTOGRAM_BARS_ROWS;
    /* A row is a part of a power of two, or some of them: as little as possible. */
    double step = 1.0 / 8;
    double first = floor(range.lowest / step) * step;
    while (floor((range.highest - first) / step) + 1 > (double)rows) {
        step = step < 1 ? 2 * step : step + 1;
        first = floor(range.lowest / step) * step;
    }
    self->rows = (size_t)floor((range.highest - first) / step) + 1;
    for (size_t i = 0; i <= self->rows; i++)
        self->bounds[i] = unscale(first + step * (double)i);
    if (range.open_below)
        self->bounds[0] = NAN;
    if (range.open_above)
        self->bounds[self->rows] = NAN;
    for (size_t i = 0; i < self->columns; i++)
        for (size_t j = 0; j < histograms[i]->bucket_count; j++)
            count(self, i, &histograms[i]->buckets[j], first, step);
}

void histogram_bars_label(const histogram_bars_t *self, size_t at, canvas_t *canvas, int row,
                          int column)
{
    const double from = self->bounds[at];
    const double below = self->bounds[at + 1];
    const value_text_t from_text = value_text_duration(from / 1e9);
    const value_text_t below_text = value_text_duration(below / 1e9);
    char *text = isnan(from) && isnan(below) ? memory_string("all")
                 : isnan(from)               ? memory_format("below %s", below_text.text)
                 : isnan(below)              ? memory_format("from %s", from_text.text)
                                : memory_format("%s - %s", from_text.text, below_text.text);
    canvas_text_right(canvas, row, column, HISTOGRAM_BARS_LABEL, LOOK_DIM, text);
    free(text);
}

void histogram_bars_bar(const histogram_bars_t *self, size_t at, size_t which, canvas_t *canvas,
                        int row, int column, int width, look_t look)
{
    const int64_t value = which < self->columns ? self->counts[at][which] : 0;
    if (value == 0)
        return;
    const int bar = width - COUNT_WIDTH - 1;
    if (bar > 0)
        canvas_bar(canvas, row, column, bar, (double)value / (double)self->maximum, look);
    canvas_format(canvas, row, bar > 0 ? column + bar + 1 : column, COUNT_WIDTH, LOOK_PLAIN,
                  "%*" PRId64, bar > 0 ? COUNT_WIDTH : 0, value);
}
