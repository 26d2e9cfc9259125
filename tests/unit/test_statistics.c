#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "monitor/analysis/statistics.h"

static void assert_close(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * fmax(1, fabs(expected))))
        fail_msg("%.17g is not %.17g", value, expected);
}

static void assert_nan(double value)
{
    assert_true(isnan(value));
}

static void test_nothing(void **state)
{
    (void)state;
    statistics_t statistics = statistics_of(NULL, 0);
    assert_int_equal(statistics.count, 0);
    assert_nan(statistics.mean);
    assert_nan(statistics.standard_error);
    assert_nan(statistics.minimum);
    assert_nan(statistics.median);
    assert_nan(statistics.maximum);
    assert_nan(statistics_percentile(NULL, 0, 50));
}

static void test_one_sample_has_no_error(void **state)
{
    (void)state;
    const double values[] = {7};
    statistics_t statistics = statistics_of(values, 1);
    assert_int_equal(statistics.count, 1);
    assert_close(statistics.mean, 7);
    assert_nan(statistics.standard_error);
    assert_close(statistics.minimum, 7);
    assert_close(statistics.maximum, 7);
    assert_nan(statistics.median);
}

static void test_mean_and_error(void **state)
{
    (void)state;
    /* Deviations 3, 1, 1, 3 (squares: 20), so variance 20 / 3. */
    const double values[] = {8, 2, 6, 4};
    statistics_t statistics = statistics_of(values, 4);
    assert_close(statistics.mean, 5);
    assert_close(statistics.standard_error, sqrt(20.0 / 3 / 4));
    assert_close(statistics.minimum, 2);
    assert_close(statistics.maximum, 8);
}

static void test_large_values_keep_their_digits(void **state)
{
    (void)state;
    const double values[] = {1e15, 1e15 + 2, 1e15 + 4};
    statistics_t statistics = statistics_of(values, 3);
    assert_close(statistics.mean - 1e15, 2);
    assert_close(statistics.standard_error, sqrt(4.0 / 3));
}

static void test_unknown_samples_are_left_out(void **state)
{
    (void)state;
    const double values[] = {NAN, 3, INFINITY, 1, -INFINITY, NAN};
    statistics_t statistics = statistics_of(values, 6);
    assert_int_equal(statistics.count, 2);
    assert_close(statistics.mean, 2);
    assert_close(statistics.minimum, 1);
    assert_close(statistics.maximum, 3);

    const double unknown[] = {NAN, NAN};
    statistics = statistics_of(unknown, 2);
    assert_int_equal(statistics.count, 0);
    assert_nan(statistics.mean);
}

static void test_deciles_from_ten_samples(void **state)
{
    (void)state;
    double values[] = {9, 8, 7, 6, 5, 4, 3, 2, 1, NAN};
    statistics_t statistics = statistics_of(values, 10);
    assert_int_equal(statistics.count, 9);
    assert_nan(statistics.percentile_10);
    assert_nan(statistics.median);
    assert_nan(statistics.percentile_90);

    values[9] = 10;
    statistics = statistics_of(values, 10);
    assert_close(statistics.percentile_10, 1.9);
    assert_close(statistics.median, 5.5);
    assert_close(statistics.percentile_90, 9.1);
    assert_nan(statistics.percentile_1);
    assert_nan(statistics.percentile_99);
    /* The caller's samples keep their order. */
    assert_close(values[0], 9);
    assert_close(values[9], 10);
}

static void test_percentiles_from_a_hundred_samples(void **state)
{
    (void)state;
    double values[101];
    for (int i = 0; i < 101; i++)
        values[i] = 100 - i;
    statistics_t statistics = statistics_of(values, 99);
    assert_nan(statistics.percentile_1);
    assert_nan(statistics.percentile_99);
    assert_true(isfinite(statistics.median) != 0);

    statistics = statistics_of(values, 100); /* 1 to 100 */
    assert_close(statistics.percentile_1, 1.99);
    assert_close(statistics.percentile_99, 99.01);

    statistics = statistics_of(values, 101);
    assert_close(statistics.percentile_1, 1);
    assert_close(statistics.percentile_10, 10);
    assert_close(statistics.median, 50);
    assert_close(statistics.percentile_90, 90);
    assert_close(statistics.percentile_99, 99);
}

static void test_percentile(void **state)
{
    (void)state;
    const double sorted[] = {10, 20, 40};
    assert_close(statistics_percentile(sorted, 3, 0), 10);
    assert_close(statistics_percentile(sorted, 3, 25), 15);
    assert_close(statistics_percentile(sorted, 3, 50), 20);
    assert_close(statistics_percentile(sorted, 3, 75), 30);
    assert_close(statistics_percentile(sorted, 3, 100), 40);
    assert_close(statistics_percentile(sorted, 3, -5), 10);
    assert_close(statistics_percentile(sorted, 3, 105), 40);
    assert_close(statistics_percentile(sorted, 1, 50), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_one_sample_has_no_error),
        cmocka_unit_test(test_mean_and_error),
        cmocka_unit_test(test_large_values_keep_their_digits),
        cmocka_unit_test(test_unknown_samples_are_left_out),
        cmocka_unit_test(test_deciles_from_ten_samples),
        cmocka_unit_test(test_percentiles_from_a_hundred_samples),
        cmocka_unit_test(test_percentile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
