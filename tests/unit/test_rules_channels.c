/* What the rules of event channels find, and where they keep silent. */
#include "monitor/analysis/findings/rules_channels.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/reasons.h"
#include "cmocka_all.h"
#include "observing.h"

#define HOST    "tango://h:1/"
#define CHANNEL HOST "dserver/pub/1"
#define PUB     "dserver/Pub/1"
#define SUB     "dserver/sub/1"

static observing_t *observing;

static int begin(void **state)
{
    (void)state;
    observing = observing_new(NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    observing_destroy(&observing);
    return 0;
}

/* The channel, and what comes through it. */
typedef struct {
    int heartbeats;      /* -1: nobody counts them */
    double ago;          /* seconds since the last one; below 0: not told */
    const char *address; /* NULL: 10.0.0.7 */
    int port;            /* of the heartbeats; that of events is one more */
    const char *consumer;
    const char *resubscribed; /* or NULL */
    int received;             /* events */
    int pushed;               /* by the publisher; -1: it isn't watched */
    const char *publisher;    /* its answer, or an error, instead */
} system_t;

static char *time_text(double seconds)
{
    const time_t whole = (time_t)seconds;
    struct tm fields;
    char text[32];
    gmtime_r(&whole, &fields);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &fields);
    return memory_format("'%s.%06d+00:00'", text, (int)((seconds - (double)whole) * 1e6));
}

static char *subscriber_of(const system_t *self, double time)
{
    const char *address = self->address ? self->address : "10.0.0.7";
    char *now = time_text(time);
    char *last = self->heartbeats > 0 && self->ago >= 0 ? time_text(time - self->ago)
                                                        : memory_string("null");
    char *count =
        self->heartbeats >= 0 ? memory_format("%d", self->heartbeats) : memory_string("null");
    char *text = memory_format(
        "{'version': 1, 'agent': {'pid': 7, 'time': %s}, 'client': {'consumer_thread': {%s}, "
        "'event_channels': {'" CHANNEL "': {'endpoint': 'tcp://%s:%d', 'event_endpoint': "
        "'tcp://%s:%d', 'last_heartbeat': %s, 'heartbeat_count': %s, 'missed_heartbeat_count': "
        "0}}, "
        "'event_callbacks': {'" HOST "a/b/c/x.idl5_change': {'channel_name': '" CHANNEL
        "', 'server_counter': %d, 'event_count': %d, 'missed_event_count': 0, "
        "'discarded_event_count': 0, 'lost_event_count': 0, 'outage_lost_event_count': 0, "
        "'publisher_restart_count': 0, 'last_resubscribed': %s}}}}",
        now, self->consumer ? self->consumer : "'state': 'polling', 'state_micros': 1", address,
        self->port, address, self->port + 1, last, count, self->received, self->received,
        self->resubscribed ? self->resubscribed : "null");
    free(count);
    free(last);
    free(now);
    return text;
}

static void poll_once(const system_t *self)
{
    const double time = (double)observing->time + observing->period;
    char *subscriber = subscriber_of(self, time);
    char *publisher =
        self->publisher
            ? memory_string(self->publisher)
            : memory_format(
                  "{'version': 1, 'agent': {'pid': 8}, 'server': {'event_streams': {'" HOST
                  "a/b/c/x.change': {'pushed_event_count': %d}}}}",
                  self->pushed);
    const char *watched[] = {PUB, publisher, SUB, subscriber, NULL};
    observing_poll(observing, self->pushed < 0 && !self->publisher ? watched + 2 : watched);
    free(publisher);
    free(subscriber);
}

/* So many polls, between which no heartbeat comes. */
static void poll_silently(system_t *self, int times)
{
    while (times-- > 0) {
        poll_once(self);
        self->ago += observing->period;
    }
}

static void check(check_kind_t kind, const char *subject, check_outcome_t outcome, const char *text)
{
    const check_t made = {kind, (char *)subject, outcome, (char *)text, {.tv_sec = 1}};
    checks_add(&observing->checks, &made);
}

static const system_t usual = {
    .heartbeats = 5, .ago = 3, .port = 100, .received = 20, .pushed = -1};

static void a_channel_with_heartbeats_is_well(void **state)
{
    (void)state;
    system_t now = usual;
    for (int i = 0; i < 10; i++, now.heartbeats++)
        poll_once(&now);
    /* Polls between which there is no time for a heartbeat, and answers that came late. */
    observing->period = 1;
    for (now.ago = 0; now.ago < 12; now.ago++)
        poll_once(&now);
    size_t count = 0;
    findings_of_run(observing->observation->findings, &count);
    assert_int_equal(count, 0);
}

static void a_silent_channel_is_found_after_a_while(void **state)
{
    (void)state;
    system_t now = usual;
    poll_silently(&now, 4); /* the last one 33 s after the last heartbeat */
    observing_assert_none(observing, "silent-channel");
    poll_silently(&now, 1);
    const finding_t *finding = observing_assert(observing, "silent-channel",
                                                "no heartbeat from " CHANNEL " has reached " SUB
                                                " for 43 s (tcp://10.0.0.7:100)");
    assert_int_equal(finding->severity, SEVERITY_FAULT);
    assert_int_equal(finding->state, FINDING_BEGAN);
    assert_true(observing_has_evidence(finding, "5 heartbeats received"));
    assert_true(observing_has_evidence(finding, "(private address)"));
    assert_true(observing_has_evidence(finding, "isn't watched"));
    poll_silently(&now, 1);
    assert_int_equal(observing_find(observing, "silent-channel")->state, FINDING_LASTS);
    now.heartbeats++;
    now.ago = 1;
    poll_once(&now);
    assert_int_equal(observing_find(observing, "silent-channel")->state, FINDING_ENDED);
}

static void a_silent_channel_is_found_by_a_monitor_that_starts_late(void **state)
{
    (void)state;
    system_t now = usual;
    now.ago = 1000;
    observing->period = 1;
    poll_silently(&now, 12);
    observing_assert_none(observing, "silent-channel"); /* a clock may have been set */
    poll_silently(&now, 1);
    assert_true(finding_seconds(observing_find(observing, "silent-channel")) >= 1000);
}

static void an_old_agent_is_judged_by_its_counts(void **state)
{
    (void)state;
    system_t now = usual;
    now.ago = -1000;
    poll_silently(&now, 4);
    observing_assert_none(observing, "silent-channel");
    poll_silently(&now, 1);
    observing_assert(observing, "silent-channel",
                     "no heartbeat from " CHANNEL " has reached " SUB
                     " for 40 s (tcp://10.0.0.7:100)");
}

static void what_cannot_be_judged_is_not(void **state)
{
    (void)state;
    system_t now = usual;
    /* A callback is the cause, or a subscription that is being made. */
    now.consumer = "'state': 'callbacks', 'topic': 't', 'state_micros': 60000000";
    poll_silently(&now, 6);
    now.consumer = "'state': 'order', 'state_micros': 1, 'delayed_micros': 60000000";
    poll_silently(&now, 6);
    observing_assert_none(observing, "silent-channel");
    /* It was stopped, and hasn't received yet what has come. */
    now = usual;
    poll_once(&now);
    now.ago = 300;
    observing->period = 300;
    poll_once(&now);
    now.heartbeats++;
    now.ago = 0;
    observing->period = 1;
    poll_once(&now);
    observing_assert_none(observing, "silent-channel");
    /* Tango has connected anew: the next heartbeat is still to come. */
    now.ago = 34;
    now.port = 200;
    observing->period = 5;
    poll_silently(&now, 3);
    observing_assert_none(observing, "silent-channel");
    /* Nobody counts. */
    now = usual;
    now.heartbeats = -1;
    poll_silently(&now, 10);
    observing_assert_none(observing, "silent-channel");
    observing_assert_none(observing, "unreachable-endpoint");
}

static void assert_silent(const char *why, severity_t severity)
{
    char *text = memory_format("no heartbeat from " CHANNEL " has reached " SUB " for 43 s%s", why);
    assert_int_equal(observing_assert(observing, "silent-channel", text)->severity, severity);
    free(text);
}

static void checks_say_why(void **state)
{
    (void)state;
    static const struct {
        check_outcome_t device;
        const char *text;
        check_outcome_t endpoint;
        const char *why;
        severity_t severity;
    } cases[] = {
        {CHECK_NOT_RUNNING, "x", CHECK_REFUSED,
         ": the publisher isn't running, or its host can't be reached", SEVERITY_FAULT},
        {CHECK_NOT_RUNNING, REASON_STOPPED, CHECK_REFUSED,
         ": the publisher was stopped, or has another name now", SEVERITY_WARNING},
        {CHECK_NO_NAME, "x", CHECK_GOOD, ": the publisher was stopped, or has another name now",
         SEVERITY_WARNING},
        {CHECK_TIMED_OUT, "x", CHECK_GOOD, ": the publisher runs, but doesn't answer",
         SEVERITY_FAULT},
        {CHECK_GOOD, "x", CHECK_REFUSED,
         ": the publisher answers, but not at its event endpoint (tcp://10.0.0.7:100): text",
         SEVERITY_FAULT},
        {CHECK_GOOD, "x", CHECK_GOOD, ", though the publisher answers (tcp://10.0.0.7:100)",
         SEVERITY_FAULT},
        {CHECK_UNDONE, "x", CHECK_UNDONE, " (tcp://10.0.0.7:100)", SEVERITY_FAULT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        system_t now = usual;
        check(CHECK_DEVICE, CHANNEL, cases[i].device, cases[i].text);
        check(CHECK_ENDPOINT, "tcp://10.0.0.7:100", cases[i].endpoint, "text");
        check(CHECK_ENDPOINT, "tcp://10.0.0.7:101", CHECK_GOOD, "takes connections");
        poll_silently(&now, 5);
        assert_silent(cases[i].why, cases[i].severity);
        end(NULL);
        begin(NULL);
    }
}

static void a_watched_publisher_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        const char *why;
        severity_t severity;
    } cases[] = {
        {"its server is not running or can't be reached",
         ": the publisher isn't running, or its host can't be reached", SEVERITY_FAULT},
        {REASON_STOPPED, ": the publisher was stopped, or has another name now", SEVERITY_WARNING},
        {REASON_NO_COMMAND ": start it with the agent",
         ", though the publisher answers (tcp://10.0.0.7:100)", SEVERITY_FAULT},
        {REASON_NO_DEVICE, ": the publisher was stopped, or has another name now",
         SEVERITY_WARNING},
        {"too many open files", " (tcp://10.0.0.7:100)", SEVERITY_FAULT},
        {"no answer within 3 s", ": the publisher runs, but doesn't answer", SEVERITY_FAULT},
        {"{'version': 1, 'server': {'event_counters': {'" HOST "a/b/c/x.change': 8}}}",
         ", though the publisher answers (tcp://10.0.0.7:100)", SEVERITY_FAULT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        system_t now = usual;
        now.publisher = cases[i].answer;
        poll_silently(&now, 5);
        char *text =
            memory_format("no heartbeat from " PUB " has reached " SUB " for 43 s%s", cases[i].why);
        const finding_t *finding = observing_assert(observing, "silent-channel", text);
        assert_int_equal(finding->severity, cases[i].severity);
        assert_false(observing_has_evidence(finding, "isn't watched"));
        free(text);
        end(NULL);
        begin(NULL);
    }
}

/* Until Tango has had time to connect again, it isn't the endpoint's fault. */
static void a_publisher_that_came_back(void **state)
{
    (void)state;
    static const struct {
        const char *error;
        severity_t severity;
    } cases[] = {{REASON_NOT_RUNNING, SEVERITY_FAULT}, {REASON_STOPPED, SEVERITY_WARNING}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        system_t now = usual;
        now.publisher = cases[i].error;
        poll_silently(&now, 5);
        now.publisher = NULL;
        now.pushed = 0;
        poll_silently(&now, 1);
        const finding_t *finding =
            observing_assert(observing, "silent-channel",
                             "no heartbeat from " PUB " has reached " SUB
                             " for 53 s: the publisher didn't answer until 10 s "
                             "ago, and Tango is still connecting");
        assert_int_equal(finding->severity, cases[i].severity);
        poll_silently(&now, 3);
        finding =
            observing_assert(observing, "silent-channel",
                             "no heartbeat from " PUB " has reached " SUB " for 83 s, though the "
                             "publisher answers (tcp://10.0.0.7:100)");
        assert_int_equal(finding->severity, SEVERITY_FAULT);
        end(NULL);
        begin(NULL);
    }
}

static void a_server_of_the_same_name_elsewhere_is_another_one(void **state)
{
    (void)state;
    system_t now = usual;
    now.publisher =
        "{'version': 1, 'server': {'event_counters': {'tango://h:2/a/b/c/x.change': 8}}}";
    poll_silently(&now, 5);
    observing_assert(observing, "silent-channel",
                     "no heartbeat from " CHANNEL " has reached " SUB
                     " for 43 s (tcp://10.0.0.7:100)");
}

/* ---- channels that never had a heartbeat ---- */

static void an_address_of_the_publishers_host_only(void **state)
{
    (void)state;
    system_t now = usual;
    now.heartbeats = now.received = 0;
    now.pushed = 118;
    now.address = "127.0.0.1";
    poll_silently(&now, 3);
    observing_assert_none(observing, "unreachable-endpoint");
    poll_silently(&now, 1);
    const finding_t *finding =
        observing_assert(observing, "unreachable-endpoint",
                         "no events from " PUB " can reach " SUB
                         " (tcp://127.0.0.1:100: loopback, unreachable from another host)");
    assert_true(observing_has_evidence(finding, "118 events pushed by the publisher, 0 received"));
    observing_assert_none(observing, "silent-channel");
}

/* Tango gives up after 11 s: nobody needs to wait for longer. */
static void an_address_that_tango_has_given_up(void **state)
{
    (void)state;
    system_t now = usual;
    now.heartbeats = now.received = 0;
    now.address = "127.0.0.1";
    now.resubscribed = "'2026-01-01T00:00:00.000000+00:00'";
    poll_silently(&now, 2);
    observing_assert_none(observing, "unreachable-endpoint");
    poll_silently(&now, 1);
    const finding_t *finding = observing_find(observing, "unreachable-endpoint");
    assert_non_null(finding);
    assert_true(observing_has_evidence(finding, "reconnected it at 2026-01-01T00:00:00"));
}

static void an_endpoint_that_refuses(void **state)
{
    (void)state;
    system_t now = usual;
    now.heartbeats = 0;
    check(CHECK_DEVICE, CHANNEL, CHECK_GOOD, "answers");
    check(CHECK_ENDPOINT, "tcp://10.0.0.7:100", CHECK_GOOD, "takes connections");
    check(CHECK_ENDPOINT, "tcp://10.0.0.7:101", CHECK_UNREACHABLE, "No route to host");
    poll_silently(&now, 4);
    observing_assert(observing, "unreachable-endpoint",
                     "no events from " CHANNEL " can reach " SUB
                     ": tcp://10.0.0.7:101: No route to host");
}

static void an_endpoint_that_is_not_to_blame(void **state)
{
    (void)state;
    system_t now = usual;
    now.heartbeats = 0;
    check(CHECK_DEVICE, CHANNEL, CHECK_GOOD, "answers");
    check(CHECK_ENDPOINT, "tcp://10.0.0.7:100", CHECK_GOOD, "takes connections");
    poll_silently(&now, 5);
    observing_assert(observing, "silent-channel",
                     "no heartbeat from " CHANNEL " has reached " SUB
                     " since it connected 40 s ago, though "
                     "the publisher answers (tcp://10.0.0.7:100)");
    observing_assert_none(observing, "unreachable-endpoint");
    /* A publisher that has ended has no endpoint either. */
    end(NULL);
    begin(NULL);
    now.address = "127.0.0.1";
    check(CHECK_DEVICE, CHANNEL, CHECK_NOT_RUNNING, "x");
    check(CHECK_ENDPOINT, "tcp://127.0.0.1:100", CHECK_REFUSED, "connection refused");
    poll_silently(&now, 5);
    observing_assert_none(observing, "unreachable-endpoint");
    assert_non_null(observing_find(observing, "silent-channel"));
}

/* ---- events that don't come though heartbeats do ---- */

static void frozen_events_are_found(void **state)
{
    (void)state;
    system_t now = usual;
    now.pushed = now.received;
    poll_once(&now);
    for (int i = 0; i < 4; i++) {
        observing_assert_none(observing, "frozen-events");
        now.pushed += 10;
        now.heartbeats++;
        poll_once(&now);
    }
    const finding_t *finding = observing_assert(
        observing, "frozen-events",
        "no events from " PUB " reach " SUB
        " any more, though its heartbeats do: 30 pushed on 1 stream since the last one "
        "that arrived");
    assert_int_equal(finding->events, 30);
    now.received = now.pushed;
    poll_once(&now);
    assert_int_equal(observing_find(observing, "frozen-events")->state, FINDING_ENDED);
}

static void slow_or_lost_events_are_not_frozen(void **state)
{
    (void)state;
    system_t now = usual;
    now.pushed = now.received;
    poll_once(&now);
    /* Some come. */
    for (int i = 0; i < 10; i++) {
        now.pushed += 10;
        now.received++;
        now.heartbeats++;
        poll_once(&now);
    }
    observing_assert_none(observing, "frozen-events");
    /* Nothing more is pushed: the end of a burst, which may be lost. */
    for (int i = 0; i < 10; i++) {
        now.heartbeats++;
        poll_once(&now);
    }
    observing_assert_none(observing, "frozen-events");
    /* Nothing at all comes, or can be received. */
    for (int i = 0; i < 10; i++) {
        now.pushed += 10;
        now.ago += observing->period;
        poll_once(&now);
    }
    observing_assert_none(observing, "frozen-events");
    now.ago = 1;
    now.consumer = "'state': 'callbacks', 'topic': 't', 'state_micros': 60000000";
    for (int i = 0; i < 10; i++) {
        now.pushed += 10;
        now.heartbeats++;
        poll_once(&now);
    }
    observing_assert_none(observing, "frozen-events");
}

#define RULES_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULES_TEST(a_channel_with_heartbeats_is_well),
        RULES_TEST(a_silent_channel_is_found_after_a_while),
        RULES_TEST(a_silent_channel_is_found_by_a_monitor_that_starts_late),
        RULES_TEST(an_old_agent_is_judged_by_its_counts),
        RULES_TEST(what_cannot_be_judged_is_not),
        RULES_TEST(checks_say_why),
        RULES_TEST(a_watched_publisher_says_why),
        RULES_TEST(a_publisher_that_came_back),
        RULES_TEST(a_server_of_the_same_name_elsewhere_is_another_one),
        RULES_TEST(an_address_of_the_publishers_host_only),
        RULES_TEST(an_address_that_tango_has_given_up),
        RULES_TEST(an_endpoint_that_refuses),
        RULES_TEST(an_endpoint_that_is_not_to_blame),
        RULES_TEST(frozen_events_are_found),
        RULES_TEST(slow_or_lost_events_are_not_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
