/* std::strings of both layouts, made by libstdc++ and read here, and vice versa. */
#include "agent/platform/std_string.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

#define DECLARE(layout)                                                                            \
    size_t layout##_size(void);                                                                    \
    void layout##_make(void *storage, const char *text);                                           \
    void layout##_make_empty(void *storage);                                                       \
    void layout##_make_shared(void *storage, const char *text);                                    \
    const char *layout##_shared_text(void);                                                        \
    void *layout##_keep(const void *given);                                                        \
    const char *layout##_kept_text(const void *kept);                                              \
    void layout##_drop(void *kept);                                                                \
    void layout##_operator_delete(void *memory)
DECLARE(new_layout);
DECLARE(old_layout);

typedef struct {
    std_string_layout_t layout;
    size_t (*size)(void);
    void (*make)(void *storage, const char *text);
    void (*make_empty)(void *storage);
    void (*make_shared)(void *storage, const char *text);
    const char *(*shared_text)(void);
    void *(*keep)(const void *given);
    const char *(*kept_text)(const void *kept);
    void (*drop)(void *kept);
    void (*operator_delete)(void *memory);
} library_t;

#define LIBRARY(id, name)                                                                          \
    {                                                                                              \
        id, name##_size, name##_make, name##_make_empty, name##_make_shared, name##_shared_text,   \
            name##_keep, name##_kept_text, name##_drop, name##_operator_delete                     \
    }

static const library_t libraries[] = {LIBRARY(STD_STRING_NEW, new_layout),
                                      LIBRARY(STD_STRING_OLD, old_layout)};
enum { LIBRARY_COUNT = sizeof libraries / sizeof *libraries };

static char long_text[300];

static void assert_text(const library_t *library, const std_string_storage_t *storage,
                        const char *text)
{
    size_t length = 0;
    const char *found = std_string_text(library->layout, (const std_string_t *)storage, &length);
    assert_string_equal(found, text);
    assert_int_equal(length, strlen(text));
}

/* Under a sanitizer, memory that is leaked or freed wrongly fails the test. */
static void release(const library_t *library, std_string_storage_t *storage, size_t at_least)
{
    size_t size = 0;
    void *memory = std_string_release(library->layout, storage, &size);
    if (at_least) {
        assert_non_null(memory);
        assert_true(size > at_least);
        library->operator_delete(memory);
    } else {
        assert_null(memory);
    }
}

static void the_layouts_are_those_of_libstdcxx(void **state)
{
    (void)state;
    assert_int_equal(new_layout_size(), 4 * sizeof(void *));
    assert_int_equal(old_layout_size(), sizeof(void *));
}

static void a_returned_string_is_read_and_released(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIBRARY_COUNT; i++) {
        const library_t *library = &libraries[i];
        std_string_storage_t storage = {0};

        library->make_empty(&storage);
        assert_text(library, &storage, "");
        release(library, &storage, 0);

        library->make(&storage, "short");
        assert_text(library, &storage, "short");
        release(library, &storage, library->layout == STD_STRING_OLD ? 5 : 0);

        library->make(&storage, long_text);
        assert_text(library, &storage, long_text);
        release(library, &storage, strlen(long_text));
    }
}

static void a_shared_string_is_left_to_its_owner(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIBRARY_COUNT; i++) {
        const library_t *library = &libraries[i];
        std_string_storage_t storage = {0};
        library->make_shared(&storage, long_text);
        assert_text(library, &storage, long_text);
        release(library, &storage, library->layout == STD_STRING_NEW ? strlen(long_text) : 0);
        assert_string_equal(library->shared_text(), long_text);
    }
}

static void a_borrowed_string_is_copied(void **state)
{
    (void)state;
    const char *const texts[] = {"", "QueryEventSystem", long_text};
    for (size_t i = 0; i < LIBRARY_COUNT; i++) {
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
            const library_t *library = &libraries[i];
            std_string_borrowed_t *borrowed = malloc(sizeof *borrowed);
            const std_string_t *string = std_string_borrow(library->layout, borrowed, texts[t]);
            assert_text(library, &borrowed->storage, texts[t]);
            void *kept = library->keep(string);
            void *second = library->keep(kept);
            free(borrowed);
            assert_string_equal(library->kept_text(kept), texts[t]);
            library->drop(kept);
            assert_string_equal(library->kept_text(second), texts[t]);
            library->drop(second);
        }
    }
}

static void a_borrowed_string_that_is_too_long_is_cut_off(void **state)
{
    (void)state;
    char text[2 * STD_STRING_BORROWED_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < LIBRARY_COUNT; i++) {
        const library_t *library = &libraries[i];
        std_string_borrowed_t borrowed;
        void *kept = library->keep(std_string_borrow(library->layout, &borrowed, text));
        assert_int_equal(strlen(library->kept_text(kept)), STD_STRING_BORROWED_MAX);
        library->drop(kept);
    }
}

int main(void)
{
    memset(long_text, 'l', sizeof long_text - 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layouts_are_those_of_libstdcxx),
        cmocka_unit_test(a_returned_string_is_read_and_released),
        cmocka_unit_test(a_shared_string_is_left_to_its_owner),
        cmocka_unit_test(a_borrowed_string_is_copied),
        cmocka_unit_test(a_borrowed_string_that_is_too_long_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
