#include <pthread.h>

#include "cmocka_all.h"
#include "monitor/gate.h"

static size_t inside(const gate_t *gate)
{
    size_t count = 0;
    for (size_t i = 0; i < GATE_PLACES; i++)
        count += gate->entered_ns[i] != 0;
    return count;
}

static void test_one_more_waits_for_the_first_to_be_too_slow(void **state)
{
    (void)state;
    gate_t gate;
    gate_init(&gate);
    int64_t entered[GATE_PLACES];
    for (size_t i = 0; i < GATE_PLACES; i++)
        entered[i] = gate_enter(&gate);
    assert_int_equal(inside(&gate), GATE_PLACES);
    const int64_t one_more = gate_enter(&gate);
    assert_true(one_more >= entered[0] + GATE_PATIENCE_NS);

    /* The first has lost its place: its leaving takes nobody else's. */
    gate_leave(&gate, entered[0]);
    assert_int_equal(inside(&gate), GATE_PLACES);
    for (size_t i = 1; i < GATE_PLACES; i++)
        gate_leave(&gate, entered[i]);
    assert_int_equal(inside(&gate), 1);
    gate_leave(&gate, one_more);
    assert_int_equal(inside(&gate), 0);
    gate_destroy(&gate);
}

static void test_who_enters_has_a_name_of_its_own(void **state)
{
    (void)state;
    gate_t gate;
    gate_init(&gate);
    int64_t last = 0;
    for (int i = 0; i < 4 * GATE_PLACES; i++) {
        const int64_t entered = gate_enter(&gate);
        assert_true(entered > last);
        last = entered;
    }
    gate_destroy(&gate);
}

static void *pass(void *argument)
{
    gate_t *gate = argument;
    for (int i = 0; i < 500; i++)
        gate_leave(gate, gate_enter(gate));
    return NULL;
}

static void test_many_pass(void **state)
{
    (void)state;
    gate_t gate;
    gate_init(&gate);
    pthread_t threads[4 * GATE_PLACES];
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass, &gate), 0);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(inside(&gate), 0);
    gate_destroy(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_more_waits_for_the_first_to_be_too_slow),
        cmocka_unit_test(test_who_enters_has_a_name_of_its_own),
        cmocka_unit_test(test_many_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
