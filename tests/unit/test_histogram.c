/* Histograms of durations: their bounds, their error, that nothing is dropped, and, for
   ThreadSanitizer, their use by several threads at once. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "agent/counts/histogram.h"
#include "agent/counts/stream.h"
#include "agent/counts/streams.h"
#include "cmocka_all.h"

static uint64_t total(histogram_t *histogram)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum += atomic_load(&histogram->counts[i]);
    return sum;
}

static void buckets_follow_each_other_without_a_gap(void **state)
{
    (void)state;
    int64_t from_ns;
    int64_t to_ns;
    int64_t last_ns = INT64_MIN;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram_bounds(i, &from_ns, &to_ns);
        assert_true(from_ns == last_ns && from_ns < to_ns);
        assert_int_equal(histogram_bucket(from_ns), i);
        assert_int_equal(histogram_bucket(to_ns - 1), i);
        last_ns = to_ns;
    }
    assert_true(last_ns == INT64_MAX);
    assert_int_equal(histogram_bucket(INT64_MAX), HISTOGRAM_BUCKETS - 1);
    histogram_bounds(0, &from_ns, &to_ns);
    assert_true(to_ns == 1024);
    histogram_bounds(HISTOGRAM_BUCKETS - 1, &from_ns, &to_ns);
    assert_true(from_ns == INT64_C(274877906944));
}

/* The value read from a bucket, its middle, is less than 7 % off any value in it. */
static void the_error_is_below_seven_percent(void **state)
{
    (void)state;
    for (size_t i = 1; i < HISTOGRAM_BUCKETS - 1; i++) {
        int64_t from_ns;
        int64_t to_ns;
        histogram_bounds(i, &from_ns, &to_ns);
        double middle = ((double)from_ns + (double)to_ns) / 2;
        assert_true((middle - (double)from_ns) / (double)from_ns < 0.07);
        assert_true(((double)to_ns - middle) / (double)to_ns < 0.07);
    }
}

static void nothing_is_dropped(void **state)
{
    (void)state;
    static histogram_t histogram;
    memset(&histogram, 0, sizeof histogram);
    static const int64_t durations[] = {-5, 0, 1023, 1024, 5000, 5001, INT64_C(1) << 40};
    int64_t sum = 0;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        histogram_add(&histogram, durations[i]);
        sum += durations[i];
    }
    assert_int_equal(total(&histogram), 7);
    assert_int_equal(atomic_load(&histogram.counts[0]), 3);
    assert_int_equal(atomic_load(&histogram.counts[1]), 1);
    assert_int_equal(atomic_load(&histogram.counts[histogram_bucket(5000)]), 2);
    assert_int_equal(atomic_load(&histogram.counts[HISTOGRAM_BUCKETS - 1]), 1);
    assert_true(atomic_load(&histogram.sum_ns) == sum);
    assert_true(atomic_load(&histogram.max_ns) == INT64_C(1) << 40);

    histogram_reset(&histogram);
    assert_int_equal(total(&histogram), 0);
    assert_true(atomic_load(&histogram.max_ns) == 0 && atomic_load(&histogram.sum_ns) == 0);
}

/* An event whose timestamp was never set is from 1970: a few such latencies overflow the sum. */
static void the_sum_stays_at_its_end(void **state)
{
    (void)state;
    histogram_t histogram = {0};
    const int64_t fifty_years = INT64_C(1700000000000000000);
    for (int i = 0; i < 6; i++)
        histogram_add(&histogram, fifty_years);
    assert_true(atomic_load(&histogram.sum_ns) == INT64_MAX);
    histogram_reset(&histogram);
    for (int i = 0; i < 6; i++)
        histogram_add(&histogram, -fifty_years);
    assert_true(atomic_load(&histogram.sum_ns) == INT64_MIN);
}

enum { THREADS = 3, ROUNDS = 20000 };

static void *push(void *argument)
{
    for (int64_t i = 0; i < ROUNDS; i++)
        stream_push_took(argument, 1000 + i);
    return NULL;
}

/* Several threads may push events of one stream, also the very first one. */
static void threads_that_race_lose_nothing(void **state)
{
    (void)state;
    static streams_t streams;
    streams_init(&streams);
    stream_t *stream = streams_published(&streams, "s.change", 8);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, push, stream);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    histogram_t *times = atomic_load(&stream->push_times);
    assert_int_equal(total(times), THREADS * ROUNDS);
    assert_true(atomic_load(&times->max_ns) == 1000 + ROUNDS - 1);
    assert_true(atomic_load(&times->sum_ns) ==
                INT64_C(1) * THREADS *
                    (INT64_C(1000) * ROUNDS + INT64_C(1) * ROUNDS * (ROUNDS - 1) / 2));
    streams_clear(&streams);
}

/* The limits that are promised for a stream with a name of 80 characters, malloc's own share of 16
   bytes per block included. */
static void memory_stays_in_its_bounds(void **state)
{
    (void)state;
    const size_t name = 80;
    const size_t block = 16;
    assert_true(sizeof(stream_t) + name + block < 1024);
    assert_true(sizeof(topic_t) + name + block < 1024);
    assert_true(sizeof(stream_t) + name + sizeof(histogram_t) + 2 * block < 4096);
    assert_true(sizeof(topic_t) + name + sizeof(topic_times_t) + 2 * block < 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_follow_each_other_without_a_gap),
        cmocka_unit_test(the_error_is_below_seven_percent),
        cmocka_unit_test(nothing_is_dropped),
        cmocka_unit_test(the_sum_stays_at_its_end),
        cmocka_unit_test(threads_that_race_lose_nothing),
        cmocka_unit_test(memory_stays_in_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
