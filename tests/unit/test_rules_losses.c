/* What the rules of lost events find, and where they keep silent. */
#include "monitor/analysis/findings/rules_losses.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/analysis/observation.h"

#define TOPIC  "tango://h:1/a/b/c/x.idl5_change"
#define STREAM "tango://h:1/a/b/c/x.change"
#define PUB    "dserver/pub/1"
#define SUB    "dserver/sub/1"

/* ---- two servers ---- */

typedef struct {
    bool agent;      /* both have it */
    int64_t pushed;  /* -1: the publisher isn't watched */
    int process;     /* of the publisher */
    int64_t counter; /* the rest is the subscriber's */
    int64_t received;
    int64_t gaps;
    int64_t lost;
    int64_t outage_lost;
    int64_t discarded;
    int64_t restarts;
    const char *state; /* of the consumer thread */
    const char *resubscribed;
    const char *perf; /* samples */
} system_t;

static char *quoted(const char *text)
{
    return text ? memory_format("'%s'", text) : memory_string("null");
}

static response_t *publisher_of(const system_t *self)
{
    char *text = self->agent
                     ? memory_format(
                           "{'version': 1, 'agent': {'pid': %d, 'attached': "
                           "'2026-01-01T00:00:%02d.000000Z'}, 'server': {'event_streams': {'" STREAM
                           "': {'pushed_event_count': %" PRId64 "}}}}",
                           self->process, self->process, self->pushed)
                     : memory_format("{'version': 1, 'server': {'event_counters': {'" STREAM
                                     "': %" PRId64 "}}}",
                                     self->pushed + 1);
    response_t *response = answers_parse(text);
    free(text);
    return response;
}

static response_t *subscriber_of(const system_t *self)
{
    char *resubscribed = quoted(self->resubscribed);
    char *agent = self->agent ? memory_format("'lost_event_count': %" PRId64
                                              ", 'outage_lost_event_count': %" PRId64
                                              ", 'publisher_restart_count': %" PRId64 ", ",
                                              self->lost, self->outage_lost, self->restarts)
                              : memory_string("");
    char *consumer =
        self->agent ? memory_format("'consumer_thread': {%s}, ", self->state ? self->state : "")
                    : memory_string("");
    char *text = memory_format(
        "{'version': 1, %s 'client': {%s 'event_channels': {'dserver/pub/1': {'endpoint': 'e'}}, "
        "'perf': %s, 'event_callbacks': {'" TOPIC "': {%s 'channel_name': 'dserver/pub/1', "
        "'server_counter': %" PRId64 ", 'event_count': %" PRId64 ", 'missed_event_count': %" PRId64
        ", 'discarded_event_count': %" PRId64 ", 'last_resubscribed': %s}}}}",
        self->agent ? "'agent': {'pid': 7}," : "", consumer, self->perf ? self->perf : "null",
        agent, self->counter, self->received, self->gaps, self->discarded, resubscribed);
    response_t *response = answers_parse(text);
    free(text);
    free(consumer);
    free(agent);
    free(resubscribed);
    return response;
}

static observation_t *observation;
static time_t now;

static int begin(void **state)
{
    (void)state;
    observation = observation_new(NULL);
    now = 1000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    observation_destroy(&observation);
    return 0;
}

static time_t period = 10; /* of polls, in seconds */

/* One poll, ten seconds after the last one. */
static void poll_at(const system_t *self)
{
    const bool watched = self->pushed >= 0;
    snapshot_t *snapshot = snapshot_new(watched ? 2 : 1);
    snapshot->time.tv_sec = now += period;
    reply_t *reply = snapshot->replies;
    if (watched) {
        reply->server = memory_string(PUB);
        reply->answered = (double)now;
        reply++->response = publisher_of(self);
    }
    reply->server = memory_string(SUB);
    reply->answered = (double)now;
    reply->response = subscriber_of(self);
    observation_renew(observation, &snapshot, true);
}

static void poll_times(const system_t *self, int times)
{
    while (times-- > 0)
        poll_at(self);
}

/* The finding of that rule in this observation, or NULL. */
static const finding_t *found(const char *rule)
{
    size_t count = 0;
    const finding_t *const *all = findings_now(observation->findings, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i]->rule->name, rule) == 0)
            return all[i];
    return NULL;
}

static size_t count_of_run(void)
{
    size_t count = 0;
    findings_of_run(observation->findings, &count);
    return count;
}

static void assert_found(const char *rule, int64_t events, int64_t among, const char *text)
{
    const finding_t *finding = found(rule);
    if (!finding) {
        fail_msg("no finding of %s", rule);
        return;
    }
    assert_int_equal(finding->events, events);
    assert_int_equal(finding->among, among);
    assert_string_equal(finding->about.publisher, PUB);
    assert_string_equal(finding->about.subscriber, SUB);
    if (!strstr(finding->text, text))
        fail_msg("'%s' isn't in '%s'", text, finding->text);
}

static bool has_evidence(const finding_t *finding, const char *text)
{
    for (size_t i = 0; i < finding->evidence_count; i++)
        if (strstr(finding->evidence[i], text))
            return true;
    return false;
}

#define POLLING         "'state': 'polling', 'state_micros': 90000"
#define CALLBACKS       "'state': 'callbacks', 'state_micros': 2000000, 'topic': '" TOPIC "'"
#define CALLBACKS_SHORT "'state': 'callbacks', 'state_micros': 20000, 'topic': '" TOPIC "'"
#define JUST_NOW        "'state': 'polling', 'state_micros': 3"

/* A publisher and a subscriber that has received all. */
static system_t in_order(bool agent, int64_t count)
{
    return (system_t){.agent = agent,
                      .pushed = count,
                      .process = 1,
                      .counter = count,
                      .received = count,
                      .state = POLLING};
}

/* ---- overflow ---- */

static void a_full_queue(void **state)
{
    (void)state;
    for (int agent = 0; agent < 2; agent++) {
        system_t seen = in_order(agent, 100);
        poll_at(&seen);
        seen.pushed = seen.counter = 20100;
        seen.received += 18000;
        seen.gaps = 2;
        seen.lost = 2000;
        poll_at(&seen);
        assert_found("overflow", 2000, 20000, "lost 2000 of 20000 on " STREAM " at 2000/s: ");
        assert_int_equal(found("overflow")->state, FINDING_BEGAN);
        /* What comes in between counts, too. */
        seen.pushed = seen.counter += 500;
        seen.received += 500;
        poll_at(&seen);
        assert_found("overflow", 2000, 20000, "lost 2000 of 20000");
        seen.pushed = seen.counter += 10;
        seen.received += 3;
        seen.gaps++;
        seen.lost += 7;
        poll_at(&seen);
        assert_found("overflow", 2007, 20510, "lost 2007 of 20510 on " STREAM " at 2000/s: ");
        poll_times(&seen, 3);
        assert_int_equal(found("overflow")->state, FINDING_ENDED);
        assert_int_equal(count_of_run(), 1);
        end(NULL);
        begin(NULL);
    }
}

static void whose_fault_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *perf;
        const char *text;
        const char *evidence;
    } cases[] = {
        {NULL, "pushed faster than", "-m"},
        /* 2000 events a second of 450 us each; another attribute's don't matter. */
        {"[{'attr_name': 'x', 'process_micros': 400}, {'attr_name': 'x#dbase=no', "
         "'process_micros': 500}, "
         "{'attr_name': 'xy', 'process_micros': 1}]",
         "publisher faster than " SUB "'s callbacks", "callbacks took 450 us"},
        {"[{'attr_name': 'x', 'process_micros': 10}]", "a burst larger than the queues",
         "0.02 s of work"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        system_t seen = in_order(false, 100);
        poll_at(&seen);
        seen.pushed = seen.counter = 20100;
        seen.received += 18000;
        seen.gaps = 1;
        seen.perf = cases[i].perf;
        poll_at(&seen);
        assert_found("overflow", 2000, 20000, cases[i].text);
        assert_true(has_evidence(found("overflow"), cases[i].evidence));
        assert_true(has_evidence(found("overflow"), PUB " has pushed 20100"));
        assert_non_null(found("overflow")->advice);
        end(NULL);
        begin(NULL);
    }
}

static void a_publisher_that_nobody_watches(void **state)
{
    (void)state;
    system_t seen = in_order(true, 100);
    seen.pushed = -1;
    poll_at(&seen);
    seen.counter = 110;
    seen.received = 107;
    seen.lost = 3;
    poll_at(&seen);
    assert_found("overflow", 3, 10, "lost 3 of 10");
    assert_true(has_evidence(found("overflow"), PUB " isn't watched"));
}

/* ---- the end of a burst ---- */

static void the_end_of_a_burst(void **state)
{
    (void)state;
    for (int agent = 0; agent < 2; agent++) {
        system_t seen = in_order(agent, 1);
        poll_at(&seen);
        seen.pushed = 30000;
        seen.counter = 23495;
        seen.received = 23487;
        seen.gaps = 1;
        seen.lost = 8;
        poll_at(&seen);
        assert_found("overflow", 8, 23494, "lost 8 of 23494");
        assert_null(found("unnoticed-loss"));
        poll_times(&seen, agent ? 2 : 3);
        assert_found("unnoticed-loss", 6505, 30000, "lost 6505 of 30000 events pushed on " STREAM);
        assert_null(found("not-received"));
        /* The next event shows it. */
        seen.pushed = seen.counter = 30001;
        seen.received = 23488;
        seen.gaps = 2;
        seen.lost = 6513;
        poll_at(&seen);
        /* The rate is that of the burst. */
        assert_found("overflow", 6513, 30000, "lost 6513 of 30000 on " STREAM " at 3000/s: ");
        assert_found("unnoticed-loss", 0, 0, SUB " has noticed since then that 6505 were lost");
        assert_int_equal(found("unnoticed-loss")->state, FINDING_ENDED);
        assert_int_equal(found("unnoticed-loss")->events_in_all, 0);
        end(NULL);
        begin(NULL);
    }
}

static void the_rate_is_that_of_the_burst(void **state)
{
    (void)state;
    system_t seen = in_order(true, 100);
    poll_at(&seen);
    seen.pushed = 10100;
    poll_times(&seen, 3);
    seen.pushed = seen.counter = 10101;
    seen.received++;
    seen.lost = 10000;
    poll_at(&seen);
    assert_found("overflow", 10000, 10001, "lost 10000 of 10001 on " STREAM " at 1000/s: ");
}

static void the_end_of_a_burst_before_the_first_poll(void **state)
{
    (void)state;
    for (int agent = 0; agent < 2; agent++) {
        system_t seen = in_order(agent, 30000);
        seen.counter = 23495;
        seen.received = 23487;
        seen.gaps = 1;
        seen.lost = 8;
        poll_at(&seen);
        assert_found("earlier-losses", agent ? 8 : 1, agent ? 23495 : RESPONSE_UNKNOWN,
                     agent ? "lost 8 events on " STREAM : "lost at least 1 event on " STREAM);
        poll_times(&seen, 3);
        assert_found("unnoticed-loss", 6505, 30000, "lost 6505 of 30000");
        end(NULL);
        begin(NULL);
    }
}

static void what_comes_late_was_not_lost(void **state)
{
    (void)state;
    system_t seen = in_order(false, 100);
    poll_at(&seen);
    seen.pushed = 110;
    poll_times(&seen, 4);
    assert_found("unnoticed-loss", 10, 110, "lost 10 of 110");
    seen.counter = seen.received = 110;
    poll_at(&seen);
    assert_found("unnoticed-loss", 0, 0, "they have arrived since");
    assert_null(found("overflow"));
    assert_int_equal(found("unnoticed-loss")->state, FINDING_ENDED);
}

static void what_is_on_its_way_is_not_lost(void **state)
{
    (void)state;
    /* Each poll finds what was pushed after the previous one under way. */
    for (int agent = 0; agent < 2; agent++) {
        system_t seen = in_order(agent, 100);
        poll_at(&seen);
        for (int i = 0; i < 5; i++) {
            seen.counter = seen.received = seen.pushed;
            seen.pushed += 50;
            poll_at(&seen);
        }
        assert_int_equal(count_of_run(), 0);
        /* Before a first event, perhaps there was no connection. */
        end(NULL);
        begin(NULL);
        seen.counter = seen.received = 0;
        for (int i = 0; i < 5; i++) {
            seen.pushed = 1 + i / 3;
            poll_at(&seen);
        }
        assert_int_equal(count_of_run(), 0);
        end(NULL);
        begin(NULL);
    }
}

/* On a busy machine, they may be for seconds. */
static void events_on_their_way_are_not_lost(void **state)
{
    (void)state;
    system_t seen = in_order(true, 100);
    period = 1;
    poll_at(&seen);
    seen.pushed = 110;
    poll_times(&seen, 4); /* not received at the last three of these */
    assert_null(found("unnoticed-loss"));
    poll_times(&seen, 2);
    const bool is_found = found("unnoticed-loss") != NULL;
    period = 10;
    assert_true(is_found);
}

static void what_waits_for_a_callback(void **state)
{
    (void)state;
    static const struct {
        const char *state;
        const char *text;
    } cases[] = {
        {CALLBACKS, "waiting behind a callback for " STREAM " that has been running for 2.0 s"},
        {CALLBACKS_SHORT, "waiting for callbacks, now one for " STREAM ", or lost"},
        {"'state': 'order', 'state_micros': 9, 'delayed_micros': 3000000",
         "waiting for a subscription that " SUB " has been making for 3.0 s"},
        {JUST_NOW, "until " SUB " has read what came before"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        system_t seen = in_order(true, 0);
        poll_at(&seen);
        seen.pushed = 30000;
        seen.counter = 4795;
        seen.received = 4242;
        seen.lost = 553;
        seen.state = cases[i].state;
        poll_times(&seen, 3);
        assert_found("not-received", 25205, 30000, cases[i].text);
        assert_null(found("unnoticed-loss"));
        assert_true(has_evidence(found("not-received"), PUB " has pushed 30000"));
        assert_true(has_evidence(found("not-received"), SUB " has received 4242"));
        assert_true(has_evidence(found("not-received"), "not received: 25205"));
        end(NULL);
        begin(NULL);
    }
}

/* ---- outages ---- */

static void a_connection_that_was_down(void **state)
{
    (void)state;
    for (int agent = 0; agent < 2; agent++) {
        system_t seen = in_order(agent, 100);
        poll_at(&seen);
        /* It has subscribed again, and the first event comes later. */
        seen.resubscribed = "2026-01-01T00:00:00.000000Z";
        poll_at(&seen);
        seen.pushed = seen.counter = 120;
        seen.received += 8;
        seen.gaps = 1;
        seen.lost = seen.outage_lost = 12;
        poll_at(&seen);
        assert_found("outage", 12, 20, " on " STREAM ": " SUB "'s connection to " PUB);
        assert_null(found("overflow"));
        /* With the next loss, it is there. */
        seen.pushed = seen.counter = 125;
        seen.received += 3;
        seen.gaps++;
        seen.lost += 2;
        poll_at(&seen);
        assert_found("outage", 12, 20, "lost 12 of 20");
        assert_found("overflow", 2, 5, "lost 2 of 5");
        end(NULL);
        begin(NULL);
    }
}

static void what_an_outage_lost_is_counted_once(void **state)
{
    (void)state;
    system_t seen = in_order(true, 100);
    poll_at(&seen);
    seen.pushed = 150;
    poll_times(&seen, 3);
    assert_found("unnoticed-loss", 50, 150, "lost 50 of 150");
    /* A thread that has something else to do for a moment changes nothing. */
    seen.state = JUST_NOW;
    poll_at(&seen);
    assert_int_equal(found("unnoticed-loss")->state, FINDING_LASTS);
    seen.resubscribed = "2026-01-01T00:00:30.000000Z";
    poll_times(&seen, 2);
    assert_int_equal(found("unnoticed-loss")->state, FINDING_LASTS);
    seen.pushed = seen.counter = 151;
    seen.received++;
    seen.lost = seen.outage_lost = 50;
    poll_at(&seen);
    assert_found("outage", 50, 51, "was down");
    assert_found("unnoticed-loss", 0, 0, "has noticed since then that 50 were lost");
    assert_int_equal(found("unnoticed-loss")->events_in_all, 0);
    assert_int_equal(count_of_run(), 2);
}

/* What the subscriber hadn't read yet went with the connection. */
static void a_publisher_that_ended_with_events_in_the_queue(void **state)
{
    (void)state;
    system_t seen = in_order(true, 100);
    poll_at(&seen);
    seen.pushed = 800;
    poll_at(&seen);
    seen.process = 10;
    seen.pushed = seen.counter = 5;
    seen.received += 5;
    seen.restarts = 1;
    seen.resubscribed = "2026-01-01T00:00:50.500000Z";
    poll_at(&seen);
    assert_found("outage", 700, 705, PUB " ended before " SUB " had received them");
}

static void a_restarted_publisher(void **state)
{
    (void)state;
    for (int agent = 0; agent < 2; agent++) {
        system_t seen = in_order(agent, 100);
        poll_at(&seen);
        seen.process = 10;
        seen.pushed = seen.counter = 20;
        seen.received += 15;
        seen.lost = seen.outage_lost = 5;
        seen.restarts = 1;
        seen.resubscribed = "2026-01-01T00:00:50.500000Z";
        poll_at(&seen);
        assert_found("outage", 5, 20, PUB " was restarted");
        assert_null(found("overflow"));
        if (agent)
            assert_found("publisher-restart", RESPONSE_UNKNOWN, RESPONSE_UNKNOWN, "took 40 s");
        else
            assert_null(found("publisher-restart"));
        end(NULL);
        begin(NULL);
    }
}

static void an_orderly_restart(void **state)
{
    (void)state;
    system_t seen = in_order(true, 100);
    poll_at(&seen);
    seen.process = 10;
    seen.pushed = 0;
    poll_times(&seen, 3);
    seen.pushed = seen.counter = 20;
    seen.received += 20;
    seen.restarts = 1;
    seen.resubscribed = "2026-01-01T00:00:22.500000Z";
    poll_times(&seen, 3);
    assert_int_equal(count_of_run(), 0);
}

static void events_of_a_publisher_that_is_not_connected_again(void **state)
{
    (void)state;
    system_t seen = in_order(true, 100);
    poll_at(&seen);
    seen.process = 10;
    seen.pushed = 7;
    poll_times(&seen, 3);
    assert_found("not-received", 7, 7, "none has reached " SUB " since " PUB " was restarted");
    assert_null(found("unnoticed-loss"));
}

static void events_before_the_first_one(void **state)
{
    (void)state;
    for (int agent = 0; agent < 2; agent++) {
        system_t seen = in_order(agent, 500);
        seen.counter = seen.received = 0;
        poll_at(&seen);
        seen.pushed = 520;
        poll_at(&seen);
        assert_int_equal(count_of_run(), 0);
        seen.pushed = seen.counter = 521;
        seen.received = 1;
        poll_at(&seen);
        assert_found("outage", 20, 21, "pushed before " SUB " was connected to " PUB);
        assert_null(found("overflow"));
        end(NULL);
        begin(NULL);
    }
}

/* ---- duplicates ---- */

static void one_duplicate_comes_with_each_subscription(void **state)
{
    (void)state;
    system_t seen = in_order(false, 100);
    poll_at(&seen);
    for (int i = 0; i < 5; i++) {
        seen.pushed = seen.counter = seen.received += 50;
        seen.discarded += i == 0 ? 40 : 20;
        poll_at(&seen);
    }
    assert_int_equal(count_of_run(), 0);
    for (int i = 0; i < 3; i++) {
        assert_null(found("duplicates"));
        seen.pushed = seen.counter = seen.received += 50;
        seen.discarded += 50;
        poll_at(&seen);
    }
    assert_found("duplicates", 150, 300, "reach " SUB " twice");
    assert_int_equal(found("duplicates")->severity, SEVERITY_WARNING);
}

static void every_second_event_without_a_counter(void **state)
{
    (void)state;
    system_t seen = in_order(false, 100);
    seen.counter = 0;
    for (int i = 0; i < 4; i++) {
        seen.pushed += 100;
        seen.received += 50;
        seen.discarded += 50;
        poll_at(&seen);
    }
    assert_found("duplicates", 150, 300, "discards every second event of " STREAM);
    assert_int_equal(found("duplicates")->severity, SEVERITY_FAULT);
    const finding_t *finding = found("no-counter");
    assert_non_null(finding);
    assert_null(finding->about.stream);
    assert_int_equal(count_of_run(), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_full_queue),
        TEST(whose_fault_it_is),
        TEST(a_publisher_that_nobody_watches),
        TEST(the_end_of_a_burst),
        TEST(the_rate_is_that_of_the_burst),
        TEST(the_end_of_a_burst_before_the_first_poll),
        TEST(what_comes_late_was_not_lost),
        TEST(what_is_on_its_way_is_not_lost),
        TEST(events_on_their_way_are_not_lost),
        TEST(what_waits_for_a_callback),
        TEST(a_connection_that_was_down),
        TEST(what_an_outage_lost_is_counted_once),
        TEST(a_publisher_that_ended_with_events_in_the_queue),
        TEST(a_restarted_publisher),
        TEST(an_orderly_restart),
        TEST(events_of_a_publisher_that_is_not_connected_again),
        TEST(events_before_the_first_one),
        TEST(one_duplicate_comes_with_each_subscription),
        TEST(every_second_event_without_a_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
