/* What is said of a publisher that isn't watched, where something was found of it. */
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/analysis/observation.h"
#include "monitor/view/text/findings_text.h"

#define CHANNEL(name) "tango://here:10000/dserver/" name
#define TOPIC(device) "tango://here:10000/" device "/x.idl5_change"

/* Two streams of one publisher, and one of another. */
static char *answer(int lost)
{
    return memory_format(
        "{'version': 1, 'agent': {'pid': 1}, 'client': {'event_callbacks': {"
        "'" TOPIC("a/b/1") "': {'channel_name': '" CHANNEL(
            "pub/1") "', 'event_count': 10, "
                     "'server_counter': %d, 'missed_event_count': %d, 'lost_event_count': %d, "
                     "'outage_lost_event_count': 0}, "
                     "'" TOPIC("a/b/2") "': {'channel_name': '" CHANNEL(
                         "pub/1") "', 'event_count': 10, "
                                  "'server_counter': %d, 'missed_event_count': %d, "
                                  "'lost_event_count': %d, "
                                  "'outage_lost_event_count': 0}, "
                                  "'" TOPIC("a/b/3") "': {'channel_name': '" CHANNEL(
                                      "pub/2") "', 'event_count': 10, "
                                               "'server_counter': %d, 'missed_event_count': %d, "
                                               "'lost_event_count': %d, "
                                               "'outage_lost_event_count': 0}}}}",
        10 + lost, lost > 0, lost, 10 + lost, lost > 0, lost, 10 + lost, lost > 0, lost);
}

/* The subscriber answers that it has lost so many, and others are watched. */
static void renew(observation_t *observation, time_t time, int lost, const char *other)
{
    snapshot_t *snapshot = snapshot_new(other ? 2 : 1);
    snapshot->time.tv_sec = time;
    char *text = answer(lost);
    snapshot->replies[0].server = memory_string("dserver/Sub/1");
    snapshot->replies[0].response = answers_parse(text);
    free(text);
    if (other) {
        snapshot->replies[1].server = memory_string(other);
        snapshot->replies[1].response = answers_parse("{'version': 1}");
    }
    observation_renew(observation, &snapshot, true);
}

static size_t evidence_of_unwatched(const finding_t *finding)
{
    size_t count = 0;
    for (size_t i = 0; i < finding->evidence_count; i++)
        count += strstr(finding->evidence[i], " isn't watched: ") != NULL;
    return count;
}

static char *printed(const observation_t *observation, const char *pattern)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    char *const patterns[] = {(char *)pattern};
    const filter_t filter = {.patterns = patterns, .count = pattern ? 1 : 0};
    const text_style_t style = {0};
    findings_text_print_now(out, observation->findings, &filter, "tango://here:10000/", &style);
    memory_stream_close(out);
    return text;
}

static void assert_last_line(const observation_t *observation, const char *pattern,
                             const char *expected)
{
    char *text = printed(observation, pattern);
    const char *line = strstr(text, "Not watched: ");
    assert_string_equal(line ? line : "", expected);
    free(text);
}

static void it_is_said_once_for_all_streams_of_a_publisher(void **state)
{
    (void)state;
    observation_t *observation = observation_new(NULL);
    renew(observation, 1000, 0, NULL);
    size_t count = 0;
    findings_now(observation->findings, &count);
    assert_int_equal(count, 0); /* that alone is no finding */
    assert_last_line(observation, NULL, "");
    renew(observation, 1010, 5, NULL);
    const finding_t *const *now = findings_now(observation->findings, &count);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_true(now[i]->publisher_is_unwatched);
        assert_int_equal(evidence_of_unwatched(now[i]), 1);
    }
    char *text = printed(observation, NULL);
    const char *line = strstr(text, "Not watched: ");
    assert_non_null(line);
    /* The findings of one moment are in no particular order. */
    assert_true(strcmp(line, "Not watched: dserver/pub/1, dserver/pub/2 (to see their sides, name "
                             "them, too, or use --follow)\n") == 0 ||
                strcmp(line, "Not watched: dserver/pub/2, dserver/pub/1 (to see their sides, name "
                             "them, too, or use --follow)\n") == 0);
    free(text);
    assert_last_line(observation, "a/b/2/x",
                     "Not watched: dserver/pub/1 (to see its side, name it, too, or use "
                     "--follow)\n");
    /* While it lasts, it isn't said again. */
    renew(observation, 1020, 9, NULL);
    findings_now(observation->findings, &count);
    assert_int_equal(count, 3);
    assert_last_line(observation, NULL, "");
    observation_destroy(&observation);
}

static void a_publisher_may_be_watched_under_another_name(void **state)
{
    (void)state;
    observation_t *observation = observation_new(NULL);
    renew(observation, 1000, 0, "dserver/Pub/1");
    renew(observation, 1010, 5, "dserver/Pub/1");
    size_t count = 0;
    const finding_t *const *now = findings_now(observation->findings, &count);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(evidence_of_unwatched(now[i]),
                         strcmp(now[i]->about.publisher, CHANNEL("pub/2")) == 0);
    assert_last_line(observation, NULL,
                     "Not watched: dserver/pub/2 (to see its side, name it, too, or use "
                     "--follow)\n");
    observation_destroy(&observation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_said_once_for_all_streams_of_a_publisher),
        cmocka_unit_test(a_publisher_may_be_watched_under_another_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
