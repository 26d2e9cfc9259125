/* Which server is in which shard. */
#include "cmocka_all.h"

#include <stdio.h>

#include "monitor/poll/shard.h"

static uint64_t shard_of(const char *name, uint64_t count)
{
    uint64_t found = 0;
    for (uint64_t number = 1; number <= count; number++) {
        const shard_t shard = {number, count};
        if (shard_has(&shard, name)) {
            assert_true(found == 0);
            found = number;
        }
    }
    assert_true(found > 0);
    return found;
}

static void test_parsing(void **state)
{
    (void)state;
    shard_t shard = {0};
    assert_true(shard_parse("2/5", &shard));
    assert_true(shard.number == 2 && shard.count == 5);
    assert_true(shard_parse("1/1", &shard) && shard_parse("1000000/1000000", &shard));
    static const char *const bad[] = {
        "0/3",  "4/3",   "a/b",   "",     "/",    "1",    "1/",        "/1",
        "1/0",  "0/0",   "1/2/3", " 1/2", "1/2 ", "+1/2", "1/1000001", "1/99999999999999999999",
        "-1/2", "1.0/2", "1//2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (shard_parse(bad[i], &shard))
            fail_msg("\"%s\" was accepted", bad[i]);
}

static void test_without_shards(void **state)
{
    (void)state;
    const shard_t none = {0};
    assert_true(shard_has(&none, "dserver/pub/1") && shard_has(&none, ""));
}

/* These are promised: an exporter of another version is to agree. By another program:
 *   h = 0xcbf29ce484222325; for b in name: h = (h ^ b) * 0x100000001b3 % 2**64; h % 5 + 1 */
static void test_known_places(void **state)
{
    (void)state;
    assert_int_equal(shard_of("dserver/pub/1", 5), 5);
    assert_int_equal(shard_of("dserver/pub/2", 5), 3);
    assert_int_equal(shard_of("dserver/sub/1", 1000), 734);
}

static void test_how_it_is_named_makes_no_difference(void **state)
{
    (void)state;
    static const char *const names[] = {"dserver/Pub/1", "DSERVER/PUB/1",
                                        "tango://host:10000/dserver/pub/1",
                                        "tango://other.example.org:20000/dServer/pub/1",
                                        "tango://127.0.0.1:45450/dserver/pub/1#dbase=no"};
    for (uint64_t count = 1; count < 20; count++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            assert_int_equal(shard_of(names[i], count), shard_of("dserver/pub/1", count));
}

static void test_shards_are_of_one_size(void **state)
{
    (void)state;
    enum { SERVERS = 1000 };
    for (uint64_t count = 2; count <= 16; count++) {
        size_t sizes[17] = {0};
        for (int i = 0; i < SERVERS; i++) {
            char name[64];
            (void)snprintf(name, sizeof name, "dserver/dishmanager/ska%03d", i);
            sizes[shard_of(name, count)]++;
        }
        for (uint64_t i = 1; i <= count; i++)
            assert_in_range(sizes[i] * count, SERVERS * 7 / 10, SERVERS * 13 / 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parsing),
        cmocka_unit_test(test_without_shards),
        cmocka_unit_test(test_known_places),
        cmocka_unit_test(test_how_it_is_named_makes_no_difference),
        cmocka_unit_test(test_shards_are_of_one_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
