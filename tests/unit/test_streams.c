/* What is counted: published streams, subscribed topics across jumps, duplicates, the wrap of the
 * server counter and restarts, and the effect of control commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/counts/streams.h"
#include "agent/counts/subscriptions.h"
#include "agent/platform/clocks.h"
#include "cmocka_all.h"

#define HOST    "tango://host:10000/"
#define TOPIC   HOST "a/b/c/attr.idl5_change"
#define CHANNEL HOST "dserver/pub/1"

static streams_t streams;

static int setup(void **state)
{
    (void)state;
    streams_init(&streams);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    streams_clear(&streams);
    return 0;
}

static topic_t *topic_named(const char *name)
{
    return streams_topic(&streams, name, strlen(name));
}

/* The operation that control commands belong to, known to the thread that sends them. */
static control_origin_t origin;
static channel_t *operation_channel;

/* A control command, announced by its sender and then served, as it happens in a process. */
static void command(wire_control_code_t code, const char *topic, const char *endpoint)
{
    wire_control_t a_command = {.code = code, .topic = topic, .endpoint = endpoint};
    streams_announce(&streams, &a_command, origin, &operation_channel);
    streams_executed(&streams, &a_command, 1000);
}

static void begin(control_origin_t an_origin)
{
    origin = an_origin;
    operation_channel = NULL;
}

static void subscribe_through(const char *channel_heartbeat, const char *topic, const char *port)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%s", port);
    begin(CONTROL_OF_CLIENT);
    command(WIRE_CONTROL_DELAY_EVENT, NULL, NULL);
    if (channel_heartbeat)
        command(WIRE_CONTROL_CONNECT_HEARTBEAT, channel_heartbeat, "tcp://127.0.0.1:1");
    command(WIRE_CONTROL_CONNECT_EVENT, topic, endpoint);
    command(WIRE_CONTROL_RELEASE_EVENT, NULL, NULL);
}

/* What cppTango commands for a client's subscription, the first of that channel. */
static void subscribe(const char *topic, const char *port)
{
    subscribe_through(CHANNEL ".heartbeat", topic, port);
}

/* What it commands when a client unsubscribes; nothing was connected before that. */
static void unsubscribe(const char *topic, const char *port)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%s", port);
    begin(CONTROL_OF_RECONNECTION);
    command(WIRE_CONTROL_DELAY_EVENT, NULL, NULL);
    command(WIRE_CONTROL_DISCONNECT_EVENT, topic, endpoint);
    command(WIRE_CONTROL_RELEASE_EVENT, NULL, NULL);
}

/* And when the keep-alive thread reconnects a failed channel: only one topic is disconnected, and
 * there is no DELAY_EVENT; one of another thread may come between. */
static void reconnect(const char *first, const char *second, const char *port)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%s", port);
    begin(CONTROL_OF_RECONNECTION);
    command(WIRE_CONTROL_DISCONNECT_HEARTBEAT, CHANNEL ".heartbeat", "tcp://127.0.0.1:1");
    command(WIRE_CONTROL_CONNECT_HEARTBEAT, CHANNEL ".heartbeat", "tcp://127.0.0.1:9");
    command(WIRE_CONTROL_DISCONNECT_EVENT, first, "tcp://127.0.0.1:2");
    wire_control_t of_another = {.code = WIRE_CONTROL_DELAY_EVENT};
    streams_executed(&streams, &of_another, 1000);
    command(WIRE_CONTROL_CONNECT_EVENT, first, endpoint);
    of_another.code = WIRE_CONTROL_RELEASE_EVENT;
    streams_executed(&streams, &of_another, 1000);
    if (second)
        command(WIRE_CONTROL_CONNECT_EVENT, second, endpoint);
}

static topic_view_t view_of(const char *name)
{
    topic_view_t view;
    topic_view(topic_named(name), &view);
    return view;
}

static channel_view_t channel_named(const char *name)
{
    channel_view_t view;
    channel_view((channel_t *)table_find(&streams.channels, name, strlen(name)), &view);
    return view;
}

static topic_result_t receive(const char *name, uint32_t counter)
{
    const topic_event_t event = {.counter = counter, .bytes = 10, .time_ns = 5000 + counter};
    return topic_received(topic_named(name), &event);
}

static void assert_counts(const char *name, uint64_t received, uint64_t missed, uint64_t discarded,
                          uint64_t lost, uint64_t restarts)
{
    topic_view_t view = view_of(name);
    assert_int_equal(view.counts[TOPIC_EVENT_COUNT], received);
    assert_int_equal(view.counts[TOPIC_MISSED_COUNT], missed);
    assert_int_equal(view.counts[TOPIC_DISCARDED_COUNT], discarded);
    assert_int_equal(view.counts[TOPIC_LOST_COUNT], lost);
    assert_int_equal(view.counts[TOPIC_RESTART_COUNT], restarts);
    assert_int_equal(view.counts[TOPIC_BYTE_COUNT], 10 * received);
}

static void a_jump_is_one_miss_and_many_lost(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    for (uint32_t counter = 1; counter <= 10; counter++)
        assert_int_equal(receive(TOPIC, counter), TOPIC_RECEIVED);
    receive(TOPIC, 6524);
    receive(TOPIC, 6525);
    receive(TOPIC, 6527);
    assert_counts(TOPIC, 13, 2, 0, 6513 + 1, 0);
    assert_int_equal(view_of(TOPIC).server_counter, 6527);
    assert_true(view_of(TOPIC).last_event_ns == 5000 + 6527);
}

static void the_duplicate_is_discarded_not_counted(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    assert_int_equal(receive(TOPIC, 1), TOPIC_RECEIVED);
    assert_int_equal(receive(TOPIC, 1), TOPIC_DISCARDED);
    assert_int_equal(receive(TOPIC, 2), TOPIC_RECEIVED);
    assert_counts(TOPIC, 2, 0, 1, 0, 0);
    /* cppTango delivers a third event with the same counter. */
    assert_int_equal(receive(TOPIC, 2), TOPIC_DISCARDED);
    assert_int_equal(receive(TOPIC, 2), TOPIC_RECEIVED);
    assert_counts(TOPIC, 3, 0, 2, 0, 0);
}

/* Events lost while a connection is down are not overflows. */
static void losses_of_an_outage_are_told_apart(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, 1);
    receive(TOPIC, 5); /* an overflow */
    reconnect(TOPIC, NULL, "2");
    assert_int_equal(receive(TOPIC, 5), TOPIC_DISCARDED);
    receive(TOPIC, 16); /* 10 while the connection was down */
    receive(TOPIC, 20); /* an overflow */
    assert_counts(TOPIC, 4, 3, 1, 3 + 10 + 3, 0);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_OUTAGE_LOST_COUNT], 10);

    reconnect(TOPIC, NULL, "3"); /* a new process, whose first two came too early */
    receive(TOPIC, 3);
    receive(TOPIC, 5);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_LOST_COUNT], 16 + 2 + 1);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_OUTAGE_LOST_COUNT], 10 + 2);

    reconnect(TOPIC, NULL, "3"); /* nothing was lost: a later loss isn't an outage's */
    receive(TOPIC, 6);
    receive(TOPIC, 8);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_OUTAGE_LOST_COUNT], 12);

    unsubscribe(TOPIC, "3");
    subscribe(TOPIC, "3");
    assert_int_equal(view_of(TOPIC).counts[TOPIC_OUTAGE_LOST_COUNT], 0);
}

static void a_late_subscriber_has_lost_nothing(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, 5000);
    receive(TOPIC, 5001);
    assert_counts(TOPIC, 2, 0, 0, 0, 0);
}

static void counters_survive_the_wrap(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, UINT32_MAX - 1);
    receive(TOPIC, UINT32_MAX);
    receive(TOPIC, 0);
    receive(TOPIC, 1);
    assert_counts(TOPIC, 4, 0, 0, 0, 0);
    assert_false(view_of(TOPIC).no_server_counter);

    receive(TOPIC, UINT32_MAX); /* not a gap of four billion: it went back by two */
    assert_int_equal(view_of(TOPIC).counts[TOPIC_RESTART_COUNT], 1);
}

static void a_jump_across_the_wrap_is_counted(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, UINT32_MAX - 2);
    receive(TOPIC, 7); /* UINT32_MAX - 1, UINT32_MAX, 0 to 6 are gone */
    assert_counts(TOPIC, 2, 1, 0, 9, 0);
}

static void a_counter_that_starts_again_is_a_restart(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, 1000);
    receive(TOPIC, 1);
    assert_counts(TOPIC, 2, 0, 0, 0, 1);
    receive(TOPIC, 1);
    assert_counts(TOPIC, 2, 0, 1, 0, 1);
    /* A restart whose first three events never arrived. */
    receive(TOPIC, 5000);
    receive(TOPIC, 4);
    assert_counts(TOPIC, 4, 1, 1, 4998 + 3, 2);
}

static void a_new_process_is_a_restart_even_if_its_counter_is_ahead(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, 5);
    reconnect(TOPIC, NULL, "3");
    receive(TOPIC, 101);
    assert_counts(TOPIC, 2, 1, 0, 100, 1);
    assert_true(view_of(TOPIC).last_resubscribed_ns == 1000);
    /* Tango remembers the last counter across reconnections: an equal one of the new process is a
       duplicate to it, so that no callback sees that event. It is one of the 101 that are lost. */
    reconnect(TOPIC, NULL, "4");
    assert_int_equal(receive(TOPIC, 101), TOPIC_DISCARDED);
    assert_counts(TOPIC, 2, 1, 1, 100, 1);
    assert_int_equal(receive(TOPIC, 102), TOPIC_RECEIVED);
    assert_counts(TOPIC, 3, 1, 1, 201, 2);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_OUTAGE_LOST_COUNT], 201);
    /* Sent twice, as to every new subscriber, the second one is delivered. */
    reconnect(TOPIC, NULL, "5");
    assert_int_equal(receive(TOPIC, 102), TOPIC_DISCARDED);
    assert_int_equal(receive(TOPIC, 102), TOPIC_RECEIVED);
    assert_counts(TOPIC, 4, 1, 2, 302, 3);
}

static void a_publisher_that_restarts_before_its_first_event_is_seen(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    reconnect(TOPIC, NULL, "3");
    receive(TOPIC, 4); /* the new process counted three before it was connected */
    receive(TOPIC, 5);
    assert_counts(TOPIC, 2, 0, 0, 3, 1);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_OUTAGE_LOST_COUNT], 3);
}

static void a_connection_made_anew_to_the_same_process_is_no_restart(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, 5);
    reconnect(TOPIC, NULL, "2");
    receive(TOPIC, 9);
    assert_counts(TOPIC, 2, 1, 0, 3, 0);
}

static void a_reconnection_keeps_the_counts_of_all_topics(void **state)
{
    (void)state;
    const char *other = HOST "a/b/c/other.idl5_change";
    subscribe(TOPIC, "2");
    subscribe_through(NULL, other, "2");
    receive(TOPIC, 7);
    receive(other, 7);
    reconnect(TOPIC, other, "3");
    receive(TOPIC, 1);
    receive(other, 1);
    assert_counts(TOPIC, 2, 0, 0, 0, 1);
    assert_counts(other, 2, 0, 0, 0, 1);
}

static topic_result_t receive_comparing_zeros(const char *name, uint32_t counter, bool is_error)
{
    const topic_event_t event = {.counter = counter,
                                 .is_error = is_error,
                                 .compares_zeros = true,
                                 .bytes = 10,
                                 .time_ns = 5000 + counter};
    return topic_received(topic_named(name), &event);
}

static void half_of_the_events_without_a_counter_are_discarded_by_newer_tangos(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(receive_comparing_zeros(TOPIC, 0, false), TOPIC_DISCARDED);
        assert_int_equal(receive_comparing_zeros(TOPIC, 0, false), TOPIC_RECEIVED);
    }
    assert_counts(TOPIC, 100, 0, 100, 0, 0);
    assert_true(view_of(TOPIC).no_server_counter);

    /* Older ones deliver all. */
    subscribe(TOPIC, "2");
    for (int i = 0; i < 100; i++)
        assert_int_equal(receive(TOPIC, 0), TOPIC_RECEIVED);
    assert_counts(TOPIC, 100, 0, 0, 0, 0);

    /* And a counter that wraps is like any other. */
    subscribe(TOPIC, "2");
    for (uint32_t counter = UINT32_MAX - 2; counter != 3; counter++)
        assert_int_equal(receive_comparing_zeros(TOPIC, counter, false), TOPIC_RECEIVED);
    assert_counts(TOPIC, 6, 0, 0, 0, 0);
    assert_false(view_of(TOPIC).no_server_counter);
}

static void without_a_baseline_a_reconnection_leaves_losses_unknown(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, 21);
    assert_false(view_of(TOPIC).unbased); /* a new subscription says nothing about earlier events */

    subscribe(TOPIC, "2");
    reconnect(TOPIC, NULL, "2");
    assert_true(view_of(TOPIC).unbased);
    receive(TOPIC, 21);
    assert_true(view_of(TOPIC).unbased);
    receive(TOPIC, 25);
    assert_true(view_of(TOPIC).unbased);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_LOST_COUNT], 3); /* at least */

    /* The stream's first event: none was pushed before. */
    subscribe(TOPIC, "2");
    reconnect(TOPIC, NULL, "2");
    receive(TOPIC, 1);
    assert_false(view_of(TOPIC).unbased);

    /* The first event of another process says nothing about what the old one pushed. */
    subscribe(TOPIC, "2");
    reconnect(TOPIC, NULL, "2");
    reconnect(TOPIC, NULL, "3");
    receive(TOPIC, 1);
    assert_true(view_of(TOPIC).unbased);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_RESTART_COUNT], 1);

    /* Nor does one with a counter say what was lost while there was none. */
    subscribe(TOPIC, "2");
    receive(TOPIC, 0);
    assert_false(view_of(TOPIC).unbased);
    receive(TOPIC, 5);
    assert_false(view_of(TOPIC).no_server_counter);
    assert_true(view_of(TOPIC).unbased);

    /* An unknown port is not another port. */
    subscribe(TOPIC, "2");
    receive(TOPIC, 10);
    begin(CONTROL_OF_RECONNECTION);
    command(WIRE_CONTROL_CONNECT_EVENT, TOPIC, "tcp://127.0.0.1");
    receive(TOPIC, 12);
    assert_counts(TOPIC, 2, 1, 0, 1, 0);

    /* With a baseline, the counter shows it. */
    subscribe(TOPIC, "2");
    receive(TOPIC, 1);
    reconnect(TOPIC, NULL, "2");
    assert_false(view_of(TOPIC).unbased);
    receive(TOPIC, 4);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_LOST_COUNT], 2);
    assert_false(view_of(TOPIC).unbased);
}

static void events_that_are_errors_are_told_apart(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, 1);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_ERROR_COUNT], 0);
    assert_true(view_of(TOPIC).last_error_event_ns == CLOCK_NEVER);
    receive_comparing_zeros(TOPIC, 2, true);
    receive_comparing_zeros(TOPIC, 2, true); /* a duplicate, which nobody sees */
    receive(TOPIC, 3);
    assert_counts(TOPIC, 3, 0, 1, 0, 0);
    assert_int_equal(view_of(TOPIC).counts[TOPIC_ERROR_COUNT], 1);
    assert_true(view_of(TOPIC).last_error_event_ns == 5002);
    subscribe(TOPIC, "2");
    assert_int_equal(view_of(TOPIC).counts[TOPIC_ERROR_COUNT], 0);
    assert_true(view_of(TOPIC).last_error_event_ns == CLOCK_NEVER);
}

/* ---- names that nobody subscribed to ---- */

static void a_longer_name_than_that_of_a_subscription_is_not_added(void **state)
{
    (void)state;
    char name[128];
    subscribe(TOPIC, "2");
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "%s%d", TOPIC, i);
        assert_null(topic_named(name));
    }
    assert_null(topic_named(HOST "x/y/z/attr.idl5_change"));
    assert_int_equal(atomic_load(&streams.topics.count), 1);
    assert_int_equal(atomic_load(&streams.unknown_topic_count), 100001);
    assert_non_null(topic_named(TOPIC));
}

static void topics_from_before_the_agent_are_adopted_unless_they_may_be_made_up(void **state)
{
    (void)state;
    char name[128];
    /* Before that, nobody subscribed to this name, and events of it come. */
    assert_non_null(topic_named(TOPIC));
    assert_int_equal(receive(TOPIC, 7), TOPIC_RECEIVED);
    assert_null(topic_named(TOPIC "x"));
    assert_null(topic_named(TOPIC ".idl5_change"));
    assert_null(topic_named(HOST "x/y/z/attr.idl5_change-made-up"));
    assert_null(topic_named(HOST "x/y/z/attr.idl5_change/b.change"));
    assert_non_null(topic_named(HOST "x/y/z/attr.idl5_change"));
    assert_non_null(topic_named(HOST "x/y/z/attr#dbase=no.alarm"));
    assert_non_null(topic_named(HOST "x/y/z.idl5_intr_change"));
    assert_int_equal(atomic_load(&streams.topics.count), 4);
    for (int i = 0; i < STREAMS_ADOPTED_LIMIT; i++) {
        snprintf(name, sizeof name, "%sa/b/c/%d.idl5_change", HOST, i);
        topic_named(name);
    }
    assert_int_equal(atomic_load(&streams.topics.count), STREAMS_ADOPTED_LIMIT);

    /* From a client's first subscription on there can't be any more. */
    streams_clear(&streams);
    assert_non_null(topic_named(TOPIC));
    reconnect(TOPIC, NULL, "2");
    assert_non_null(topic_named(HOST "a/b/c/2.idl5_change"));
    subscribe(HOST "a/b/c/3.idl5_change", "2");
    assert_null(topic_named(HOST "a/b/c/4.idl5_change"));
}

/* ---- an agent that came late, or was away ---- */

static int64_t clock_error_s; /* of the clock that people set */

static void heartbeat(int64_t seconds)
{
    const char *topic = CHANNEL ".heartbeat";
    streams_heartbeat(&streams, topic, strlen(topic), (seconds + clock_error_s) * 1000000000,
                      seconds * 1000000000);
}

static void a_late_agent_adopts_also_after_a_client_has_subscribed(void **state)
{
    (void)state;
    streams_join_late(&streams);
    subscribe(HOST "a/b/c/new.idl5_change", "2");
    assert_int_equal(view_of(HOST "a/b/c/new.idl5_change").callback_count, 0);
    assert_int_equal(receive(TOPIC, 1000), TOPIC_RECEIVED);
    assert_int_equal(receive(TOPIC, 1003), TOPIC_RECEIVED);
    assert_counts(TOPIC, 2, 1, 0, 2, 0);
    assert_int_equal(view_of(TOPIC).callback_count, TOPIC_CALLBACKS_UNKNOWN);
    assert_null(view_of(TOPIC).channel);
    assert_null(topic_named(TOPIC "x"));
}

static void a_late_agent_adopts_channels_with_their_heartbeats(void **state)
{
    (void)state;
    static const char longer[] = CHANNEL ".heartbeat.heartbeat";
    heartbeat(1);
    assert_int_equal(atomic_load(&streams.channels.count), 0);
    streams_join_late(&streams);
    heartbeat(10);
    heartbeat(37);
    assert_true(channel_named(CHANNEL).connected);
    assert_string_equal(channel_named(CHANNEL).endpoint, "");
    assert_int_equal(channel_named(CHANNEL).heartbeat_count, 2);
    assert_int_equal(channel_named(CHANNEL).missed_heartbeat_count, 2);
    streams_heartbeat(&streams, longer, strlen(longer), 1, 1);
    assert_int_equal(atomic_load(&streams.channels.count), 1);
    /* A reconnection shows its endpoint. */
    reconnect(TOPIC, CHANNEL ".heartbeat", "3");
    assert_string_equal(channel_named(CHANNEL).endpoint, "tcp://127.0.0.1:9");
}

/* Whether it is listed; unlike an event, this changes nothing. */
static bool is_listed(const char *name)
{
    topic_view_t view;
    topic_view(streams_known_topic(&streams, name, strlen(name)), &view);
    return view.subscribed;
}

static void after_a_while_without_watching_everything_begins_anew(void **state)
{
    (void)state;
    const char *gone = HOST "a/b/c/gone.idl5_change";
    subscribe(TOPIC, "2");
    subscribe(gone, "2");
    topic_callback_added(topic_named(TOPIC));
    receive(TOPIC, 1);
    receive(TOPIC, 3);
    heartbeat(10);
    streams_join_late(&streams);
    assert_false(is_listed(TOPIC));
    assert_false(channel_named(CHANNEL).connected);

    /* What was pushed and what was due meanwhile isn't lost. */
    assert_int_equal(receive(TOPIC, 500), TOPIC_RECEIVED);
    assert_int_equal(receive(TOPIC, 501), TOPIC_RECEIVED);
    assert_counts(TOPIC, 2, 0, 0, 0, 0);
    assert_true(view_of(TOPIC).subscribed);
    assert_int_equal(view_of(TOPIC).callback_count, TOPIC_CALLBACKS_UNKNOWN);
    heartbeat(1000);
    assert_true(channel_named(CHANNEL).connected);
    assert_int_equal(channel_named(CHANNEL).heartbeat_count, 1);
    assert_int_equal(channel_named(CHANNEL).missed_heartbeat_count, 0);
    assert_string_equal(channel_named(CHANNEL).endpoint, "");
    /* Unsubscribed meanwhile: nothing comes. */
    assert_false(is_listed(gone));
}

static void after_a_while_without_watching_a_reconnection_has_no_baseline(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, 1);
    heartbeat(10);
    streams_join_late(&streams);
    reconnect(TOPIC, CHANNEL ".heartbeat", "3");
    assert_true(view_of(TOPIC).unbased);
    receive(TOPIC, 500);
    assert_counts(TOPIC, 1, 0, 0, 0, 0);
    heartbeat(1000);
    assert_int_equal(channel_named(CHANNEL).missed_heartbeat_count, 0);
    /* A new subscription is counted as ever. */
    subscribe(TOPIC, "3");
    assert_int_equal(view_of(TOPIC).callback_count, 0);
    assert_false(view_of(TOPIC).unbased);
}

static void with_several_hosts_the_name_of_another_one_is_the_same_topic(void **state)
{
    (void)state;
    static const char other[] = "tango://other:10000/a/b/c/attr.idl5_change";
    subscribe(TOPIC, "2");
    assert_null(topic_named(other));
    streams.several_hosts = true;
    subscribe("tango://other:10000/x/y/z/attr.idl5_change", "2");
    subscribe(TOPIC, "2");
    assert_ptr_equal(topic_named(other), topic_named(TOPIC));
    assert_null(topic_named("tango://other:10000/a/b/c/attr.idl5_changed"));
    assert_null(topic_named("tango://other:10000/x/a/b/c/attr.idl5_change"));
    assert_null(topic_named("tango://other:10000"));
    /* With two, it isn't known which. */
    subscribe("tango://third:10000/a/b/c/attr.idl5_change", "2");
    assert_null(topic_named(other));
}

static void a_new_subscription_counts_from_zero(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    receive(TOPIC, 1);
    receive(TOPIC, 5);
    unsubscribe(TOPIC, "2");
    assert_false(view_of(TOPIC).subscribed);
    assert_int_equal(receive(TOPIC, 6), TOPIC_IGNORED);
    subscribe(TOPIC, "2");
    assert_true(view_of(TOPIC).subscribed);
    assert_counts(TOPIC, 0, 0, 0, 0, 0);
    assert_true(view_of(TOPIC).last_resubscribed_ns == CLOCK_NEVER);
    receive(TOPIC, 50);
    assert_counts(TOPIC, 1, 0, 0, 0, 0);
}

static void a_disconnection_is_understood_whatever_it_calls_the_topic(void **state)
{
    (void)state;
    const char *no_database = HOST "a/b/c/attr#dbase=no.idl5_change";
    subscribe(no_database, "2");
    unsubscribe(HOST "a/b/c#dbase=no/attr.idl5_change", "2");
    assert_false(view_of(no_database).subscribed);

    subscribe(TOPIC, "2");
    unsubscribe("tango://host.example.org:10000/a/b/c/attr.idl5_change", "2");
    assert_false(view_of(TOPIC).subscribed);

    unsubscribe(HOST "nobody/knows/this/one.idl5_change", "2"); /* nothing happens */
}

static void channels_are_tied_to_their_topics(void **state)
{
    (void)state;
    const char *second = HOST "a/b/c/second.idl5_change";
    const char *elsewhere = HOST "x/y/z/attr.idl5_change";
    subscribe(TOPIC, "2");
    subscribe_through(NULL, second, "2"); /* the channel is there */
    subscribe_through(HOST "dserver/pub/2.heartbeat", elsewhere, "8");
    assert_string_equal(view_of(TOPIC).channel->entry.name, CHANNEL);
    assert_string_equal(view_of(second).channel->entry.name, CHANNEL);
    assert_string_equal(view_of(elsewhere).channel->entry.name, HOST "dserver/pub/2");

    channel_view_t view;
    channel_view((channel_t *)table_find(&streams.channels, CHANNEL, strlen(CHANNEL)), &view);
    assert_true(view.connected);
    assert_string_equal(view.endpoint, "tcp://127.0.0.1:1");
    assert_string_equal(view.event_endpoint, "tcp://127.0.0.1:2");

    command(WIRE_CONTROL_DISCONNECT_HEARTBEAT, CHANNEL ".heartbeat", "tcp://127.0.0.1:1");
    channel_view((channel_t *)table_find(&streams.channels, CHANNEL, strlen(CHANNEL)), &view);
    assert_false(view.connected);
}

static void a_reconnection_does_not_lend_its_channel_to_the_next_subscription(void **state)
{
    (void)state;
    const char *elsewhere = HOST "x/y/z/attr.idl5_change";
    const char *other = HOST "x/y/z/other.idl5_change";
    subscribe(TOPIC, "2");
    subscribe_through(HOST "dserver/pub/2.heartbeat", elsewhere, "8");
    reconnect(TOPIC, NULL, "3");
    subscribe_through(NULL, other, "8");
    assert_string_equal(view_of(other).channel->entry.name, HOST "dserver/pub/2");
    assert_string_equal(channel_named(CHANNEL).event_endpoint, "tcp://127.0.0.1:3");
}

static void devices_of_one_name_are_told_apart_by_their_ports(void **state)
{
    (void)state;
    const char *first = "tango://vm:15236/a/b/c/attr#dbase=no.idl5_change";
    const char *second = "tango://vm:24555/a/b/c/attr#dbase=no.idl5_change";
    subscribe(first, "2");
    subscribe(second, "3");
    unsubscribe("tango://127.0.0.1:15236/a/b/c#dbase=no/attr.idl5_change", "2");
    assert_false(view_of(first).subscribed);
    assert_true(view_of(second).subscribed);
}

static void a_topic_from_before_the_agent_is_counted(void **state)
{
    (void)state;
    receive(TOPIC, 100);
    receive(TOPIC, 102);
    assert_true(view_of(TOPIC).subscribed);
    assert_null(view_of(TOPIC).channel);
    assert_counts(TOPIC, 2, 1, 0, 1, 0);
}

static void without_server_counters_losses_are_unknown(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    assert_false(view_of(TOPIC).no_server_counter);
    for (int i = 0; i < 4; i++)
        assert_int_equal(receive(TOPIC, 0), TOPIC_RECEIVED); /* cppTango discards none of them */
    assert_counts(TOPIC, 4, 0, 0, 0, 0);
    assert_true(view_of(TOPIC).no_server_counter);
    receive(TOPIC, 1);
    receive(TOPIC, 3);
    assert_false(view_of(TOPIC).no_server_counter);
    assert_counts(TOPIC, 6, 1, 0, 1, 0);
}

/* ---- channels and the consumer thread ---- */

static void a_clock_that_is_set_misses_no_heartbeat(void **state)
{
    (void)state;
    subscribe(TOPIC, "2");
    heartbeat(10);
    clock_error_s = 3600;
    heartbeat(20);
    clock_error_s = 0;
    heartbeat(30);
    assert_int_equal(channel_named(CHANNEL).heartbeat_count, 3);
    assert_int_equal(channel_named(CHANNEL).missed_heartbeat_count, 0);
}

static void what_the_consumer_thread_refuses_changes_nothing(void **state)
{
    (void)state;
    const char *refused = HOST "a/b/c/refused.idl5_change";
    subscribe(TOPIC, "2");
    receive(TOPIC, 1);
    begin(CONTROL_OF_RECONNECTION);
    const wire_control_t commands[] = {
        {.code = WIRE_CONTROL_CONNECT_HEARTBEAT,
         .topic = CHANNEL ".heartbeat",
         .endpoint = "tcp://127.0.0.1:9"},
        {.code = WIRE_CONTROL_DISCONNECT_EVENT, .topic = TOPIC, .endpoint = "tcp://127.0.0.1:2"},
        {.code = WIRE_CONTROL_CONNECT_EVENT, .topic = TOPIC, .endpoint = "bogus"},
        {.code = WIRE_CONTROL_CONNECT_EVENT, .topic = refused, .endpoint = "bogus"},
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        streams_announce(&streams, &commands[i], origin, &operation_channel);
        streams_refused(&streams, &commands[i]);
    }
    assert_string_equal(channel_named(CHANNEL).endpoint, "tcp://127.0.0.1:1");
    assert_false(view_of(refused).subscribed);
    assert_true(view_of(TOPIC).subscribed);
    /* Nor is an announcement kept for the next command. */
    subscribe(TOPIC, "2");
    assert_counts(TOPIC, 0, 0, 0, 0, 0);
}

static void missing_heartbeats_are_counted(void **state)
{
    (void)state;
    heartbeat(5); /* of a channel that isn't known */
    subscribe(TOPIC, "2");
    assert_int_equal(channel_named(CHANNEL).heartbeat_count, 0);
    heartbeat(10);
    heartbeat(10); /* the first one is sent twice, too */
    heartbeat(19);
    heartbeat(34); /* late by 6 s */
    heartbeat(37);
    assert_int_equal(channel_named(CHANNEL).heartbeat_count, 5);
    assert_int_equal(channel_named(CHANNEL).missed_heartbeat_count, 0);
    assert_true(channel_named(CHANNEL).last_heartbeat_ns == INT64_C(37000000000));
    heartbeat(55); /* that at 46 did not come */
    assert_int_equal(channel_named(CHANNEL).missed_heartbeat_count, 1);
    reconnect(TOPIC, NULL, "3");
    heartbeat(118);
    assert_int_equal(channel_named(CHANNEL).missed_heartbeat_count, 1 + 6);

    /* A new connection starts from zero. */
    unsubscribe(TOPIC, "3");
    command(WIRE_CONTROL_DISCONNECT_HEARTBEAT, CHANNEL ".heartbeat", "tcp://127.0.0.1:9");
    subscribe(TOPIC, "4");
    heartbeat(900);
    assert_int_equal(channel_named(CHANNEL).heartbeat_count, 1);
    assert_int_equal(channel_named(CHANNEL).missed_heartbeat_count, 0);
}

static consumer_view_t consumer_at(int64_t now_ns)
{
    consumer_view_t view;
    assert_true(consumer_view(&streams.consumer, &view, now_ns));
    return view;
}

static void the_consumer_thread_is_seen_at_work(void **state)
{
    (void)state;
    consumer_view_t none;
    assert_false(consumer_view(&streams.consumer, &none, 0));
    topic_t *topic = topic_named(TOPIC);
    topic_t *slow = topic_named(HOST "a/b/c/slow.change");

    consumer_enters(&streams.consumer, CONSUMER_POLLING, NULL, 100);
    assert_int_equal(consumer_at(200).thread_id, gettid());
    assert_null(consumer_at(200).longest_topic);
    consumer_enters(&streams.consumer, CONSUMER_CALLBACKS, topic, 1000);
    assert_int_equal(consumer_at(1500).state, CONSUMER_CALLBACKS);
    assert_ptr_equal(consumer_at(1500).topic, topic);
    assert_true(consumer_at(1500).since_ns == 1000);
    assert_true(consumer_at(1500).longest_ns == 500);
    consumer_enters(&streams.consumer, CONSUMER_POLLING, NULL, 1600);
    consumer_enters(&streams.consumer, CONSUMER_CALLBACKS, slow, 2000);
    consumer_enters(&streams.consumer, CONSUMER_CONTROL, NULL, 5000);
    consumer_enters(&streams.consumer, CONSUMER_CALLBACKS, topic, 6000);
    consumer_enters(&streams.consumer, CONSUMER_POLLING, NULL, 6001);
    assert_true(consumer_at(9000).longest_ns == 3000);
    assert_ptr_equal(consumer_at(9000).longest_topic, slow);
    assert_null(consumer_at(9000).topic);
}

static void events_wait_between_delay_and_release(void **state)
{
    (void)state;
    consumer_enters(&streams.consumer, CONSUMER_POLLING, NULL, 100);
    assert_false(consumer_at(0).delayed);
    command(WIRE_CONTROL_DELAY_EVENT, NULL, NULL);
    assert_true(consumer_at(0).delayed);
    assert_true(consumer_at(0).delayed_since_ns > 0);
    command(WIRE_CONTROL_DELAY_EVENT, NULL, NULL);
    command(WIRE_CONTROL_RELEASE_EVENT, NULL, NULL);
    assert_true(consumer_at(0).delayed);
    command(WIRE_CONTROL_RELEASE_EVENT, NULL, NULL);
    assert_false(consumer_at(0).delayed);
    command(WIRE_CONTROL_RELEASE_EVENT, NULL, NULL); /* one too many, as cppTango allows */
    command(WIRE_CONTROL_DELAY_EVENT, NULL, NULL);
    assert_true(consumer_at(0).delayed);
}

/* ---- callbacks ---- */

static void callbacks_are_counted_per_topic(void **state)
{
    (void)state;
    subscriptions_t subscriptions = SUBSCRIPTIONS_INITIALIZER;
    receive(HOST "a/b/c/early.idl5_change", 1);
    assert_true(view_of(HOST "a/b/c/early.idl5_change").callback_count == TOPIC_CALLBACKS_UNKNOWN);

    subscribe(TOPIC, "2");
    assert_int_equal(view_of(TOPIC).callback_count, 0);
    subscriptions_connected(&subscriptions, 7, topic_named(TOPIC));
    subscriptions_connected(&subscriptions, 9, topic_named(TOPIC));
    subscriptions_connected(&subscriptions, 9, topic_named(TOPIC)); /* once more: the same */
    assert_int_equal(view_of(TOPIC).callback_count, 2);
    reconnect(TOPIC, NULL, "3");
    assert_int_equal(view_of(TOPIC).callback_count, 2);
    subscriptions_removed(&subscriptions, 7);
    subscriptions_removed(&subscriptions, 7);
    subscriptions_removed(&subscriptions, 12345);
    assert_int_equal(view_of(TOPIC).callback_count, 1);
    subscriptions_clear(&subscriptions);
}

/* Tango has unsubscribed the last callback, but before we hear of it, another thread subscribes. */
static void a_callback_that_goes_is_not_taken_from_a_new_subscription(void **state)
{
    (void)state;
    subscriptions_t subscriptions = SUBSCRIPTIONS_INITIALIZER;
    subscribe(TOPIC, "2");
    subscriptions_connected(&subscriptions, 1, topic_named(TOPIC));
    subscriptions_connected(&subscriptions, 2, topic_named(TOPIC));
    subscriptions_removed(&subscriptions, 2);
    unsubscribe(TOPIC, "2");
    subscribe(TOPIC, "2");
    subscriptions_connected(&subscriptions, 3, topic_named(TOPIC));
    subscriptions_removed(&subscriptions, 1);
    assert_int_equal(view_of(TOPIC).callback_count, 1);
    subscriptions_connected(&subscriptions, 4, topic_named(TOPIC));
    assert_int_equal(view_of(TOPIC).callback_count, 2);
    subscriptions_removed(&subscriptions, 4);
    subscriptions_removed(&subscriptions, 3);
    assert_int_equal(view_of(TOPIC).callback_count, 0);
    subscriptions_clear(&subscriptions);
}

static void what_is_not_connected_is_listed_until_it_is(void **state)
{
    (void)state;
    subscriptions_t subscriptions = SUBSCRIPTIONS_INITIALIZER;
    const subscription_target_t target = {"a/b/c", "attr", "change"};
    const subscription_target_t other = {"x/y/z", "attr", "archive"};
    subscriptions_not_connected(&subscriptions, 5, &target, 100);
    subscriptions_not_connected(&subscriptions, 2, &other, 100);
    subscriptions_tried_again(&subscriptions, 5, 300);
    size_t count;
    not_connected_t *list = subscriptions_list_not_connected(&subscriptions, &count);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].target.device, "x/y/z");
    assert_string_equal(list[1].target.device, "a/b/c");
    assert_true(list[0].last_try_ns == 100 && list[1].last_try_ns == 300);
    free(list);

    subscribe(TOPIC, "2");
    subscriptions_connected(&subscriptions, 5, topic_named(TOPIC));
    assert_int_equal(view_of(TOPIC).callback_count, 1);
    subscriptions_removed(&subscriptions, 2);
    assert_null(subscriptions_list_not_connected(&subscriptions, &count));
    assert_int_equal(count, 0);
    subscriptions_clear(&subscriptions);
}

static void topics_are_found_by_what_their_client_calls_them(void **state)
{
    (void)state;
    const char *no_database = HOST "a/b/d/attr#dbase=no.idl5_change";
    const char *of_device = HOST "a/b/c.intr_change";
    subscribe(TOPIC, "2");
    subscribe(no_database, "3");
    subscribe(of_device, "2");
    assert_ptr_equal(streams_find_topic(&streams, "a/B/c", "Attr", "idl5_change"),
                     topic_named(TOPIC));
    assert_ptr_equal(streams_find_topic(&streams, "a/b/d", "attr", "idl5_change"),
                     topic_named(no_database));
    assert_ptr_equal(streams_find_topic(&streams, "a/b/c", "", "intr_change"),
                     topic_named(of_device));
    assert_null(streams_find_topic(&streams, "a/b/c", "attr", "idl5_archive"));
    assert_int_equal(view_of(TOPIC).callback_count, 0);

    /* Of two on different Tango hosts it isn't known which one is meant, and so not how many
       callbacks each has. */
    const char *elsewhere = "tango://other:10000/a/b/d/attr.idl5_change";
    subscribe(elsewhere, "5");
    assert_null(streams_find_topic(&streams, "a/b/d", "attr", "idl5_change"));
    assert_true(view_of(elsewhere).callback_count == TOPIC_CALLBACKS_UNKNOWN);
    assert_true(view_of(no_database).callback_count == TOPIC_CALLBACKS_UNKNOWN);
    unsubscribe(TOPIC, "2");
    assert_null(streams_find_topic(&streams, "a/b/c", "attr", "idl5_change"));
}

/* ---- publishing ---- */

static stream_t *published(const char *name)
{
    return streams_published(&streams, name, strlen(name));
}

static bool pushed_of(const char *name, stream_view_t *view)
{
    return stream_view(published(name), view);
}

static push_call_t unwatched;

static void pushed_events_are_counted_once(void **state)
{
    (void)state;
    stream_t *stream = published("s.change");
    stream_view_t view;
    assert_false(stream_view(stream, &view));
    stream_subscribed(stream, &streams.published, 1000);
    assert_true(stream_view(stream, &view));
    assert_int_equal(view.pushed_event_count, 0);
    for (uint32_t counter = 1; counter <= 5; counter++) {
        stream_pushed(stream, &streams.published, counter, &unwatched, 100, 77);
        stream_pushed(stream, &streams.published, counter, &unwatched, 100, 77); /* the copy */
    }
    assert_true(pushed_of("s.change", &view));
    assert_int_equal(view.pushed_event_count, 5);
    assert_int_equal(view.byte_count, 500);
    assert_true(view.last_event_ns == 77);
}

static void the_pushed_count_goes_on_behind_the_wrap(void **state)
{
    (void)state;
    stream_t *stream = published("s.change");
    stream_view_t view;
    stream_pushed(stream, &streams.published, UINT32_MAX - 1, &unwatched, 1, 1);
    stream_pushed(stream, &streams.published, UINT32_MAX, &unwatched, 1, 1);
    stream_pushed(stream, &streams.published, 0, &unwatched, 1, 1);
    stream_pushed(stream, &streams.published, 1, &unwatched, 1, 1);
    assert_true(pushed_of("s.change", &view));
    assert_true(view.pushed_event_count == (uint64_t)UINT32_MAX + 2);
}

static void a_stream_that_nobody_subscribed_to_is_not_shown(void **state)
{
    (void)state;
    stream_view_t view;
    stream_pushed(published("s.change"), &streams.published, 0, &unwatched, 1, 1);
    assert_false(pushed_of("s.change", &view));
    assert_int_equal(view.pushed_event_count, 0);
}

/* cppTango stops pushing a stream 600 s after the last confirmation of a subscription. */
static void a_stream_that_nobody_listens_to_any_more_is_told(void **state)
{
    (void)state;
    const int64_t second = 1000000000;
    const char *attr = HOST "a/b/c/attr.change";
    const char *without_database = HOST "a/b/c/other#dbase=no.change";
    const char *device = HOST "a/b/c.intr_change";
    stream_view_t view;
    stream_subscribed(published(attr), &streams.published, 1000 * second);
    stream_subscribed(published(without_database), &streams.published, 1000 * second);
    stream_subscribed(published(device), &streams.published, 1000 * second);
    assert_true(pushed_of(attr, &view));
    assert_int_equal(view.pushed_event_count, 0);
    assert_int_equal(stream_listeners(&view, 1599 * second), LISTENERS_SOME);
    assert_int_equal(stream_listeners(&view, 1600 * second), LISTENERS_NONE);

    streams_confirmed(&streams, "a/B/c", "Attr", "idl5_change", 1500 * second);
    streams_confirmed(&streams, "a/b/c", "other", "idl5_change", 1501 * second);
    streams_confirmed(&streams, "a/b/c", "", "idl5_intr_change", 1502 * second);
    streams_confirmed(&streams, "a/b/c", "attr", "idl5_archive", 1503 * second);
    streams_confirmed(&streams, "x/y/z", "attr", "idl5_change", 1503 * second);
    pushed_of(attr, &view);
    assert_true(view.last_subscription_ns == 1500 * second);
    pushed_of(without_database, &view);
    assert_true(view.last_subscription_ns == 1501 * second);
    pushed_of(device, &view);
    assert_true(view.last_subscription_ns == 1502 * second);
    assert_int_equal(atomic_load(&streams.published.streams.count), 3);

    /* Subscribed before the agent came. */
    stream_t *early = published(HOST "a/b/c/early.change");
    stream_pushed(early, &streams.published, 7, &(push_call_t){0}, 10, 1);
    assert_true(stream_view(early, &view));
    assert_int_equal(stream_listeners(&view, 1600 * second), LISTENERS_UNKNOWN);
}

static void streams_without_counters_are_counted_by_calls(void **state)
{
    (void)state;
    const char *sent = HOST "a/b/c/attr#dbase=no.change";
    const char *subscribed = HOST "a/b/c/attr.change";
    stream_subscribed(published(subscribed), &streams.published, 1000);
    stream_view_t view;
    for (int i = 0; i < 3; i++) {
        push_call_t call = {.watched = true, .counts = true};
        stream_pushed(published(sent), &streams.published, 0, &call, 10, 1);
        stream_pushed(published(sent), &streams.published, 0, &call, 10, 1); /* the copy */
    }
    push_call_t again = {.watched = true}; /* the same event for clients of another IDL level */
    stream_pushed(published(sent), &streams.published, 0, &again, 10, 1);
    assert_true(pushed_of(sent, &view));
    assert_int_equal(view.pushed_event_count, 3);
    assert_int_equal(view.byte_count, 30);
    assert_false(pushed_of(subscribed, &view)); /* it was another name for the same */
}

/* For clients of another IDL level, cppTango sends an event again, by another call, and with the
 * counter of the next event. */
static void an_event_for_older_clients_too_is_counted_once(void **state)
{
    (void)state;
    stream_t *stream = published("s.change");
    stream_subscribed(stream, &streams.published, 1000);
    stream_view_t view;
    for (uint32_t counter = 1; counter <= 5; counter++) {
        push_call_t first = {.watched = true, .counts = true};
        push_call_t second = {.watched = true};
        stream_pushed(stream, &streams.published, counter, &first, 100, 77);
        stream_pushed(stream, &streams.published, counter + 1, &second, 90, 78);
        assert_true(pushed_of("s.change", &view));
        assert_int_equal(view.pushed_event_count, counter);
        assert_int_equal(view.byte_count, 100 * counter);
    }
}

/* What an agent that was loaded late tells of a stream: nothing before it knows. */
static void check_late_stream(stream_t *stream, uint32_t counter)
{
    stream_view_t view;
    assert_false(stream_view(stream, &view));
    stream_subscribed(stream, &streams.published, 1000);
    assert_true(stream_view(stream, &view));
    assert_true(view.partial);
    assert_int_equal(view.pushed_event_count, 0);
    assert_int_equal(view.byte_count, 0);
    assert_true(view.last_event_ns == CLOCK_NEVER);

    stream_pushed(stream, &streams.published, counter, &unwatched, 100, 77);
    stream_pushed(stream, &streams.published, counter + 1, &unwatched, 100, 78);
    stream_subscribed(stream, &streams.published, 2000);
    assert_true(stream_view(stream, &view));
    assert_false(view.partial);
    assert_int_equal(view.pushed_event_count, counter + 1);
    assert_int_equal(view.byte_count, 200);
    assert_true(view.last_event_ns == 78);
}

static void a_late_agent_counts_a_stream_from_its_next_event(void **state)
{
    (void)state;
    streams_join_late(&streams);
    stream_t *stream = published(HOST "a/b/c/attr.change");
    check_late_stream(stream, 1001);
    stream_push_took(stream, 5);
    assert_int_equal(atomic_load(&stream->push_times)->max_ns, 5);
    streams_join_late(&streams); /* detached, and attached again */
    check_late_stream(stream, 2001);
    assert_int_equal(atomic_load(&stream->push_times)->max_ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_late_agent_counts_a_stream_from_its_next_event, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_jump_is_one_miss_and_many_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(the_duplicate_is_discarded_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(losses_of_an_outage_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_subscriber_has_lost_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(counters_survive_the_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(a_jump_across_the_wrap_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_counter_that_starts_again_is_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_process_is_a_restart_even_if_its_counter_is_ahead,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_publisher_that_restarts_before_its_first_event_is_seen,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_connection_made_anew_to_the_same_process_is_no_restart,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_reconnection_keeps_the_counts_of_all_topics, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            half_of_the_events_without_a_counter_are_discarded_by_newer_tangos, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_baseline_a_reconnection_leaves_losses_unknown,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(events_that_are_errors_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_longer_name_than_that_of_a_subscription_is_not_added,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            topics_from_before_the_agent_are_adopted_unless_they_may_be_made_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_agent_adopts_also_after_a_client_has_subscribed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_agent_adopts_channels_with_their_heartbeats, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(after_a_while_without_watching_everything_begins_anew,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            after_a_while_without_watching_a_reconnection_has_no_baseline, setup, teardown),
        cmocka_unit_test_setup_teardown(
            with_several_hosts_the_name_of_another_one_is_the_same_topic, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_subscription_counts_from_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disconnection_is_understood_whatever_it_calls_the_topic,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(channels_are_tied_to_their_topics, setup, teardown),
        cmocka_unit_test_setup_teardown(a_topic_from_before_the_agent_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(without_server_counters_losses_are_unknown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(callbacks_are_counted_per_topic, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_that_goes_is_not_taken_from_a_new_subscription,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_connected_is_listed_until_it_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(topics_are_found_by_what_their_client_calls_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_misses_no_heartbeat, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_consumer_thread_refuses_changes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(missing_heartbeats_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(the_consumer_thread_is_seen_at_work, setup, teardown),
        cmocka_unit_test_setup_teardown(events_wait_between_delay_and_release, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_reconnection_does_not_lend_its_channel_to_the_next_subscription, setup, teardown),
        cmocka_unit_test_setup_teardown(devices_of_one_name_are_told_apart_by_their_ports, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(pushed_events_are_counted_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_pushed_count_goes_on_behind_the_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_that_nobody_subscribed_to_is_not_shown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_stream_that_nobody_listens_to_any_more_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_event_for_older_clients_too_is_counted_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(streams_without_counters_are_counted_by_calls, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
