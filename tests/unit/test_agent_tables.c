/* The tables and rings that events and queries share: their contents, and, for ThreadSanitizer,
   their use by several threads at once. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/counts/ring.h"
#include "agent/counts/samples.h"
#include "agent/counts/streams.h"
#include "agent/counts/table.h"
#include "cmocka_all.h"

static void entries_are_found_by_name(void **state)
{
    (void)state;
    static table_t table;
    table_init(&table, sizeof(table_entry_t) + 8, 100000);
    enum { COUNT = 20000 };
    static table_entry_t *entries[COUNT];
    char name[64];
    for (int i = 0; i < COUNT; i++) {
        int length = snprintf(name, sizeof name, "tango://host:10000/a/b/%d/attr.change", i);
        assert_null(table_find(&table, name, (size_t)length));
        entries[i] = table_get(&table, name, (size_t)length);
        assert_string_equal(entries[i]->name, name);
    }
    for (int i = 0; i < COUNT; i++) {
        int length = snprintf(name, sizeof name, "tango://host:10000/a/b/%d/attr.change", i);
        assert_ptr_equal(table_find(&table, name, (size_t)length), entries[i]);
        assert_ptr_equal(table_get(&table, name, (size_t)length), entries[i]);
    }
    /* A name that begins like another one is different. */
    assert_ptr_not_equal(table_get(&table, "ab", 2), table_get(&table, "ab", 1));

    size_t count;
    table_entry_t **sorted = table_sorted(&table, &count);
    assert_int_equal(count, COUNT + 2);
    for (size_t i = 1; i < count; i++)
        assert_true(strcmp(sorted[i - 1]->name, sorted[i]->name) < 0);
    free(sorted);
    table_clear(&table);
    sorted = table_sorted(&table, &count);
    assert_null(sorted);
    assert_int_equal(count, 0);
}

/*
 * A hash without a key can be computed by anybody, and some can be deceived without it: where words
 * are multiplied one after the other, a change of the highest bit of one can be undone in the next.
 * These names differ in such pairs of bits.
 */
static void names_can_not_be_aimed_at_one_bucket(void **state)
{
    (void)state;
    static table_t table;
    enum { PAIRS = 12, COUNT = 1 << PAIRS, LENGTH = 32 * PAIRS + 16 };
    table_init(&table, sizeof(table_entry_t), COUNT);
    for (int i = 0; i < COUNT; i++) {
        char name[LENGTH];
        memset(name, 'a', LENGTH);
        for (int pair = 0; pair < PAIRS; pair++) {
            if (!(i & 1 << pair))
                continue;
            name[32 * pair + 7] ^= (char)0x80;      /* bit 63 of a word */
            name[32 * pair + 16 + 7] ^= (char)0x80; /* and of the one that follows it, */
            name[32 * pair + 16 + 4] ^= 4;          /* with bit 34 */
        }
        assert_non_null(table_get(&table, name, LENGTH));
    }
    size_t longest = 0;
    for (size_t i = 0; i < TABLE_BUCKETS; i++) {
        size_t length = 0;
        for (table_entry_t *entry = atomic_load(&table.buckets[i]); entry; entry = entry->next)
            length++;
        longest = length > longest ? length : longest;
    }
    /* Balls in as many boxes: more than a dozen in one practically never happens. */
    assert_in_range(longest, 1, 16);
    table_clear(&table);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    (void)state;
    static table_t table;
    static char name[TABLE_NAME_MAX + 1];
    memset(name, 'x', sizeof name);
    table_init(&table, sizeof(table_entry_t), 10);
    assert_non_null(table_get(&table, name, TABLE_NAME_MAX));
    assert_non_null(table_find(&table, name, TABLE_NAME_MAX));
    assert_null(table_get(&table, name, TABLE_NAME_MAX + 1));
    assert_null(table_find(&table, name, TABLE_NAME_MAX + 1));
    assert_int_equal(atomic_load(&table.refused), 1);
    table_clear(&table);
}

static void a_full_table_refuses_and_says_so(void **state)
{
    (void)state;
    static table_t table;
    table_init(&table, sizeof(table_entry_t), 2);
    assert_non_null(table_get(&table, "a", 1));
    assert_non_null(table_get(&table, "b", 1));
    assert_null(table_get(&table, "c", 1));
    assert_null(table_get(&table, "d", 1));
    assert_non_null(table_get(&table, "a", 1));
    assert_int_equal(atomic_load(&table.refused), 2);
    table_clear(&table);
}

static void a_ring_keeps_the_newest(void **state)
{
    (void)state;
    static ring_t ring;
    memset(&ring, 0, sizeof ring);
    ring_sample_t out[RING_SIZE];
    ring_place_t place = 0;
    assert_int_equal(ring_read(&ring, &place, out), 0);
    for (int64_t i = 0; i < 10; i++)
        ring_push(&ring, &(ring_sample_t){{i, -i}});
    assert_int_equal(ring_read(&ring, &place, out), 10);
    assert_true(out[0].words[0] == 0 && out[9].words[0] == 9 && out[9].words[1] == -9);
    assert_int_equal(ring_read(&ring, &place, out), 0);
    for (int64_t i = 10; i < 1010; i++)
        ring_push(&ring, &(ring_sample_t){{i}});
    assert_int_equal(ring_read(&ring, &place, out), RING_SIZE);
    assert_true(out[0].words[0] == 1010 - RING_SIZE);
    assert_true(out[RING_SIZE - 1].words[0] == 1009);
}

static void each_reader_sees_all_samples_since_the_start(void **state)
{
    (void)state;
    static samples_t samples;
    memset(&samples, 0, sizeof samples);
    static push_sample_t out[RING_SIZE];
    samples_reader_t first = {0};
    samples_reader_t second = {0};

    samples_enable(&samples, true);
    samples_push(&samples, &(push_sample_t){1, 2});
    samples_push(&samples, &(push_sample_t){3, 4});
    assert_int_equal(samples_read_pushed(&samples, &first, out), 2);
    assert_int_equal(samples_read_pushed(&samples, &first, out), 0);
    assert_int_equal(samples_read_pushed(&samples, &second, out), 2);
    assert_true(out[1].since_last_ns == 3 && out[1].push_event_ns == 4);

    samples_push(&samples, &(push_sample_t){5, 6});
    samples_enable(&samples, false);
    samples_enable(&samples, true);
    samples_enable(&samples, true); /* on already: nothing changes */
    samples_push(&samples, &(push_sample_t){7, 8});
    assert_int_equal(samples_read_pushed(&samples, &first, out), 1);
    assert_true(out[0].since_last_ns == 7);
}

/* ---- several threads ---- */

enum { THREADS = 3, ROUNDS = 20000 };

static table_t shared_table;
static void *found[THREADS][200];

static void *get_entries(void *argument)
{
    size_t me = (size_t)(uintptr_t)argument;
    for (int i = 0; i < 200; i++) {
        char name[32];
        int length = snprintf(name, sizeof name, "stream %d", i);
        found[me][i] = table_get(&shared_table, name, (size_t)length);
    }
    return NULL;
}

static void racing_threads_get_the_same_entries(void **state)
{
    (void)state;
    table_init(&shared_table, sizeof(table_entry_t), 1000);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, get_entries, (void *)i);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < 200; i++) {
        assert_non_null(found[0][i]);
        for (size_t thread = 1; thread < THREADS; thread++)
            assert_ptr_equal(found[0][i], found[thread][i]);
    }
    size_t count;
    free(table_sorted(&shared_table, &count));
    assert_int_equal(count, 200);
    assert_int_equal(atomic_load(&shared_table.count), 200);
    table_clear(&shared_table);
}

static ring_t shared_ring;
static _Atomic bool stop;

static void *push_samples(void *argument)
{
    int64_t me = (int64_t)(uintptr_t)argument;
    for (int64_t i = 0; i < ROUNDS; i++) {
        ring_sample_t sample;
        for (size_t word = 0; word < RING_WORDS; word++)
            sample.words[word] = me * ROUNDS + i;
        ring_push(&shared_ring, &sample);
    }
    return NULL;
}

static void a_reader_never_sees_a_torn_sample(void **state)
{
    (void)state;
    memset(&shared_ring, 0, sizeof shared_ring);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, push_samples, (void *)i);
    static ring_sample_t out[RING_SIZE];
    ring_place_t place = 0;
    while (ring_end(&shared_ring) < (ring_place_t)THREADS * ROUNDS) {
        size_t count = ring_read(&shared_ring, &place, out);
        for (size_t i = 0; i < count; i++)
            for (size_t word = 1; word < RING_WORDS; word++)
                assert_true(out[i].words[word] == out[i].words[0]);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

#define TOPIC "tango://h:1/a/b/c/t.change"

static streams_t shared_streams;

static void *receive_events(void *argument)
{
    topic_t *topic = argument;
    uint32_t counter = 0;
    while (!atomic_load(&stop)) {
        counter += 1 + counter % 3; /* now and then some are lost */
        topic_received(topic, &(topic_event_t){.counter = counter, .bytes = 1, .time_ns = counter});
        sched_yield(); /* there is always something between two events */
    }
    return NULL;
}

static void a_query_sees_numbers_that_belong_together(void **state)
{
    (void)state;
    streams_init(&shared_streams);
    atomic_store(&stop, false);
    topic_t *topic = streams_topic(&shared_streams, TOPIC, strlen(TOPIC));
    pthread_t thread;
    pthread_create(&thread, NULL, receive_events, topic);
    topic_view_t view;
    do {
        topic_view(topic, &view);
        if (view.counts[TOPIC_EVENT_COUNT] > 0) {
            /* The first counter is 1. */
            assert_int_equal(view.counts[TOPIC_EVENT_COUNT] + view.counts[TOPIC_LOST_COUNT],
                             view.server_counter);
            assert_int_equal(view.counts[TOPIC_BYTE_COUNT], view.counts[TOPIC_EVENT_COUNT]);
        }
    } while (view.counts[TOPIC_EVENT_COUNT] < ROUNDS);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    streams_clear(&shared_streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_found_by_name),
        cmocka_unit_test(names_can_not_be_aimed_at_one_bucket),
        cmocka_unit_test(a_name_that_is_too_long_is_refused),
        cmocka_unit_test(a_full_table_refuses_and_says_so),
        cmocka_unit_test(a_ring_keeps_the_newest),
        cmocka_unit_test(each_reader_sees_all_samples_since_the_start),
        cmocka_unit_test(racing_threads_get_the_same_entries),
        cmocka_unit_test(a_reader_never_sees_a_torn_sample),
        cmocka_unit_test(a_query_sees_numbers_that_belong_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
