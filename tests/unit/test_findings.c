/* How findings begin, last and end: the engine, with rules of the test's own. */
#include "monitor/analysis/findings/findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "base/printable.h"
#include "cmocka_all.h"
#include "monitor/analysis/findings/rules.h"

static const rule_t at_once = {
    .name = "at-once", .group = "g", .severity = SEVERITY_FAULT, .title = "t"};
static const rule_t holds = {.name = "holds",
                             .group = "g",
                             .severity = SEVERITY_WARNING,
                             .threshold = 10,
                             .unit = "s",
                             .holds = true};
static const rule_t thrice = {.name = "thrice", .group = "g", .polls = 3};
static const rule_t keeps = {.name = "keeps", .group = "g", .severity = SEVERITY_FAULT, .keep = 30};
static const rule_t counts = {
    .name = "counts", .group = "g", .threshold = 10, .unit = "events", .counts = true, .keep = 30};
static void look_at_failed(const rule_t *self, const rules_input_t *input,
                           const server_part_t *part)
{
    (void)self;
    (void)input;
    (void)part;
}

static const rule_t of_failed = {.name = "of-failed", .group = "g", .failed = look_at_failed};

static findings_t *findings;
static time_t now;
static double monotonic; /* 0: not known */

static int begin(void **state)
{
    (void)state;
    findings = findings_new(NULL);
    now = 1000;
    monotonic = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    findings_destroy(&findings);
    assert_null(findings);
    findings_destroy(&findings);
    return 0;
}

/* A snapshot of the server "s", which answers or fails. */
static snapshot_t *snapshot_of(bool answers)
{
    snapshot_t *snapshot = snapshot_new(1);
    snapshot->time.tv_sec = now;
    snapshot->asked = monotonic;
    snapshot->replies[0].server = memory_string("s");
    if (answers)
        snapshot->replies[0].response = answers_parse("{'version': 1}");
    else
        snapshot->replies[0].error = memory_string("no answer");
    return snapshot;
}

static finding_t *report(const rule_t *rule, const char *server)
{
    const finding_about_t about = {.server = server};
    finding_t *finding = findings_report(findings, rule, &about);
    finding_say(finding, "of %s", server);
    return finding;
}

/* The next poll after so many seconds; rule: reported in it, or NULL. Returns what it reported. */
static finding_t *poll_of(time_t seconds, const rule_t *rule, bool answers)
{
    now += seconds;
    if (monotonic > 0)
        monotonic += (double)seconds;
    snapshot_t *snapshot = snapshot_of(answers);
    findings_begin(findings, snapshot);
    finding_t *finding = rule ? report(rule, "s") : NULL;
    findings_settle(findings, snapshot);
    snapshot_destroy(&snapshot);
    return finding;
}

static finding_t *poll_after(time_t seconds, const rule_t *rule)
{
    return poll_of(seconds, rule, true);
}

static size_t count_now(void)
{
    size_t count = 0;
    findings_now(findings, &count);
    return count;
}

static size_t count_of_run(void)
{
    size_t count = 0;
    findings_of_run(findings, &count);
    return count;
}

/* The only one of the run. */
static const finding_t *only(void)
{
    size_t count = 0;
    const finding_t *const *all = findings_of_run(findings, &count);
    assert_int_equal(count, 1);
    return all[0];
}

static void begins_lasts_and_ends(void **state)
{
    (void)state;
    poll_after(0, NULL);
    assert_int_equal(count_now(), 0);
    assert_int_equal(poll_after(10, &at_once)->state, FINDING_BEGAN);
    assert_string_equal(only()->text, "of s");
    assert_int_equal(only()->since.tv_sec, 1010);
    assert_int_equal(poll_after(10, &at_once)->state, FINDING_LASTS);
    assert_int_equal(poll_after(10, &at_once)->state, FINDING_LASTS);
    assert_true(finding_seconds(only()) == 20);
    assert_int_equal(count_now(), 1);
    poll_after(10, NULL);
    assert_int_equal(only()->state, FINDING_ENDED);
    assert_int_equal(count_now(), 1);
    poll_after(10, NULL);
    assert_int_equal(only()->state, FINDING_PAST);
    assert_int_equal(count_now(), 0);
    assert_int_equal(only()->times, 1);
    assert_true(only()->seconds_in_all == 20);
}

static void comes_back_as_the_same(void **state)
{
    (void)state;
    finding_add_events(poll_after(0, &at_once), 0);
    char *identity = memory_string(only()->identity);
    poll_after(10, &at_once);
    poll_after(10, NULL);
    poll_after(10, NULL);
    assert_int_equal(poll_after(60, &at_once)->state, FINDING_BEGAN);
    poll_after(5, &at_once);
    assert_int_equal(only()->times, 2);
    assert_int_equal(only()->first.tv_sec, 1000);
    assert_int_equal(only()->since.tv_sec, 1090);
    assert_true(finding_seconds(only()) == 5);
    assert_true(only()->seconds_in_all == 15);
    assert_string_equal(only()->identity, identity);
    free(identity);
}

/* Also when it comes back in the poll after its end. */
static void comes_back_at_once(void **state)
{
    (void)state;
    poll_after(0, &at_once);
    poll_after(10, NULL);
    assert_int_equal(only()->state, FINDING_ENDED);
    poll_after(10, &at_once);
    assert_true(only()->state < FINDING_ENDED);
    assert_int_equal(count_now(), 1);
}

static void must_hold_for_its_threshold(void **state)
{
    (void)state;
    assert_int_equal(poll_after(0, &holds)->state, FINDING_SUSPECTED);
    assert_int_equal(poll_after(9, &holds)->state, FINDING_SUSPECTED);
    assert_int_equal(count_now() + count_of_run(), 0);
    size_t suspected = 0;
    assert_ptr_equal(findings_suspected(findings, &suspected)[0]->rule, &holds);
    assert_int_equal(suspected, 1);
    assert_int_equal(poll_after(1, &holds)->state, FINDING_BEGAN);
    assert_int_equal(only()->since.tv_sec, 1000);
    assert_true(finding_seconds(only()) == 10);
}

static void what_did_not_hold_is_forgotten(void **state)
{
    (void)state;
    poll_after(0, &holds);
    poll_after(9, &holds);
    poll_after(1, NULL);
    assert_int_equal(poll_after(1, &holds)->state, FINDING_SUSPECTED);
    assert_int_equal(poll_after(9, &holds)->state, FINDING_SUSPECTED);
    assert_int_equal(count_of_run(), 0);
}

/* What came back, but not for long enough, leaves what was known of it. */
static void assert_as_it_was(void)
{
    const finding_t *finding = only();
    assert_int_equal(finding->state, FINDING_PAST);
    assert_int_equal(finding->times, 1);
    assert_true(finding->seconds_in_all == 20);
    assert_int_equal(finding->since.tv_sec, 1000);
    assert_int_equal(finding->seen.tv_sec, 1020);
    assert_string_equal(finding->text, "of s");
    assert_string_equal(finding->about.server, "s");
}

static void a_suspicion_does_not_change_what_is_past(void **state)
{
    (void)state;
    poll_after(0, &holds);
    poll_after(20, &holds);
    poll_after(10, NULL);
    poll_after(10, NULL);
    finding_t *suspected = poll_after(10, &holds);
    assert_int_equal(suspected->state, FINDING_SUSPECTED);
    finding_say(suspected, "once more");
    assert_int_equal(count_now(), 0);
    assert_as_it_was();
    poll_after(10, NULL);
    assert_as_it_was();
    /* Until it is sure. */
    poll_after(10, &holds);
    poll_after(30, &holds);
    assert_int_equal(only()->times, 2);
    assert_int_equal(only()->since.tv_sec, 1070);
    assert_true(only()->seconds_in_all == 50);
}

static void must_be_seen_so_often_in_a_row(void **state)
{
    (void)state;
    poll_after(1, &thrice);
    poll_after(1, &thrice);
    poll_after(1, NULL);
    poll_after(1, &thrice);
    poll_after(1, &thrice);
    assert_int_equal(count_of_run(), 0);
    assert_int_equal(poll_after(1, &thrice)->state, FINDING_BEGAN);
}

static void is_kept_for_a_while(void **state)
{
    (void)state;
    finding_add_events(poll_after(0, &keeps), 3);
    poll_after(10, NULL);
    assert_int_equal(only()->state, FINDING_LASTS);
    poll_after(19, NULL);
    assert_int_equal(only()->state, FINDING_LASTS);
    poll_after(1, NULL);
    assert_int_equal(only()->state, FINDING_ENDED);
    assert_true(finding_seconds(only()) == 0);
}

static void adds_up_events(void **state)
{
    (void)state;
    now += 10;
    for (int i = 0; i < 2; i++) {
        snapshot_t *snapshot = snapshot_of(true);
        findings_begin(findings, snapshot);
        finding_add_events(report(&keeps, "s"), 5);
        findings_settle(findings, snapshot);
        snapshot_destroy(&snapshot);
        now += 10;
    }
    assert_int_equal(only()->events, 10);
    poll_after(60, NULL);
    poll_after(1, NULL);
    now += 10;
    snapshot_t *snapshot = snapshot_of(true);
    findings_begin(findings, snapshot);
    finding_add_events(report(&keeps, "s"), INT64_MAX);
    findings_settle(findings, snapshot);
    snapshot_destroy(&snapshot);
    assert_int_equal(only()->events, INT64_MAX);
    assert_int_equal(only()->events_in_all, INT64_MAX);
}

static void must_have_so_many_events(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        snapshot_t *snapshot = snapshot_of(true);
        findings_begin(findings, snapshot);
        finding_add_events(report(&counts, "s"), 5);
        findings_settle(findings, snapshot);
        snapshot_destroy(&snapshot);
        assert_int_equal(count_now(), i);
        now += 10;
        poll_after(0, NULL);
        now += 10;
    }
    assert_int_equal(only()->events, 10);
}

static void neither_ends_nor_changes_while_its_server_fails(void **state)
{
    (void)state;
    poll_after(0, &at_once);
    for (int i = 0; i < 5; i++) {
        poll_of(100, NULL, false);
        assert_int_equal(only()->state, FINDING_LASTS);
        assert_true(finding_seconds(only()) == 0);
    }
    poll_after(1, NULL);
    assert_int_equal(only()->state, FINDING_ENDED);
}

/* In merged recordings, a server may be absent from some snapshots. */
static void goes_on_while_its_server_is_in_another_part(void **state)
{
    (void)state;
    poll_after(0, &at_once);
    for (int i = 0; i < 3; i++) {
        now += 10;
        snapshot_t *snapshot = snapshot_new(0);
        snapshot->time.tv_sec = now;
        snapshot->is_part = i < 2;
        findings_begin(findings, snapshot);
        findings_settle(findings, snapshot);
        snapshot_destroy(&snapshot);
        assert_int_equal(only()->state, i < 2 ? FINDING_LASTS : FINDING_ENDED);
        assert_true(finding_seconds(only()) == 0);
    }
}

static void a_suspicion_outlives_a_failure_too(void **state)
{
    (void)state;
    poll_after(0, &holds);
    poll_of(5, NULL, false);
    assert_int_equal(poll_after(5, &holds)->state, FINDING_BEGAN);
    assert_int_equal(only()->since.tv_sec, 1000);
}

/* Unless it is about that. */
static void what_is_about_the_failure_ends_with_it(void **state)
{
    (void)state;
    poll_of(0, &of_failed, false);
    assert_int_equal(only()->state, FINDING_BEGAN);
    poll_of(10, NULL, false);
    assert_int_equal(only()->state, FINDING_ENDED);
}

static void reports_of_one_poll_are_one(void **state)
{
    (void)state;
    snapshot_t *snapshot = snapshot_of(true);
    findings_begin(findings, snapshot);
    finding_add_events(report(&at_once, "s"), 1);
    finding_evidence(report(&at_once, "s"), "a");
    finding_t *finding = report(&at_once, "s");
    finding_add_events(finding, 2);
    finding_advise(finding, "do %d", 7);
    assert_int_equal(finding->evidence_count, 0);
    report(&at_once, "other");
    findings_settle(findings, snapshot);
    snapshot_destroy(&snapshot);
    assert_int_equal(count_now(), 2);
    assert_int_equal(finding->events, 3);
    assert_int_equal(finding->polls, 1);
    assert_string_equal(finding->advice, "do 7");
}

/* Everything that it is about makes a difference, also where it stands. */
static void is_identified_by_what_it_is_about(void **state)
{
    (void)state;
    static const finding_about_t abouts[] = {{0},
                                             {.server = "x"},
                                             {.stream = "x"},
                                             {.publisher = "x"},
                                             {.subscriber = "x"},
                                             {.object = "x"},
                                             {.object = ""},
                                             {.server = "x", .stream = "y"},
                                             {.server = "xy"}};
    enum { COUNT = sizeof abouts / sizeof *abouts };
    char *identities[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        const finding_t *finding = findings_report(findings, &at_once, &abouts[i]);
        assert_ptr_equal(findings_report(findings, &at_once, &abouts[i]), finding);
        identities[i] = memory_string(finding->identity);
        assert_int_equal(strlen(identities[i]), strlen("at-once-") + 16);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(identities[i], identities[j]);
        assert_string_not_equal(findings_report(findings, &keeps, &abouts[i])->identity,
                                identities[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        free(identities[i]);
    /* The same in each run, for ever: alarms are named so. */
    assert_string_equal(findings_report(findings, &at_once, &abouts[1])->identity,
                        "at-once-31dafbf8082b2773");
}

static void texts_and_names_have_an_end(void **state)
{
    (void)state;
    enum { LONG = 1 << 20 };
    char *name = memory_new(LONG + 1, 1);
    for (size_t i = 0; i < LONG; i += 2)
        memcpy(name + i, "\xc3\xa4", 2);
    memcpy(name, "a/b/", 4);
    memcpy(name + LONG - 4, "/end", 4);
    finding_t *finding = report(&at_once, name);
    finding_say(finding, "lost on %s", name);
    finding_evidence(finding, "it is %s", name);
    finding_advise(finding, "look at %s", name);
    assert_ptr_equal(report(&at_once, name), finding);
    finding_say(finding, "lost on %s", name);
    finding_evidence(finding, "it is %s", name);
    const char *const all[] = {finding->text, finding->evidence[0], finding->about.server};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const size_t length = strlen(all[i]);
        assert_true(length > 900 && length <= 3000);
        assert_string_equal(all[i] + length - 4, "/end");
        uint32_t character = 0;
        for (const char *at = all[i]; *at; at += printable_decode(at, &character))
            assert_true(printable_decode(at, &character) > 0);
    }
    free(name);
}

static void what_is_past_makes_room(void **state)
{
    (void)state;
    char name[32];
    snapshot_t *snapshot = snapshot_of(true);
    for (int poll = 0; poll < 5; poll++) {
        snapshot->time.tv_sec++;
        findings_begin(findings, snapshot);
        for (int i = 0; poll < 2 && i < FINDINGS_MAXIMUM / 2; i++) {
            snprintf(name, sizeof name, "server/%d/%d", poll, i);
            report(&at_once, name);
        }
        if (poll == 4)
            report(&at_once, "another");
        findings_settle(findings, snapshot);
    }
    assert_int_equal(count_now(), 1);
    assert_true(count_of_run() > FINDINGS_MAXIMUM / 2 && count_of_run() < FINDINGS_MAXIMUM);
    assert_int_equal(findings_left_out(findings), FINDINGS_MAXIMUM + 1 - count_of_run());
    /* Those that were past first are forgotten first. */
    size_t count = 0;
    size_t newer = 0;
    const finding_t *const *all = findings_of_run(findings, &count);
    for (size_t i = 0; i < count; i++)
        newer += strncmp(all[i]->about.server, "server/1/", 9) == 0;
    assert_int_equal(newer, FINDINGS_MAXIMUM / 2);
    /* The rest is found again. */
    findings_begin(findings, snapshot);
    assert_int_equal(report(&at_once, "server/1/7")->times, 1);
    assert_int_equal(report(&at_once, "another")->times, 1);
    findings_settle(findings, snapshot);
    snapshot_destroy(&snapshot);
}

static void no_more_than_the_maximum_are_kept(void **state)
{
    (void)state;
    enum { BEYOND = 5 };
    char name[32];
    snapshot_t *snapshot = snapshot_of(true);
    findings_begin(findings, snapshot);
    for (int i = 0; i < FINDINGS_MAXIMUM + BEYOND; i++) {
        snprintf(name, sizeof name, "server/%d", i);
        report(&at_once, name);
    }
    findings_settle(findings, snapshot);
    assert_int_equal(count_now(), FINDINGS_MAXIMUM);
    assert_int_equal(findings_left_out(findings), BEYOND);
    /* Those that are kept are found again. */
    findings_begin(findings, snapshot);
    report(&at_once, "server/0");
    report(&at_once, "server/9999");
    findings_settle(findings, snapshot);
    size_t lasting = 0;
    size_t count = 0;
    const finding_t *const *all = findings_now(findings, &count);
    for (size_t i = 0; i < count; i++)
        lasting += all[i]->state == FINDING_LASTS;
    assert_int_equal(lasting, 2);
    assert_int_equal(findings_left_out(findings), BEYOND);
    snapshot_destroy(&snapshot);
}

static void faults_and_new_ones_come_first(void **state)
{
    (void)state;
    poll_after(0, &thrice);
    poll_after(1, &thrice);
    poll_after(1, &thrice);
    static const rule_t *const later[] = {&thrice, &at_once, &keeps};
    now += 10;
    snapshot_t *snapshot = snapshot_of(true);
    findings_begin(findings, snapshot);
    for (size_t i = 0; i < 3; i++)
        report(later[i], "s");
    finding_t *older = report(&at_once, "older");
    finding_began(older, &(struct timespec){.tv_sec = 1});
    finding_began(older, &(struct timespec){.tv_sec = 5000}); /* no earlier than that */
    findings_settle(findings, snapshot);
    snapshot_destroy(&snapshot);
    size_t count = 0;
    const finding_t *const *all = findings_now(findings, &count);
    assert_int_equal(count, 4);
    assert_int_equal(all[0]->severity, SEVERITY_FAULT);
    assert_int_equal(all[1]->severity, SEVERITY_FAULT);
    assert_ptr_equal(all[2], older);
    assert_ptr_equal(all[3]->rule, &thrice);
    assert_int_equal(older->since.tv_sec, 1);
    /* What is past comes last, whatever it was. */
    poll_after(1, &thrice);
    poll_after(1, &thrice);
    all = findings_of_run(findings, &count);
    assert_ptr_equal(all[0]->rule, &keeps);
    assert_ptr_equal(all[1]->rule, &thrice);
}

/* ---- clocks ---- */

static void a_clock_that_is_set_forward_makes_nothing_last(void **state)
{
    (void)state;
    monotonic = 50;
    poll_after(0, &holds);
    poll_after(1, &holds);
    now += 3600;
    assert_int_equal(poll_after(1, &holds)->state, FINDING_SUSPECTED);
    assert_int_equal(poll_after(8, &holds)->state, FINDING_BEGAN);
    assert_true(finding_seconds(only()) == 10);
    assert_int_equal(only()->since.tv_sec, 1000 + 3600);
}

static void a_clock_that_is_set_back_makes_nothing_last_for_ever(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        monotonic = known ? 50 : 0;
        poll_after(100, &keeps);
        now -= 3600;
        assert_int_equal(poll_after(1, &keeps)->state, FINDING_LASTS);
        poll_after(29, NULL);
        assert_int_equal(only()->state, FINDING_LASTS);
        poll_after(1, NULL);
        assert_int_equal(only()->state, FINDING_ENDED);
        assert_true(finding_seconds(only()) <= 1);
        poll_after(1, NULL);
    }
}

static void small_differences_of_clocks_are_no_jump(void **state)
{
    (void)state;
    monotonic = 50;
    poll_after(0, &at_once);
    monotonic -= 0.4;
    poll_after(10, &at_once);
    assert_true(finding_seconds(only()) == 10);
    assert_int_equal(only()->since.tv_sec, 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(begins_lasts_and_ends),
        TEST(comes_back_as_the_same),
        TEST(comes_back_at_once),
        TEST(must_hold_for_its_threshold),
        TEST(what_did_not_hold_is_forgotten),
        TEST(a_suspicion_does_not_change_what_is_past),
        TEST(must_be_seen_so_often_in_a_row),
        TEST(is_kept_for_a_while),
        TEST(adds_up_events),
        TEST(must_have_so_many_events),
        TEST(neither_ends_nor_changes_while_its_server_fails),
        TEST(goes_on_while_its_server_is_in_another_part),
        TEST(a_suspicion_outlives_a_failure_too),
        TEST(what_is_about_the_failure_ends_with_it),
        TEST(reports_of_one_poll_are_one),
        TEST(is_identified_by_what_it_is_about),
        TEST(no_more_than_the_maximum_are_kept),
        TEST(what_is_past_makes_room),
        TEST(texts_and_names_have_an_end),
        TEST(faults_and_new_ones_come_first),
        TEST(a_clock_that_is_set_forward_makes_nothing_last),
        TEST(a_clock_that_is_set_back_makes_nothing_last_for_ever),
        TEST(small_differences_of_clocks_are_no_jump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
