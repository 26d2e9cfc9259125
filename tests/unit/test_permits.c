#include <pthread.h>

#include "cmocka_all.h"
#include "monitor/poll/permits.h"

static size_t held(const permits_t *permits)
{
    size_t count = 0;
    for (size_t i = 0; i < PERMITS_MAXIMUM; i++)
        count += permits->acquired_ns[i] != 0;
    return count;
}

static void test_one_more_waits_for_the_first_to_expire(void **state)
{
    (void)state;
    permits_t permits;
    permits_init(&permits);
    int64_t acquired[PERMITS_MAXIMUM];
    for (size_t i = 0; i < PERMITS_MAXIMUM; i++)
        acquired[i] = permits_acquire(&permits);
    assert_int_equal(held(&permits), PERMITS_MAXIMUM);
    const int64_t one_more = permits_acquire(&permits);
    assert_true(one_more >= acquired[0] + PERMITS_EXPIRY_NS);

    /* The first permit has expired: to release it releases nobody else's. */
    permits_release(&permits, acquired[0]);
    assert_int_equal(held(&permits), PERMITS_MAXIMUM);
    for (size_t i = 1; i < PERMITS_MAXIMUM; i++)
        permits_release(&permits, acquired[i]);
    assert_int_equal(held(&permits), 1);
    permits_release(&permits, one_more);
    assert_int_equal(held(&permits), 0);
    permits_clear(&permits);
}

static void test_each_permit_is_different(void **state)
{
    (void)state;
    permits_t permits;
    permits_init(&permits);
    int64_t last = 0;
    for (int i = 0; i < 4 * PERMITS_MAXIMUM; i++) {
        const int64_t acquired = permits_acquire(&permits);
        assert_true(acquired > last);
        last = acquired;
    }
    permits_clear(&permits);
}

static void *acquire_and_release(void *argument)
{
    permits_t *permits = argument;
    for (int i = 0; i < 500; i++)
        permits_release(permits, permits_acquire(permits));
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    permits_t permits;
    permits_init(&permits);
    pthread_t threads[4 * PERMITS_MAXIMUM];
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, acquire_and_release, &permits), 0);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(held(&permits), 0);
    permits_clear(&permits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_more_waits_for_the_first_to_expire),
        cmocka_unit_test(test_each_permit_is_different),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
