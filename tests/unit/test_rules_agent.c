/* What the rules of the agent, and of answers that are missing, find. */
#include "monitor/analysis/findings/rules_agent.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "base/reasons.h"
#include "cmocka_all.h"
#include "monitor/analysis/observation.h"

static observation_t *observation;
static rule_settings_t settings;
static time_t now;

static int begin(void **state)
{
    (void)state;
    settings = (rule_settings_t){0};
    observation = observation_new(&settings);
    now = 1000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    observation_destroy(&observation);
    rule_settings_clear(&settings);
    return 0;
}

/* Some seconds later, servers "dserver/s/0" and so on: answers, or errors (without a '{'). */
static void poll_after(time_t seconds, size_t count, const char *const *texts)
{
    snapshot_t *snapshot = snapshot_new(count);
    snapshot->time.tv_sec = now += seconds;
    for (size_t i = 0; i < count; i++) {
        snapshot->replies[i].server = memory_format("dserver/s/%zu", i);
        if (strchr(texts[i], '{'))
            snapshot->replies[i].response = answers_parse(texts[i]);
        else
            snapshot->replies[i].error = memory_string(texts[i]);
    }
    observation_renew(observation, &snapshot, true);
}

static void poll_one(time_t seconds, const char *text)
{
    poll_after(seconds, 1, &text);
}

/* The finding of a rule that lasts, or NULL. */
static const finding_t *found(const char *rule)
{
    size_t count = 0;
    const finding_t *const *all = findings_now(observation->findings, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i]->rule->name, rule) == 0 && all[i]->state < FINDING_ENDED)
            return all[i];
    return NULL;
}

static void assert_text(const char *rule, const char *text)
{
    const finding_t *finding = found(rule);
    assert_non_null(finding);
    assert_string_equal(finding->text, text);
}

#define AGENT(keys)                                                                                \
    "{'version': 1, 'agent': {'pid': 1, 'version': '0.1.0', 'time': "                              \
    "'2026-01-01T00:00:00.000000Z', " keys "}}"
#define HEALTHY  AGENT("'uncounted': 0, 'unknown_topic_event_count': 0, 'unwatched': null")
#define BUILT_IN "{'version': 1, 'server': {'event_counters': {}}}"

static void nothing_is_found_where_all_is_well(void **state)
{
    (void)state;
    static const char *const servers[] = {
        HEALTHY, BUILT_IN, "{'client': {'event_callbacks': {}}, 'server': {'event_counters': {}}}"};
    size_t count = 0;
    for (size_t i = 0; i < 3; i++)
        poll_after(10, 3, servers);
    findings_of_run(observation->findings, &count);
    assert_int_equal(count, 0);
}

static void a_server_that_does_not_answer(void **state)
{
    (void)state;
    poll_one(1, "no answer within 3 s");
    poll_one(9, "no answer within 3 s");
    assert_null(found("no-answer"));
    poll_one(1, "no answer within 3 s");
    assert_text("no-answer", "no answer from dserver/s/0 within 3 s");
    poll_one(1, HEALTHY);
    assert_null(found("no-answer"));
}

static void a_server_that_was_stopped(void **state)
{
    (void)state;
    poll_one(1, HEALTHY);
    poll_one(1, "its server is not running or can't be reached"); /* while it ends */
    poll_one(1, REASON_STOPPED);
    poll_one(100, REASON_STOPPED);
    assert_null(found("no-answer"));
}

/* Or of a wrong name: it says nothing of the events, and isn't down. */
static void a_server_without_a_command_to_ask(void **state)
{
    (void)state;
    poll_one(1, REASON_NO_COMMAND ": start it with the agent");
    poll_one(100, REASON_NO_COMMAND ": start it with the agent");
    poll_one(1, REASON_NO_DEVICE);
    poll_one(100, REASON_NO_DEVICE);
    assert_null(found("no-answer"));
    poll_one(1, HEALTHY);
    poll_one(1, REASON_COMMAND_GONE ": QueryEventSystem is gone");
    poll_one(100, REASON_COMMAND_GONE ": QueryEventSystem is gone");
    assert_text("no-answer", "dserver/s/0 can't be watched any more: it was restarted without the "
                             "agent: QueryEventSystem is gone");
    assert_int_equal(found("no-answer")->severity, SEVERITY_WARNING);
}

static void full_tables(void **state)
{
    (void)state;
    poll_one(1, AGENT("'uncounted': 7"));
    assert_text("uncounted", "the agent in dserver/s/0 has more streams than its tables hold: not "
                             "all of its events are counted");
    assert_string_equal(found("uncounted")->evidence[0],
                        "not counted 7 times since the server started");
}

static void an_answer_that_is_not_whole(void **state)
{
    (void)state;
#define LEFT_OUT(lists) AGENT("'truncated': {" lists "}")
    poll_one(1, LEFT_OUT("'event_callbacks': 0"));
    assert_null(found("truncated"));
    poll_one(1, LEFT_OUT("'event_streams': 2, 'event_callbacks': 31"));
    assert_text("truncated", "the answer of dserver/s/0 would be too large, and lacks 2 published "
                             "streams and 31 subscriptions");
    poll_one(1, LEFT_OUT("'not_connected': 1"));
    assert_text("truncated", "the answer of dserver/s/0 would be too large, and lacks 1 "
                             "subscription that is not connected");
    poll_one(1, LEFT_OUT("'event_counters': 1, 'event_streams': 1, 'event_callbacks': 1, "
                         "'not_connected': 2, 'event_channels': 3"));
    assert_text("truncated",
                "the answer of dserver/s/0 would be too large, and lacks 1 event counter, 1 "
                "published stream, 1 subscription, 2 subscriptions that are not connected and 3 "
                "event channels");
#undef LEFT_OUT
}

#define UNKNOWN(count) AGENT("'unknown_topic_event_count': " #count)

static void events_that_nobody_subscribed_to(void **state)
{
    (void)state;
    poll_one(5, UNKNOWN(1000)); /* from before: nobody knows when */
    poll_one(5, UNKNOWN(1010));
    assert_null(found("unknown-topics"));
    poll_one(5, UNKNOWN(1020));
    poll_one(5, UNKNOWN(1025));
    assert_text("unknown-topics", "dserver/s/0 receives events under names that it never "
                                  "subscribed to: 25 so far");
    poll_one(5, UNKNOWN(1025));
    assert_null(found("unknown-topics"));
}

/* What was under way when somebody unsubscribed still arrives. */
static void events_after_unsubscribing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        poll_one(5, UNKNOWN(0));
        poll_one(5, UNKNOWN(10));
        poll_one(5, UNKNOWN(10));
    }
    size_t count = 0;
    findings_of_run(observation->findings, &count);
    assert_int_equal(count, 0);
}

static void agents_that_can_not_watch_everything(void **state)
{
    (void)state;
    static const char half[] = AGENT("'unwatched': 'callbacks'");
    static const char other[] = AGENT("'unwatched': 'events'");
    poll_after(1, 3, (const char *const[]){HEALTHY, half, HEALTHY});
    assert_text("unwatched", "the agent in dserver/s/1 can't watch: callbacks");
    poll_after(1, 3, (const char *const[]){half, HEALTHY, half});
    assert_text("unwatched", "the agent in dserver/s/0 and dserver/s/2 can't watch: callbacks");
    poll_after(1, 4, (const char *const[]){half, half, HEALTHY, half});
    assert_text("unwatched",
                "the agent in dserver/s/0, dserver/s/1 and dserver/s/3 can't watch: callbacks");
    poll_after(1, 5, (const char *const[]){half, half, half, half, half});
    assert_text("unwatched",
                "the agent in dserver/s/0, dserver/s/1 and 3 more can't watch: callbacks");
    poll_after(1, 3, (const char *const[]){other, half, other});
    size_t count = 0;
    findings_now(observation->findings, &count);
    assert_int_equal(count, 2);
}

static void agents_that_are_older(void **state)
{
    (void)state;
    poll_one(1, "{'version': 1, 'agent': {'pid': 1, 'version': '0.0.9'}}");
    assert_text("old-agent", "the agent in dserver/s/0 is older than this monitor (0.0.9): it "
                             "doesn't say what time it is there, nor what it can't watch");
}

#define MEASURED "{'version': 1, 'agent': {'pid': 1}, 'server': {'perf': []}}"

static void monitoring_that_somebody_left_on(void **state)
{
    (void)state;
    poll_one(10, MEASURED);
    poll_one(3590, MEASURED);
    assert_null(found("monitoring-left-on"));
    poll_one(10, MEASURED);
    assert_non_null(found("monitoring-left-on"));
}

static void monitoring_that_this_monitor_has_on(void **state)
{
    (void)state;
    settings.switches_perf = true;
    poll_one(10, MEASURED);
    poll_one(7200, MEASURED);
    assert_null(found("monitoring-left-on"));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_found_where_all_is_well),
        TEST(a_server_that_does_not_answer),
        TEST(a_server_that_was_stopped),
        TEST(a_server_without_a_command_to_ask),
        TEST(full_tables),
        TEST(an_answer_that_is_not_whole),
        TEST(events_that_nobody_subscribed_to),
        TEST(events_after_unsubscribing),
        TEST(agents_that_can_not_watch_everything),
        TEST(agents_that_are_older),
        TEST(monitoring_that_somebody_left_on),
        TEST(monitoring_that_this_monitor_has_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
