#include "monitor/recording/read_ahead.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cmocka_all.h"

/* A source of so many snapshots, each with one answer of a size, and then a note. */
typedef struct {
    int count;
    size_t size;
    int made;
    atomic_int begun; /* calls */
    useconds_t pause_us;
} numbers_t;

static bool next_number(void *context, source_item_t *item)
{
    numbers_t *self = context;
    atomic_fetch_add(&self->begun, 1);
    usleep(self->pause_us);
    *item = (source_item_t){0};
    if (self->made == self->count) {
        item->note = memory_string("the end");
        return false;
    }
    item->snapshot = snapshot_new(1);
    item->snapshot->time.tv_sec = self->made++;
    item->snapshot->replies[0].data = memory_new(self->size + 1, 1);
    item->snapshot->replies[0].data_size = self->size;
    return true;
}

static read_progress_t progress_of_numbers(void *context)
{
    const numbers_t *self = context;
    return (read_progress_t){(double)self->made / (double)self->count, (size_t)self->made};
}

static read_ahead_t *ahead_of(numbers_t *numbers)
{
    const read_ahead_source_t source = {next_number, progress_of_numbers, numbers};
    return read_ahead_new(&source);
}

static int with_processors(void **state)
{
    (void)state;
    read_ahead_set_processors(3);
    return 0;
}

/* All items, in order, then the end, which remains. */
static void check_all(numbers_t *numbers, useconds_t pause_us)
{
    read_ahead_t *ahead = ahead_of(numbers);
    assert_non_null(ahead);
    source_item_t item;
    for (int i = 0; i < numbers->count; i++) {
        assert_true(read_ahead_next(ahead, &item));
        assert_int_equal(item.snapshot->time.tv_sec, i);
        assert_true(read_ahead_progress(ahead).part == (double)(i + 1) / (double)numbers->count);
        assert_int_equal(read_ahead_progress(ahead).broken_lines, i + 1);
        source_item_clear(&item);
        usleep(pause_us);
    }
    assert_false(read_ahead_next(ahead, &item));
    assert_string_equal(item.note, "the end");
    source_item_clear(&item);
    assert_false(read_ahead_next(ahead, &item));
    assert_null(item.note);
    assert_int_equal(atomic_load(&numbers->begun), numbers->count + 1);
    read_ahead_destroy(&ahead);
    assert_null(ahead);
}

static void test_order(void **state)
{
    (void)state;
    check_all(&(numbers_t){.count = 5000, .size = 10}, 0);
    check_all(&(numbers_t){.count = 100, .size = 10, .pause_us = 100}, 0);
    check_all(&(numbers_t){.count = 100, .size = 10}, 100);
    check_all(&(numbers_t){.count = 0}, 0);
}

/* So often that it would have gone on by then, if it did. */
static void wait_for_no_more(const numbers_t *numbers, int begun)
{
    while (atomic_load(&numbers->begun) < begun)
        usleep(100);
    usleep(20000);
    assert_int_equal(atomic_load(&numbers->begun), begun);
}

static void test_few_items_ahead(void **state)
{
    (void)state;
    numbers_t numbers = {.count = 100, .size = 1};
    read_ahead_t *ahead = ahead_of(&numbers);
    wait_for_no_more(&numbers, READ_AHEAD_ITEMS);
    source_item_t item;
    assert_true(read_ahead_next(ahead, &item));
    wait_for_no_more(&numbers, READ_AHEAD_ITEMS + 1);
    source_item_clear(&item);
    read_ahead_destroy(&ahead);
}

/* One that is large is alone, also while the caller works on it. */
static void test_few_bytes_ahead(void **state)
{
    (void)state;
    numbers_t numbers = {.count = 3, .size = READ_AHEAD_BYTES};
    read_ahead_t *ahead = ahead_of(&numbers);
    source_item_t item;
    wait_for_no_more(&numbers, 1);
    for (int i = 1; i <= 3; i++) {
        assert_true(read_ahead_next(ahead, &item));
        wait_for_no_more(&numbers, i);
        source_item_clear(&item);
    }
    assert_false(read_ahead_next(ahead, &item));
    source_item_clear(&item);
    read_ahead_destroy(&ahead);
}

static void test_destroyed_early(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        numbers_t numbers = {.count = 1000, .size = 10, .pause_us = i % 2 ? 100 : 0};
        read_ahead_t *ahead = ahead_of(&numbers);
        assert_non_null(ahead);
        source_item_t item;
        for (int taken = 0; taken < i % 7; taken++) {
            assert_true(read_ahead_next(ahead, &item));
            source_item_clear(&item);
        }
        read_ahead_destroy(&ahead);
    }
    read_ahead_t *none = NULL;
    read_ahead_destroy(&none);
}

/* As many as there are other processors; when one has read all, another one may begin. */
static void test_processors(void **state)
{
    (void)state;
    numbers_t numbers[] = {{.count = 100}, {.count = 100}, {.count = 100}};
    read_ahead_t *first = ahead_of(&numbers[0]);
    read_ahead_t *second = ahead_of(&numbers[1]);
    assert_non_null(first);
    assert_non_null(second);
    assert_null(ahead_of(&numbers[2]));
    source_item_t item;
    while (read_ahead_next(first, &item))
        source_item_clear(&item);
    source_item_clear(&item);
    read_ahead_t *third = NULL;
    while (!third)
        third = ahead_of(&numbers[2]);
    read_ahead_destroy(&first);
    read_ahead_destroy(&second);
    read_ahead_destroy(&third);
    read_ahead_set_processors(1);
    assert_null(ahead_of(&numbers[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order, with_processors),
        cmocka_unit_test_setup(test_few_items_ahead, with_processors),
        cmocka_unit_test_setup(test_few_bytes_ahead, with_processors),
        cmocka_unit_test_setup(test_destroyed_early, with_processors),
        cmocka_unit_test_setup(test_processors, with_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
