/* The page of a report: what names may do to it, how large it gets, and what its charts hold. */
#include "monitor/view/report/html/report_html.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cmocka_all.h"
#include "observing.h"

#define PUB "dserver/Pub/1"
#define SUB "dserver/Sub/1"

typedef struct {
    observing_t *run;
    report_t *report;
    char *text; /* of the page */
    size_t size;
} test_t;

static test_t test;

static int setup(void **state)
{
    (void)state;
    const report_options_t options = {0};
    test.run = observing_new(NULL);
    test.report = report_new(&options);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(test.text);
    test.text = NULL;
    report_destroy(&test.report);
    observing_destroy(&test.run);
    return 0;
}

/* A publisher and a subscriber of so many streams a/b/c/NAME-i, with counts. */
static void poll_streams(const char *name, size_t streams, int64_t pushed, int64_t lost)
{
    char *texts[2];
    size_t sizes[2];
    FILE *pub = memory_stream_open(&texts[0], &sizes[0]);
    FILE *sub = memory_stream_open(&texts[1], &sizes[1]);
    fputs("{'version': 1, 'agent': {'pid': 5, 'attached': '2026-01-01T00:00:00.000000Z'}, "
          "'server': {'event_streams': {",
          pub);
    fputs("{'version': 1, 'agent': {'pid': 7, 'attached': '2026-01-01T00:00:00.000000Z'}, "
          "'client': {'event_callbacks': {",
          sub);
    for (size_t i = 0; i < streams; i++) {
        fprintf(pub, "%s'tango://h:1/a/b/c/%s-%zu.change': {'pushed_event_count': %" PRId64 "}",
                i ? "," : "", name, i, pushed);
        fprintf(sub,
                "%s'tango://h:1/a/b/c/%s-%zu.idl5_change': {'channel_name': '" PUB
                "', 'server_counter': %" PRId64 ", 'event_count': %" PRId64
                ", 'missed_event_count': 0, 'lost_event_count': %" PRId64
                ", 'outage_lost_event_count': 0, 'discarded_event_count': 0}",
                i ? "," : "", name, i, pushed, pushed - lost, lost);
    }
    fputs("}}}", pub);
    fputs("}}}", sub);
    memory_stream_close(pub);
    memory_stream_close(sub);
    observing_poll(test.run, (const char *[]){PUB, texts[0], SUB, texts[1], NULL});
    report_add(test.report, test.run->observation);
    free(texts[0]);
    free(texts[1]);
}

static const char *write_page(report_html_options_t options)
{
    if (!options.title)
        options.title = "night.jsonl";
    report_settle(test.report);
    free(test.text);
    FILE *out = memory_stream_open(&test.text, &test.size);
    report_html_write(out, test.report, &options);
    memory_stream_close(out);
    return test.text;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
        count++;
    return count;
}

/* ---- texts ---- */

static void test_names_are_text(void **state)
{
    (void)state;
    poll_streams("</script><script>alert(1)</script><img src=x onerror=alert(1)>&", 2, 10, 0);
    poll_streams("</script><script>alert(1)</script><img src=x onerror=alert(1)>&", 2, 30, 5);
    const char *page = write_page((report_html_options_t){.title = "\"><script>alert(2)//"});
    /* The style's and the data's, and ours. */
    assert_int_equal(count_of(page, "<script"), 2);
    assert_int_equal(count_of(page, "</script"), 2);
    assert_int_equal(count_of(page, "<img"), 0);
    assert_non_null(strstr(page, "&lt;img src=x onerror=alert(1)&gt;&amp;-0.change"));
    assert_non_null(strstr(page, "\\u003c/script\\u003e"));
    assert_non_null(strstr(page, "&gt;&lt;script&gt;alert(2)//</title>"));
}

static void test_what_is_no_text_is_replaced(void **state)
{
    (void)state;
    poll_streams("x", 1, 10, 0);
    /* A right-to-left override, a line separator, an escape sequence, and bytes that aren't UTF-8.
     */
    const char *page = write_page((report_html_options_t){.title = "a\xe2\x80\xae"
                                                                   "b\xe2\x80\xa8"
                                                                   "c\x1b[31m\xff\xc3"});
    assert_non_null(strstr(page, "<title>a?b?c?[31m?"
                                 "?</title>"));
    assert_null(strchr(page, '\x1b'));
    assert_null(strstr(page, "\xe2\x80\xae"));
}

static void test_long_names_are_cut(void **state)
{
    (void)state;
    enum { SIZE = 10000 };
    char name[SIZE + 1];
    memset(name, 'n', SIZE);
    name[SIZE] = '\0';
    poll_streams(name, 3, 10, 0);
    poll_streams(name, 3, 20, 1);
    const char *page = write_page((report_html_options_t){0});
    name[SIZE / 2] = '\0';
    assert_null(strstr(page, name));
    assert_true(test.size < 200000);
}

/* ---- size ---- */

static void test_size_is_kept(void **state)
{
    (void)state;
    enum { STREAMS = 1500, STEP = 150000, MOST = 1200000, LEAST = 120000 };
    for (int poll = 0; poll < 6; poll++)
        poll_streams("some_attribute_with_a_name", STREAMS, 100 + 20 * poll, poll);
    for (size_t bytes = LEAST; bytes < MOST; bytes += STEP) {
        const char *page = write_page((report_html_options_t){.bytes = bytes});
        assert_true(test.size <= bytes);
        assert_true(test.size > bytes / 3 || test.size > MOST / 2);
        assert_string_equal(page + test.size - strlen("</html>\n"), "</html>\n");
        if (count_of(page, "some_attribute_with_a_name-") < (size_t)2 * STREAMS)
            assert_non_null(strstr(page, " more streams are not shown."));
        /* What was lost in all is there all the same. */
        assert_non_null(strstr(page, "7,500</b> lost"));
    }
}

static void test_nothing_at_all(void **state)
{
    (void)state;
    const char *page = write_page((report_html_options_t){0});
    assert_non_null(strstr(page, "Nothing was recorded"));
    assert_non_null(strstr(page, "Nothing was found"));
}

/* ---- numbers ---- */

/* Whether all numbers in attributes of shapes are numbers. */
static void assert_finite(const char *page)
{
    const char *end = strstr(page, "<script");
    for (const char *at = strstr(page, " d=\""); at && at < end; at = strstr(at + 1, " d=\"")) {
        const char *value = at + strlen(" d=\"");
        const size_t size = strcspn(value, "\"");
        for (size_t i = 0; i < size; i++)
            if (!isdigit((unsigned char)value[i]) && !strchr("MmhHvVCz .-", value[i]))
                fail_msg("in a path: %.60s", value + (i > 20 ? i - 20 : 0));
    }
    for (const char *at = strstr(page, "viewBox=\""); at && at < end;
         at = strstr(at + 1, "viewBox=\"")) {
        const char *value = at + strlen("viewBox=\"");
        assert_int_equal(strspn(value, "0123456789. "), strcspn(value, "\""));
    }
}

static void test_absurd_numbers(void **state)
{
    (void)state;
    poll_streams("x", 2, 1, 0);
    poll_streams("x", 2, INT64_MAX - 1, INT64_MAX / 2);
    poll_streams("x", 2, 5, 0);
    test.run->time += 1000000000; /* 30 years later */
    poll_streams("x", 2, 7, 1);
    report_settle(test.report);
    test.report->columns[0].push_rate = INFINITY;
    test.report->columns[0].latency = -1;
    test.report->rows[0]->points[0].rate = NAN;
    test.report->percentiles[REPORT_LATENCY] =
        (report_percentiles_t){.count = 1, .median = NAN, .maximum = INFINITY};
    FILE *out = memory_stream_open(&test.text, &test.size);
    report_html_write(out, test.report, &(report_html_options_t){.title = "x"});
    memory_stream_close(out);
    assert_finite(test.text);
    const char *data = strstr(test.text, "id=\"data\"");
    const char *end = strstr(data, "</script>");
    assert_true(!strstr(data, "nan") || strstr(data, "nan") > end);
    assert_true(!strstr(data, ":inf") || strstr(data, ":inf") > end);
    assert_true(!strstr(data, ",inf") || strstr(data, ",inf") > end);
}

/* However many columns are joined: what was lost stays, and no bar has no height. */
static void test_losses_are_drawn(void **state)
{
    (void)state;
    enum { POLLS = 3000, AT = 1234 };
    for (int poll = 0; poll < POLLS; poll++)
        poll_streams("x", 1, INT64_C(100) * (poll + 1), poll < AT ? 0 : 1);
    const char *page = write_page((report_html_options_t){0});
    assert_non_null(strstr(page, "<path class=\"lost\" d=\"M"));
    assert_int_equal(count_of(page, "[\"lost\",\"\",["), 2); /* of everything, and of the stream */
    const char *values = strstr(page, "[\"lost\",\"\",[") + strlen("[\"lost\",\"\",[");
    int64_t sum = 0;
    while (*values != ']') {
        char *after = NULL;
        sum += strtoll(values, &after, 10);
        values = *after == ',' ? after + 1 : after;
    }
    assert_int_equal(sum, 1);
    assert_finite(page);
}

/* A number of findings says so if there were more than are kept. */
static void test_findings_that_are_left_out(void **state)
{
    (void)state;
    enum { LEFT_OUT = 7 };
    poll_streams("x", 1, 10, 0);
    assert_non_null(strstr(write_page((report_html_options_t){0}), "<b>0</b> faults"));
    test.report->findings_left_out = LEFT_OUT;
    free(test.text);
    FILE *out = memory_stream_open(&test.text, &test.size);
    report_html_write(out, test.report, &(report_html_options_t){.title = "x"});
    memory_stream_close(out);
    assert_non_null(strstr(test.text, "<b>\xe2\x89\xa5"
                                      "0</b> faults"));
    assert_int_equal(count_of(test.text, "7 more findings are not shown."), 2);
}

/* Thousands of gaps are no more than can be told apart. */
static void test_gaps_are_bounded(void **state)
{
    (void)state;
    enum { GAPS = 4000, POLLS = 5, APART = 100, MOST = 200000 };
    test.run->period = 1;
    for (int gap = 0; gap < GAPS; gap++) {
        for (int poll = 0; poll < POLLS; poll++)
            poll_streams("x", 1, 5, 0);
        test.run->time += APART;
    }
    const char *page = write_page((report_html_options_t){0});
    assert_true(test.report->incident_count > GAPS - 100);
    assert_int_equal(count_of(page, "<path class=\"gap\""), 2); /* behind rates, and in a lane */
    const char *tables = strstr(page, "id=\"incidents\"");
    assert_true(tables - page < MOST);
}

/* ---- policy ---- */

static void test_policy(void **state)
{
    (void)state;
    poll_streams("x", 1, 10, 0);
    const char *policy = report_html_policy();
    assert_ptr_equal(strstr(policy, "default-src 'none'; "), policy);
    assert_non_null(strstr(policy, "connect-src 'self'"));
    assert_null(strstr(policy, "unsafe"));
    assert_int_equal(count_of(policy, "'sha256-"), 2);
    assert_non_null(strstr(
        write_page((report_html_options_t){.refresh = 5, .metrics_path = "/metrics"}), policy));
    assert_non_null(strstr(test.text, "<meta http-equiv=\"refresh\" content=\"5\">"));
    assert_non_null(strstr(test.text, "<a href=\"/metrics\">"));
    const char *page = write_page((report_html_options_t){0});
    assert_null(strstr(page, "connect-src"));
    assert_null(strstr(page, "http-equiv=\"refresh\""));
    const char *script = strstr(page, "<script>");
    assert_true(!strstr(page, " style=\"") || strstr(page, " style=\"") > script);
    assert_true(!strstr(page, " onclick") || strstr(page, " onclick") > script);
    assert_null(strstr(script, "innerHTML"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names_are_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_text_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_names_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_size_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_at_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_absurd_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_losses_are_drawn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_findings_that_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gaps_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_policy, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
