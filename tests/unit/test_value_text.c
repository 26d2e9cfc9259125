/* value_text: counts, rates and durations for people. */
#include <math.h>
#include <stdint.h>

#include "cmocka_all.h"
#include "monitor/view/text/value_text.h"
#include "response/counters.h"

static void test_what_is_not_known(void **state)
{
    (void)state;
    assert_string_equal(value_text_count(RESPONSE_UNKNOWN).text, "-");
    assert_string_equal(value_text_bytes(RESPONSE_UNKNOWN).text, "-");
    assert_string_equal(value_text_rate(NAN).text, "-");
    assert_string_equal(value_text_micros(INFINITY).text, "-");
    assert_string_equal(value_text_duration(NAN).text, "-");
    assert_string_equal(value_text_step(RESPONSE_UNKNOWN).text, "");
}

static void test_numbers(void **state)
{
    (void)state;
    assert_string_equal(value_text_count(INT64_MAX).text, "9223372036854775807");
    assert_string_equal(value_text_step(3).text, "(+3)");
    assert_string_equal(value_text_step(0).text, "");
    assert_string_equal(value_text_lost(7, true, true).text, ">=7*");
    assert_string_equal(value_text_rate(0).text, "0.0");
    assert_string_equal(value_text_rate(0.01).text, "<0.1");
    assert_string_equal(value_text_rate(12.34).text, "12.3");
    assert_string_equal(value_text_micros(9.87).text, "9.9");
    assert_string_equal(value_text_micros(123.4).text, "123");
}

static void test_durations_have_the_unit_that_suits_them(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        {0, "0 ns"},
        {8e-10, "0.80 ns"},
        {5e-7, "500 ns"},
        {1.024e-6, "1.02 us"},
        {35e-3, "35 ms"},
        {0.0123, "12.3 ms"},
        {0.1234, "123 ms"},
        {0.9999, "1.00 s"},
        {12.345, "12.3 s"},
        {275, "275 s"},
        {86400, "86400 s"},
        {-2.5e-3, "-2.50 ms"},
        {1e300, NULL /* whatever: it ends */},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const value_text_t value = value_text_duration(cases[i].seconds);
        if (cases[i].text)
            assert_string_equal(value.text, cases[i].text);
    }
}

static void test_bytes(void **state)
{
    (void)state;
    assert_string_equal(value_text_bytes(0).text, "0 B");
    assert_string_equal(value_text_bytes(512).text, "512 B");
    assert_string_equal(value_text_bytes(1210).text, "1.21 kB");
    assert_string_equal(value_text_bytes(INT64_MAX).text, "9.22 EB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_known),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_durations_have_the_unit_that_suits_them),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
