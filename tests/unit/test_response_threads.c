/*
 * response_parse() in several threads at once, as the monitor's workers call it: the threads'
 * answers have their keys in different orders, and of different dialects, and share what the parser
 * remembers of such orders.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "response/response.h"

enum { THREADS = 4, TURNS = 300, SUBSCRIPTIONS = 3, KEYS = 12, TEXT_SIZE = 8192 };

/* Of a subscription, and which part of the tables they are in differs. */
static const char *const keys[KEYS] = {
    "event_count",       "missed_event_count", "discarded_event_count",   "unknown_key",
    "error_event_count", "lost_event_count",   "outage_lost_event_count", "server_counter",
    "callback_count",    "byte_count",         "publisher_restart_count", "known_lost_event_count",
};

static int64_t value_of(const response_subscription_t *self, size_t key)
{
    const subscription_counts_t *counts = &self->counts;
    const int64_t values[KEYS] = {
        counts->event_count,
        counts->missed_event_count,
        counts->discarded_event_count,
        0,
        counts->error_event_count,
        counts->lost_event_count,
        counts->outage_lost_event_count,
        counts->server_counter,
        counts->callback_count,
        counts->byte_count,
        counts->publisher_restart_count,
        0, /* replaced by lost_event_count */
    };
    return values[key];
}

/* The place of a thread's key in the n-th of its subscriptions: forwards, backwards, or in leaps.
 */
static size_t key_at(size_t thread, size_t subscription, size_t place)
{
    static const size_t leaps[] = {1, KEYS - 1, 5, 7}; /* without a common divisor with KEYS */
    return (thread + subscription + place * leaps[thread % 4]) % KEYS;
}

static int64_t expected(size_t thread, size_t subscription, size_t key)
{
    return (int64_t)(1000 * (thread + 1) + 100 * subscription + key);
}

/* Legacy for every other thread, with that dialect's words. */
static bool is_legacy(size_t thread)
{
    return thread % 2 == 1;
}

static size_t write_answer(size_t thread, char *text)
{
    int size = snprintf(text, TEXT_SIZE, "{%s\"server\": {\"event_counters\": {\"s\": %zu}}, ",
                        is_legacy(thread) ? "" : "\"version\": 1, ", thread);
    size += snprintf(text + size, TEXT_SIZE - (size_t)size, "\"client\": {\"event_callbacks\": {");
    for (size_t i = 0; i < SUBSCRIPTIONS; i++) {
        size += snprintf(text + size, TEXT_SIZE - (size_t)size,
                         "%s\"topic%zu\": {\"last_event\": "
                         "\"%zu\"",
                         i > 0 ? ", " : "", i, thread);
        for (size_t place = 0; place < KEYS; place++) {
            size_t key = key_at(thread, i, place);
            size += snprintf(text + size, TEXT_SIZE - (size_t)size, ", \"%s\": %lld", keys[key],
                             (long long)expected(thread, i, key));
        }
        size += snprintf(text + size, TEXT_SIZE - (size_t)size, "}");
    }
    size += snprintf(text + size, TEXT_SIZE - (size_t)size,
                     "}, \"%s\": [{\"%s\": \"attr\", \"wake_count\": %zu}]}}",
                     is_legacy(thread) ? "perf_stats" : "perf",
                     is_legacy(thread) ? "att_name" : "attr_name", thread);
    return (size_t)size;
}

/* cmocka's checks are for the thread that runs the test. */
static bool is_right(const response_t *response, size_t thread)
{
    if (response->dialect != (is_legacy(thread) ? RESPONSE_LEGACY : RESPONSE_VERSION_1) ||
        response->subscription_count != SUBSCRIPTIONS || response->receive_sample_count != 1 ||
        !response->receive_samples[0].attr_name ||
        strcmp(response->receive_samples[0].attr_name, "attr") != 0 ||
        response->receive_samples[0].wake_count != (int64_t)thread)
        return false;
    for (size_t i = 0; i < SUBSCRIPTIONS; i++)
        for (size_t key = 0; key < KEYS; key++) {
            int64_t value = value_of(&response->subscriptions[i], key);
            if (value != 0 && value != expected(thread, i, key))
                return false;
        }
    return true;
}

static pthread_barrier_t barrier;

/* Returns how many answers were read wrongly. */
static void *parse_often(void *argument)
{
    size_t thread = (size_t)(uintptr_t)argument;
    char text[TEXT_SIZE];
    size_t size = write_answer(thread, text);
    size_t wrong = 0;
    pthread_barrier_wait(&barrier);
    for (size_t turn = 0; turn < TURNS; turn++) {
        char *error = NULL;
        response_t *response = response_parse(text, size, &error);
        wrong += !response || !is_right(response, thread);
        response_destroy(&response);
        free(error);
    }
    return (void *)(uintptr_t)wrong;
}

static void answers_of_different_orders_are_read_at_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, parse_often, (void *)(uintptr_t)i), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_ptr_equal(wrong, NULL);
    }
    pthread_barrier_destroy(&barrier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_different_orders_are_read_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
