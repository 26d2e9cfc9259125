/*
 * The exporter's web server with all of its threads at work, for the sanitizers: many clients,
 * passwords, a configuration that changes, polls, and an end in the middle of it. What it answers
 * is tested in tests/integration.
 */
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "exporter/web/web_server.h"
#include "monitor/view/metrics/metrics_sink.h"
#include "monitor/view/report/page/report_page_sink.h"
#include "observing.h"

/* Of the user "anna" with the password "secret", and with another one. */
#define RIGHT "Authorization: Basic YW5uYTpzZWNyZXQ=\r\nAccept-Encoding: gzip\r\n"
#define WRONG "Authorization: Basic YW5uYTpndWVzcw==\r\n"

enum { CLIENTS = 8, REQUESTS = 40 };

static char *address[] = {(char *)"127.0.0.1:0"};
static char config[] = "/tmp/test_web_server-XXXXXX";
static metrics_store_t *store;
static observing_t *run;
static report_page_t *page;
static sink_t *sink; /* of the page */
static web_options_t options;
static atomic_int port;

static void say(void *context, const char *line)
{
    (void)context;
    if (strncmp(line, "listening on http://127.0.0.1:", 30) == 0)
        atomic_store(&port, atoi(line + 30));
}

static void write_config(const char *text)
{
    FILE *file = fopen(config, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    (void)state;
    const int fd = mkstemp(config);
    if (fd < 0)
        return -1;
    close(fd);
    write_config("basic_auth_users: {anna: "
                 "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW}\n");
    const metrics_options_t metrics = {.series_limit = 1000, .poll_period = 1};
    store = metrics_store_new(&metrics);
    const report_page_options_t hour = {
        .window = 3600, .budget = 1 << 20, .poll_period = 1, .metrics_path = "/metrics"};
    run = observing_new(NULL);
    page = report_page_new(&hour);
    sink = report_page_sink_new(page);
    options = (web_options_t){.addresses = address,
                              .page = page,
                              .address_count = 1,
                              .telemetry_path = "/metrics",
                              .config_file = config,
                              .say = say};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    metrics_store_destroy(&store);
    sink->methods->destroy(&sink);
    report_page_destroy(&page);
    observing_destroy(&run);
    return unlink(config);
}

static void poll(void)
{
    char *error = NULL;
    observing_poll(run, (const char *[]){"dserver/Pub/1", "{'version': 1}", NULL});
    assert_int_equal(sink->methods->show(sink, run->observation, &error), SINK_OK);
    observation_settle(run->observation);
}

/* A connection; -1 if there is no server any more. */
static int connect_there(void)
{
    const struct sockaddr_in there = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)atomic_load(&port)),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)&there, sizeof there) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool send_request(int fd, const char *path, const char *header)
{
    char *request =
        memory_format("GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", path, header);
    const bool is_sent = send(fd, request, strlen(request), MSG_NOSIGNAL) > 0;
    free(request);
    return is_sent;
}

/* The status of an answer; 0: the connection ended. */
static int ask(int fd, const char *path, const char *header)
{
    const bool is_sent = send_request(fd, path, header);
    char answer[65536] = "";
    size_t size = 0;
    ssize_t count = is_sent ? 1 : 0;
    while (count > 0 && size < sizeof answer - 1) {
        count = recv(fd, answer + size, sizeof answer - 1 - size, 0);
        size += count > 0 ? (size_t)count : 0;
    }
    return size > 12 ? atoi(answer + 9) : 0;
}

/* A client; *argument: how many of its requests were answered as they should be. */
static void *ask_often(void *argument)
{
    int *good = argument;
    for (int i = 0; i < REQUESTS; i++) {
        static const char *const paths[] = {"/", "/metrics", "/-/healthy", "/nothing"};
        const int expected[] = {200, 200, 200, 404};
        const int fd = connect_there();
        if (fd < 0)
            return NULL;
        const bool is_wrong = i % 5 == 4;
        const bool leaves = i % 7 == 6; /* before it is answered */
        const int status = leaves ? 0 : ask(fd, paths[i % 4], is_wrong ? WRONG : RIGHT);
        if (leaves)
            (void)send_request(fd, "/", RIGHT);
        *good += status == (is_wrong ? 401 : expected[i % 4]) || status == 0 || status == 429;
        close(fd);
    }
    return NULL;
}

static void start_clients(pthread_t *clients, int *good)
{
    for (int i = 0; i < CLIENTS; i++) {
        good[i] = 0;
        assert_int_equal(pthread_create(&clients[i], NULL, ask_often, &good[i]), 0);
    }
}

static void test_many_clients_and_a_configuration_that_changes(void **state)
{
    (void)state;
    pthread_t clients[CLIENTS];
    int good[CLIENTS];
    char *error = NULL;
    web_server_t *server = web_server_new(&options, store, &error);
    assert_non_null(server);
    start_clients(clients, good);
    for (int i = 0; i < 20; i++) {
        web_server_reload(server);
        poll();
        usleep(1000); /* at any moment */
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i], NULL);
        assert_int_equal(good[i], REQUESTS);
    }
    web_server_destroy(&server);
    assert_null(server);
}

static void test_an_end_while_it_is_asked(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        pthread_t clients[CLIENTS];
        int good[CLIENTS];
        char *error = NULL;
        web_server_t *server = web_server_new(&options, store, &error);
        assert_non_null(server);
        start_clients(clients, good);
        poll();
        usleep((useconds_t)(round * 3000)); /* at any moment */
        web_server_destroy(&server);
        for (int i = 0; i < CLIENTS; i++)
            pthread_join(clients[i], NULL);
    }
}

static void test_it_doesnt_start(void **state)
{
    (void)state;
    char *error = NULL;
    write_config("nonsense: {}\n");
    assert_null(web_server_new(&options, store, &error));
    assert_non_null(strstr(error, "nonsense: no such key"));
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_clients_and_a_configuration_that_changes),
        cmocka_unit_test(test_an_end_while_it_is_asked),
        cmocka_unit_test(test_it_doesnt_start),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
