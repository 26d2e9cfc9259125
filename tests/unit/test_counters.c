/* Each counter of the tables is read, kept, compared, added up and shown, all by means of the
 * table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answers.h"
#include "base/memory.h"
#include "monitor/analysis/changes.h"
#include "monitor/analysis/totals.h"
#include "monitor/model/continuity.h"
#include "monitor/view/json/summary_json.h"
#include "monitor/view/json/totals_json.h"
#include "monitor/view/text/summary.h"
#include "monitor/view/text/totals_text.h"

/* The tables, and where an answer has their counters. */
typedef struct {
    const counters_t *counters;
    const char *format; /* of an answer; takes a counter with its value */
} tested_table_t;

#define AGENT "'version': 1, 'agent': {'pid': 1}"

static const tested_table_t subscriptions = {
    &counters_of_subscription, "{" AGENT ", 'client': {'event_callbacks': {'t.x': {%s}}}}"};
static const tested_table_t publishers = {
    &counters_of_publisher, "{" AGENT ", 'server': {'event_streams': {'t.x': {%s}}}}"};
static const tested_table_t channels = {&counters_of_channel,
                                        "{" AGENT ", 'client': {'event_channels': {'c': {%s}}}}"};
static const tested_table_t agents = {&counters_of_agent,
                                      "{'version': 1, 'agent': {'pid': 1, %s}}"};

static const void *counts_of(const tested_table_t *table, const response_t *response)
{
    if (table == &subscriptions)
        return &response->subscriptions[0].counts;
    if (table == &channels)
        return &response->channels[0].counts;
    return table == &publishers ? (const void *)&response->publishers[0].counts
                                : &response->agent_counts;
}

/* An answer in which there is nothing but one counter; RESPONSE_UNKNOWN: null. */
static response_t *answer_with(const tested_table_t *table, const counter_t *counter, int64_t count)
{
    char *value = count == RESPONSE_UNKNOWN
                      ? memory_format("'%s': null", counter->key)
                      : memory_format("'%s': %lld", counter->key, (long long)count);
    char text[256];
    const int size = snprintf(text, sizeof text, table->format, value);
    assert_in_range(size, 1, sizeof text - 1);
    free(value);
    return answers_parse(text);
}

/* Calls check for each counter of a table. */
static void for_each(const tested_table_t *table,
                     void (*check)(const tested_table_t *table, const counter_t *counter))
{
    assert_true(table->counters->count > 0);
    for (size_t i = 0; i < table->counters->count; i++)
        check(table, &table->counters->list[i]);
}

static void for_all(void (*check)(const tested_table_t *table, const counter_t *counter))
{
    for_each(&subscriptions, check);
    for_each(&publishers, check);
    for_each(&channels, check);
    for_each(&agents, check);
}

/* These two depend on each other; see response_subscription_t. */
static bool is_lost(const counter_t *counter)
{
    return strstr(counter->key, "lost") && !strstr(counter->key, "outage");
}

static void check_read(const tested_table_t *table, const counter_t *counter)
{
    response_t *response = answer_with(table, counter, 12);
    const void *counts = counts_of(table, response);
    for (size_t i = 0; i < table->counters->count; i++) {
        const counter_t *other = &table->counters->list[i];
        const bool told = other == counter || (is_lost(other) && is_lost(counter));
        assert_int_equal(counter_of(other, counts), told ? 12 : RESPONSE_UNKNOWN);
    }
    response_destroy(&response);
    response = answer_with(table, counter, RESPONSE_UNKNOWN);
    assert_int_equal(counter_of(counter, counts_of(table, response)), RESPONSE_UNKNOWN);
    response_destroy(&response);
    /* A value that isn't a count is rejected, and the error says where. */
    char *value = memory_format("\"%s\": []", counter->key);
    char *text = memory_format(table->format, value);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    char *error = NULL;
    assert_null(response_parse(text, strlen(text), &error));
    assert_non_null(strstr(error, counter->key));
    assert_non_null(strstr(error, "expected a count, found a list"));
    free(error);
    free(text);
    free(value);
}

static void each_counter_is_read(void **state)
{
    (void)state;
    for_all(check_read);
}

/* Two lines of a table are two members of the counts. */
static void each_line_has_a_member_of_its_own(void **state)
{
    (void)state;
    const counters_t *const tables[] = {&counters_of_subscription, &counters_of_publisher,
                                        &counters_of_channel, &counters_of_agent};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t]->count; i++) {
            const counter_t *one = &tables[t]->list[i];
            assert_true(one->offset % sizeof(int64_t) == 0);
            assert_true(one->offset / sizeof(int64_t) < tables[t]->count);
            for (size_t j = 0; j < i; j++) {
                const counter_t *other = &tables[t]->list[j];
                assert_int_not_equal(one->offset, other->offset);
                assert_string_not_equal(one->key, other->key);
                assert_true(!one->json || !other->json || strcmp(one->json, other->json) != 0);
                const char *name = counter_table_name(one);
                const char *others = counter_table_name(other);
                assert_true(!name || !others || strcmp(name, others) != 0);
            }
        }
}

/* Published streams and subscriptions are in one table, and so are channels and the agent. */
static void each_name_in_tables_has_one_meaning(void **state)
{
    (void)state;
    const counters_t *const pairs[][2] = {{&counters_of_subscription, &counters_of_publisher},
                                          {&counters_of_channel, &counters_of_agent}};
    for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++)
        for (size_t i = 0; i < pairs[p][0]->count; i++)
            for (size_t j = 0; j < pairs[p][1]->count; j++) {
                const char *one = counter_table_name(&pairs[p][0]->list[i]);
                const char *other = counter_table_name(&pairs[p][1]->list[j]);
                assert_true(!one || !other || strcmp(one, other) != 0);
            }
}

/* By Prometheus' conventions: what only grows ends in _total, and each has a text. */
static void each_metric_has_a_good_name(void **state)
{
    (void)state;
    const counters_t *const tables[] = {&counters_of_subscription, &counters_of_publisher,
                                        &counters_of_channel, &counters_of_agent};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t]->count; i++) {
            const counter_t *one = &tables[t]->list[i];
            if (!one->metric)
                continue;
            const size_t length = strlen(one->metric);
            assert_int_equal(strncmp(one->metric, "tango_event_", 12), 0);
            assert_int_equal(strspn(one->metric, "abcdefghijklmnopqrstuvwxyz_"), length);
            assert_int_equal(strcmp(one->metric + length - 6, "_total") == 0,
                             one->kind != COUNTER_LEVEL);
            assert_non_null(one->help);
            for (size_t j = 0; j < i; j++) {
                const counter_t *other = &tables[t]->list[j];
                if (other->metric && strcmp(one->metric, other->metric) == 0) {
                    assert_string_equal(one->help, other->help);
                    assert_string_not_equal(one->labels, other->labels);
                }
            }
        }
}

static void check_kept(const tested_table_t *table, const counter_t *counter)
{
    response_t *before = answer_with(table, counter, 12);
    response_t *now = answer_with(table, counter, RESPONSE_UNKNOWN);
    continuity_take_over(now, before);
    const bool lasts = counter->kind == COUNTER_GROWS || counter->kind == COUNTER_WRAPS;
    assert_int_equal(counter_of(counter, counts_of(table, now)), lasts ? 12 : RESPONSE_UNKNOWN);
    response_destroy(&now);
    now = answer_with(table, counter, 15);
    continuity_take_over(now, before);
    assert_int_equal(counter_of(counter, counts_of(table, now)), 15);
    response_destroy(&now);
    response_destroy(&before);
}

static void what_an_answer_does_not_tell_is_kept(void **state)
{
    (void)state;
    for_each(&subscriptions, check_kept);
    for_each(&publishers, check_kept);
    for_each(&channels, check_kept);
}

static void check_compared(const tested_table_t *table, const counter_t *counter)
{
    response_t *before = answer_with(table, counter, 12);
    for (int64_t count = 12; count < 14; count++) {
        response_t *now = answer_with(table, counter, count);
        changes_t *changes = changes_new(before, now, NULL, NULL);
        const size_t changed =
            changes->subscription_count + changes->publisher_count + changes->channel_count;
        /* The known losses are lost_event_count, if there is nothing else. */
        const bool is_news = !counter->is_no_news || is_lost(counter);
        assert_int_equal(changed, count == 12 || !is_news ? 0 : 1);
        changes_destroy(&changes);
        response_destroy(&now);
    }
    response_destroy(&before);
}

static void a_counter_that_changed_is_a_change(void **state)
{
    (void)state;
    for_each(&subscriptions, check_compared);
    for_each(&publishers, check_compared);
    for_each(&channels, check_compared);
}

static void check_fell(const tested_table_t *table, const counter_t *counter)
{
    response_t *before = answer_with(table, counter, 12);
    for (int64_t count = 11; count < 14; count++) {
        response_t *now = answer_with(table, counter, count);
        const bool fell =
            counters_fell(table->counters, counts_of(table, before), counts_of(table, now));
        const bool grows = counter->kind == COUNTER_GROWS || is_lost(counter);
        assert_int_equal(fell, count < 12 && grows);
        response_destroy(&now);
    }
    response_destroy(&before);
}

static void what_only_grows_and_fell_was_made_anew(void **state)
{
    (void)state;
    for_all(check_fell);
}

/* ---- from one poll to the next --------------------------------------------------------------- */

static snapshot_t *snapshot_with(time_t time, const tested_table_t *table, const counter_t *counter,
                                 int64_t count)
{
    snapshot_t *snapshot = snapshot_new(1);
    snapshot->time.tv_sec = time;
    snapshot->replies[0].server = memory_string("dserver/a/1");
    response_t *response = answer_with(table, counter, count);
    /* A channel is only shown if there is other news than a heartbeat. */
    static char *const endpoints[] = {"tcp://h:1", "tcp://h:2"};
    if (table == &channels)
        response->channels[0].endpoint = endpoints[count == 12];
    snapshot->replies[0].response = response;
    return snapshot;
}

/* Two polls, of which the first has 12 of a counter, and the other 15. */
typedef struct {
    snapshot_t *before;
    snapshot_t *now;
    losses_t *losses;
    comparison_t *comparison;
} polls_t;

static polls_t polls_with(const tested_table_t *table, const counter_t *counter)
{
    polls_t polls = {.before = snapshot_with(1000, table, counter, 12),
                     .now = snapshot_with(1010, table, counter, 15),
                     .losses = losses_new()};
    losses_update(polls.losses, NULL, polls.before);
    losses_update(polls.losses, polls.before, polls.now);
    polls.comparison = comparison_new(polls.before, polls.now, polls.losses);
    return polls;
}

static void release(polls_t *polls)
{
    comparison_destroy(&polls->comparison);
    losses_destroy(&polls->losses);
    snapshot_destroy(&polls->before);
    snapshot_destroy(&polls->now);
}

static bool counts_up(const counter_t *counter)
{
    return counter->kind == COUNTER_GROWS || counter->kind == COUNTER_WRAPS;
}

static void check_step(const tested_table_t *table, const counter_t *counter)
{
    polls_t polls = polls_with(table, counter);
    const server_part_t *part = &polls.comparison->parts[0];
    if (table == &channels) {
        assert_int_equal(counter_of(counter, &part->channels[0].shown->counts), 15);
        assert_int_equal(counter_of(counter, &part->channels[0].steps), 3);
    } else if (!counter->is_no_news || is_lost(counter)) {
        const void *steps = table == &subscriptions ? (const void *)&part->subscriptions[0].steps
                                                    : &part->published[0].steps;
        const void *counts = table == &subscriptions ? (const void *)part->subscriptions[0].counts
                                                     : &part->published[0].counts;
        assert_int_equal(counter_of(counter, counts), 15);
        assert_int_equal(counter_of(counter, steps), counts_up(counter) ? 3 : RESPONSE_UNKNOWN);
    }
    release(&polls);
}

static void each_counter_has_a_step(void **state)
{
    (void)state;
    for_each(&subscriptions, check_step);
    for_each(&publishers, check_step);
    for_each(&channels, check_step);
}

typedef void print_t(FILE *out, const shown_t *shown, const snapshot_t *current,
                     const summary_options_t *options);

static char *print(const polls_t *polls, print_t *how)
{
    const summary_options_t options = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    shown_t *shown = shown_new(polls->comparison, &options.filter);
    how(out, shown, polls->now, &options);
    shown_destroy(&shown);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_holds(const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("no %s in %s", what, text);
}

static void check_json(const tested_table_t *table, const counter_t *counter)
{
    if (!counter->json)
        return;
    assert_true(strlen(counter->json) < COUNTER_JSON_SIZE);
    polls_t polls = polls_with(table, counter);
    char *text = print(&polls, summary_json_write);
    char *member = memory_format("\"%s\":15,", counter->json);
    char *step = memory_format("\"%s_step\":3", counter->json);
    assert_holds(text, member);
    if (table != &agents && counter->kind != COUNTER_LEVEL)
        assert_holds(text, step);
    else
        assert_null(strstr(text, step));
    free(step);
    free(member);
    free(text);
    release(&polls);
}

static void each_counter_is_in_the_json(void **state)
{
    (void)state;
    for_all(check_json);
}

static void check_column(const tested_table_t *table, const counter_t *counter)
{
    if (!counter->heading)
        return;
    polls_t polls = polls_with(table, counter);
    char *text = print(&polls, summary_print);
    const bool lost = counter->kind == COUNTER_LOST;
    assert_holds(text, lost ? "LOST" : counter->heading);
    assert_holds(text, counter->kind == COUNTER_LEVEL ? " 15 (was 12)" : " 15 (+3)");
    free(text);
    release(&polls);
}

static void each_counter_with_a_heading_has_a_column(void **state)
{
    (void)state;
    for_each(&subscriptions, check_column);
    for_each(&publishers, check_column);
    for_each(&channels, check_column);
}

/* Two polls added up, as JSON and as text behind it. */
static char *print_totals(const polls_t *polls)
{
    totals_t *totals = totals_new();
    losses_t *losses = losses_new();
    losses_update(losses, NULL, polls->before);
    comparison_t *first = comparison_new(NULL, polls->before, losses);
    totals_add(totals, first, &polls->before->time);
    totals_add(totals, polls->comparison, &polls->now->time);
    comparison_destroy(&first);
    losses_destroy(&losses);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    totals_json_write(out, totals, NULL, NULL, 0);
    totals_text_print(out, totals, NULL);
    assert_int_equal(fclose(out), 0);
    totals_destroy(&totals);
    return text;
}

static void check_total(const tested_table_t *table, const counter_t *counter)
{
    if (!counter->json)
        return;
    polls_t polls = polls_with(table, counter);
    char *text = print_totals(&polls);
    char *member = memory_format("\"%s\":3", counter->json);
    if (counter->in_totals) {
        assert_holds(text, member);
        assert_holds(text, counter->kind == COUNTER_LOST ? "LOST" : counter->heading);
        assert_holds(text, "  3");
    } else {
        assert_null(strstr(text, member));
    }
    free(member);
    free(text);
    release(&polls);
}

static void what_is_in_totals_is_summed_up(void **state)
{
    (void)state;
    for_each(&subscriptions, check_total);
    for_each(&publishers, check_total);
}

/* ---- what users are told -----------------------------------------------------------------------
 */

static char *document(const char *name)
{
    char *path = memory_format("%s/%s", DOCS_DIR, name);
    FILE *in = fopen(path, "r");
    if (!in)
        fail_msg("can't open %s", path);
    char *text = NULL;
    size_t size = 0;
    assert_true(getdelim(&text, &size, '\0', in) > 0);
    fclose(in);
    free(path);
    return text;
}

static void each_counter_is_documented(void **state)
{
    (void)state;
    const counters_t *const tables[] = {&counters_of_subscription, &counters_of_publisher,
                                        &counters_of_channel, &counters_of_agent};
    char *answer = document("answer.md");
    char *monitor = document("monitor.md");
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t]->count; i++) {
            const counter_t *counter = &tables[t]->list[i];
            char *key = memory_format("`%s`", counter->key);
            char *json = memory_format("`%s`", counter->json ? counter->json : "");
            if (!strstr(answer, key))
                fail_msg("%s isn't in docs/answer.md", key);
            if (counter->json && !strstr(monitor, json))
                fail_msg("%s isn't in docs/monitor.md", json);
            free(json);
            free(key);
        }
    free(monitor);
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_counter_is_read),
        cmocka_unit_test(each_line_has_a_member_of_its_own),
        cmocka_unit_test(each_name_in_tables_has_one_meaning),
        cmocka_unit_test(each_metric_has_a_good_name),
        cmocka_unit_test(what_an_answer_does_not_tell_is_kept),
        cmocka_unit_test(a_counter_that_changed_is_a_change),
        cmocka_unit_test(what_only_grows_and_fell_was_made_anew),
        cmocka_unit_test(each_counter_has_a_step),
        cmocka_unit_test(each_counter_is_in_the_json),
        cmocka_unit_test(each_counter_with_a_heading_has_a_column),
        cmocka_unit_test(what_is_in_totals_is_summed_up),
        cmocka_unit_test(each_counter_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
