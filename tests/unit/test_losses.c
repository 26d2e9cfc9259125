/* Lost events, derived from the counters of answers. */
#include "monitor/analysis/losses.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/model/continuity.h"
#include "monitor/model/history.h"

#define TOPIC  "tango://h:1/a/b/c/x.idl5_change"
#define STREAM "tango://h:1/a/b/c/x.change"

/* ---- runs ---- */

typedef struct {
    history_t *history;
    losses_t *losses;
    time_t time;
} run_t;

static run_t begin_run(void)
{
    return (run_t){.history = history_new(), .losses = losses_new(), .time = 1000};
}

static void end_run(run_t *self)
{
    history_destroy(&self->history);
    losses_destroy(&self->losses);
}

/* One poll of the publisher (NULL: not watched) and of the subscriber. */
static const loss_t *poll_both(run_t *self, const char *publisher, const char *subscriber)
{
    snapshot_t *snapshot = snapshot_new(publisher ? 2 : 1);
    snapshot->time.tv_sec = self->time += 10;
    size_t count = 0;
    if (publisher) {
        snapshot->replies[count].server = memory_string("dserver/pub/1");
        snapshot->replies[count++].response = answers_parse(publisher);
    }
    snapshot->replies[count].server = memory_string("dserver/sub/1");
    snapshot->replies[count].response = answers_parse(subscriber);
    losses_update(self->losses, history_previous(self->history), snapshot);
    history_remember(self->history, &snapshot);
    return losses_find(losses_of_server(self->losses, "dserver/sub/1", 1), TOPIC);
}

/* As the built-in command answers: the publisher's count is the counter of the next event. */
static char *pushed(int64_t count)
{
    return memory_format(
        "{'version': 1, 'server': {'event_counters': {'" STREAM "': %" PRId64 "}}}", count + 1);
}

static char *received(int64_t counter, int64_t count, int64_t missed, int endpoint)
{
    return memory_format(
        "{'version': 1, 'client': {'event_channels': {'p': {'endpoint': 'tcp://h:%d'}}, "
        "'event_callbacks': {'" TOPIC "': {'channel_name': 'p', 'server_counter': %" PRId64 ", "
        "'event_count': %" PRId64 ", 'missed_event_count': %" PRId64 "}}}}",
        endpoint, counter, count, missed);
}

/* A poll of servers with the built-in command; pushed_count -1: the publisher isn't watched. */
static const loss_t *poll_builtin(run_t *self, int64_t pushed_count, int64_t counter,
                                  int64_t received_count, int64_t missed, int endpoint)
{
    char *publisher = pushed_count < 0 ? NULL : pushed(pushed_count);
    char *subscriber = received(counter, received_count, missed, endpoint);
    const loss_t *loss = poll_both(self, publisher, subscriber);
    free(publisher);
    free(subscriber);
    return loss;
}

static void assert_loss(const loss_t *loss, int64_t lost, bool is_minimum, int64_t not_received)
{
    assert_non_null(loss);
    assert_int_equal(loss->source, LOSS_DERIVED);
    assert_int_equal(loss->lost, lost);
    assert_int_equal(loss->is_minimum, is_minimum);
    assert_int_equal(loss->not_received, not_received);
}

static void assert_unknown(const loss_t *loss)
{
    assert_non_null(loss);
    assert_int_equal(loss->source, LOSS_UNKNOWN);
    assert_int_equal(loss->lost, RESPONSE_UNKNOWN);
}

/* ---- one subscription ---- */

static void what_numbers_leave_out_is_lost(void **state)
{
    (void)state;
    run_t run = begin_run();
    /* Nobody guesses what was lost before. */
    assert_loss(poll_builtin(&run, -1, 100, 90, 2, 1), 0, false, RESPONSE_UNKNOWN);
    const loss_t *loss = poll_builtin(&run, -1, 110, 97, 3, 1);
    assert_loss(loss, 3, false, RESPONSE_UNKNOWN);
    assert_int_equal(loss->step, 3);
    assert_int_equal(loss->since.tv_sec, 1010);
    loss = poll_builtin(&run, -1, 112, 99, 3, 1);
    assert_loss(loss, 3, false, RESPONSE_UNKNOWN);
    assert_int_equal(loss->step, 0);
    end_run(&run);
}

static void numbers_begin_again_after_the_last(void **state)
{
    (void)state;
    run_t run = begin_run();
    assert_loss(poll_builtin(&run, 4294967290, 4294967290, 50, 0, 1), 0, false, 0);
    assert_loss(poll_builtin(&run, 4, 4, 55, 1, 1), 5, false, 0);
    end_run(&run);
}

static void the_tail_of_a_burst_is_not_received(void **state)
{
    (void)state;
    run_t run = begin_run();
    assert_loss(poll_builtin(&run, 0, 0, 0, 0, 1), 0, false, 0);
    /* At first, it may be on its way. */
    assert_loss(poll_builtin(&run, 30000, 23495, 23487, 1, 1), 8, false, 0);
    const loss_t *loss = poll_builtin(&run, 30000, 23495, 23487, 1, 1);
    assert_loss(loss, 8, false, 6505);
    assert_true(loss->is_news);
    loss = poll_builtin(&run, 30000, 23495, 23487, 1, 1);
    assert_false(loss->is_news);
    assert_loss(poll_builtin(&run, 30001, 30001, 23488, 2, 1), 6513, false, 0);
    end_run(&run);
}

static void a_subscription_without_an_event_yet(void **state)
{
    (void)state;
    run_t run = begin_run();
    /* Others have subscribed before, and the publisher has pushed. */
    assert_loss(poll_builtin(&run, 500, 0, 0, 0, 1), 0, false, 0);
    assert_loss(poll_builtin(&run, 520, 0, 0, 0, 1), 0, false, 0);
    assert_loss(poll_builtin(&run, 520, 0, 0, 0, 1), 0, false, 20);
    /* cppTango counts no gap before a first event. */
    assert_loss(poll_builtin(&run, 521, 521, 1, 0, 1), 20, false, 0);
    assert_loss(poll_builtin(&run, 525, 525, 4, 1, 1), 21, false, 0);
    end_run(&run);
}

static void events_under_way_at_the_first_answer(void **state)
{
    (void)state;
    run_t run = begin_run();
    assert_loss(poll_builtin(&run, 500, 0, 0, 0, 1), 0, false, 0);
    assert_loss(poll_builtin(&run, 500, 500, 3, 0, 1), 0, false, 0); /* 498 to 500 */
    assert_loss(poll_builtin(&run, 502, 502, 5, 0, 1), 0, false, 0);
    end_run(&run);
    run = begin_run();
    /* 499 came late, and 500 not at all: that one is from before. */
    poll_builtin(&run, 500, 0, 0, 0, 1);
    const loss_t *loss = poll_builtin(&run, 500, 499, 1, 0, 1);
    assert_loss(loss, 0, false, 1);
    end_run(&run);
}

static void a_restart_of_the_publisher(void **state)
{
    (void)state;
    run_t run = begin_run();
    assert_loss(poll_builtin(&run, 100, 100, 100, 0, 1), 0, false, 0);
    assert_loss(poll_builtin(&run, 107, 105, 105, 0, 1), 0, false, 0);
    assert_loss(poll_builtin(&run, 107, 105, 105, 0, 1), 0, false, 2);
    /* The new process pushed 3 before Tango had reconnected, and then 4. */
    assert_loss(poll_builtin(&run, 7, 7, 109, 0, 2), 5, true, 0);
    assert_loss(poll_builtin(&run, 10, 10, 111, 1, 2), 6, true, 0);
    end_run(&run);
    run = begin_run();
    /* The same, seen at more moments. */
    poll_builtin(&run, 107, 105, 105, 0, 1);
    static const int64_t not_received[] = {2, 2, 5};
    for (size_t i = 0; i < 3; i++) {
        const loss_t *loss = poll_builtin(&run, i > 0 ? 3 : 0, 105, 105, 0, 1);
        assert_unknown(loss); /* what the old one pushed at its end */
        assert_int_equal(loss->not_received, not_received[i]);
    }
    assert_loss(poll_builtin(&run, 7, 7, 109, 0, 2), 5, true, 0);
    end_run(&run);
    run = begin_run();
    /* Nobody watches the publisher. */
    poll_builtin(&run, -1, 105, 105, 0, 1);
    assert_loss(poll_builtin(&run, -1, 7, 109, 0, 2), 3, true, RESPONSE_UNKNOWN);
    end_run(&run);
}

static void a_restart_that_numbers_do_not_show(void **state)
{
    (void)state;
    run_t run = begin_run();
    /* Another endpoint does, but the events may have come through the old one. */
    poll_builtin(&run, -1, 100, 100, 0, 1);
    assert_loss(poll_builtin(&run, -1, 130, 120, 1, 2), 1, true, RESPONSE_UNKNOWN);
    end_run(&run);
    run = begin_run();
    /* More were received than the numbers allow. */
    poll_builtin(&run, -1, 100, 100, 0, 1);
    assert_unknown(poll_builtin(&run, -1, 110, 140, 0, 1));
    end_run(&run);
    run = begin_run();
    /* The publisher's count shows it, and the events may be of either process. */
    poll_builtin(&run, 100, 100, 100, 0, 1);
    assert_unknown(poll_builtin(&run, 5, 101, 101, 0, 1));
    end_run(&run);
}

static void a_subscription_made_anew(void **state)
{
    (void)state;
    run_t run = begin_run();
    poll_builtin(&run, -1, 100, 90, 2, 1);
    const loss_t *loss = poll_builtin(&run, -1, 120, 15, 1, 1);
    assert_loss(loss, 1, true, RESPONSE_UNKNOWN); /* one gap, of an unknown number */
    assert_int_equal(loss->step, 1);
    assert_true(loss->step_is_minimum);
    assert_loss(poll_builtin(&run, -1, 121, 16, 1, 1), 1, true, RESPONSE_UNKNOWN);
    loss = poll_builtin(&run, -1, 130, 4, 0, 1);
    assert_loss(loss, 0, false, RESPONSE_UNKNOWN);
    assert_int_equal(loss->since.tv_sec, 1040);
    end_run(&run);
    run = begin_run();
    /* One gap, and one number that wasn't received. */
    poll_builtin(&run, -1, 100, 90, 2, 1);
    assert_loss(poll_builtin(&run, -1, 5, 4, 1, 1), 1, false, RESPONSE_UNKNOWN);
    end_run(&run);
}

static void a_subscription_made_anew_shows_in_any_count(void **state)
{
    (void)state;
    run_t run = begin_run();
    /* Unsubscribed in between: 500 events that nobody had subscribed to, and one gap since. */
    static const char answer[] =
        "{'version': 1, 'client': {'event_callbacks': {'" TOPIC "': {'server_counter': %d, "
        "'event_count': %d, 'missed_event_count': %d, 'discarded_event_count': %d}}}}";
    static const int counts[][4] = {{1000, 10, 0, 1}, {1530, 30, 1, 0}};
    const loss_t *loss = NULL;
    for (size_t i = 0; i < 2; i++) {
        char *text = memory_format(answer, counts[i][0], counts[i][1], counts[i][2], counts[i][3]);
        loss = poll_both(&run, NULL, text);
        free(text);
    }
    assert_loss(loss, 1, true, RESPONSE_UNKNOWN);
    end_run(&run);
}

static void what_began_with_another_publisher_is_not_exact(void **state)
{
    (void)state;
    run_t run = begin_run();
    poll_builtin(&run, -1, 100, 90, 0, 1);
    /* More events than the last one's number: the publisher was restarted since the first. */
    assert_unknown(poll_builtin(&run, -1, 5, 20, 0, 1));
    end_run(&run);
}

static void fewer_are_missing_than_jumps_were_found(void **state)
{
    (void)state;
    run_t run = begin_run();
    poll_builtin(&run, -1, 100, 100, 0, 1);
    assert_loss(poll_builtin(&run, -1, 130, 129, 3, 1), 3, true, RESPONSE_UNKNOWN);
    end_run(&run);
}

static void an_endpoint_that_is_not_told_meanwhile(void **state)
{
    (void)state;
    run_t run = begin_run();
    poll_builtin(&run, -1, 100, 100, 0, 1);
    char *text = memory_format("{'version': 1, 'client': {'event_callbacks': {'" TOPIC
                               "': {'channel_name': 'p', 'server_counter': 100, 'event_count': "
                               "100, 'missed_event_count': 0}}}}");
    poll_both(&run, NULL, text);
    free(text);
    assert_loss(poll_builtin(&run, -1, 130, 120, 1, 2), 1, true, RESPONSE_UNKNOWN);
    end_run(&run);
}

static void what_is_no_longer_known_is_news(void **state)
{
    (void)state;
    run_t run = begin_run();
    poll_builtin(&run, 100, 100, 100, 0, 1);
    poll_builtin(&run, 100, 100, 100, 0, 1);
    /* Another process publishes: nobody knows what the old one pushed at its end. */
    const loss_t *loss = poll_builtin(&run, 0, 100, 100, 0, 1);
    assert_unknown(loss);
    assert_true(loss->is_news);
    assert_true(loss->step_is_minimum);
    assert_false(poll_builtin(&run, 0, 100, 100, 0, 1)->is_news);
    end_run(&run);
}

static void numbers_near_the_largest(void **state)
{
    (void)state;
    run_t run = begin_run();
    for (int i = 0; i < 8; i++) {
        const int64_t many = i % 2 == 0 ? INT64_MAX - 1 - i : i;
        poll_builtin(&run, many, many, i % 3 == 0 ? many : i, i % 4 == 0 ? many : i, 1);
        poll_builtin(&run, INT64_MAX - 1 - many, many, 0, 0, i);
    }
    end_run(&run);
}

static void numbers_of_a_publisher_that_has_pushed_more_than_there_are(void **state)
{
    (void)state;
    run_t run = begin_run();
    static const char published[] =
        "{'version': 1, 'agent': {'pid': 1, 'attached': '1'}, 'server': {'event_streams': {'" STREAM
        "': {'pushed_event_count': %" PRId64 "}}}}";
    /* The agent counts on, and the server counter wraps: 4294967396 is 100. */
    char *before = memory_format(published, INT64_C(4294967396));
    char *after = memory_format(published, INT64_C(4294967417));
    char *none = received(0, 0, 0, 1);
    char *one = received(121, 1, 0, 1);
    poll_both(&run, before, none);
    assert_loss(poll_both(&run, after, one), 20, false, 0);
    free(before);
    free(after);
    free(none);
    free(one);
    end_run(&run);
}

static void streams_without_numbers(void **state)
{
    (void)state;
    run_t run = begin_run();
    const loss_t *loss = poll_builtin(&run, 50, 0, 40, 0, 1);
    assert_unknown(loss);
    assert_int_equal(loss->not_received, RESPONSE_UNKNOWN);
    assert_unknown(poll_builtin(&run, 90, 0, 60, 0, 1));
    end_run(&run);
}

static void two_publishers_of_one_name(void **state)
{
    (void)state;
    run_t run = begin_run();
    char *sub = received(7, 7, 0, 1);
    snapshot_t *snapshot = snapshot_new(3);
    for (size_t i = 0; i < 3; i++) {
        char *text = i < 2 ? pushed(100 + (int64_t)i) : memory_string(sub);
        snapshot->replies[i].server = memory_format("dserver/s/%zu", i);
        snapshot->replies[i].response = answers_parse(text);
        free(text);
    }
    losses_update(run.losses, NULL, snapshot);
    const loss_t *loss = losses_find(losses_of_server(run.losses, "dserver/s/2", 0), TOPIC);
    assert_loss(loss, 0, false, RESPONSE_UNKNOWN);
    snapshot_destroy(&snapshot);
    free(sub);
    end_run(&run);
}

/* In whichever order the servers are named. */
static void a_publisher_is_found_behind_its_subscriber(void **state)
{
    (void)state;
    run_t run = begin_run();
    const loss_t *loss = NULL;
    for (int i = 0; i < 2; i++) {
        snapshot_t *snapshot = snapshot_new(2);
        char *texts[] = {received(7, 7, 0, 1), pushed(10 + i)};
        for (size_t j = 0; j < 2; j++) {
            snapshot->replies[j].server = memory_format("dserver/s/%zu", j);
            snapshot->replies[j].response = answers_parse(texts[j]);
            free(texts[j]);
        }
        losses_update(run.losses, history_previous(run.history), snapshot);
        history_remember(run.history, &snapshot);
        loss = losses_find(losses_of_server(run.losses, "dserver/s/0", 0), TOPIC);
    }
    assert_int_equal(loss->not_received, 3);
    end_run(&run);
}

/* One poll: of two servers that publish and one that subscribes. A text may be NULL: it failed. */
static const loss_t *poll_three(run_t *self, const char *const *texts)
{
    snapshot_t *snapshot = snapshot_new(3);
    snapshot->time.tv_sec = self->time += 10;
    for (size_t i = 0; i < 3; i++) {
        snapshot->replies[i].server = memory_format("dserver/s/%zu", i);
        if (texts[i])
            snapshot->replies[i].response = answers_parse(texts[i]);
        else
            snapshot->replies[i].error = memory_string("down");
    }
    losses_update(self->losses, history_previous(self->history), snapshot);
    history_remember(self->history, &snapshot);
    return losses_find(losses_of_server(self->losses, "dserver/s/2", 2), TOPIC);
}

static void one_of_two_publishers_of_one_name_fails(void **state)
{
    (void)state;
    run_t run = begin_run();
    char *right = pushed(100);
    char *other = pushed(5000);
    char *sub = received(100, 100, 0, 1);
    poll_three(&run, (const char *[]){right, other, sub});
    /* The one that is left isn't the right one because of that. */
    for (int i = 0; i < 3; i++)
        assert_loss(poll_three(&run, (const char *[]){NULL, other, sub}), 0, false,
                    RESPONSE_UNKNOWN);
    free(right);
    free(other);
    free(sub);
    end_run(&run);
}

static void a_server_that_answers_late_may_have_subscribed_late(void **state)
{
    (void)state;
    run_t run = begin_run();
    static const int64_t counts[] = {500, 520};
    const loss_t *loss = NULL;
    for (size_t i = 0; i < 2; i++) {
        char *publisher = pushed(counts[i]);
        char *subscriber = received(i == 0 ? 0 : 520, (int64_t)i, 0, 1);
        snapshot_t *snapshot = snapshot_new(2);
        for (size_t j = 0; j < 2; j++) {
            reply_t *reply = &snapshot->replies[j];
            reply->server = memory_string(j == 0 ? "dserver/pub/1" : "dserver/sub/1");
            reply->response = answers_parse(j == 0 ? publisher : subscriber);
            reply->answered = 100 + 10 * (double)i + 2 * (double)j;
        }
        losses_update(run.losses, history_previous(run.history), snapshot);
        history_remember(run.history, &snapshot);
        loss = losses_find(losses_of_server(run.losses, "dserver/sub/1", 1), TOPIC);
        free(publisher);
        free(subscriber);
    }
    /* 501 to 519 were pushed before it had subscribed, or are lost. */
    assert_int_equal(loss->step, 0);
    end_run(&run);
}

/* A server that claims to leave out a lot is not believed for ever. */
static void answers_that_leave_out_more_than_there_can_be(void **state)
{
    (void)state;
    run_t run = begin_run();
    enum { NAMES = 20000 };
    const server_losses_t *losses = NULL;
    for (int i = 0; i < 6; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        fputs("{'version': 1, 'agent': {'pid': 1, 'truncated': {'event_callbacks': 99999999, "
              "'event_streams': 99999999}}, 'client': {'event_callbacks': {",
              out);
        for (int j = 0; j < NAMES; j++)
            fprintf(out, "%s'n%d-%d': {'event_count': 1}", j > 0 ? "," : "", i, j);
        fputs("}}, 'server': {'event_streams': {", out);
        for (int j = 0; j < NAMES; j++)
            fprintf(out, "%s's%d-%d': {'pushed_event_count': 1}", j > 0 ? "," : "", i, j);
        fputs("}}}", out);
        fclose(out);
        poll_both(&run, NULL, text);
        free(text);
        losses = losses_of_server(run.losses, "dserver/sub/1", 0);
    }
    size_t kept = 0;
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < NAMES; j++) {
            char *name = memory_format("n%d-%d", i, j);
            kept += losses_find(losses, name) != NULL;
            free(name);
        }
    }
    const response_t *last = history_previous(run.history)->replies[0].response;
    assert_int_equal(kept, CONTINUITY_MAXIMUM_KEPT);
    assert_int_equal(last->subscription_count, CONTINUITY_MAXIMUM_KEPT);
    assert_int_equal(last->publisher_count, CONTINUITY_MAXIMUM_KEPT);
    end_run(&run);
}

/* ---- the agent ---- */

#define AGENT(pid, side)                                                                           \
    "{'version': 1, 'agent': {'pid': " #pid ", 'attached': '2026-01-01T00:00:0" #pid "'}, " side "}"
#define PUSHED(pid, count)                                                                         \
    AGENT(pid, "'server': {'event_streams': {'" STREAM "': {'pushed_event_count': " #count "}}}")
#define RECEIVED(counter, count, lost, known, restarts)                                            \
    AGENT(7, "'client': {'event_callbacks': {'" TOPIC "': {'server_counter': " #counter            \
             ", 'event_count': " #count ", 'missed_event_count': " #known                          \
             ", 'lost_event_count': " #lost ", 'known_lost_event_count': " #known                  \
             ", 'publisher_restart_count': " #restarts "}}}")

static void what_the_agent_counts(void **state)
{
    (void)state;
    run_t run = begin_run();
    const loss_t *loss = poll_both(&run, PUSHED(1, 100), RECEIVED(100, 90, 10, 10, 0));
    assert_int_equal(loss->source, LOSS_COUNTED);
    assert_int_equal(loss->lost, 10);
    assert_int_equal(loss->step, 0);
    loss = poll_both(&run, PUSHED(1, 110), RECEIVED(110, 98, 12, 12, 0));
    assert_int_equal(loss->source, LOSS_COUNTED);
    assert_int_equal(loss->lost, 12);
    assert_int_equal(loss->step, 2);
    /* It has seen each event of the new process; what the old one still had, nobody has. */
    loss = poll_both(&run, PUSHED(2, 4), RECEIVED(4, 101, 13, 13, 1));
    assert_int_equal(loss->source, LOSS_COUNTED);
    assert_int_equal(loss->lost, 13);
    assert_false(loss->is_minimum);
    end_run(&run);
}

static void what_the_agent_has_no_baseline_for(void **state)
{
    (void)state;
    run_t run = begin_run();
    /* Before a first event Tango reconnected: the agent knows nothing. */
    poll_both(&run, PUSHED(1, 100), RECEIVED(0, 0, 0, 0, 0));
    assert_loss(poll_both(&run, PUSHED(1, 120), RECEIVED(0, 0, null, 0, 0)), 0, false, 0);
    assert_loss(poll_both(&run, PUSHED(1, 121), RECEIVED(121, 1, null, 0, 0)), 20, false, 0);
    assert_loss(poll_both(&run, PUSHED(1, 125), RECEIVED(125, 4, null, 1, 0)), 21, false, 0);
    end_run(&run);
    run = begin_run();
    /* Nor does anybody where the publisher isn't watched. */
    poll_both(&run, NULL, RECEIVED(0, 0, 0, 0, 0));
    assert_unknown(poll_both(&run, NULL, RECEIVED(121, 1, null, 0, 0)));
    end_run(&run);
    run = begin_run();
    /* A first event that isn't the next one: no loss to the agent. */
    poll_both(&run, PUSHED(1, 100), RECEIVED(0, 0, 0, 0, 0));
    assert_loss(poll_both(&run, PUSHED(1, 106), RECEIVED(106, 1, 0, 0, 0)), 5, false, 0);
    assert_loss(poll_both(&run, PUSHED(1, 109), RECEIVED(109, 2, 2, 2, 0)), 7, false, 0);
    end_run(&run);
}

static void a_publisher_that_answers_in_another_way(void **state)
{
    (void)state;
    run_t run = begin_run();
    /* Its agent came late, and isn't asked any more. */
    char *none = received(0, 0, 0, 1);
    char *two = received(10005, 2, 0, 1);
    char *other = pushed(10005);
    poll_both(&run, PUSHED(1, 3), none);
    assert_unknown(poll_both(&run, other, two));
    free(none);
    free(two);
    free(other);
    end_run(&run);
}

static void a_publisher_that_counts_from_later_on(void **state)
{
    (void)state;
    run_t run = begin_run();
    /* Its agent came when it had pushed 10000 events. */
    poll_both(&run, PUSHED(1, 3), RECEIVED(0, 0, 0, 0, 0));
    const loss_t *loss = poll_both(&run, PUSHED(1, 5), RECEIVED(10005, 2, 0, 0, 0));
    assert_int_equal(loss->source, LOSS_COUNTED);
    assert_int_equal(loss->lost, 0);
    end_run(&run);
}

static void answers_of_two_kinds(void **state)
{
    (void)state;
    run_t run = begin_run();
    poll_both(&run, NULL, RECEIVED(100, 90, 10, 10, 0));
    const loss_t *loss = poll_builtin(&run, -1, 200, 190, 3, 1);
    assert_int_equal(loss->step, 0);
    assert_true(loss->step_is_minimum);
    loss = poll_both(&run, NULL, RECEIVED(300, 5, 60, 60, 0));
    assert_int_equal(loss->step, 0);
    assert_true(loss->step_is_minimum);
    end_run(&run);
}

/* ---- at random ---- */

#define WRAP (INT64_C(1) << 32)

/* A publisher, a subscriber that counts as cppTango does, and the events between them. */
typedef struct {
    int64_t pushed;     /* by the process that runs, as the agent counts */
    int64_t all_pushed; /* by all of them, since the first answer */
    int64_t counter;
    int64_t received;
    int64_t missed;
    int64_t all_received; /* since the first answer */
    int64_t lost;         /* as the agent counts */
    int64_t restarts;
    int endpoint;
    bool connected;
    int64_t queue[64];
    size_t queued;
    int64_t dropping; /* this many more events are lost */
} world_t;

static void push(world_t *self)
{
    self->pushed++;
    self->all_pushed++;
    if (!self->connected)
        return;
    if (self->dropping > 0 || self->queued == sizeof self->queue / sizeof *self->queue) {
        self->dropping -= self->dropping > 0;
        return;
    }
    self->queue[self->queued++] = self->pushed % WRAP;
}

/* How far a counter is ahead of another, by cppTango's and the agent's rule; negative: it started
 * again. */
static int64_t number_ahead(int64_t number, int64_t of)
{
    return number < of && number + WRAP - of < 1000 ? number + WRAP - of : number - of;
}

/* By cppTango's rule: no gap before a first event, and none when the counter starts again. */
static void receive(world_t *self)
{
    if (self->queued == 0)
        return;
    const int64_t number = self->queue[0];
    memmove(self->queue, self->queue + 1, --self->queued * sizeof *self->queue);
    if (self->received > 0 && number == self->counter)
        return; /* a duplicate */
    const int64_t by = number_ahead(number, self->counter);
    if (self->received > 0) {
        self->missed += by >= 2;
        self->restarts += by < 0;
        self->lost += by > 0 ? by - 1 : number - 1;
    }
    self->counter = number;
    self->received++;
    self->all_received++;
}

/* A new client makes the publisher send the last event again. */
static void push_again(world_t *self)
{
    const bool has_room = self->queued < sizeof self->queue / sizeof *self->queue;
    if (self->connected && self->pushed > 0 && (self->received > 0 || self->queued > 0) && has_room)
        self->queue[self->queued++] = self->pushed % WRAP;
}

/* Events that may still be received, each once. */
static int64_t under_way(const world_t *self)
{
    int64_t count = 0;
    for (size_t i = 0; i < self->queued; i++)
        count += self->queue[i] != (i > 0 ? self->queue[i - 1] : self->counter);
    return count;
}

static void receive_all(world_t *self)
{
    while (self->queued > 0)
        receive(self);
}

static void restart_publisher(world_t *self, bool connected)
{
    self->pushed = 0;
    self->endpoint++;
    self->connected = connected;
}

/* In the same process: what arrives meanwhile isn't meant for it. */
static void subscribe_anew(world_t *self, int64_t meanwhile)
{
    self->all_pushed -= under_way(self);
    self->queued = 0;
    self->pushed += meanwhile;
    self->counter = self->received = self->missed = self->lost = self->restarts = 0;
}

enum {
    NOTHING_BUT_LOSSES = 990,
    ORDERLY_RESTARTS = 1000, /* nothing of the old process is on its way */
    ANY_RESTARTS = 1005
};

static void step(world_t *self, unsigned dice)
{
    if (dice < 500) {
        push(self);
    } else if (dice < 970) {
        receive(self);
    } else if (dice < 980) {
        push_again(self);
    } else if (dice < 990) {
        self->dropping = 1 + dice % 7;
    } else if (dice < 993) {
        self->connected = true;
    } else if (dice < 1000) {
        receive_all(self); /* otherwise it would never be known which process they are from */
        restart_publisher(self, dice % 2 == 0);
    } else {
        restart_publisher(self, dice % 2 == 0);
    }
}

/* A poll of servers with the built-in command, or with the agent. */
static const loss_t *poll_world(run_t *run, const world_t *world, int64_t pushed_then, bool agent)
{
    if (!agent)
        return poll_builtin(run, pushed_then % WRAP, world->counter, world->received, world->missed,
                            world->endpoint);
    char *publisher =
        memory_format("{'version': 1, 'agent': {'pid': %d, 'attached': '%d'}, 'server': "
                      "{'event_streams': {'" STREAM "': {'pushed_event_count': %" PRId64 "}}}}",
                      world->endpoint, world->endpoint, pushed_then);
    char *subscriber =
        memory_format("{'version': 1, 'agent': {'pid': 7}, 'client': {'event_callbacks': {'" TOPIC
                      "': {'server_counter': %" PRId64 ", 'event_count': %" PRId64
                      ", 'missed_event_count': %" PRId64 ", 'lost_event_count': %" PRId64
                      ", 'publisher_restart_count': %" PRId64 "}}}}",
                      world->counter, world->received, world->missed, world->lost, world->restarts);
    const loss_t *loss = poll_both(run, publisher, subscriber);
    free(publisher);
    free(subscriber);
    return loss;
}

/* How a run goes. */
typedef struct {
    unsigned dice; /* what may happen */
    bool agent;
    bool wraps; /* the counter wraps soon */
    bool anew;  /* the client sometimes subscribes again */
} plan_t;

/* Between two polls. false: the subscription is another one, and nothing shows it. */
static bool go_on_for_a_while(world_t *self, const plan_t *plan, unsigned *seed)
{
    const world_t before = *self;
    bool anew = false;
    for (int j = (int)((unsigned)rand_r(seed) % 60); j > 0; j--) {
        step(self, (unsigned)rand_r(seed) % plan->dice);
        if (plan->anew && rand_r(seed) % 200 == 0) {
            subscribe_anew(self, rand_r(seed) % 30);
            anew = true;
        }
    }
    return !anew || self->received < before.received || self->missed < before.missed;
}

/* Whether the result was exact. */
static bool run_at_random(const plan_t *plan, unsigned *seed)
{
    run_t run = begin_run();
    world_t world = {.endpoint = 1, .connected = true, .pushed = plan->wraps ? WRAP - 200 : 0};
    bool anew = false;
    for (int j = 0; j < 30; j++)
        step(&world, (unsigned)rand_r(seed) % NOTHING_BUT_LOSSES);
    if (rand_r(seed) % 3 == 0)
        receive_all(&world);
    else /* just subscribed */
        subscribe_anew(&world, 0);
    poll_world(&run, &world, world.pushed, plan->agent);
    /* What came after the last event received may be lost from the beginning. */
    world.all_pushed = world.received > 0 ? number_ahead(world.pushed % WRAP, world.counter) : 0;
    world.all_received = 0;
    const loss_t *loss = NULL;
    int64_t sum = 0;
    for (int k = 0; k < 20; k++) {
        const int64_t received = world.received;
        if (!go_on_for_a_while(&world, plan, seed)) {
            end_run(&run);
            return false;
        }
        anew |= world.received < received;
        const int64_t count = world.pushed;
        /* The two answers are not from the same moment. */
        for (int j = (int)((unsigned)rand_r(seed) % 4); j > 0; j--)
            step(&world, (unsigned)rand_r(seed) % 970);
        loss = poll_world(&run, &world, count, plan->agent);
        sum += loss->step;
        /* What is still on its way isn't lost. */
        assert_true(sum <= world.all_pushed - world.all_received - under_way(&world));
    }
    receive_all(&world);
    for (int k = 0; k < 2; k++) {
        loss = poll_world(&run, &world, world.pushed, plan->agent);
        sum += loss->step;
    }
    const int64_t missing = world.all_pushed - world.all_received;
    const int64_t not_received = loss->not_received > 0 ? loss->not_received : 0;
    const bool exact = loss->source != LOSS_UNKNOWN && !loss->is_minimum;
    assert_true(sum + not_received <= missing);
    if (exact && !anew && loss->source == LOSS_DERIVED) {
        assert_int_equal(loss->lost, sum);
        assert_int_equal(sum + not_received, missing);
    }
    end_run(&run);
    return exact;
}

static void runs_at_random(void **state)
{
    (void)state;
    static const struct {
        plan_t plan;
        size_t exact; /* of a thousand, at least this many */
    } plans[] = {
        {{.dice = NOTHING_BUT_LOSSES}, 1000},
        {{.dice = NOTHING_BUT_LOSSES, .wraps = true}, 900},
        {{.dice = NOTHING_BUT_LOSSES, .agent = true}, 1000},
        {{.dice = NOTHING_BUT_LOSSES, .agent = true, .wraps = true}, 0},
        {{.dice = NOTHING_BUT_LOSSES, .anew = true}, 0},
        {{.dice = ORDERLY_RESTARTS}, 0},
        {{.dice = ORDERLY_RESTARTS, .agent = true}, 0},
        {{.dice = ANY_RESTARTS}, 0},
        {{.dice = ANY_RESTARTS, .anew = true}, 0},
        {{.dice = ANY_RESTARTS, .agent = true}, 0},
    };
    unsigned seed = 20261126;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        size_t exact = 0;
        for (int j = 0; j < 1000; j++)
            exact += run_at_random(&plans[i].plan, &seed);
        assert_true(exact >= plans[i].exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_numbers_leave_out_is_lost),
        cmocka_unit_test(numbers_begin_again_after_the_last),
        cmocka_unit_test(the_tail_of_a_burst_is_not_received),
        cmocka_unit_test(a_subscription_without_an_event_yet),
        cmocka_unit_test(events_under_way_at_the_first_answer),
        cmocka_unit_test(a_restart_of_the_publisher),
        cmocka_unit_test(a_restart_that_numbers_do_not_show),
        cmocka_unit_test(a_subscription_made_anew),
        cmocka_unit_test(a_subscription_made_anew_shows_in_any_count),
        cmocka_unit_test(what_began_with_another_publisher_is_not_exact),
        cmocka_unit_test(fewer_are_missing_than_jumps_were_found),
        cmocka_unit_test(an_endpoint_that_is_not_told_meanwhile),
        cmocka_unit_test(what_is_no_longer_known_is_news),
        cmocka_unit_test(numbers_near_the_largest),
        cmocka_unit_test(numbers_of_a_publisher_that_has_pushed_more_than_there_are),
        cmocka_unit_test(one_of_two_publishers_of_one_name_fails),
        cmocka_unit_test(a_server_that_answers_late_may_have_subscribed_late),
        cmocka_unit_test(answers_that_leave_out_more_than_there_can_be),
        cmocka_unit_test(streams_without_numbers),
        cmocka_unit_test(two_publishers_of_one_name),
        cmocka_unit_test(a_publisher_is_found_behind_its_subscriber),
        cmocka_unit_test(what_the_agent_counts),
        cmocka_unit_test(what_the_agent_has_no_baseline_for),
        cmocka_unit_test(a_publisher_that_answers_in_another_way),
        cmocka_unit_test(a_publisher_that_counts_from_later_on),
        cmocka_unit_test(answers_of_two_kinds),
        cmocka_unit_test(runs_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
