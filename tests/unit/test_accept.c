/* What clients say that they take. */
#include "cmocka_all.h"

#include "exporter/web/accept.h"

static void gzip(void **state)
{
    (void)state;
    static const char *const taken[] = {"gzip",
                                        "gzip, deflate, br, zstd",
                                        "br;q=1.0, gzip;q=0.8, *;q=0.1",
                                        "GZIP",
                                        "x-gzip",
                                        "deflate ,\tgzip ; q=1",
                                        "*",
                                        "gzip;q=0.001",
                                        "identity, *;q=0.5",
                                        "*;q=0, gzip",
                                        ",,gzip,",
                                        "gzip;q=",
                                        "gzip;q"};
    static const char *const refused[] = {
        "",       "identity", "deflate, br", "gzip;q=0", "gzip; q=0.000, *", "gzip;q=0, deflate",
        "gzippy", "x-gz",     "*;q=0",       "*;q=0.0",  "br;gzip",          "gzip ; q = 0",
        ",",      ";",        "gzip;q=0 ,br"};
    assert_false(accept_gzip(NULL));
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (!accept_gzip(taken[i]))
            fail_msg("not taken: %s", taken[i]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (accept_gzip(refused[i]))
            fail_msg("taken: %s", refused[i]);
}

static void tags(void **state)
{
    (void)state;
    assert_true(accept_has_tag("W/\"a-1\"", "\"a-1\""));
    assert_true(accept_has_tag("\"a-1\"", "\"a-1\""));
    assert_true(accept_has_tag("\"x\", W/\"a-1\"", "\"a-1\""));
    assert_true(accept_has_tag("*", "\"a-1\""));
    assert_false(accept_has_tag(NULL, "\"a-1\""));
    assert_false(accept_has_tag("", "\"a-1\""));
    assert_false(accept_has_tag("\"a-11\", \"ba-1\"", "\"a-1\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip),
        cmocka_unit_test(tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
