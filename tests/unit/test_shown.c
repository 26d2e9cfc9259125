/* What is shown of a comparison, and in what order. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "monitor/view/ranking.h"
#include "monitor/view/shown.h"

static bool takes(const char *pattern, const char *name)
{
    char *patterns[] = {(char *)(uintptr_t)pattern};
    const filter_t filter = {.patterns = patterns, .count = 1};
    return filter_takes(&filter, name);
}

static void test_patterns(void **state)
{
    (void)state;
    const char *topic = "tango://h:10000/a/b/c/attr.idl5_change";
    const filter_t all = {.count = 0};
    assert_true(filter_takes(&all, topic));
    assert_true(takes(topic, topic));
    assert_true(takes("a/b/c/attr.idl5_change", topic));
    assert_true(takes("a/b/c/attr.change", topic));
    assert_true(takes("A/B/c/ATTR", topic));
    assert_true(takes("tango://h:10000/a/b/c/attr", topic));
    assert_true(takes("a/*", topic));
    assert_true(takes("*.change", topic));
    assert_true(takes("a/?/c/*", topic));
    assert_false(takes("a/b/c", topic));
    assert_false(takes("*.periodic", topic));
    assert_false(takes("b/*", topic));
    assert_true(takes("a/b/c/attr", "a/b/c/attr"));
}

/* Four servers, ten seconds later: one as it was, one that lost events, one that has restarted, and
 * one that fails. */
static const char *const servers[][3] = {
    {"same", "{'version': 1, 'agent': {'pid': 1}}", "{'version': 1, 'agent': {'pid': 1}}"},
    {"lost",
     "{'version': 1, 'agent': {'pid': 2}, 'server': {'event_counters': {'p': 10}}, 'client': "
     "{'event_callbacks': {'a': {'event_count': 1, 'lost_event_count': 0}, "
     "'b': {'event_count': 1, 'lost_event_count': 0}, "
     "'c': {'event_count': 1, 'lost_event_count': 0}}}}",
     "{'version': 1, 'agent': {'pid': 2}, 'server': {'event_counters': {'p': 30}}, 'client': "
     "{'event_callbacks': {'a': {'event_count': 21, 'lost_event_count': 0}, "
     "'b': {'event_count': 2, 'lost_event_count': 3}, "
     "'c': {'event_count': 2, 'lost_event_count': 5}}}}"},
    {"restarted", "{'version': 1, 'agent': {'pid': 3}}", "{'version': 1, 'agent': {'pid': 4}}"},
    {"failed", "{'version': 1, 'agent': {'pid': 5}}", NULL},
};

enum { SERVER_COUNT = sizeof servers / sizeof *servers };

static snapshot_t *snapshot_of(size_t column)
{
    snapshot_t *snapshot = snapshot_new(SERVER_COUNT);
    snapshot->time.tv_sec = (time_t)(1000 + 10 * column);
    for (size_t i = 0; i < SERVER_COUNT; i++) {
        reply_t *reply = &snapshot->replies[i];
        reply->server = memory_string(servers[i][0]);
        if (servers[i][column])
            reply->response = answers_parse(servers[i][column]);
        else
            reply->error = memory_string("down");
    }
    return snapshot;
}

typedef struct {
    snapshot_t *before;
    snapshot_t *now;
    losses_t *losses;
    comparison_t *comparison;
    shown_t *shown;
} run_t;

static run_t run_with(const filter_t *filter)
{
    run_t run = {.before = snapshot_of(1), .now = snapshot_of(2), .losses = losses_new()};
    losses_update(run.losses, NULL, run.before);
    losses_update(run.losses, run.before, run.now);
    run.comparison = comparison_new(run.before, run.now, run.losses);
    run.shown = shown_new(run.comparison, filter);
    return run;
}

static void clear(run_t *run)
{
    shown_destroy(&run->shown);
    assert_null(run->shown);
    comparison_destroy(&run->comparison);
    losses_destroy(&run->losses);
    snapshot_destroy(&run->before);
    snapshot_destroy(&run->now);
}

static void the_comparison_is_in_the_order_of_the_snapshot(void **state)
{
    (void)state;
    run_t run = run_with(&(filter_t){.count = 0});
    for (size_t i = 0; i < SERVER_COUNT; i++)
        assert_string_equal(run.comparison->parts[i].reply->server, servers[i][0]);
    const server_part_t *part = &run.comparison->parts[1];
    assert_int_equal(part->subscription_count, 3);
    assert_string_equal(part->subscriptions[0].topic, "a");
    clear(&run);
}

static void what_is_urgent_is_shown_first(void **state)
{
    (void)state;
    static const char *const order[] = {"failed", "restarted", "lost", "same"};
    static const char *const topics[] = {"c", "b", "a"};
    run_t run = run_with(&(filter_t){.count = 0});
    assert_int_equal(run.shown->count, SERVER_COUNT);
    assert_int_equal(run.shown->failed, 1);
    for (size_t i = 0; i < SERVER_COUNT; i++)
        assert_string_equal(run.shown->servers[i].part->reply->server, order[i]);
    const shown_server_t *server = &run.shown->servers[2];
    assert_int_equal(server->new_losses, 8);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(server->subscriptions[i]->topic, topics[i]);
    assert_false(run.shown->servers[3].any);
    clear(&run);
}

/* Losses that aren't shown make a server no more urgent, and aren't added up. */
static void what_is_not_asked_for_counts_for_nothing(void **state)
{
    (void)state;
    char *patterns[] = {(char[]){"a"}};
    const filter_t only_a = {.patterns = patterns, .count = 1};
    run_t run = run_with(&only_a);
    assert_string_equal(run.shown->servers[2].part->reply->server, "same");
    const shown_server_t *server = &run.shown->servers[3];
    assert_int_equal(server->subscription_count, 1);
    assert_int_equal(server->published_count, 0);
    assert_int_equal(server->new_losses, 0);
    totals_t *all = totals_new();
    totals_t *own = totals_new();
    const observation_t observation = {
        .snapshot = run.now, .comparison = run.comparison, .totals = all};
    assert_ptr_equal(shown_totals(run.shown, &observation, &(filter_t){.count = 0}, own), all);
    assert_int_equal(totals_sum_up(own).polls, 0);
    assert_ptr_equal(shown_totals(run.shown, &observation, &only_a, own), own);
    const totals_sums_t sums = totals_sum_up(own);
    assert_int_equal(sums.polls, 1);
    assert_int_equal(sums.servers, SERVER_COUNT);
    assert_int_equal(sums.subscriptions, 1);
    assert_int_equal(sums.sum.received.lost_event_count, 0);
    totals_destroy(&own);
    totals_destroy(&all);
    clear(&run);
}

static void of_equal_rates_the_published_one_comes_first(void **state)
{
    (void)state;
    run_t run = run_with(&(filter_t){.count = 0});
    size_t count = 0;
    ranking_row_t *rows = ranking_new(run.shown, TOP_RATE, 3, &count);
    assert_int_equal(count, 3);
    assert_string_equal(rows[0].published->name, "p");
    assert_string_equal(rows[1].subscription->topic, "a");
    assert_string_equal(rows[2].subscription->topic, "c");
    assert_true(rows[0].value == rows[1].value && rows[1].value > rows[2].value);
    free(rows);
    clear(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(the_comparison_is_in_the_order_of_the_snapshot),
        cmocka_unit_test(what_is_urgent_is_shown_first),
        cmocka_unit_test(what_is_not_asked_for_counts_for_nothing),
        cmocka_unit_test(of_equal_rates_the_published_one_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
