/* The page of the last hour: filled by one thread, written by others. */
#include "cmocka_all.h"

#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/view/report/page/report_page_sink.h"
#include "observing.h"

#define PUB "dserver/Pub/1"
#define SUB "dserver/Sub/1"

typedef struct {
    observing_t *run;
    report_page_t *page;
    sink_t *sink;
    int64_t pushed;
    int64_t received;
    int64_t gaps;
} test_t;

static test_t test;

static int setup(void **state)
{
    (void)state;
    const report_page_options_t options = {
        .window = 3600, .budget = 1 << 20, .poll_period = 10, .metrics_path = "/metrics"};
    test = (test_t){.run = observing_new(NULL)};
    test.page = report_page_new(&options);
    test.sink = report_page_sink_new(test.page);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test.sink->methods->destroy(&test.sink);
    report_page_destroy(&test.page);
    assert_null(test.page);
    observing_destroy(&test.run);
    return 0;
}

/* The next poll, with more events of a stream, of which so many were lost in one gap. */
static void poll_with_loss(const char *name, int64_t more, int64_t lost)
{
    char *error = NULL;
    test.pushed += more;
    test.received += more - lost;
    test.gaps += lost > 0;
    char *pub = memory_format("{'version': 1, 'server': {'event_counters': "
                              "{'tango://h:1/a/b/c/%s.change': %" PRId64 "}}}",
                              name, test.pushed);
    char *sub = memory_format("{'version': 1, 'client': {'event_callbacks': "
                              "{'tango://h:1/a/b/c/%s.idl5_change': {'event_count': %" PRId64
                              ", 'missed_event_count': %" PRId64 ", 'discarded_event_count': 0}}}}",
                              name, test.received, test.gaps);
    observing_poll(test.run, (const char *[]){PUB, pub, SUB, sub, NULL});
    assert_int_equal(test.sink->methods->show(test.sink, test.run->observation, &error), SINK_OK);
    assert_null(error);
    observation_settle(test.run->observation);
    free(pub);
    free(sub);
}

static void poll(const char *name, int64_t more)
{
    poll_with_loss(name, more, 0);
}

/* The page as it is now; the caller frees it. */
static char *written(void)
{
    size_t size = 0;
    int64_t number = 0;
    char *text = report_page_write(test.page, &size, &number);
    assert_non_null(text);
    assert_int_equal(strlen(text), size);
    assert_int_equal(number, report_page_number(test.page));
    return text;
}

static bool shows(const char *what)
{
    char *text = written();
    const bool does = strstr(text, what);
    free(text);
    return does;
}

static void nothing_before_the_first_poll(void **state)
{
    (void)state;
    size_t size = 0;
    int64_t number = -1;
    assert_null(report_page_write(test.page, &size, &number));
    assert_int_equal(number, 0);
    assert_int_equal(report_page_number(test.page), 0);
}

static void it_is_of_the_newest_poll(void **state)
{
    (void)state;
    poll("x", 0);
    assert_int_equal(report_page_number(test.page), 1);
    assert_true(shows("</html>"));
    poll("x", 4321);
    assert_int_equal(report_page_number(test.page), 2);
    assert_true(shows("a/b/c/x"));
    assert_true(shows("4,321") || shows("4321") || shows("4 321"));
}

static void what_is_older_than_the_window_leaves(void **state)
{
    (void)state;
    poll("early", 5);
    poll("early", 5);
    assert_true(shows("a/b/c/early"));
    for (int i = 0; i < 2 * 3600 / 10; i++)
        poll("late", 1);
    assert_false(shows("a/b/c/early"));
    assert_true(shows("a/b/c/late"));
}

/* Bytes in use; 0 under a sanitizer, which has its own memory. */
static size_t in_use(void)
{
    return mallinfo2().uordblks;
}

static void memory_stays_the_same_over_days(void **state)
{
    (void)state;
    char name[32];
    size_t after_hours[48];
    for (int hour = 0; hour < 48; hour++) {
        for (int i = 0; i < 360; i++) {
            /* Streams come and go, too, and come again when their hour is over. */
            (void)snprintf(name, sizeof name, "x%d", (hour * 360 + i) / 10 % 100);
            poll(name, i % 7);
        }
        free(written());
        after_hours[hour] = in_use();
    }
    for (int hour = 7; hour < 48; hour++)
        assert_in_range(after_hours[hour], 0, after_hours[6] + 32768);
}

static atomic_bool ended;

/* Writes as often as it can; *argument: how often it wasn't a page. */
static void *write_often(void *argument)
{
    int *bad = argument;
    int64_t last = 0;
    while (!atomic_load(&ended)) {
        size_t size = 0;
        int64_t number = 0;
        char *text = report_page_write(test.page, &size, &number);
        *bad += number < last || !text != (number == 0);
        *bad += text && strcmp(text + size - strlen("</html>\n"), "</html>\n") != 0;
        last = number;
        free(text);
    }
    return NULL;
}

static void written_by_threads_while_it_is_filled(void **state)
{
    (void)state;
    pthread_t threads[3];
    int bad[3] = {0};
    atomic_store(&ended, false);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_often, &bad[i]), 0);
    for (int i = 0; i < 500; i++)
        poll_with_loss(i % 50 < 25 ? "x" : "y", i, i % 10 == 9 ? 3 : 0);
    atomic_store(&ended, true);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(bad[i], 0);
    }
    assert_true(shows("overflow")); /* the findings were there, too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_before_the_first_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_of_the_newest_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_older_than_the_window_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_stays_the_same_over_days, setup, teardown),
        cmocka_unit_test_setup_teardown(written_by_threads_while_it_is_filled, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
