/* The JSON that the agent answers, as whole texts: both schemas, empty and full. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/answer.h"
#include "agent/clocks.h"
#include "cmocka_all.h"
#include "version.h"

#define STREAM  "tango://h:1/a/b/c/attr.change"
#define TOPIC   "tango://h:1/a/b/c/attr.idl5_change"
#define CHANNEL "tango://h:1/dserver/pub/1"

static streams_t streams;
static subscriptions_t subscriptions = SUBSCRIPTIONS_INITIALIZER;
static samples_t samples;
static samples_reader_t reader;
static const answer_sources_t sources = {&streams, &subscriptions, &samples};
static const answer_origin_t origin = {"9.3.4", INT64_C(1700000000000000000)};

#define ATTACHED "\"2023-11-14T22:13:20.000000+00:00\""

static int setup(void **state)
{
    (void)state;
    streams_init(&streams);
    memset(&samples, 0, sizeof samples);
    memset(&reader, 0, sizeof reader);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    streams_clear(&streams);
    subscriptions_clear(&subscriptions);
    atomic_store(&subscriptions.watched, false);
    return 0;
}

/* Takes the part about the consumer thread out, which holds times of now. */
static void cut_consumer_thread(char *answer)
{
    char *begin = strstr(answer, ", \"consumer_thread\": {");
    char *end = begin ? strchr(begin, '}') : NULL;
    if (end)
        memmove(begin, end + 1, strlen(end));
}

static void assert_answer(answer_schema_t schema, const char *expected)
{
    char *answer = answer_query(&sources, &reader, schema, &origin);
    assert_non_null(answer);
    cut_consumer_thread(answer);
    assert_string_equal(answer, expected);
    free(answer);
}

static const char *agent_part(void)
{
    static char text[256];
    snprintf(text, sizeof text,
             "\"agent\": {\"version\": \"" STEM_VERSION "\", \"tango_version\": \"9.3.4\", "
             "\"pid\": %ld, \"attached\": " ATTACHED ", \"uncounted\": 0}}",
             (long)getpid());
    return text;
}

static void fill(void)
{
    static push_call_t call;
    stream_t *stream = streams_published(&streams, STREAM, strlen(STREAM));
    stream_pushed(&streams, stream, 1, &call, 60, INT64_C(1700000001000000000));
    stream_pushed(&streams, stream, 2, &call, 60, INT64_C(1700000002000000000));

    consumer_enters(&streams.consumer, CONSUMER_POLLING, NULL, 0);
    atomic_store(&subscriptions.watched, true);
    wire_order_t heartbeat = {WIRE_ORDER_CONNECT_HEARTBEAT, CHANNEL ".heartbeat", "tcp://h:2",
                              NULL};
    wire_order_t event = {WIRE_ORDER_CONNECT_EVENT, TOPIC, "tcp://h:3", NULL};
    channel_t *channel = NULL;
    streams_announce(&streams, &heartbeat, ORDER_OF_CLIENT, &channel);
    streams_order(&streams, &heartbeat, 0);
    streams_announce(&streams, &event, ORDER_OF_CLIENT, &channel);
    streams_order(&streams, &event, 0);
    streams_heartbeat(&streams, CHANNEL ".heartbeat", strlen(CHANNEL ".heartbeat"),
                      INT64_C(1700000001000000000));
    topic_t *topic = streams_topic(&streams, TOPIC, strlen(TOPIC));
    subscriptions_connected(&subscriptions, 1, topic);
    subscriptions_connected(&subscriptions, 2, topic);
    static const subscription_target_t target = {"x/y/z", "gone", "change"};
    subscriptions_not_connected(&subscriptions, 3, &target, INT64_C(1700000000000000000));
    topic_received(topic, 1, 60, INT64_C(1700000001000000000));
    topic_received(topic, 1, 60, INT64_C(1700000001000000000));
    topic_received(topic, 5, 60, INT64_C(1700000003000000000));

    samples_enable(&samples, true);
    samples_push(&samples, &(push_sample_t){SAMPLE_UNKNOWN, 46999});
    receive_sample_t received = {.attr_name = "attr",
                                 .since_last_ns = 5000000,
                                 .sleep_ns = 4000000,
                                 .process_ns = 276000,
                                 .latency_ns = SAMPLE_UNKNOWN,
                                 .callback_count = SAMPLE_UNKNOWN,
                                 .wake_count = 2,
                                 .kind_and_discarded = (int64_t)WIRE_ATT_VALUE * 2};
    samples_receive(&samples, &received);
    stream_push_took(stream, 46999);
    topic_event_took(topic, true, -3, 276000);
    topic_event_took(topic, false, 0, 276001);
}

static void an_idle_server_answers_as_the_built_in_command(void **state)
{
    (void)state;
    char expected[1024];
    snprintf(expected, sizeof expected,
             "{\"version\": 1, \"server\": {\"event_counters\": {}, \"perf\": null, "
             "\"event_streams\": {}}, \"client\": null, %s",
             agent_part());
    assert_answer(ANSWER_VERSION_1, expected);
    assert_answer(ANSWER_LEGACY, "{\"server\": {\"event_counters\": {}, \"perf_stats\": null}}");
}

static void a_full_answer_has_all_keys(void **state)
{
    (void)state;
    fill();
    char expected[4096];
    snprintf(
        expected, sizeof expected,
        "{\"version\": 1, \"server\": {\"event_counters\": {\"" STREAM "\": 2}, "
        "\"perf\": [{\"micros_since_last_event\": null, \"push_event_micros\": 46}], "
        "\"event_streams\": {\"" STREAM "\": {\"pushed_event_count\": 2, "
        "\"byte_count\": 120, \"last_event\": \"2023-11-14T22:13:22.000000+00:00\", "
        "\"last_subscription\": null, \"has_subscribers\": null, "
        "\"push_event_histogram\": {\"buckets\": [[45056, 49152, 1]], \"count\": 1, "
        "\"sum_nanos\": 46999, \"max_nanos\": 46999}}}}, "
        "\"client\": {\"event_callbacks\": {\"" TOPIC "\": {\"channel_name\": \"" CHANNEL "\", "
        "\"callback_count\": 2, \"server_counter\": 5, \"event_count\": 2, "
        "\"missed_event_count\": 1, \"discarded_event_count\": 1, "
        "\"last_resubscribed\": null, \"lost_event_count\": 3, "
        "\"outage_lost_event_count\": 0, "
        "\"publisher_restart_count\": 0, \"byte_count\": 120, "
        "\"last_event\": \"2023-11-14T22:13:23.000000+00:00\", "
        "\"latency_histogram\": {\"buckets\": [[null, 1024, 1]], \"count\": 1, "
        "\"sum_nanos\": -3, \"max_nanos\": 0}, "
        "\"processing_histogram\": {\"buckets\": [[262144, 294912, 2]], \"count\": 2, "
        "\"sum_nanos\": 552001, \"max_nanos\": 276001}}}, "
        "\"not_connected\": [{\"device\": \"x/y/z\", \"attribute\": \"gone\", "
        "\"event_type\": \"change\", \"last_heartbeat\": " ATTACHED ", \"tango_host\": null}], "
        "\"event_channels\": {\"" CHANNEL "\": "
        "{\"endpoint\": \"tcp://h:2\", \"event_endpoint\": \"tcp://h:3\", "
        "\"last_heartbeat\": \"2023-11-14T22:13:21.000000+00:00\", "
        "\"heartbeat_count\": 1, \"missed_heartbeat_count\": 0}}, "
        "\"perf\": [{\"attr_name\": \"attr\", \"micros_since_last_event\": 5000, "
        "\"sleep_micros\": 4000, \"process_micros\": 276, "
        "\"first_callback_latency_micros\": null, \"callback_count\": null, "
        "\"wake_count\": 2, \"discarded\": false}]}, %s",
        agent_part());
    assert_answer(ANSWER_VERSION_1, expected);
}

static void the_older_format_has_its_own_words(void **state)
{
    (void)state;
    fill();
    assert_answer(
        ANSWER_LEGACY,
        "{\"server\": {\"event_counters\": {\"" STREAM "\": 2}, "
        "\"perf_stats\": [{\"micros_since_last_event\": -1, \"push_event_micros\": 46}]}, "
        "\"client\": {\"event_callbacks\": {\"" TOPIC "\": {\"channel_name\": \"" CHANNEL "\", "
        "\"callback_count\": 2, \"server_counter\": 5, \"event_count\": 2, "
        "\"missed_event_count\": 1, \"last_resubscribed\": " ATTACHED "}}, "
        "\"event_channels\": {\"" CHANNEL "\": {\"endpoint\": \"tcp://h:2\"}}, "
        "\"perf_stats\": [{\"att_name\": \"attr\", \"event_type\": \"ATT_VALUE\", "
        "\"micros_since_last_event\": 5000, \"sleep_micros\": 4000, \"process_micros\": 276, "
        "\"first_callback_lactency_micros\": -1, \"callback_count\": null, "
        "\"wake_count\": 2}]}}");
}

static void a_query_empties_the_samples_for_its_reader(void **state)
{
    (void)state;
    fill();
    char *first = answer_query(&sources, &reader, ANSWER_VERSION_1, &origin);
    char *second = answer_query(&sources, &reader, ANSWER_VERSION_1, &origin);
    samples_reader_t other = {0};
    char *others = answer_query(&sources, &other, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(first, "push_event_micros"));
    assert_null(strstr(second, "push_event_micros"));
    assert_non_null(strstr(second, "\"perf\": []"));
    cut_consumer_thread(first);
    cut_consumer_thread(others);
    assert_string_equal(first, others);
    samples_enable(&samples, false);
    char *off = answer_query(&sources, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(off, "\"perf\": null"));
    free(first);
    free(second);
    free(others);
    free(off);
}

static void the_consumer_thread_is_shown_while_a_callback_hangs(void **state)
{
    (void)state;
    int64_t now_ns = clock_monotonic_coarse_ns();
    topic_t *topic = streams_topic(&streams, TOPIC, strlen(TOPIC));
    consumer_enters(&streams.consumer, CONSUMER_CALLBACKS, topic, now_ns - INT64_C(3600000000000));
    wire_order_t delay = {WIRE_ORDER_DELAY_EVENT, NULL, NULL, NULL};
    char expected[256];
    snprintf(expected, sizeof expected,
             "\"consumer_thread\": {\"thread_id\": %ld, \"state\": \"callbacks\", "
             "\"topic\": \"" TOPIC "\", \"since\": \"",
             (long)gettid());
    char *answer = answer_query(&sources, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(answer, expected));
    assert_non_null(strstr(answer, "\"longest_callback_topic\": \"" TOPIC "\""));
    assert_non_null(strstr(answer, "\"delayed_since\": null"));
    const char *longest = strstr(answer, "\"longest_callback_micros\": ");
    assert_in_range(atoll(longest + strlen("\"longest_callback_micros\": ")), 3600000000LL,
                    3660000000LL);
    free(answer);

    streams_order(&streams, &delay, 0);
    answer = answer_query(&sources, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(answer, "\"delayed_since\": \"20"));
    free(answer);
}

static void what_can_not_be_known_is_null(void **state)
{
    (void)state;
    consumer_enters(&streams.consumer, CONSUMER_POLLING, NULL, 0);
    topic_received(streams_topic(&streams, TOPIC, strlen(TOPIC)), 0, 1, 1);
    char *answer = answer_query(&sources, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(answer, "\"lost_event_count\": null"));
    assert_non_null(strstr(answer, "\"channel_name\": null"));
    assert_non_null(strstr(answer, "\"callback_count\": null"));
    assert_non_null(strstr(answer, "\"not_connected\": null"));
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_idle_server_answers_as_the_built_in_command, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_answer_has_all_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(the_older_format_has_its_own_words, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_empties_the_samples_for_its_reader, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_consumer_thread_is_shown_while_a_callback_hangs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_can_not_be_known_is_null, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
