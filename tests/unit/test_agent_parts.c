/* The parts around the counting: the JSON writer, the ELF work, the guard against exceptions. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/json_writer.h"
#include "agent/platform/elf_image.h"
#include "agent/platform/guard.h"
#include "cmocka_all.h"

/* ---- JSON ---- */

static void json_is_nested_and_separated(void **state)
{
    (void)state;
    json_writer_t json;
    json_init(&json);
    json_open_object(&json);
    json_key(&json, "a");
    json_open_list(&json);
    json_integer(&json, -5);
    json_unsigned(&json, UINT64_MAX);
    json_open_object(&json);
    json_close_object(&json);
    json_null(&json);
    json_close_list(&json);
    json_key(&json, "b");
    json_bool(&json, true);
    json_key(&json, "t");
    json_time(&json, INT64_C(1700000000123456789));
    json_key(&json, "never");
    json_time(&json, 0);
    json_close_object(&json);
    char *text = json_take(&json);
    assert_string_equal(text, "{\"a\": [-5, 18446744073709551615, {}, null], \"b\": true, "
                              "\"t\": \"2023-11-14T22:13:20.123456+00:00\", \"never\": null}");
    free(text);
}

static void json_strings_are_escaped_to_ascii(void **state)
{
    (void)state;
    json_writer_t json;
    json_init(&json);
    json_string(&json, "q\" b\\ n\n e\x1b d\x7f l\xe9 end");
    char *text = json_take(&json);
    assert_string_equal(text, "\"q\\\" b\\\\ n\\u000a e\\u001b d\\u007f l\\u00e9 end\"");
    free(text);
}

static void a_long_json_text_grows(void **state)
{
    (void)state;
    json_writer_t json;
    json_init(&json);
    json_open_list(&json);
    for (int i = 0; i < 100000; i++)
        json_integer(&json, 7);
    json_close_list(&json);
    char *text = json_take(&json);
    assert_int_equal(strlen(text), 100000 * 3);
    free(text);
}

/* ---- ELF ---- */

static size_t counted_a64l_calls;
static long (*original_a64l)(const char *);

static long counted_a64l(const char *text)
{
    counted_a64l_calls++;
    return original_a64l(text);
}

/* Through this program's own slot. a64l is a function that no sanitizer replaces. */
static long call_a64l(const char *text)
{
    long (*volatile function)(const char *) = a64l;
    return function(text);
}

static void a_slot_is_hooked_once_and_only_here(void **state)
{
    (void)state;
    elf_image_t image;
    assert_true(elf_image_of_address(&image, (const void *)a_slot_is_hooked_once_and_only_here));
    elf_hook_t hooks[] = {
        {"a64l", false, (void *)counted_a64l, (void **)&original_a64l, NULL},
    };
    elf_hook_t other_name = hooks[0];
    other_name.must_contain = "A64";
    assert_int_equal(elf_image_hook(&image, &other_name, 1), 0);
    assert_null(original_a64l);
    void *before = elf_image_imported(&image, "a64l");
    assert_ptr_equal(before, dlsym(RTLD_DEFAULT, "a64l"));

    assert_true(elf_image_hook(&image, hooks, 1) >= 1);
    assert_ptr_equal(original_a64l, before);
    assert_int_equal(call_a64l("0"), 2);
    assert_int_equal(counted_a64l_calls, 1);
    assert_ptr_equal(dlsym(RTLD_DEFAULT, "a64l"), before); /* nobody else is touched */
    assert_int_equal(elf_image_hook(&image, hooks, 1), 0); /* again: nothing changes */
    assert_ptr_equal(original_a64l, before);
}

static void symbols_are_found_where_they_are_defined(void **state)
{
    (void)state;
    elf_image_t libc;
    assert_true(
        elf_image_find(&libc, "a64l", (const void *)symbols_are_found_where_they_are_defined));
    assert_non_null(strstr(libc.path, "libc"));
    size_t size = 0;
    assert_ptr_equal(elf_image_symbol(&libc, "a64l", &size), dlsym(RTLD_DEFAULT, "a64l"));
    assert_true(size > 0);
    assert_null(elf_image_symbol(&libc, "no_such_symbol_anywhere", NULL));

    elf_image_t none;
    assert_false(elf_image_find(&none, "no_such_symbol_anywhere", NULL));
    /* The object that holds the address is skipped. */
    assert_false(elf_image_find(&none, "a64l", dlsym(RTLD_DEFAULT, "a64l")));
}

static void an_object_is_found_by_what_its_variable_holds(void **state)
{
    (void)state;
    elf_image_t libc;
    void **environ_of_libc = dlsym(RTLD_DEFAULT, "__environ");
    assert_true(elf_image_find_pointer(&libc, "__environ", *environ_of_libc));
    assert_non_null(elf_image_symbol(&libc, "a64l", NULL));
    assert_false(elf_image_find_pointer(&libc, "__environ", &libc));
    assert_false(elf_image_find_pointer(&libc, "no_such_symbol_anywhere", NULL));
    /* A function is not a variable. */
    assert_false(elf_image_find_pointer(&libc, "a64l", NULL));
}

static void a_symbol_without_a_slot_is_left_alone(void **state)
{
    (void)state;
    elf_image_t image;
    assert_true(elf_image_of_address(&image, (const void *)a_symbol_without_a_slot_is_left_alone));
    void *original = NULL;
    elf_hook_t hooks[] = {
        {"no_such_symbol_anywhere", false, (void *)counted_a64l, &original, NULL}};
    assert_int_equal(elf_image_hook(&image, hooks, 1), 0);
    assert_null(original);
    assert_null(elf_image_imported(&image, "no_such_symbol_anywhere"));
}

/* ---- the guard ---- */

/* The C++ runtime's, as compiled "throw 42" would call them. */
extern void *__cxa_allocate_exception(size_t size);
extern void __cxa_throw(void *exception, void *type, void (*destructor)(void *))
    __attribute__((noreturn));
extern void *_ZTIi; /* typeid(int) */

static int destroyed;

static void count_destruction(void *exception)
{
    (void)exception;
    destroyed++;
}

static void do_nothing(void *argument)
{
    *(int *)argument += 1;
}

static void throw_int(void *argument)
{
    do_nothing(argument);
    int *exception = __cxa_allocate_exception(sizeof *exception);
    *exception = 42;
    __cxa_throw(exception, &_ZTIi, count_destruction);
}

static void exceptions_end_at_the_guard(void **state)
{
    (void)state;
    int calls = 0;
    assert_true(guard_call(do_nothing, &calls));
    assert_int_equal(calls, 1);
    for (int i = 1; i <= 3; i++) {
        assert_false(guard_call(throw_int, &calls));
        assert_int_equal(calls, 1 + i);
        assert_int_equal(destroyed, i);
    }
    assert_true(guard_call(do_nothing, &calls));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_nested_and_separated),
        cmocka_unit_test(json_strings_are_escaped_to_ascii),
        cmocka_unit_test(a_long_json_text_grows),
        cmocka_unit_test(a_slot_is_hooked_once_and_only_here),
        cmocka_unit_test(symbols_are_found_where_they_are_defined),
        cmocka_unit_test(an_object_is_found_by_what_its_variable_holds),
        cmocka_unit_test(a_symbol_without_a_slot_is_left_alone),
        cmocka_unit_test(exceptions_end_at_the_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
