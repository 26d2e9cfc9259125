/* Pages for those who ask, from a thread of its own. */
#include "cmocka_all.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"
#include "exporter/web/page_writer.h"
#include "monitor/view/report/page/report_page_sink.h"
#include "observing.h"

enum { CLIENTS = 6, REQUESTS = 200, POLLS = 60 };

typedef struct {
    observing_t *run;
    report_page_t *page;
    sink_t *sink;
    page_writer_t *writer;
} test_t;

/* Somebody who asks. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int waits;
    bool is_done;
    page_text_t *text;
} client_t;

static test_t test;

static int setup(void **state)
{
    (void)state;
    const report_page_options_t options = {
        .window = 3600, .budget = 1 << 20, .poll_period = 10, .metrics_path = "/metrics"};
    char *error = NULL;
    test = (test_t){.run = observing_new(NULL)};
    test.page = report_page_new(&options);
    test.sink = report_page_sink_new(test.page);
    test.writer = page_writer_new(test.page, &error);
    assert_null(error);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    page_writer_destroy(&test.writer);
    assert_null(test.writer);
    test.sink->methods->destroy(&test.sink);
    report_page_destroy(&test.page);
    observing_destroy(&test.run);
    return 0;
}

static void poll(void)
{
    char *error = NULL;
    observing_poll(test.run, (const char *[]){"dserver/Pub/1", "{'version': 1}", NULL});
    assert_int_equal(test.sink->methods->show(test.sink, test.run->observation, &error), SINK_OK);
    observation_settle(test.run->observation);
}

static void begin_wait(void *context)
{
    client_t *client = context;
    client->waits++;
}

static void end_wait(void *context, page_text_t *text)
{
    client_t *client = context;
    pthread_mutex_lock(&client->lock);
    client->text = text;
    client->is_done = true;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
}

static void init(client_t *client)
{
    *client = (client_t){.is_done = false};
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->wake, NULL);
}

/* The page, or NULL. */
static page_text_t *ask(client_t *client)
{
    const page_question_t question = {.context = client, .wait = begin_wait, .done = end_wait};
    page_text_t *text = NULL;
    client->is_done = false;
    switch (page_writer_ask(test.writer, &question, &text)) {
    case PAGE_READY:
        return text;
    case PAGE_NONE:
        return NULL;
    case PAGE_WAIT:
        break;
    }
    pthread_mutex_lock(&client->lock);
    while (!client->is_done)
        pthread_cond_wait(&client->wake, &client->lock);
    pthread_mutex_unlock(&client->lock);
    return client->text;
}

static void release(page_text_t **text)
{
    page_writer_release(test.writer, text);
    assert_null(*text);
}

static void it_is_written_once_for_each_poll(void **state)
{
    (void)state;
    client_t client;
    init(&client);
    assert_null(ask(&client));
    assert_int_equal(client.waits, 0);
    poll();
    page_text_t *first = ask(&client);
    page_text_t *again = ask(&client);
    assert_non_null(first);
    assert_ptr_equal(first, again);
    assert_int_equal(client.waits, 1);
    poll();
    page_text_t *next = ask(&client);
    assert_int_equal(client.waits, 2);
    assert_int_equal(next->number, 2);
    assert_string_not_equal(next->tag, first->tag);
    /* Who reads slowly still has its own. */
    assert_int_equal(first->number, 1);
    assert_non_null(strstr(first->text, "</html>"));
    release(&first);
    release(&again);
    release(&next);
}

static void gzip_has_the_same(void **state)
{
    (void)state;
    client_t client;
    init(&client);
    poll();
    page_text_t *text = ask(&client);
    char *unpacked = memory_new(text->size + 1, 1);
    z_stream stream = {.next_in = (Bytef *)text->packed,
                       .avail_in = (uInt)text->packed_size,
                       .next_out = (Bytef *)unpacked,
                       .avail_out = (uInt)text->size + 1};
    assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, text->size);
    assert_memory_equal(unpacked, text->text, text->size);
    assert_int_equal(inflateEnd(&stream), Z_OK);
    free(unpacked);
    release(&text);
}

static void slow_readers_hold_few_pages(void **state)
{
    (void)state;
    client_t client;
    init(&client);
    page_text_t *held[100];
    int64_t different = 0;
    for (int i = 0; i < 100; i++) {
        poll();
        held[i] = ask(&client);
        assert_non_null(held[i]);
        different += i == 0 || held[i] != held[i - 1];
    }
    assert_in_range(different, 2, 16);
    for (int i = 0; i < 100; i++)
        release(&held[i]);
    /* And then each poll has its own again. */
    page_text_t *text = ask(&client);
    assert_int_equal(text->number, 100);
    release(&text);
}

static atomic_int bad;

static void *ask_often(void *argument)
{
    (void)argument;
    client_t client;
    init(&client);
    int64_t last = 0;
    for (int i = 0; i < REQUESTS; i++) {
        page_text_t *text = ask(&client);
        if (!text)
            continue;
        atomic_fetch_add(&bad, text->number < last || !strstr(text->text, "</html>"));
        last = text->number;
        page_writer_release(test.writer, &text);
    }
    return NULL;
}

static void start(pthread_t *threads)
{
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
}

static void many_ask_while_polls_come(void **state)
{
    (void)state;
    pthread_t threads[CLIENTS];
    atomic_store(&bad, 0);
    start(threads);
    for (int i = 0; i < POLLS; i++) {
        poll();
        usleep(1000);
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&bad), 0);
}

static void an_end_while_it_is_asked(void **state)
{
    (void)state;
    pthread_t threads[CLIENTS];
    poll();
    start(threads);
    usleep(2000); /* at any moment */
    poll();
    page_writer_stop(test.writer);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    client_t client;
    init(&client);
    assert_null(ask(&client));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_written_once_for_each_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(gzip_has_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_readers_hold_few_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(many_ask_while_polls_come, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_while_it_is_asked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
