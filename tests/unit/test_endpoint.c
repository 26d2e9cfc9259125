/* The endpoints of event channels are taken apart, whatever a server names. */
#include "cmocka_all.h"

#include <string.h>

#include "response/endpoint.h"

static void assert_endpoint(const char *text, const char *host, unsigned port)
{
    endpoint_t endpoint;
    assert_true(endpoint_parse(text, &endpoint));
    assert_string_equal(endpoint.host, host);
    assert_int_equal(endpoint.port, port);
}

static void endpoints_have_a_host_and_a_port(void **state)
{
    (void)state;
    assert_endpoint("tcp://127.0.0.1:38057", "127.0.0.1", 38057);
    assert_endpoint("tcp://my-host.example.org:1", "my-host.example.org", 1);
    assert_endpoint("tcp://[fe80::1]:65535", "fe80::1", 65535);
    assert_endpoint("tcp://*:5", "*", 5);
}

static void what_is_none_is_none(void **state)
{
    (void)state;
    char long_one[ENDPOINT_HOST_SIZE + 20] = "tcp://";
    memset(long_one + 6, 'a', ENDPOINT_HOST_SIZE);
    memcpy(long_one + 6 + ENDPOINT_HOST_SIZE, ":1", 3);
    const char *const texts[] = {
        NULL,
        "",
        "tcp://",
        "tcp://h",
        "tcp://:1",
        "tcp://h:",
        "tcp://h:0",
        "tcp://h:-1",
        "tcp://h:65536",
        "tcp://h:1x",
        "tcp://h: 1",
        "ipc:///tmp/x:1",
        "epgm://h:1",
        "tcp:/h:1",
        long_one,
        "tcp://h:99999999999999999999",
    };
    endpoint_t endpoint;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(endpoint_parse(texts[i], &endpoint));
}

static void addresses_are_of_different_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        address_kind_t kind;
    } cases[] = {
        {"127.0.0.1", ADDRESS_LOOPBACK},
        {"127.9.9.9", ADDRESS_LOOPBACK},
        {"localhost", ADDRESS_LOOPBACK},
        {"::1", ADDRESS_LOOPBACK},
        {"::ffff:127.0.0.1", ADDRESS_LOOPBACK},
        {"0.0.0.0", ADDRESS_WILDCARD},
        {"::", ADDRESS_WILDCARD},
        {"*", ADDRESS_WILDCARD},
        {"10.0.0.7", ADDRESS_PRIVATE},
        {"172.16.0.1", ADDRESS_PRIVATE},
        {"172.31.255.255", ADDRESS_PRIVATE},
        {"172.32.0.0", ADDRESS_PUBLIC},
        {"192.168.3.4", ADDRESS_PRIVATE},
        {"192.169.0.0", ADDRESS_PUBLIC},
        {"100.64.0.1", ADDRESS_PRIVATE},
        {"100.128.0.0", ADDRESS_PUBLIC},
        {"fd00::1", ADDRESS_PRIVATE},
        {"169.254.1.1", ADDRESS_LINK_LOCAL},
        {"fe80::1", ADDRESS_LINK_LOCAL},
        {"8.8.8.8", ADDRESS_PUBLIC},
        {"2001:db8::1", ADDRESS_PUBLIC},
        {"host.example.org", ADDRESS_NAME},
        {"128.0.0.1", ADDRESS_PUBLIC},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        endpoint_t endpoint = {.port = 1};
        memcpy(endpoint.host, cases[i].host, strlen(cases[i].host) + 1);
        assert_int_equal(endpoint_address_kind(&endpoint), cases[i].kind);
    }
    assert_string_equal(address_kind_name(ADDRESS_LOOPBACK), "loopback");
    assert_null(address_kind_name(ADDRESS_PUBLIC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_have_a_host_and_a_port),
        cmocka_unit_test(what_is_none_is_none),
        cmocka_unit_test(addresses_are_of_different_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
