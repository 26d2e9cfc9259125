/* The verdict of --diagnose, and how it is printed. */
#include "monitor/view/diagnosis/diagnosis.h"

#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "base/xml_text.h"
#include "cmocka_all.h"
#include "monitor/analysis/findings/rules.h"
#include "monitor/view/diagnosis/diagnosis_json.h"
#include "monitor/view/diagnosis/diagnosis_junit.h"
#include "monitor/view/diagnosis/diagnosis_text.h"
#include "monitor/view/text/duration_text.h"
#include "monitor/view/text/finding_line.h"

#define AGENT    "{'version': 1, 'agent': {'pid': 7}}"
#define BUILT_IN "{'version': 1}"

static const filter_t no_filter;
static observation_t *observation;
static diagnosis_t *diagnosis;
static fail_on_t fail_on;
static time_t now;

static int begin(void **state)
{
    (void)state;
    observation = observation_new(NULL);
    fail_on = (fail_on_t){0};
    diagnosis = diagnosis_new(&no_filter, &fail_on);
    now = 1000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    diagnosis_destroy(&diagnosis);
    assert_null(diagnosis);
    diagnosis_destroy(&diagnosis);
    observation_destroy(&observation);
    fail_on_clear(&fail_on);
    return 0;
}

/* Servers s/0, s/1 ...: answers, or errors (without a '{'). */
static void poll_of(size_t count, const char *const *texts)
{
    snapshot_t *snapshot = snapshot_new(count);
    snapshot->time.tv_sec = now += 5;
    for (size_t i = 0; i < count; i++) {
        snapshot->replies[i].server = memory_format("s/%zu", i);
        if (strchr(texts[i], '{'))
            snapshot->replies[i].response = answers_parse(texts[i]);
        else
            snapshot->replies[i].error = memory_string(texts[i]);
    }
    observation_renew(observation, &snapshot, true);
}

static void add_poll(const char *text)
{
    poll_of(1, &text);
    diagnosis_add(diagnosis, observation);
}

/* A poll in which that was found, by a rule of the table; evidence may be NULL. */
static void add_found(const char *rule, const char *stream, const char *text, const char *evidence)
{
    poll_of(1, (const char *const[]){AGENT});
    findings_t *findings = (findings_t *)observation->findings;
    const finding_about_t about = {.server = "s/0", .stream = stream};
    finding_t *finding = findings_report(findings, rules_find(rule), &about);
    finding_say(finding, "%s", text);
    finding_add_events(finding, 1000);
    if (evidence)
        finding_evidence(finding, "%s", evidence);
    findings_settle(findings, observation->snapshot);
    diagnosis_add(diagnosis, observation);
}

static verdict_t verdict(void)
{
    return diagnosis_result(diagnosis)->verdict;
}

static void fail_only_on(const char *list)
{
    char *error = NULL;
    fail_on_clear(&fail_on);
    assert_true(fail_on_add(&fail_on, list, &error));
    assert_null(error);
}

static char *text_of(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    diagnosis_text_print(out, diagnosis_result(diagnosis), &(text_style_t){0});
    memory_stream_close(out);
    return text;
}

static char *junit_of(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    diagnosis_junit_write(out, diagnosis_result(diagnosis), &fail_on);
    memory_stream_close(out);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

/* ---- the verdict ---- */

static void without_a_poll_there_is_no_verdict(void **state)
{
    (void)state;
    assert_int_equal(verdict(), VERDICT_UNKNOWN);
    char *text = text_of();
    assert_string_equal(text,
                        "No verdict: no server answered: 0 servers watched for 0 s (0 polls)\n");
    free(text);
}

static void without_an_answer_there_is_no_verdict(void **state)
{
    (void)state;
    add_poll("no answer");
    assert_int_equal(verdict(), VERDICT_UNKNOWN);
    add_poll(AGENT);
    assert_int_equal(verdict(), VERDICT_HEALTHY);
}

static void a_healthy_system_is_one_line(void **state)
{
    (void)state;
    add_poll(AGENT);
    add_poll(AGENT);
    char *text = text_of();
    assert_string_equal(text, "Healthy: 1 server watched for 5 s (2 polls), 0 streams, 0 "
                              "subscriptions: 0 events pushed, 0 received, no subscriptions "
                              "watched\n");
    free(text);
}

static void a_server_that_never_answered_is_not_called_healthy(void **state)
{
    (void)state;
    poll_of(2, (const char *const[]){AGENT, "no answer within 3 s"});
    diagnosis_add(diagnosis, observation);
    assert_int_equal(verdict(), VERDICT_INCOMPLETE);
    char *text = text_of();
    assert_has(text, "Not every server answered: 2 servers (1 never answered)");
    assert_has(text, "\ns/1 didn't answer: no answer within 3 s\n");
    free(text);
    char *junit = junit_of();
    assert_int_equal(count_of(junit, "<failure type=\"unanswered\" "), 1);
    assert_has(junit, " failures=\"1\"");
    free(junit);
    /* Once is enough. */
    poll_of(2, (const char *const[]){AGENT, AGENT});
    diagnosis_add(diagnosis, observation);
    assert_int_equal(verdict(), VERDICT_HEALTHY);
}

static void one_that_was_stopped_on_purpose_is_no_matter(void **state)
{
    (void)state;
    poll_of(2, (const char *const[]){
                   AGENT, "its server was stopped (the Tango database lists it as not exported)"});
    diagnosis_add(diagnosis, observation);
    assert_int_equal(verdict(), VERDICT_HEALTHY);
}

static void one_that_crashed_meanwhile_leaves_it_open(void **state)
{
    (void)state;
    static const char *const crashed[] = {AGENT, "its server is not running or can't be reached"};
    poll_of(2, (const char *const[]){AGENT, AGENT});
    diagnosis_add(diagnosis, observation);
    poll_of(2, crashed);
    diagnosis_add(diagnosis, observation);
    assert_int_equal(verdict(), VERDICT_HEALTHY); /* once may be the network */
    poll_of(2, crashed);
    diagnosis_add(diagnosis, observation);
    assert_int_equal(verdict(), VERDICT_INCOMPLETE);
    char *text = text_of();
    assert_has(text, "Not every server went on answering: 2 servers watched");
    free(text);
    poll_of(2, (const char *const[]){AGENT, AGENT});
    diagnosis_add(diagnosis, observation);
    assert_int_equal(verdict(), VERDICT_HEALTHY);
}

static void what_counts(void **state)
{
    (void)state;
    add_found("overflow", "a/b/c/d.change", "lost 1000", NULL);
    const finding_t *finding = diagnosis_result(diagnosis)->findings[0];
    assert_int_equal(verdict(), VERDICT_FOUND);
    static const struct {
        const char *list;
        bool counts;
    } lists[] = {{"overflow", true},      {"loss", true},      {"fault", true},
                 {"remark", true},        {"none", false},     {"stuck", false},
                 {"stuck,warning", true}, {"none,loss", true}, {"no-answer,stuck", false}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        fail_only_on(lists[i].list);
        assert_int_equal(fail_on_counts(&fail_on, finding), lists[i].counts);
        assert_int_equal(verdict(), lists[i].counts ? VERDICT_FOUND : VERDICT_HEALTHY);
    }
    finding_t other = {.rule = rules_find("overflow"), .severity = SEVERITY_REMARK};
    fail_on_clear(&fail_on);
    assert_false(fail_on_counts(&fail_on, &other));
    fail_only_on("fault");
    assert_false(fail_on_counts(&fail_on, &other));
    fail_only_on("fault,remark");
    assert_true(fail_on_counts(&fail_on, &other));
    char *error = NULL;
    assert_false(fail_on_add(&fail_on, "loss,overflwo", &error));
    assert_has(error, "'overflwo' is neither a rule nor a group, fault, warning, remark or none: "
                      "perhaps overflow");
    free(error);
    assert_false(fail_on_add(&fail_on, "loss,", &error));
    free(error);
}

/* It isn't called found, nor left unsaid. */
static void what_would_be_found_if_one_watched_longer(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        poll_of(2, (const char *const[]){AGENT, "no answer"});
        diagnosis_add(diagnosis, observation);
    }
    const diagnosis_result_t *result = diagnosis_result(diagnosis);
    assert_int_equal(result->suspected_count, 1);
    assert_int_equal(result->finding_count, 0);
    assert_true(result->sure_after == 15);
    char *text = text_of();
    assert_has(text, "\nPerhaps, but watch longer to be sure (--diagnose=15): ");
    assert_has(text, "[no-answer]\n");
    free(text);
    fail_only_on("loss");
    assert_int_equal(diagnosis_result(diagnosis)->suspected_count, 0);
    fail_only_on("fault");
    /* Nor is what wasn't there all the time. */
    poll_of(2, (const char *const[]){AGENT, AGENT});
    diagnosis_add(diagnosis, observation);
    poll_of(2, (const char *const[]){AGENT, "no answer"});
    diagnosis_add(diagnosis, observation);
    assert_int_equal(diagnosis_result(diagnosis)->suspected_count, 0);
}

/* ---- how it is printed ---- */

static void what_to_do_is_said_once(void **state)
{
    (void)state;
    add_found("overflow", "tango://h:1/a/b/c/d.change", "lost 1 on tango://h:1/a/b/c/d.change",
              "tango://h:1/s is\x1b[31m red");
    add_found("overflow", "tango://h:1/a/b/c/e.change", "lost 2", NULL);
    char *text = text_of();
    assert_has(text, "FOUND 2 faults: 1 server");
    assert_has(text, "FAULT    lost 1 on a/b/c/d.change  [overflow]\n");
    assert_has(text, "         - s is?[31m red\n");
    assert_int_equal(count_of(text, "What to do: "), 2);
    assert_int_equal(count_of(text, "What to do: As said above.\n"), 1);
    free(text);
}

static void what_cannot_be_told_without_the_agent(void **state)
{
    (void)state;
    poll_of(3, (const char *const[]){AGENT, BUILT_IN, BUILT_IN});
    diagnosis_add(diagnosis, observation);
    const diagnosis_result_t *result = diagnosis_result(diagnosis);
    assert_int_equal(diagnosis_untold(result, rules_find("stuck-callback")), 2);
    assert_int_equal(diagnosis_untold(result, rules_find("no-answer")), 0);
    char *text = text_of();
    assert_has(text, "Not looked for without the agent in s/1, s/2: ");
    assert_has(text, "stuck-callback");
    free(text);
    char *junit = junit_of();
    assert_int_equal(count_of(junit, "<skipped "), 0);
    assert_has(junit, "not looked for in 2 of 3 servers, which have no agent");
    free(junit);
}

static void a_rule_that_no_server_can_answer_is_skipped(void **state)
{
    (void)state;
    add_poll(BUILT_IN);
    size_t agent_only = 0;
    for (size_t i = 0; i < rules_count; i++)
        agent_only += rules[i].agent_only;
    char *junit = junit_of();
    assert_int_equal(count_of(junit, "<skipped "), agent_only);
    char *attribute = memory_format(" skipped=\"%zu\"", agent_only);
    assert_has(junit, attribute);
    free(attribute);
    free(junit);
}

/* Whatever servers call themselves. */
static void junit_stays_xml(void **state)
{
    (void)state;
    add_found("overflow", "a\"><b>&'/\x01\xff.change", "lost <1> & \"2\" ]]> \x01\n\xef\xbf\xbf",
              "<evidence>\r\nnext");
    char *junit = junit_of();
    assert_has(junit, "message=\"lost &lt;1&gt; &amp; &quot;2&quot; ]]&gt; \xef\xbf\xbd&#10;"
                      "\xef\xbf\xbd\"");
    assert_has(junit, ">fault: lost &lt;1&gt; &amp; &quot;2&quot; ]]&gt; ???\n");
    assert_has(junit, "  - &lt;evidence&gt;??next\n");
    assert_int_equal(count_of(junit, "<testcase "), rules_count);
    assert_int_equal(count_of(junit, "<failure "), 1);
    assert_has(junit, " failures=\"1\" errors=\"0\" ");
    free(junit);
    fail_only_on("none");
    junit = junit_of();
    assert_int_equal(count_of(junit, "<failure "), 0);
    assert_has(junit, "<system-out>fault: lost &lt;1&gt; ");
    free(junit);
}

static void many_findings_of_a_rule_are_one_failure(void **state)
{
    (void)state;
    add_found("overflow", "a", "lost 1", NULL);
    add_found("overflow", "b", "lost 2", NULL);
    add_found("overflow", "c", "lost 3", NULL);
    char *junit = junit_of();
    assert_int_equal(count_of(junit, "<failure "), 1);
    assert_has(junit, " (and 2 more)\"");
    assert_int_equal(count_of(junit, "\nfault: lost ") + count_of(junit, ">fault: lost "), 3);
    free(junit);
}

static void check_xml(const char *from, const char *content, const char *value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    xml_text_write(out, from);
    putc('|', out);
    xml_text_write_value(out, from);
    memory_stream_close(out);
    char *expected = memory_format("%s|%s", content, value);
    assert_string_equal(text, expected);
    free(expected);
    free(text);
}

static void text_becomes_xml(void **state)
{
    (void)state;
    check_xml("", "", "");
    check_xml("a<b>&\"'", "a&lt;b&gt;&amp;&quot;'", "a&lt;b&gt;&amp;&quot;'");
    check_xml("a\tb\nc\rd", "a\tb\nc&#13;d", "a&#9;b&#10;c&#13;d");
    check_xml("\x01\x1f\x7f", "\xef\xbf\xbd\xef\xbf\xbd\x7f", "\xef\xbf\xbd\xef\xbf\xbd\x7f");
    check_xml("\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80");
    /* Not UTF-8, a surrogate, U+FFFE, an incomplete character. */
    check_xml("\xff", "\xef\xbf\xbd", "\xef\xbf\xbd");
    check_xml("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
              "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_xml("\xef\xbf\xbe", "\xef\xbf\xbd", "\xef\xbf\xbd");
    check_xml("a\xc3", "a\xef\xbf\xbd", "a\xef\xbf\xbd");
}

/* ---- lines ---- */

static void check_shortened(const char *from, size_t width, const char *expected)
{
    char *text = finding_line_shorten(from, width);
    assert_string_equal(text, expected);
    free(text);
}

static void names_are_shortened_and_numbers_are_not(void **state)
{
    (void)state;
    check_shortened("lost 7 on a/b/c/d", 80, "lost 7 on a/b/c/d");
    check_shortened("lost 2759 of 30000 on observatory/dome/1/azimuth at 10000/s", 50,
                    "lost 2759 of 30000 on observatory/do...azimuth at 10000/s");
    check_shortened("lost 2759 of 30000 on observatory/dome/1/azimuth at 10000/s", 10,
                    "lost 2759 of 30000 on observatory/do...azimuth at 10000/s");
    check_shortened("lost 123456789012345678901234567890 events", 10,
                    "lost 123456789012345678901234567890 events");
    check_shortened("lost 7 on a/b/c/d at 9/s: queue overflow, and more", 37,
                    "lost 7 on a/b/c/d at 9/s: queue overflow,...");
    check_shortened("lost 7 on a/b/c/d at 9/s: queue overflow, and more", 10,
                    "lost 7 on a/b/c/d at 9/s: queue overflow,...");
    check_shortened("no number in all of this text", 12, "no number...");
    check_shortened("no number in all of this text", 1, "...");
    check_shortened("for >=12 or (3 s) then", 5, "for >=12 or (3 s) then");
    check_shortened("", 10, "");
}

/* In no more time than it takes to read them. */
static void long_lines_are_shortened(void **state)
{
    (void)state;
    enum { LONG = 400000 };
    char *words = memory_new(2 * LONG + 1, 1);
    for (size_t i = 0; i < LONG; i++)
        memcpy(words + 2 * i, i % 2 ? "y " : "x ", 2);
    check_shortened(words, 10, "x y x y...");
    free(words);
    char *hosts = memory_new(10 * LONG + 5, 1);
    for (size_t i = 0; i < LONG; i++)
        memcpy(hosts + 10 * i, "tango://a/", 10);
    memcpy(hosts + (size_t)10 * LONG, "b/c", 3);
    char *rest = finding_line_without_prefix(hosts, "tango://a/");
    assert_string_equal(rest, "b/c");
    free(rest);
    free(hosts);
}

static void durations_for_people(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        int decimals;
        const char *text;
    } cases[] = {{0, 0, "0 s"},         {-5, 0, "0 s"},         {2.34, 1, "2.3 s"},
                 {35, 0, "35 s"},       {60, 0, "1 min 0 s"},   {59.7, 0, "1 min 0 s"},
                 {123, 1, "2 min 3 s"}, {3725, 0, "1 h 2 min"}, {1e300, 0, "277777777 h 46 min"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = duration_text(cases[i].seconds, cases[i].decimals);
        assert_string_equal(text, cases[i].text);
        free(text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(without_a_poll_there_is_no_verdict),
        TEST(without_an_answer_there_is_no_verdict),
        TEST(a_healthy_system_is_one_line),
        TEST(a_server_that_never_answered_is_not_called_healthy),
        TEST(one_that_was_stopped_on_purpose_is_no_matter),
        TEST(one_that_crashed_meanwhile_leaves_it_open),
        TEST(what_counts),
        TEST(what_would_be_found_if_one_watched_longer),
        TEST(what_to_do_is_said_once),
        TEST(what_cannot_be_told_without_the_agent),
        TEST(a_rule_that_no_server_can_answer_is_skipped),
        TEST(junit_stays_xml),
        TEST(many_findings_of_a_rule_are_one_failure),
        TEST(text_becomes_xml),
        TEST(names_are_shortened_and_numbers_are_not),
        TEST(long_lines_are_shortened),
        TEST(durations_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
