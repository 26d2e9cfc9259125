/* histogram_bars: buckets merged to rows that several histograms share. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/view/live/drawing/histogram_bars.h"

#define OF(list)                                                                                   \
    {                                                                                              \
        .buckets = (list), .bucket_count = sizeof(list) / sizeof *(list)                           \
    }

static void make(histogram_bars_t *bars, const frame_duration_t *a, const frame_duration_t *b,
                 size_t rows)
{
    histogram_bars_make(bars, (const frame_duration_t *const[]){a, b}, b ? 2 : 1, rows);
}

static int64_t sum(const histogram_bars_t *bars, size_t column)
{
    int64_t events = 0;
    for (size_t i = 0; i < bars->rows; i++)
        events += bars->counts[i][column];
    return events;
}

static void test_nothing(void **state)
{
    (void)state;
    const frame_duration_t none = {.bucket_count = 0};
    const frame_bucket_t empty[] = {{1024, 1152, 0}, {2048, 2304, RESPONSE_UNKNOWN}};
    const frame_duration_t zeros = OF(empty);
    const frame_bucket_t some[] = {{1024, 1152, 1}};
    const frame_duration_t one = OF(some);
    histogram_bars_t bars;
    make(&bars, &none, &zeros, 10);
    assert_int_equal(bars.rows, 0);
    make(&bars, &one, NULL, 0);
    assert_int_equal(bars.rows, 0);
}

/* As long as there is room, a row is a bucket. */
static void test_rows_are_buckets(void **state)
{
    (void)state;
    const frame_bucket_t list[] = {{1024, 1152, 5}, {1152, 1280, 6}, {1408, 1536, 7}};
    const frame_duration_t histogram = OF(list);
    histogram_bars_t bars;
    make(&bars, &histogram, NULL, 4);
    assert_int_equal(bars.rows, 4);
    static const double bounds[] = {1024, 1152, 1280, 1408, 1536};
    static const int64_t counts[] = {5, 6, 0, 7};
    for (size_t i = 0; i < 4; i++) {
        assert_float_equal(bars.bounds[i], bounds[i], 1e-6);
        assert_float_equal(bars.bounds[i + 1], bounds[i + 1], 1e-6);
        assert_int_equal(bars.counts[i][0], counts[i]);
    }
    assert_int_equal(bars.maximum, 7);
}

/* Otherwise they are merged, at bounds of buckets, and no event is left out. */
static void test_rows_are_merged(void **state)
{
    (void)state;
    enum { PARTS = 8, BUCKETS = 160 };
    frame_bucket_t list[BUCKETS];
    double from = 1024;
    for (size_t i = 0; i < BUCKETS; i++) {
        const double width = exp2(floor(log2(from))) / PARTS;
        list[i] = (frame_bucket_t){from, from + width, 1};
        from += width;
    }
    const frame_duration_t histogram = OF(list);
    for (size_t rows = 1; rows < 40; rows++) {
        histogram_bars_t bars;
        make(&bars, &histogram, NULL, rows);
        assert_in_range(bars.rows, 1, rows < HISTOGRAM_BARS_ROWS ? rows : HISTOGRAM_BARS_ROWS);
        assert_int_equal(sum(&bars, 0), BUCKETS);
        for (size_t i = 0; i < bars.rows; i++) {
            int64_t inside = 0;
            for (size_t j = 0; j < BUCKETS; j++)
                inside += list[j].from_nanos >= bars.bounds[i] * (1 - 1e-9) &&
                          list[j].below_nanos <= bars.bounds[i + 1] * (1 + 1e-9);
            assert_int_equal(inside, bars.counts[i][0]);
        }
    }
}

static void test_histograms_share_rows_and_scale(void **state)
{
    (void)state;
    const frame_bucket_t shorter[] = {{1024, 1152, 100}};
    const frame_bucket_t longer[] = {{1048576, 1179648, 7}};
    const frame_duration_t a = OF(shorter);
    const frame_duration_t b = OF(longer);
    histogram_bars_t bars;
    make(&bars, &a, &b, 12);
    assert_int_equal(bars.counts[0][0], 100);
    assert_int_equal(bars.counts[0][1], 0);
    assert_int_equal(bars.counts[bars.rows - 1][1], 7);
    assert_int_equal(bars.maximum, 100);
}

static void test_open_buckets(void **state)
{
    (void)state;
    const frame_bucket_t list[] = {{NAN, 1024, 3}, {4096, 4608, 2}, {274877906944, NAN, 1}};
    const frame_duration_t histogram = OF(list);
    histogram_bars_t bars;
    make(&bars, &histogram, NULL, 8);
    assert_true(isnan(bars.bounds[0]));
    assert_true(isnan(bars.bounds[bars.rows]));
    assert_int_equal(bars.counts[0][0], 3);
    assert_int_equal(bars.counts[bars.rows - 1][0], 1);
    assert_int_equal(sum(&bars, 0), 6);
}

/* Answers that make no sense. */
static void test_any_numbers(void **state)
{
    (void)state;
    static const double numbers[] = {NAN, 0,    -1,   -1e308, 1e308, 5e-324,
                                     1,   1e-9, 1e18, 3,      1024,  -0.0};
    enum { NUMBERS = sizeof numbers / sizeof *numbers, PAIRS = NUMBERS * NUMBERS };
    frame_bucket_t list[PAIRS];
    for (size_t i = 0; i < PAIRS; i++)
        list[i] = (frame_bucket_t){numbers[i / NUMBERS], numbers[i % NUMBERS], INT64_MAX};
    const frame_duration_t all = OF(list);
    canvas_t *canvas = canvas_new(HISTOGRAM_BARS_ROWS, 80, true);
    for (size_t rows = 0; rows <= HISTOGRAM_BARS_ROWS + 1; rows++) {
        histogram_bars_t bars;
        make(&bars, &all, &all, rows);
        for (size_t i = 0; i < bars.rows; i++) {
            histogram_bars_label(&bars, i, canvas, (int)i, 0);
            histogram_bars_bar(&bars, i, 1, canvas, (int)i, 20, 60, LOOK_BAR);
        }
    }
    for (size_t i = 0; i < PAIRS; i++) {
        const frame_duration_t one = {.buckets = &list[i], .bucket_count = 1};
        histogram_bars_t bars;
        make(&bars, &one, NULL, 5);
        assert_in_range(bars.rows, 0, 5);
    }
    canvas_destroy(&canvas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_rows_are_buckets),
        cmocka_unit_test(test_rows_are_merged),
        cmocka_unit_test(test_histograms_share_rows_and_scale),
        cmocka_unit_test(test_open_buckets),
        cmocka_unit_test(test_any_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
