/* The JSON that the agent answers, as whole texts: both schemas, empty and full. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/answer/answer.h"
#include "agent/platform/clocks.h"
#include "agent/tango/topic_name.h"
#include "cmocka_all.h"
#include "version.h"

#define STREAM  "tango://h:1/a/b/c/attr.change"
#define TOPIC   "tango://h:1/a/b/c/attr.idl5_change"
#define CHANNEL "tango://h:1/dserver/pub/1"

static counts_t counts = {.subscriptions = SUBSCRIPTIONS_INITIALIZER};
static samples_reader_t reader;
static const answer_origin_t origin = {.tango_version = "9.3.4",
                                       .attached_ns = INT64_C(1700000000000000000),
                                       .process_ns = INT64_C(1699999900000000000)};

#define ATTACHED "\"2023-11-14T22:13:20.000000+00:00\""

static int setup(void **state)
{
    (void)state;
    streams_init(&counts.streams);
    memset(&counts.samples, 0, sizeof counts.samples);
    memset(&reader, 0, sizeof reader);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    streams_clear(&counts.streams);
    subscriptions_clear(&counts.subscriptions);
    atomic_store(&counts.subscriptions.watched, false);
    return 0;
}

/* Removes what contains current times. */
static void cut(char *answer, const char *from, char to)
{
    char *begin = strstr(answer, from);
    char *end = begin ? strchr(begin + strlen(from), to) : NULL;
    if (end)
        memmove(begin, end + 1, strlen(end));
}

static void assert_answer(answer_schema_t schema, const char *expected)
{
    char *answer = answer_query(&counts, &reader, schema, &origin);
    assert_non_null(answer);
    cut(answer, ", \"consumer_thread\": {", '}');
    cut(answer, ", \"time\": \"", '"');
    assert_string_equal(answer, expected);
    free(answer);
}

static const char *agent_part(void)
{
    static char text[320];
    snprintf(text, sizeof text,
             "\"agent\": {\"version\": \"" STEM_VERSION "\", \"tango_version\": \"9.3.4\", "
             "\"pid\": %ld, \"loaded\": \"at start\", \"attached\": " ATTACHED ", "
             "\"process_started\": \"2023-11-14T22:11:40.000000+00:00\", \"uncounted\": 0, "
             "\"unknown_topic_event_count\": 0, \"truncated\": null, \"unwatched\": null}}",
             (long)getpid());
    return text;
}

static void receive(topic_t *topic, uint32_t counter, int64_t time_ns, bool is_error)
{
    const topic_event_t event = {
        .counter = counter, .bytes = 60, .time_ns = time_ns, .is_error = is_error};
    topic_received(topic, &event);
}

static void fill(void)
{
    static push_call_t call;
    stream_t *stream = streams_published(&counts.streams, STREAM, strlen(STREAM));
    stream_pushed(stream, &counts.streams.published, 1, &call, 60, INT64_C(1700000001000000000));
    stream_pushed(stream, &counts.streams.published, 2, &call, 60, INT64_C(1700000002000000000));

    consumer_enters(&counts.streams.consumer, CONSUMER_POLLING, NULL, 0);
    atomic_store(&counts.subscriptions.watched, true);
    wire_control_t heartbeat = {WIRE_CONTROL_CONNECT_HEARTBEAT, CHANNEL ".heartbeat", "tcp://h:2",
                                NULL};
    wire_control_t event = {WIRE_CONTROL_CONNECT_EVENT, TOPIC, "tcp://h:3", NULL};
    channel_t *channel = NULL;
    streams_announce(&counts.streams, &heartbeat, CONTROL_OF_CLIENT, &channel);
    streams_executed(&counts.streams, &heartbeat, 0);
    streams_announce(&counts.streams, &event, CONTROL_OF_CLIENT, &channel);
    streams_executed(&counts.streams, &event, 0);
    streams_heartbeat(&counts.streams, CHANNEL ".heartbeat", strlen(CHANNEL ".heartbeat"),
                      INT64_C(1700000001000000000), 1);
    topic_t *topic = streams_topic(&counts.streams, TOPIC, strlen(TOPIC));
    subscriptions_connected(&counts.subscriptions, 1, topic);
    subscriptions_connected(&counts.subscriptions, 2, topic);
    static const subscription_target_t target = {"x/y/z", "gone", "change"};
    subscriptions_not_connected(&counts.subscriptions, 3, &target, INT64_C(1700000000000000000));
    receive(topic, 1, INT64_C(1700000001000000000), false);
    receive(topic, 1, INT64_C(1700000001000000000), false);
    receive(topic, 5, INT64_C(1700000003000000000), true);

    samples_enable(&counts.samples, true);
    samples_push(&counts.samples, &(push_sample_t){SAMPLE_UNKNOWN, 46999});
    receive_sample_t received = {.attr_name = "attr",
                                 .since_last_ns = 5000000,
                                 .sleep_ns = 4000000,
                                 .process_ns = 276000,
                                 .latency_ns = SAMPLE_UNKNOWN,
                                 .callback_count = SAMPLE_UNKNOWN,
                                 .wake_count = 2,
                                 .kind_and_discarded = (int64_t)EVENT_ATT_VALUE * 2};
    samples_receive(&counts.samples, &received);
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

static void assert_unwatched(const char *unwatched, bool other, const char *expected)
{
    atomic_store(&counts.unwatched, unwatched);
    atomic_store(&counts.other_libtango, other);
    char *answer = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(answer, expected));
    free(answer);
    atomic_store(&counts.unwatched, NULL);
    atomic_store(&counts.other_libtango, false);
}

static void what_is_not_watched_is_told(void **state)
{
    (void)state;
    assert_unwatched(NULL, false, "\"unwatched\": null}");
    assert_unwatched("callbacks, pushing", false, "\"unwatched\": \"callbacks, pushing\"}");
    assert_unwatched(NULL, true, "\"unwatched\": \"the server of a second libtango\"}");
    assert_unwatched("events", true, "\"unwatched\": \"events, the server of a second libtango\"}");
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
        "\"known_pushed_event_count\": 2, "
        "\"byte_count\": 120, \"last_event\": \"2023-11-14T22:13:22.000000+00:00\", "
        "\"last_subscription\": null, \"has_subscribers\": null, "
        "\"push_event_histogram\": {\"buckets\": [[45056, 49152, 1]], \"count\": 1, "
        "\"sum_nanos\": 46999, \"max_nanos\": 46999}}}}, "
        "\"client\": {\"event_callbacks\": {\"" TOPIC "\": {\"channel_name\": \"" CHANNEL "\", "
        "\"callback_count\": 2, \"server_counter\": 5, \"event_count\": 2, "
        "\"missed_event_count\": 1, \"discarded_event_count\": 1, "
        "\"last_resubscribed\": null, \"error_event_count\": 1, "
        "\"last_error_event\": \"2023-11-14T22:13:23.000000+00:00\", "
        "\"known_lost_event_count\": 3, \"lost_event_count\": 3, "
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

static void each_count_of_a_topic_is_answered(void **state)
{
    (void)state;
    fill();
    topic_t *topic = streams_topic(&counts.streams, TOPIC, strlen(TOPIC));
    for (uint64_t i = 0; i < TOPIC_COUNTS; i++)
        atomic_store(&topic->counts[i], 1000001 + i);
    char *answer = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
    for (int i = 0; i < TOPIC_COUNTS; i++) {
        char value[32];
        snprintf(value, sizeof value, "_count\": %d,", 1000001 + i);
        assert_non_null(strstr(answer, value));
    }
    free(answer);
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
    char *first = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
    char *second = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
    samples_reader_t other = {0};
    char *others = answer_query(&counts, &other, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(first, "push_event_micros"));
    assert_null(strstr(second, "push_event_micros"));
    assert_non_null(strstr(second, "\"perf\": []"));
    cut(first, ", \"consumer_thread\": {", '}');
    cut(others, ", \"consumer_thread\": {", '}');
    cut(first, ", \"time\": \"", '"');
    cut(others, ", \"time\": \"", '"');
    assert_string_equal(first, others);
    samples_enable(&counts.samples, false);
    char *off = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
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
    topic_t *topic = streams_topic(&counts.streams, TOPIC, strlen(TOPIC));
    consumer_enters(&counts.streams.consumer, CONSUMER_CALLBACKS, topic,
                    now_ns - INT64_C(3600000000000));
    wire_control_t delay = {WIRE_CONTROL_DELAY_EVENT, NULL, NULL, NULL};
    char expected[256];
    snprintf(expected, sizeof expected,
             "\"consumer_thread\": {\"thread_id\": %ld, \"state\": \"callbacks\", "
             "\"topic\": \"" TOPIC "\", \"since\": \"",
             (long)gettid());
    char *answer = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(answer, expected));
    assert_non_null(strstr(answer, "\"longest_callback_topic\": \"" TOPIC "\""));
    assert_non_null(strstr(answer, "\"delayed_since\": null"));
    const char *longest = strstr(answer, "\"longest_callback_micros\": ");
    assert_in_range(atoll(longest + strlen("\"longest_callback_micros\": ")), 3600000000LL,
                    3660000000LL);
    free(answer);

    streams_executed(&counts.streams, &delay, 0);
    answer = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(answer, "\"delayed_since\": \"20"));
    free(answer);
}

static void what_can_not_be_known_is_null(void **state)
{
    (void)state;
    consumer_enters(&counts.streams.consumer, CONSUMER_POLLING, NULL, 0);
    topic_t *topic = streams_topic(&counts.streams, TOPIC, strlen(TOPIC));
    receive(topic, 0, 1, false);
    atomic_store(&counts.samples.pushes_unwatched, true);
    samples_enable(&counts.samples, true);
    char *answer = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(answer, "\"lost_event_count\": null"));
    assert_non_null(strstr(answer, "\"channel_name\": null"));
    assert_non_null(strstr(answer, "\"callback_count\": null"));
    assert_non_null(strstr(answer, "\"not_connected\": null"));
    assert_non_null(strstr(answer, "\"perf\": null, \"event_streams\""));
    free(answer);

    /* There was a subscription since, but nothing reports its callbacks. */
    topic_connect(topic, false, 1, NULL, 1);
    answer = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(answer, "\"callback_count\": null"));
    assert_non_null(strstr(answer, "\"lost_event_count\": 0"));
    free(answer);

    /* Reconnected before its first event: what was lost is only known in part. */
    topic_connect(topic, true, 1, NULL, 1);
    receive(topic, 7, 1, false);
    receive(topic, 9, 1, false);
    answer = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(strstr(answer, "\"known_lost_event_count\": 1, \"lost_event_count\": null, "
                                   "\"outage_lost_event_count\": null"));
    free(answer);
}

/* The longest name that a topic can have, of bytes that take six each in JSON: \u0001. */
static const char *long_name(uint32_t number, const char *suffix)
{
    static char name[TOPIC_NAME_MAX + 1];
    memset(name, 1, TOPIC_NAME_MAX);
    int head = snprintf(name, sizeof name, "tango://h:1/%07u", number);
    name[head] = 1;
    memcpy(name + TOPIC_NAME_MAX - strlen(suffix), suffix, strlen(suffix));
    return name;
}

/* How often a quoted word occurs in the text. In one pass: under a sanitizer, strstr() reads the
 * whole text each time. */
static size_t count_of(const char *text, const char *quoted)
{
    size_t count = 0;
    size_t length = strlen(quoted);
    for (; *text; text++)
        count += *text == '"' && strncmp(text, quoted, length) == 0;
    return count;
}

/* However many names there are. */
static void an_answer_is_bounded_and_says_what_it_leaves_out(void **state)
{
    (void)state;
    consumer_enters(&counts.streams.consumer, CONSUMER_POLLING, NULL, 0);
    for (uint32_t i = 0; i < STREAMS_LIMIT + 10; i++) {
        const char *name = long_name(i, ".change");
        wire_control_t event = {.code = WIRE_CONTROL_CONNECT_EVENT, .topic = name, .endpoint = ""};
        streams_executed(&counts.streams, &event, 0);
        stream_t *stream = streams_published(&counts.streams, name, strlen(name));
        if (stream)
            stream_subscribed(stream, &counts.streams.published, 1);
    }
    for (uint32_t i = 0; i < STREAMS_LIMIT + 10; i++) {
        wire_control_t heartbeat = {.code = WIRE_CONTROL_CONNECT_HEARTBEAT,
                                    .topic = long_name(i, ".heartbeat"),
                                    .endpoint = ""};
        streams_executed(&counts.streams, &heartbeat, 0);
    }
    char *answer = answer_query(&counts, &reader, ANSWER_VERSION_1, &origin);
    assert_non_null(answer);
    size_t length = strlen(answer);
    assert_in_range(length, 1, 100000000);
    const char *truncated = strstr(answer, "\"truncated\": {\"event_counters\": ");
    assert_non_null(truncated);
    unsigned long left_out[4];
    assert_int_equal(sscanf(truncated,
                            "\"truncated\": {\"event_counters\": %lu, \"event_streams\": %lu, "
                            "\"event_callbacks\": %lu, \"event_channels\": %lu}",
                            &left_out[0], &left_out[1], &left_out[2], &left_out[3]),
                     4);
    assert_int_equal(count_of(answer, "\"pushed_event_count\"") + left_out[1], STREAMS_LIMIT);
    assert_int_equal(count_of(answer, "\"callback_count\"") + left_out[2], STREAMS_LIMIT);
    assert_non_null(strstr(answer, "\"uncounted\": 30, "));
    assert_string_equal(answer + length - 2, "}}");
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_idle_server_answers_as_the_built_in_command, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_not_watched_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_answer_has_all_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(each_count_of_a_topic_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(the_older_format_has_its_own_words, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_empties_the_samples_for_its_reader, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_consumer_thread_is_shown_while_a_callback_hangs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_can_not_be_known_is_null, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_is_bounded_and_says_what_it_leaves_out, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
