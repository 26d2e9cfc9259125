#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answers.h"
#include "response/response.h"

static void assert_nan(double value)
{
    assert_true(isnan(value));
}

static void assert_micros(double value, double expected)
{
    /* Not cmocka's assert_float_equal, which lets NAN pass. */
    if (!(fabs(value - expected) <= 0))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* ---- what real servers answered -------------------------------------------------------------- */

static void test_idle(void **state)
{
    (void)state;
    static const char *const sides[] = {"publisher", "subscriber"};
    for (size_t i = 0; i < 2; i++) {
        response_t *response = answers_response("native-10.3.3-idle.json", sides[i]);
        assert_int_equal(response->dialect, RESPONSE_VERSION_1);
        assert_true(response->has_server);
        assert_false(response->has_client);
        assert_int_equal(response->publisher_count, 0);
        assert_false(response->push_perf_on);
        assert_false(response->receive_perf_on);
        assert_null(response->agent_version);
        assert_null(response->tango_version);
        assert_null(response->agent_attached);
        assert_int_equal(response->agent_pid, RESPONSE_UNKNOWN);
        assert_true(response_pushed_count_is_next(response));
        response_destroy(&response);
        assert_null(response);
    }
}

static void test_steady_publisher(void **state)
{
    (void)state;
    response_t *response = answers_response("native-10.3.3-steady.json", "publisher");
    assert_int_equal(response->publisher_count, 2);
    assert_string_equal(response->publishers[0].name,
                        "tango://vm:11000/foo/bar/pub/attr#dbase=no.change");
    assert_int_equal(response->publishers[0].counts.pushed_event_count, 13);
    assert_int_equal(response->publishers[0].counts.byte_count, RESPONSE_UNKNOWN);
    assert_null(response->publishers[0].last_event);
    assert_string_equal(response->publishers[1].name,
                        "tango://vm:11000/foo/bar/pub/burst#dbase=no.change");
    assert_int_equal(response->publishers[1].counts.pushed_event_count, 1);
    assert_true(response->push_perf_on);
    assert_int_equal(response->push_sample_count, 12);
    assert_nan(response->push_samples[0].micros_since_last_event);
    assert_micros(response->push_samples[0].push_event_micros, 149);
    assert_micros(response->push_samples[11].micros_since_last_event, 199796);
    assert_micros(response->push_samples[11].push_event_micros, 60);
    assert_false(response->has_client);
    response_destroy(&response);
}

static void test_steady_subscriber(void **state)
{
    (void)state;
    response_t *response = answers_response("native-10.3.3-steady.json", "subscriber");
    assert_true(response->has_server);
    assert_int_equal(response->publisher_count, 0);
    assert_true(response->push_perf_on);
    assert_int_equal(response->push_sample_count, 0);
    assert_true(response->has_client);
    assert_int_equal(response->subscription_count, 2);

    const response_subscription_t *attr = &response->subscriptions[0];
    assert_string_equal(attr->topic, "tango://vm:11000/foo/bar/pub/attr#dbase=no.idl5_change");
    assert_string_equal(attr->channel_name, "tango://vm:11000/dserver/srvp/pub#dbase=no");
    assert_int_equal(attr->counts.callback_count, 1);
    assert_int_equal(attr->counts.server_counter, 12);
    assert_int_equal(attr->counts.event_count, 12);
    assert_int_equal(attr->counts.missed_event_count, 0);
    assert_int_equal(attr->counts.discarded_event_count, 1);
    assert_int_equal(attr->counts.lost_event_count, RESPONSE_UNKNOWN);
    assert_int_equal(attr->counts.publisher_restart_count, RESPONSE_UNKNOWN);
    assert_int_equal(attr->counts.byte_count, RESPONSE_UNKNOWN);
    assert_null(attr->last_resubscribed);
    assert_null(attr->last_event);

    const response_subscription_t *burst = &response->subscriptions[1];
    assert_string_equal(burst->topic, "tango://vm:11000/foo/bar/pub/burst#dbase=no.idl5_change");
    assert_int_equal(burst->counts.event_count, 0);
    assert_int_equal(burst->counts.discarded_event_count, 0);

    assert_int_equal(response->channel_count, 1);
    assert_string_equal(response->channels[0].name, "tango://vm:11000/dserver/srvp/pub#dbase=no");
    assert_string_equal(response->channels[0].endpoint, "tcp://127.0.0.1:42713");
    assert_int_equal(response->not_connected_count, 0);

    assert_true(response->receive_perf_on);
    assert_int_equal(response->receive_sample_count, 13);
    const response_receive_sample_t *first = &response->receive_samples[0];
    assert_string_equal(first->attr_name, "attr#dbase=no");
    assert_null(first->event_type);
    assert_nan(first->micros_since_last_event);
    assert_micros(first->sleep_micros, 176144);
    assert_micros(first->process_micros, 286);
    assert_micros(first->first_callback_latency_micros, 393);
    assert_int_equal(first->callback_count, 1);
    assert_int_equal(first->wake_count, 8);
    assert_false(first->discarded);
    const response_receive_sample_t *second = &response->receive_samples[1];
    assert_string_equal(second->attr_name, "");
    assert_micros(second->micros_since_last_event, 296);
    assert_micros(second->sleep_micros, 8);
    assert_micros(second->process_micros, 2);
    assert_nan(second->first_callback_latency_micros);
    assert_int_equal(second->callback_count, 0);
    assert_int_equal(second->wake_count, 1);
    assert_true(second->discarded);
    assert_micros(response->receive_samples[12].process_micros, 292);
    response_destroy(&response);
}

static void test_lossy_tail(void **state)
{
    (void)state;
    response_t *publisher = answers_response("native-10.3.3-lossy-tail.json", "publisher");
    assert_int_equal(publisher->publishers[0].counts.pushed_event_count, 30);
    assert_int_equal(publisher->publishers[1].counts.pushed_event_count, 30001);
    assert_int_equal(publisher->push_sample_count, 256);
    assert_micros(publisher->push_samples[0].micros_since_last_event, 6);
    assert_micros(publisher->push_samples[0].push_event_micros, 1);
    assert_micros(publisher->push_samples[255].micros_since_last_event, 199699);
    response_destroy(&publisher);

    response_t *subscriber = answers_response("native-10.3.3-lossy-tail.json", "subscriber");
    assert_int_equal(subscriber->subscriptions[0].counts.server_counter, 29);
    assert_int_equal(subscriber->subscriptions[0].counts.event_count, 26);
    assert_int_equal(subscriber->subscriptions[1].counts.server_counter, 23495);
    assert_int_equal(subscriber->subscriptions[1].counts.event_count, 23487);
    assert_int_equal(subscriber->subscriptions[1].counts.missed_event_count, 1);
    assert_int_equal(subscriber->receive_sample_count, 256);
    assert_micros(subscriber->receive_samples[0].first_callback_latency_micros, 1238643);
    assert_string_equal(subscriber->receive_samples[255].attr_name, "attr#dbase=no");
    response_destroy(&subscriber);
}

static void test_lossy_detected(void **state)
{
    (void)state;
    response_t *publisher = answers_response("native-10.3.3-lossy-detected.json", "publisher");
    assert_int_equal(publisher->publishers[0].counts.pushed_event_count, 36);
    assert_int_equal(publisher->publishers[1].counts.pushed_event_count, 30002);
    assert_int_equal(publisher->push_sample_count, 7);
    response_destroy(&publisher);

    response_t *subscriber = answers_response("native-10.3.3-lossy-detected.json", "subscriber");
    assert_int_equal(subscriber->subscriptions[1].counts.server_counter, 30001);
    assert_int_equal(subscriber->subscriptions[1].counts.event_count, 23488);
    assert_int_equal(subscriber->subscriptions[1].counts.missed_event_count, 2);
    assert_int_equal(subscriber->receive_sample_count, 7);
    response_destroy(&subscriber);
}

static void test_publisher_gone(void **state)
{
    (void)state;
    char *text = answers_text("native-10.3.3-publisher-gone.json", "publisher");
    char *error = NULL;
    assert_null(response_parse(text, strlen(text), &error));
    assert_string_equal(error, "answer: expected an object, found null");
    free(error);
    free(text);

    response_t *subscriber = answers_response("native-10.3.3-publisher-gone.json", "subscriber");
    assert_int_equal(subscriber->subscription_count, 2);
    assert_int_equal(subscriber->subscriptions[0].counts.server_counter, 35);
    assert_int_equal(subscriber->channel_count, 1);
    assert_true(subscriber->receive_perf_on);
    assert_int_equal(subscriber->receive_sample_count, 0);
    response_destroy(&subscriber);
}

/* ---- the other dialects ---------------------------------------------------------------------- */

static void test_legacy(void **state)
{
    (void)state;
    response_t *publisher = answers_response("legacy-both.json", "publisher");
    assert_int_equal(publisher->dialect, RESPONSE_LEGACY);
    assert_true(response_pushed_count_is_next(publisher));
    assert_true(publisher->has_server);
    assert_false(publisher->has_client);
    assert_int_equal(publisher->publisher_count, 2);
    assert_string_equal(publisher->publishers[0].name,
                        "tango://old:10000/foo/bar/pub/attr.archive");
    assert_int_equal(publisher->publishers[0].counts.pushed_event_count, 1);
    assert_int_equal(publisher->publishers[1].counts.pushed_event_count, 13);
    assert_true(publisher->push_perf_on);
    assert_int_equal(publisher->push_sample_count, 2);
    assert_nan(publisher->push_samples[0].micros_since_last_event);
    assert_micros(publisher->push_samples[0].push_event_micros, 149);
    assert_micros(publisher->push_samples[1].micros_since_last_event, 200559);
    response_destroy(&publisher);

    response_t *subscriber = answers_response("legacy-both.json", "subscriber");
    assert_false(subscriber->push_perf_on);
    const response_subscription_t *attr = &subscriber->subscriptions[0];
    assert_int_equal(subscriber->subscription_count, 1);
    assert_int_equal(attr->counts.callback_count, 2);
    assert_int_equal(attr->counts.discarded_event_count, 1);
    assert_string_equal(attr->last_resubscribed, "2023-05-01T12:30:00");
    assert_int_equal(subscriber->not_connected_count, 0);
    assert_true(subscriber->receive_perf_on);
    assert_int_equal(subscriber->receive_sample_count, 2);
    const response_receive_sample_t *first = &subscriber->receive_samples[0];
    assert_string_equal(first->attr_name, "attr");
    assert_string_equal(first->event_type, "ATT_VALUE");
    assert_nan(first->micros_since_last_event);
    assert_micros(first->first_callback_latency_micros, 393);
    assert_false(first->discarded);
    const response_receive_sample_t *second = &subscriber->receive_samples[1];
    assert_string_equal(second->event_type, "ATT_CONF");
    assert_nan(second->first_callback_latency_micros);
    response_destroy(&subscriber);
}

static void test_legacy_absent_sides(void **state)
{
    (void)state;
    response_t *publisher = answers_response("legacy-client-only.json", "publisher");
    assert_int_equal(publisher->dialect, RESPONSE_LEGACY);
    assert_true(publisher->has_server);
    assert_false(publisher->has_client);
    assert_int_equal(publisher->publishers[0].counts.pushed_event_count, 0);
    assert_true(publisher->push_perf_on);
    response_destroy(&publisher);

    response_t *subscriber = answers_response("legacy-client-only.json", "subscriber");
    assert_false(subscriber->has_server);
    assert_true(subscriber->has_client);
    assert_false(subscriber->receive_perf_on);
    response_destroy(&subscriber);
}

static void test_agent_publisher(void **state)
{
    (void)state;
    response_t *response = answers_response("agent-full.json", "publisher");
    assert_int_equal(response->dialect, RESPONSE_AGENT);
    assert_false(response_pushed_count_is_next(response));
    assert_string_equal(response->agent_version, "0.1.0");
    assert_string_equal(response->tango_version, "9.3.4");
    assert_int_equal(response->agent_pid, 4711);
    assert_string_equal(response->agent_attached, "2026-11-23T01:02:03.000+00:00");
    assert_string_equal(response->agent_time, "2026-11-23T03:00:01.500+00:00");
    assert_int_equal(response->publisher_count, 2);
    assert_string_equal(response->publishers[0].name, "tango://host:10000/foo/bar/pub/attr.change");
    assert_int_equal(response->publishers[0].counts.pushed_event_count, 36);
    assert_int_equal(response->publishers[0].counts.byte_count, 5220);
    assert_int_equal(response->publishers[0].has_subscribers, RESPONSE_NO);
    assert_int_equal(response->publishers[1].has_subscribers, RESPONSE_NOT_TOLD);
    assert_string_equal(response->publishers[0].last_event, "2026-11-23T03:00:00.250+00:00");
    assert_string_equal(response->publishers[0].last_subscription, "2026-11-23T02:50:00.125+00:00");
    assert_int_equal(response->publishers[1].counts.pushed_event_count, 30001);
    assert_int_equal(response->publishers[1].counts.byte_count, 4350145);
    assert_null(response->publishers[1].last_event);
    assert_null(response->publishers[1].last_subscription);
    response_destroy(&response);
}

static void test_consumer_thread(void **state)
{
    (void)state;
    static const char text[] =
        "{\"version\": 1, \"agent\": {\"uncounted\": 3}, \"client\": {\"consumer_thread\": "
        "{\"thread_id\": 7, \"state\": \"callbacks\", \"topic\": \"t\", \"since\": \"s\", "
        "\"state_micros\": 5, \"longest_callback_micros\": 9, \"longest_callback_topic\": \"l\", "
        "\"delayed_micros\": null}}}";
    response_t *response = response_parse(text, sizeof text - 1, NULL);
    assert_non_null(response);
    assert_string_equal(response->consumer.state, "callbacks");
    assert_string_equal(response->consumer.topic, "t");
    assert_string_equal(response->consumer.since, "s");
    assert_micros(response->consumer.state_micros, 5);
    assert_micros(response->consumer.longest_callback_micros, 9);
    assert_string_equal(response->consumer.longest_callback_topic, "l");
    assert_true(isnan(response->consumer.delayed_micros));
    assert_int_equal(response->agent_counts.uncounted, 3);
    response_destroy(&response);

    response = answers_response("agent-full.json", "subscriber");
    assert_null(response->consumer.state);
    assert_true(isnan(response->consumer.state_micros));
    assert_int_equal(response->agent_counts.uncounted, RESPONSE_UNKNOWN);
    response_destroy(&response);
}

static void test_channels_of_the_agent(void **state)
{
    (void)state;
    static const char text[] =
        "{\"version\": 1, \"agent\": {}, \"client\": {\"event_channels\": {\"a\": {\"endpoint\": "
        "\"tcp://h:1\", \"event_endpoint\": \"tcp://h:2\", \"last_heartbeat\": \"t\", "
        "\"heartbeat_count\": 7, \"missed_heartbeat_count\": 2}, \"b\": {\"event_endpoint\": "
        "null}}}}";
    response_t *response = response_parse(text, sizeof text - 1, NULL);
    assert_non_null(response);
    assert_int_equal(response->channel_count, 2);
    const response_channel_t *a = &response->channels[0];
    assert_string_equal(a->endpoint, "tcp://h:1");
    assert_string_equal(a->event_endpoint, "tcp://h:2");
    assert_string_equal(a->last_heartbeat, "t");
    assert_int_equal(a->counts.heartbeat_count, 7);
    assert_int_equal(a->counts.missed_heartbeat_count, 2);
    const response_channel_t *b = &response->channels[1];
    assert_null(b->endpoint);
    assert_null(b->event_endpoint);
    assert_null(b->last_heartbeat);
    assert_int_equal(b->counts.heartbeat_count, RESPONSE_UNKNOWN);
    response_destroy(&response);
}

/* What the agent can't know, and what it omits. */
static void test_unknown_losses_and_truncated_lists(void **state)
{
    (void)state;
    static const char text[] =
        "{\"version\": 1, \"agent\": {\"unknown_topic_event_count\": 9, \"truncated\": "
        "{\"event_callbacks\": 12, \"event_channels\": 3}}, \"client\": {\"event_callbacks\": {"
        "\"a.change\": {\"lost_event_count\": null, \"known_lost_event_count\": 0}, "
        "\"b.change\": {\"lost_event_count\": null, \"known_lost_event_count\": 7, "
        "\"error_event_count\": 2, \"last_error_event\": \"t\"}, "
        "\"c.change\": {\"lost_event_count\": 5, \"known_lost_event_count\": 5}, "
        "\"d.change\": {\"lost_event_count\": 6}, \"e.change\": {}}}}";
    response_t *response = response_parse(text, sizeof text - 1, NULL);
    assert_non_null(response);
    assert_int_equal(response->subscription_count, 5);
    const response_subscription_t *a = &response->subscriptions[0];
    assert_int_equal(a->counts.lost_event_count, RESPONSE_UNKNOWN);
    assert_false(a->lost_is_minimum);
    assert_int_equal(a->counts.error_event_count, RESPONSE_UNKNOWN);
    const response_subscription_t *b = &response->subscriptions[1];
    assert_int_equal(b->counts.lost_event_count, 7);
    assert_true(b->lost_is_minimum);
    assert_int_equal(b->counts.error_event_count, 2);
    assert_string_equal(b->last_error_event, "t");
    const response_subscription_t *c = &response->subscriptions[2];
    assert_int_equal(c->counts.lost_event_count, 5);
    assert_false(c->lost_is_minimum);
    assert_int_equal(response->subscriptions[3].counts.known_lost_event_count, 6);
    assert_int_equal(response->subscriptions[4].counts.known_lost_event_count, RESPONSE_UNKNOWN);
    assert_int_equal(response->agent_counts.unknown_topic_event_count, 9);
    assert_int_equal(response->truncated.event_callbacks, 12);
    assert_int_equal(response->truncated.event_channels, 3);
    assert_int_equal(response->truncated.event_streams, 0);
    response_destroy(&response);
}

static void test_agent_subscriber(void **state)
{
    (void)state;
    response_t *response = answers_response("agent-full.json", "subscriber");
    assert_false(response->has_server);
    assert_int_equal(response->subscription_count, 2);
    const response_subscription_t *attr = &response->subscriptions[0];
    assert_string_equal(attr->topic, "tango://host:10000/foo/bar/pub/attr.idl5_change");
    assert_null(attr->channel_name);
    assert_int_equal(attr->counts.callback_count, RESPONSE_UNKNOWN);
    assert_int_equal(attr->counts.lost_event_count, 0);
    assert_int_equal(attr->counts.publisher_restart_count, 0);
    assert_string_equal(attr->last_resubscribed, "2026-11-23T02:00:00+00:00");
    const response_subscription_t *burst = &response->subscriptions[1];
    assert_int_equal(burst->counts.lost_event_count, 6513);
    assert_int_equal(burst->counts.outage_lost_event_count, 13);
    assert_int_equal(attr->counts.outage_lost_event_count, RESPONSE_UNKNOWN);
    assert_int_equal(burst->counts.publisher_restart_count, 1);
    assert_int_equal(burst->counts.byte_count, 3405760);
    assert_string_equal(burst->last_event, "2026-11-23T03:00:00.250+00:00");

    assert_int_equal(response->not_connected_count, 2);
    assert_string_equal(response->not_connected[0].device, "tango://host:10000/foo/bar/away");
    assert_string_equal(response->not_connected[0].event_type, "periodic");
    assert_null(response->not_connected[0].last_heartbeat);
    assert_null(response->not_connected[0].tango_host);
    assert_string_equal(response->not_connected[1].device, "tango://host:10000/foo/bar/gone");
    assert_string_equal(response->not_connected[1].attribute, "attr");
    assert_string_equal(response->not_connected[1].event_type, "change");
    assert_string_equal(response->not_connected[1].last_heartbeat, "2026-11-23T02:59:00+00:00");
    assert_string_equal(response->not_connected[1].tango_host, "host:10000");

    assert_int_equal(response->receive_sample_count, 2);
    /* The clocks of two machines: a negative latency is real, and doesn't mean "not known". */
    assert_micros(response->receive_samples[0].first_callback_latency_micros, -120);
    assert_int_equal(response->receive_samples[1].callback_count, RESPONSE_UNKNOWN);
    assert_int_equal(response->receive_samples[1].wake_count, RESPONSE_UNKNOWN);
    response_destroy(&response);
}

/* ---- what is accepted ------------------------------------------------------------------------ */

static void test_minus_one_is_a_number_in_version_1(void **state)
{
    (void)state;
    response_t *response = answers_parse(
        "{'version': 1, 'client': {'perf': [{'first_callback_latency_micros': -1}]}}");
    assert_micros(response->receive_samples[0].first_callback_latency_micros, -1);
    assert_nan(response->receive_samples[0].sleep_micros);
    assert_null(response->receive_samples[0].attr_name);
    response_destroy(&response);
}

static void test_minus_one_is_unknown_in_legacy(void **state)
{
    (void)state;
    response_t *response = answers_parse("{'server': {'event_counters': {'a': -1, 'b': -1.0}}, "
                                         "'client': {'perf_stats': [{'sleep_micros': -1, "
                                         "'first_callback_lactency_micros': -2}]}}");
    assert_int_equal(response->publishers[0].counts.pushed_event_count, RESPONSE_UNKNOWN);
    assert_int_equal(response->publishers[1].counts.pushed_event_count, RESPONSE_UNKNOWN);
    assert_nan(response->receive_samples[0].sleep_micros);
    assert_micros(response->receive_samples[0].first_callback_latency_micros, -2);
    response_destroy(&response);
}

static void test_whole_real_numbers_are_counts(void **state)
{
    (void)state;
    response_t *response = answers_parse("{'version': 1.0, 'server': {'event_counters': "
                                         "{'a': 12.0, 'b': 1e3, 'c': 9223372036854775807}}}");
    assert_int_equal(response->publishers[0].counts.pushed_event_count, 12);
    assert_int_equal(response->publishers[1].counts.pushed_event_count, 1000);
    assert_int_equal(response->publishers[2].counts.pushed_event_count, INT64_MAX);
    response_destroy(&response);
}

static void test_null_is_unknown_everywhere(void **state)
{
    (void)state;
    response_t *response =
        answers_parse("{'version': 1, 'agent': null, "
                      "'server': {'event_counters': {'a': null}, 'event_streams': null},"
                      "'client': {'event_callbacks': {'t': {}}, 'event_channels': {'c': {}}, "
                      "'not_connected': [{}], 'perf': [{'discarded': null}]}}");
    assert_int_equal(response->dialect, RESPONSE_VERSION_1);
    assert_int_equal(response->publishers[0].counts.pushed_event_count, RESPONSE_UNKNOWN);
    assert_int_equal(response->subscriptions[0].counts.event_count, RESPONSE_UNKNOWN);
    assert_int_equal(response->subscriptions[0].counts.server_counter, RESPONSE_UNKNOWN);
    assert_null(response->channels[0].endpoint);
    assert_string_equal(response->not_connected[0].device, "");
    assert_string_equal(response->not_connected[0].attribute, "");
    assert_string_equal(response->not_connected[0].event_type, "");
    assert_false(response->receive_samples[0].discarded);
    response_destroy(&response);
}

static void test_empty_agent_answer(void **state)
{
    (void)state;
    response_t *response = answers_parse("{'version': 1, 'agent': {}}");
    assert_int_equal(response->dialect, RESPONSE_AGENT);
    assert_false(response->has_server);
    assert_false(response->has_client);
    response_destroy(&response);
}

static void test_streams_of_the_agent_alone_are_publishers(void **state)
{
    (void)state;
    response_t *response =
        answers_parse("{'version': 1, 'agent': {}, 'server': {'event_counters': {'b': 7}, "
                      "'event_streams': {'c': {'pushed_event_count': 2}, 'b': {'byte_count': 70}, "
                      "'a': null}}}");
    assert_int_equal(response->publisher_count, 3);
    assert_string_equal(response->publishers[0].name, "a");
    assert_int_equal(response->publishers[0].counts.pushed_event_count, RESPONSE_UNKNOWN);
    assert_string_equal(response->publishers[1].name, "b");
    assert_int_equal(response->publishers[1].counts.pushed_event_count, 7);
    assert_int_equal(response->publishers[1].counts.byte_count, 70);
    assert_string_equal(response->publishers[2].name, "c");
    assert_int_equal(response->publishers[2].counts.pushed_event_count, 2);
    response_destroy(&response);
}

static void test_last_of_equal_keys_counts(void **state)
{
    (void)state;
    response_t *response = answers_parse(
        "{'version': 1, 'server': null, 'server': {'event_counters': {'a': 7, 'a': 3}}}");
    assert_int_equal(response->publisher_count, 1);
    assert_int_equal(response->publishers[0].counts.pushed_event_count, 3);
    response_destroy(&response);
}

static void test_names_in_samples(void **state)
{
    (void)state;
    static const char *const names[] = {"attr", "attr", "att", "battr", "", "", "attr"};
    enum { COUNT = sizeof names / sizeof names[0] };
    response_t *response = answers_parse(
        "{'version': 1, 'client': {'perf': [{'attr_name': 'attr'}, {'attr_name': 'attr'}, "
        "{'attr_name': 'att'}, {'attr_name': 'battr'}, {'attr_name': ''}, {'attr_name': ''}, "
        "{'attr_name': 'attr'}, {}], 'event_channels': {'dserver/a/1': {'endpoint': 'x'}}}}");
    assert_int_equal(response->receive_sample_count, COUNT + 1);
    for (size_t i = 0; i < COUNT; i++)
        assert_string_equal(response->receive_samples[i].attr_name, names[i]);
    assert_null(response->receive_samples[COUNT].attr_name);

    response_drop_samples(response);
    assert_int_equal(response->receive_sample_count, 0);
    assert_null(response->receive_samples);
    assert_true(response->receive_perf_on);
    assert_string_equal(response->channels[0].name, "dserver/a/1");
    response_destroy(&response);
}

static void test_names_are_sorted_and_kept(void **state)
{
    (void)state;
    response_t *response = answers_parse("{'version': 1, 'client': {'event_callbacks': "
                                         "{'b\\u001b[31m': {}, '': {}, 'b': {}, '\\u00e9': {}}}}");
    assert_int_equal(response->subscription_count, 4);
    assert_string_equal(response->subscriptions[0].topic, "");
    assert_string_equal(response->subscriptions[1].topic, "b");
    assert_string_equal(response->subscriptions[2].topic, "b\x1b[31m");
    assert_string_equal(response->subscriptions[3].topic, "\u00e9");
    response_destroy(&response);
}

/* ---- what is wrong --------------------------------------------------------------------------- */

typedef struct {
    const char *text; /* ' stands for " */
    const char *error;
} broken_t;

#define HISTOGRAM_OF(bucket)                                                                       \
    "{'server': {'event_streams': {'a': {'push_event_histogram': {'buckets': [[1, 2, 3], " bucket  \
    "]}}}}}"
#define BUCKETS_PLACE "server.event_streams[\"a\"].push_event_histogram.buckets: "

static const broken_t broken[] = {
    {"", "not JSON: line 1, column 0: '[' or '{' expected near end of file"},
    {"[]", "answer: expected an object, found a list"},
    {"'x'", "answer: expected an object, found a string"},
    {"1", "answer: expected an object, found a number"},
    {"true", "answer: expected an object, found a boolean"},
    {"{}", "not an answer of QueryEventSystem: none of \"version\", \"server\" and \"client\" is "
           "there"},
    {"{'servers': {}}", "not an answer of QueryEventSystem: none of \"version\", \"server\" and "
                        "\"client\" is there"},
    {"{'version': 2}", "version: this program reads version 1 of the answer, not version 2"},
    {"{'version': 1.5}", "version: this program reads version 1 of the answer, not version 1.5"},
    {"{'version': '1'}", "version: expected a number, found a string"},
    {"{'version': null}", "version: expected a number, found null"},
    {"{'version': 1, 'server': []}", "server: expected an object, found a list"},
    {"{'version': 1, 'client': false}", "client: expected an object, found a boolean"},
    {"{'version': 1, 'agent': 'yes'}", "agent: expected an object, found a string"},
    {"{'version': 1, 'agent': {'pid': '7'}}", "agent.pid: expected a count, found a string"},
    {"{'version': 1, 'agent': {'version': 7}}", "agent.version: expected a string, found a number"},
    {"{'server': {'event_counters': []}}",
     "server.event_counters: expected an object, found a list"},
    {"{'server': {'event_counters': {'a/b': '7'}}}",
     "server.event_counters[\"a/b\"]: expected a count, found a string"},
    {"{'server': {'event_counters': {'a': 1.5}}}",
     "server.event_counters[\"a\"]: expected a count, found a fraction"},
    {"{'server': {'event_counters': {'a': 1e30}}}",
     "server.event_counters[\"a\"]: the count is too large"},
    {"{'server': {'event_counters': {'a': 9223372036854775808}}}",
     "server.event_counters[\"a\"]: the count is too large"},
    {"{'server': {'event_counters': {'a': -2}}}",
     "server.event_counters[\"a\"]: expected a count, found a negative number"},
    {"{'version': 1, 'server': {'event_counters': {'a': -1}}}",
     "server.event_counters[\"a\"]: expected a count, found a negative number"},
    {"{'version': 1, 'server': {'event_streams': {'a': 1}}}",
     "server.event_streams[\"a\"]: expected an object, found a number"},
    {"{'version': 1, 'server': {'event_streams': {'a': {'last_event': 1}}}}",
     "server.event_streams[\"a\"].last_event: expected a string, found a number"},
    {HISTOGRAM_OF("[1, 2]"), BUCKETS_PLACE "expected buckets of three numbers"},
    {HISTOGRAM_OF("[]"), BUCKETS_PLACE "expected buckets of three numbers"},
    {HISTOGRAM_OF("[1, 2, 3, 4]"), BUCKETS_PLACE "expected buckets of three numbers"},
    {HISTOGRAM_OF("1"), BUCKETS_PLACE "expected a list, found a number"},
    {"{'version': 1, 'server': {'perf': {}}}", "server.perf: expected a list, found an object"},
    {"{'server': {'perf_stats': 1}}", "server.perf_stats: expected a list, found a number"},
    {"{'version': 1, 'server': {'perf': [{}, 1]}}",
     "server.perf[1]: expected an object, found a number"},
    {"{'version': 1, 'server': {'perf': [{'push_event_micros': true}]}}",
     "server.perf[0].push_event_micros: expected a number, found a boolean"},
    {"{'version': 1, 'client': {'event_callbacks': [1]}}",
     "client.event_callbacks: expected an object, found a list"},
    {"{'version': 1, 'client': {'event_callbacks': {'t': null}}}",
     "client.event_callbacks[\"t\"]: expected an object, found null"},
    {"{'version': 1, 'client': {'event_callbacks': {'t': {'event_count': []}}}}",
     "client.event_callbacks[\"t\"].event_count: expected a count, found a list"},
    {"{'version': 1, 'client': {'event_callbacks': {'t': {'channel_name': 1}}}}",
     "client.event_callbacks[\"t\"].channel_name: expected a string, found a number"},
    {"{'version': 1, 'client': {'event_channels': {'c': 'x'}}}",
     "client.event_channels[\"c\"]: expected an object, found a string"},
    {"{'version': 1, 'client': {'event_channels': {'c': {'endpoint': 7}}}}",
     "client.event_channels[\"c\"].endpoint: expected a string, found a number"},
    {"{'version': 1, 'client': {'not_connected': {}}}",
     "client.not_connected: expected a list, found an object"},
    {"{'version': 1, 'client': {'not_connected': [[]]}}",
     "client.not_connected[0]: expected an object, found a list"},
    {"{'version': 1, 'client': {'not_connected': [{'device': 1}]}}",
     "client.not_connected[0].device: expected a string, found a number"},
    {"{'version': 1, 'client': {'perf': [{'discarded': 1}]}}",
     "client.perf[0].discarded: expected true or false, found a number"},
    {"{'version': 1, 'client': {'perf': [{'sleep_micros': '8'}]}}",
     "client.perf[0].sleep_micros: expected a number, found a string"},
    {"{'version': 1, 'client': {'perf': [null]}}",
     "client.perf[0]: expected an object, found null"},
    /* A name can't make an error longer than one line, or move the cursor. */
    {"{'server': {'event_counters': {'a\\n\\u001b[2J': []}}}",
     "server.event_counters[\"a??[2J\"]: expected a count, found a list"},
};

static void test_broken_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char *text = strdup(broken[i].text);
        assert_non_null(text);
        for (char *at = text; *at; at++)
            *at = *at == '\'' ? '"' : *at;
        char *error = NULL;
        response_t *response = response_parse(text, strlen(text), &error);
        if (response)
            fail_msg("was let through: %s", text);
        /* The JSON library's wording may change: it only matters that it is passed on. */
        if (strncmp(broken[i].error, "not JSON: ", 10) == 0)
            assert_memory_equal(error, broken[i].error, 10);
        else
            assert_string_equal(error, broken[i].error);
        free(error);
        assert_null(response_parse(text, strlen(text), NULL));
        free(text);
    }
}

static void assert_not_json(const char *text, size_t size)
{
    char *error = NULL;
    assert_null(response_parse(text, size, &error));
    assert_non_null(error);
    assert_memory_equal(error, "not JSON: line ", 15);
    for (const char *at = error; *at; at++)
        assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
    free(error);
}

#define NOT_JSON(literal) assert_not_json(literal, sizeof(literal) - 1)

static void test_not_json(void **state)
{
    (void)state;
    assert_not_json(NULL, 0);
    assert_not_json(NULL, 7);
    NOT_JSON("{\"version\": 1");
    NOT_JSON("{\"version\": 1} x");
    NOT_JSON("{\"version\": 1}\0");
    NOT_JSON("{\"version\": 1, \"a\0b\": 2}");
    NOT_JSON("{\"version\": 1, \"a\": \"\\u0000\"}");
    NOT_JSON("{\"version\": 1, \"a\": \"\xff\xfe\"}");
    NOT_JSON("{\"version\": 1, \"a\": \"\xed\xa0\x80\"}");
    NOT_JSON("{\"version\": 1, \"a\": 1e999}");
    NOT_JSON("{\"version\": 1, \"a\": \"\x1b[31m\"}");
    NOT_JSON("\x1b[2J\r\n");
    NOT_JSON("NaN");
}

static void test_deep_and_large(void **state)
{
    (void)state;
    const size_t size = (size_t)4 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    /* A million levels: far more than any stack has room for. Four would take a sanitizer a minute,
     * which copies all that yajl knows of them with every few more. */
    memset(text, '[', size / 4);
    assert_not_json(text, size / 4);
    for (size_t i = 0; i < size; i++)
        text[i] = "{\"a\":"[i % 5];
    assert_not_json(text, size);

    /* A message with a name of megabytes is clumsy, but harmless. */
    int used = snprintf(text, size, "{\"server\": {\"event_counters\": {\"");
    memset(text + used, 'n', size - (size_t)used);
    const char end[] = "\": []}}}";
    snprintf(text + size - sizeof end, sizeof end, "%s", end);
    char *error = NULL;
    assert_null(response_parse(text, size - 1, &error));
    assert_true(strlen(error) > size - 100);
    free(error);
    free(text);
}

/* Every answer, truncated anywhere, is an error and nothing worse. */
static void test_cut_off_answers(void **state)
{
    (void)state;
    char *text = answers_text("agent-full.json", "subscriber");
    for (size_t size = 0; size < strlen(text); size++)
        assert_not_json(text, size);
    free(text);
}

/* Every byte of an answer changed into another: whatever the result, it is freed cleanly. */
static void test_damaged_answers(void **state)
{
    (void)state;
    static const char bytes[] = "\0\"0{[,}]:-.e\\n\xff ";
    char *text = answers_text("agent-full.json", "subscriber");
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        char kept = text[i];
        for (size_t j = 0; j < sizeof bytes - 1; j++) {
            text[i] = bytes[j];
            char *error = NULL;
            response_t *response = response_parse(text, size, &error);
            assert_true((response == NULL) == (error != NULL));
            response_destroy(&response);
            free(error);
        }
        text[i] = kept;
    }
    free(text);
}

static void test_destroy_nothing(void **state)
{
    (void)state;
    response_t *response = NULL;
    response_destroy(&response);
    assert_null(response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_steady_publisher),
        cmocka_unit_test(test_steady_subscriber),
        cmocka_unit_test(test_lossy_tail),
        cmocka_unit_test(test_lossy_detected),
        cmocka_unit_test(test_publisher_gone),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_legacy_absent_sides),
        cmocka_unit_test(test_agent_publisher),
        cmocka_unit_test(test_channels_of_the_agent),
        cmocka_unit_test(test_unknown_losses_and_truncated_lists),
        cmocka_unit_test(test_agent_subscriber),
        cmocka_unit_test(test_consumer_thread),
        cmocka_unit_test(test_minus_one_is_a_number_in_version_1),
        cmocka_unit_test(test_minus_one_is_unknown_in_legacy),
        cmocka_unit_test(test_whole_real_numbers_are_counts),
        cmocka_unit_test(test_null_is_unknown_everywhere),
        cmocka_unit_test(test_empty_agent_answer),
        cmocka_unit_test(test_streams_of_the_agent_alone_are_publishers),
        cmocka_unit_test(test_last_of_equal_keys_counts),
        cmocka_unit_test(test_names_are_sorted_and_kept),
        cmocka_unit_test(test_names_in_samples),
        cmocka_unit_test(test_broken_answers),
        cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_deep_and_large),
        cmocka_unit_test(test_cut_off_answers),
        cmocka_unit_test(test_damaged_answers),
        cmocka_unit_test(test_destroy_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
