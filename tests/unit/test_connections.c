/* Whom the exporter's web server drops. */
#include "cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "exporter/web/connections.h"

#define LONG (INT64_C(1000) * NS_PER_SECOND)

/* A connection, and the other end of its socket. */
typedef struct {
    connection_t *connection;
    int ours;
    int theirs;
} end_t;

static connections_t *made(size_t connections, size_t pages, int64_t request_ns)
{
    const connection_limits_t limits = {
        .connections = connections,
        .pages = pages,
        .phase_ns = {LONG, request_ns, LONG, LONG},
    };
    return connections_new(&limits);
}

static end_t add(connections_t *all, const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    if (!is_v4)
        assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    return (end_t){
        connections_add(all, fds[0],
                        is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6),
        fds[0], fds[1]};
}

static bool is_dropped(const end_t *end)
{
    struct pollfd fd = {.fd = end->theirs, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static void end(connections_t *all, end_t *ends, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        connections_remove(all, &ends[i].connection);
        assert_null(ends[i].connection);
        close(ends[i].ours);
        close(ends[i].theirs);
    }
    connections_destroy(&all);
}

static void test_room_is_made_for_who_comes(void **state)
{
    (void)state;
    connections_t *all = made(3, 3, LONG);
    end_t ends[5];
    for (size_t i = 0; i < 5; i++)
        ends[i] = add(all, "192.0.2.1");
    const bool dropped[] = {true, true, false, false, false};
    for (size_t i = 0; i < 5; i++)
        assert_true(is_dropped(&ends[i]) == dropped[i]);
    end(all, ends, 5);
}

static void test_who_has_most_loses_one(void **state)
{
    (void)state;
    connections_t *all = made(4, 4, LONG);
    end_t ends[20] = {add(all, "198.51.100.7")};
    for (size_t i = 1; i < 20; i++)
        ends[i] = add(all, "192.0.2.1");
    assert_false(is_dropped(&ends[0]));
    assert_true(is_dropped(&ends[1]) && is_dropped(&ends[16]) && !is_dropped(&ends[17]));
    end(all, ends, 20);
}

static void test_addresses(void **state)
{
    (void)state;
    connections_t *all = made(4, 4, LONG);
    /* All of a /64 are one; an IPv4 address is the same over IPv6. */
    end_t ends[] = {add(all, "2001:db8::1"), add(all, "192.0.2.1"), add(all, "2001:db8::2"),
                    add(all, "::ffff:192.0.2.1")};
    assert_memory_equal(connection_client(ends[0].connection),
                        connection_client(ends[2].connection), sizeof(client_t));
    assert_memory_equal(connection_client(ends[1].connection),
                        connection_client(ends[3].connection), sizeof(client_t));
    assert_memory_not_equal(connection_client(ends[0].connection),
                            connection_client(ends[1].connection), sizeof(client_t));
    end(all, ends, 4);
}

static void test_what_is_long_in_its_phase_goes_first(void **state)
{
    (void)state;
    connections_t *all = made(3, 3, LONG);
    end_t ends[4] = {add(all, "192.0.2.1"), add(all, "192.0.2.1"), add(all, "192.0.2.1")};
    connections_enter(all, ends[1].connection, PHASE_WAIT); /* can't be dropped */
    connections_enter(all, ends[0].connection, PHASE_ANSWER);
    ends[3] = add(all, "192.0.2.1");
    assert_false(is_dropped(&ends[0]) || is_dropped(&ends[1]) || is_dropped(&ends[3]));
    assert_true(is_dropped(&ends[2]));
    end(all, ends, 4);
}

static void test_who_reads_stays(void **state)
{
    (void)state;
    connections_t *all = made(100, 2, LONG);
    end_t ends[3];
    for (size_t i = 0; i < 3; i++)
        ends[i] = add(all, "192.0.2.1");
    connections_enter_page(all, ends[0].connection);
    connections_enter_page(all, ends[1].connection);
    connections_note_progress(all, ends[0].connection);
    connections_enter_page(all, ends[2].connection);
    assert_true(is_dropped(&ends[1]));
    assert_false(is_dropped(&ends[0]) || is_dropped(&ends[2]));
    end(all, ends, 3);
}

static void test_pages(void **state)
{
    (void)state;
    connections_t *all = made(100, 2, LONG);
    end_t ends[4];
    for (size_t i = 0; i < 4; i++) {
        ends[i] = add(all, "192.0.2.1");
        if (i > 0)
            connections_enter_page(all, ends[i].connection);
    }
    assert_false(is_dropped(&ends[0])); /* has none */
    assert_true(is_dropped(&ends[1]));
    assert_false(is_dropped(&ends[2]) || is_dropped(&ends[3]));
    /* One that has read its page gives room. */
    connections_enter(all, ends[2].connection, PHASE_IDLE);
    connections_enter_page(all, ends[0].connection);
    assert_false(is_dropped(&ends[0]) || is_dropped(&ends[2]) || is_dropped(&ends[3]));
    end(all, ends, 4);
}

static void test_slow_ones_are_dropped(void **state)
{
    (void)state;
    connections_t *all = made(10, 10, -1);
    end_t ends[] = {add(all, "192.0.2.1"), add(all, "192.0.2.1")};
    connections_enter(all, ends[1].connection, PHASE_IDLE);
    connections_drop_slow(all);
    assert_true(is_dropped(&ends[0]));
    assert_false(is_dropped(&ends[1]));
    connections_drop_slow(all);
    end(all, ends, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_is_made_for_who_comes),
        cmocka_unit_test(test_who_has_most_loses_one),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_what_is_long_in_its_phase_goes_first),
        cmocka_unit_test(test_who_reads_stays),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_slow_ones_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
