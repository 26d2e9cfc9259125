/* The content of an observation, and what it keeps for the next one. */
#include "monitor/analysis/observation.h"

#include "answers.h"
#include "base/memory.h"
#include "cmocka_all.h"

/* One server's snapshot, with samples and its text. */
static snapshot_t *snapshot_at(time_t time, const char *text)
{
    snapshot_t *snapshot = snapshot_new(1);
    snapshot->time.tv_sec = time;
    snapshot->replies[0].server = memory_string("dserver/srv/1");
    snapshot->replies[0].response = answers_parse(text);
    snapshot->replies[0].data = memory_string(text);
    return snapshot;
}

#define RECEIVED(count, lost)                                                                      \
    "{'version': 1, 'agent': {'pid': 7}, 'client': {'event_callbacks': {'t': "                     \
    "{'event_count': " #count ", 'lost_event_count': " #lost "}}}}"

static void renew(observation_t *observation, time_t time, const char *text, bool compares)
{
    snapshot_t *snapshot = snapshot_at(time, text);
    observation_renew(observation, &snapshot, compares);
    assert_null(snapshot);
    assert_int_equal(observation->snapshot->time.tv_sec, time);
}

static void each_poll_is_compared_with_the_one_before(void **state)
{
    (void)state;
    observation_t *observation = observation_new(NULL);
    const totals_t *totals = observation->totals;
    assert_int_equal(totals_sum_up(totals).polls, 0);
    renew(observation, 1000, RECEIVED(10, 2), true);
    assert_null(observation->previous);
    assert_true(observation->comparison->parts[0].changes->first);
    renew(observation, 1010, RECEIVED(30, 5), true);
    assert_int_equal(observation->previous->time.tv_sec, 1000);
    assert_null(observation->previous->replies[0].data);
    const subscription_row_t *row = &observation->comparison->parts[0].subscriptions[0];
    assert_int_equal(row->steps.event_count, 20);
    assert_int_equal(row->new_losses, 3);
    assert_ptr_equal(observation->totals, totals);
    const totals_sums_t sums = totals_sum_up(totals);
    assert_int_equal(sums.polls, 2);
    assert_int_equal(sums.sum.received.lost_event_count, 3);
    observation_destroy(&observation);
    assert_null(observation);
    observation_destroy(&observation);
}

static void what_everybody_has_seen_is_let_go(void **state)
{
    (void)state;
    observation_t *observation = observation_new(NULL);
    renew(observation, 1000, RECEIVED(10, 2), true);
    observation_settle(observation);
    assert_null(observation->snapshot);
    assert_null(observation->comparison);
    observation_settle(observation);
    renew(observation, 1010, RECEIVED(30, 5), true);
    assert_int_equal(observation->previous->time.tv_sec, 1000);
    observation_destroy(&observation);
}

static void nothing_is_compared_that_nobody_reads(void **state)
{
    (void)state;
    observation_t *observation = observation_new(NULL);
    renew(observation, 1000, RECEIVED(10, 2), false);
    renew(observation, 1010, RECEIVED(30, 5), false);
    assert_null(observation->comparison);
    assert_int_equal(observation->previous->time.tv_sec, 1000);
    assert_int_equal(totals_sum_up(observation->totals).polls, 0);
    observation_destroy(&observation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_poll_is_compared_with_the_one_before),
        cmocka_unit_test(what_everybody_has_seen_is_let_go),
        cmocka_unit_test(nothing_is_compared_that_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
