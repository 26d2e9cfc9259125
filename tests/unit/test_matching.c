/* Which watched server publishes a stream, and which subscribe to it. */
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/memory.h"
#include "cmocka_all.h"
#include "monitor/analysis/published.h"
#include "monitor/analysis/subscribers.h"

#define CHANNEL "tango://here:10000/dserver/pub/1"
#define TOPIC   "tango://here:10000/a/b/c/x.idl5_change"

typedef struct {
    const char *server;
    const char *streams; /* with ' for " */
    const char *topics;
} watched_t;

static snapshot_t *make(const watched_t *servers, size_t count)
{
    snapshot_t *snapshot = snapshot_new(count);
    for (size_t i = 0; i < count; i++) {
        char *text =
            memory_format("{'version': 1, 'agent': {'pid': 1}, 'server': {'event_streams': {%s}}, "
                          "'client': {'event_callbacks': {%s}}}",
                          servers[i].streams ? servers[i].streams : "",
                          servers[i].topics ? servers[i].topics : "");
        snapshot->replies[i].server = memory_string(servers[i].server);
        snapshot->replies[i].response = answers_parse(text);
        free(text);
    }
    return snapshot;
}

#define PUSHED(name) "'" name "': {'pushed_event_count': 5}"
#define HAS(name)    "'" name "': {'event_count': 5}"

/* Which server would push the topic under another name; -1: none, or it isn't known. */
static int respelled_at(const watched_t *servers, size_t count, const char *channel)
{
    snapshot_t *snapshot = make(servers, count);
    published_t *published = published_new(NULL, snapshot);
    const published_stream_t *found = published_find_respelled(published, TOPIC, channel);
    const int place = found ? (int)found->server : -1;
    assert_ptr_equal(published_find_respelled(published, TOPIC, channel), found);
    published_destroy(&published);
    snapshot_destroy(&snapshot);
    return place;
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static void a_stream_is_found_under_another_host_name(void **state)
{
    (void)state;
    const watched_t servers[] = {
        {"dserver/Other/1", PUSHED("tango://vm:10000/a/b/c/y.change"), NULL},
        {"dserver/Pub/1",
         PUSHED("tango://vm:10000/a/b/c/w.change") ", " PUSHED("tango://vm:10000/a/b/c/x.change"),
         NULL}};
    assert_int_equal(respelled_at(servers, COUNT(servers), CHANNEL), 1);
    assert_int_equal(respelled_at(servers, COUNT(servers), "tango://x:1/dserver/other/1"), -1);
    assert_int_equal(respelled_at(servers, COUNT(servers), NULL), -1);
    assert_int_equal(respelled_at(servers, 0, CHANNEL), -1);
}

static void another_port_is_another_database(void **state)
{
    (void)state;
    const watched_t servers[] = {
        {"dserver/Pub/1", PUSHED("tango://vm:10001/a/b/c/x.change"), NULL}};
    assert_int_equal(respelled_at(servers, COUNT(servers), CHANNEL), -1);
}

static void it_is_not_guessed_which_of_two_is_meant(void **state)
{
    (void)state;
    const watched_t servers[] = {
        {"tango://p:10000/dserver/Pub/1", PUSHED("tango://p:10000/a/b/c/x.change"), NULL},
        {"tango://q:10000/dserver/Pub/1", PUSHED("tango://q:10000/a/b/c/x.change"), NULL}};
    assert_int_equal(respelled_at(servers, 1, CHANNEL), 0);
    assert_int_equal(respelled_at(servers, 2, CHANNEL), -1);
}

static void subscribers_to(const watched_t *servers, size_t count, const char *stream,
                           const char *expected)
{
    snapshot_t *snapshot = make(servers, count);
    subscribers_t *subscribers = subscribers_new(snapshot);
    size_t found = 0;
    const subscriber_t *list = subscribers_find(subscribers, stream, &found);
    assert_int_equal(list == NULL, found == 0);
    char *order = memory_string("");
    for (size_t i = 0; list && i < found; i++) {
        char *longer = memory_format("%s%zu", order, list[i].server);
        free(order);
        order = longer;
    }
    assert_string_equal(order, expected);
    free(order);
    subscribers_destroy(&subscribers);
    snapshot_destroy(&snapshot);
}

static void subscribers_of_a_stream_are_found(void **state)
{
    (void)state;
    const watched_t servers[] = {
        {"dserver/Sub/1", NULL, HAS("tango://vm:1/a/b/c/x.idl5_change")},
        {"dserver/Sub/2", NULL, HAS("tango://vm:1/a/b/c/y.idl5_change")},
        {"dserver/Sub/3", NULL, HAS("tango://localhost:1/a/b/c/x.idl5_change")},
        {"dserver/Sub/4", NULL,
         HAS("tango://vm:1/a/b/c/x.idl4_change") ", " HAS("tango://vm:1/a/b/c/x.idl5_change")}};
    const char *stream = "tango://vm:1/a/b/c/x.change";
    subscribers_to(servers, COUNT(servers), stream, "033");
    subscribers_to(servers, COUNT(servers), "tango://vm:1/a/b/c/x.archive", "");
    subscribers_to(servers, 0, stream, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_found_under_another_host_name),
        cmocka_unit_test(another_port_is_another_database),
        cmocka_unit_test(it_is_not_guessed_which_of_two_is_meant),
        cmocka_unit_test(subscribers_of_a_stream_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
