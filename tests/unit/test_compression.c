/* Blocks of gzip, zstd and xz, and reading files that are complete, cut off or damaged. */
#include "cmocka_all.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/recording/compression.h"

static const compression_t kinds[] = {COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_XZ};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* A test for each kind. */
#define EACH_KIND(function)                                                                        \
    cmocka_unit_test_prestate(function, (void *)&kinds[0]),                                        \
        cmocka_unit_test_prestate(function, (void *)&kinds[1]),                                    \
        cmocka_unit_test_prestate(function, (void *)&kinds[2])

static compression_t kind_of(void **state)
{
    return *(const compression_t *)*state;
}

/* Bytes of a file. The caller frees data. */
typedef struct {
    char *data;
    size_t size;
} bytes_t;

static void append(bytes_t *self, const void *data, size_t size)
{
    self->data = memory_resize(self->data, self->size + size, 1);
    memcpy(self->data + self->size, data, size);
    self->size += size;
}

static void append_block(bytes_t *self, compression_t kind, const char *text)
{
    size_t size = 0;
    void *block = compression_block(kind, text, strlen(text), &size);
    append(self, block, size);
    free(block);
}

/* Text that compresses, but not to nothing. The caller frees it. */
static char *long_text(size_t size)
{
    char *text = memory_new(size + 1, 1);
    uint32_t random = 1;
    for (size_t i = 0; i < size; i++) {
        random = random * 1664525 + 1013904223;
        text[i] = "event"[random >> 30];
    }
    return text;
}

/*
 * Decompresses, giving it step bytes at a time and space for as many, until the input is used up
 * and nothing more comes out, or it is broken. Appends the output to text, followed by a NUL.
 */
static decompressor_state_t decompress(compression_t kind, const bytes_t *file, size_t step,
                                       bytes_t *text)
{
    decompressor_t *self = decompressor_new(kind);
    decompressor_state_t state = DECOMPRESSOR_MORE;
    char *out = memory_new(step, 1);
    size_t taken = 0;
    size_t written = 0;
    do {
        size_t size = file->size - taken < step ? file->size - taken : step;
        const size_t before = size;
        const void *data = file->data + taken;
        state = decompressor_run(self, &data, &size, out, step, &written);
        assert_ptr_equal(data, file->data + taken + (before - size));
        assert_true(written <= step);
        taken += before - size;
        append(text, out, written);
    } while (state < DECOMPRESSOR_BROKEN &&
             (taken < file->size || (state == DECOMPRESSOR_MORE && written > 0)));
    /* Asking again gives nothing. */
    for (int i = 0; i < 3 && state == DECOMPRESSOR_MORE; i++) {
        size_t size = 0;
        const void *data = NULL;
        assert_int_equal(decompressor_run(self, &data, &size, out, step, &written),
                         DECOMPRESSOR_MORE);
        assert_int_equal(written, 0);
    }
    append(text, "", 1);
    text->size--;
    free(out);
    decompressor_destroy(&self);
    assert_null(self);
    return state;
}

static void free_bytes(bytes_t *self)
{
    free(self->data);
    *self = (bytes_t){0};
}

/* ---- what a file is ---- */

static void test_names_ask_for_it_by_their_ending(void **state)
{
    (void)state;
    assert_int_equal(compression_of_name("a.gz"), COMPRESSION_GZIP);
    assert_int_equal(compression_of_name("dir.xz/a.jsonl.zst"), COMPRESSION_ZSTD);
    assert_int_equal(compression_of_name("a.xz"), COMPRESSION_XZ);
    static const char *const others[] = {"a", "", "gz", ".gz", "a.gz.1", "a.GZ", "agz", "a.gzip"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(compression_of_name(others[i]), COMPRESSION_NONE);
    for (size_t i = 0; i < KINDS; i++) {
        char *name = memory_format("a%s", compression_ending(kinds[i]));
        assert_int_equal(compression_of_name(name), kinds[i]);
        free(name);
    }
    assert_string_equal(compression_name(COMPRESSION_GZIP), "gzip");
    assert_string_equal(compression_name(COMPRESSION_ZSTD), "zstd");
    assert_string_equal(compression_name(COMPRESSION_XZ), "xz");
}

static void test_its_first_bytes_tell(void **state)
{
    const compression_t kind = kind_of(state);
    bytes_t file = {0};
    append_block(&file, kind, "");
    assert_int_equal(compression_of_data(file.data, COMPRESSION_MAGIC_SIZE), kind);
    assert_int_equal(compression_of_data(file.data, 1), COMPRESSION_NONE);
    assert_int_equal(compression_of_data(file.data, 0), COMPRESSION_NONE);
    file.data[1] ^= 1;
    assert_int_equal(compression_of_data(file.data, COMPRESSION_MAGIC_SIZE), COMPRESSION_NONE);
    free_bytes(&file);
}

static void test_the_first_bytes_of_others(void **state)
{
    (void)state;
    assert_int_equal(compression_of_data("{\"time", 6), COMPRESSION_NONE);
    /* Skippable frames of zstd: 0x184D2A50 to 0x184D2A5F, in little endian. */
    assert_int_equal(compression_of_data("\x50\x2a\x4d\x18", 4), COMPRESSION_ZSTD);
    assert_int_equal(compression_of_data("\x5f\x2a\x4d\x18\x04\x00", 6), COMPRESSION_ZSTD);
    assert_int_equal(compression_of_data("\x60\x2a\x4d\x18", 4), COMPRESSION_NONE);
    assert_int_equal(compression_of_data("\x50\x2a\x4d\x18", 3), COMPRESSION_NONE);
}

static void test_without_compression_a_block_is_its_data(void **state)
{
    (void)state;
    size_t size = 0;
    char *block = compression_block(COMPRESSION_NONE, "data", 4, &size);
    assert_int_equal(size, 4);
    assert_memory_equal(block, "data", 4);
    free(block);
}

/* ---- there and back ---- */

static void test_blocks_come_back_as_one_file(void **state)
{
    const compression_t kind = kind_of(state);
    char *long_one = long_text(20000);
    bytes_t file = {0};
    append_block(&file, kind, "first ");
    append_block(&file, kind, "");
    append_block(&file, kind, long_one);
    append_block(&file, kind, " last");
    assert_true(file.size < 12000);
    char *expected = memory_format("first %s last", long_one);
    static const size_t steps[] = {1, 7, 4096, 1 << 20};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        bytes_t text = {0};
        assert_int_equal(decompress(kind, &file, steps[i], &text), DECOMPRESSOR_END);
        assert_string_equal(text.data, expected);
        free_bytes(&text);
    }
    free(expected);
    free_bytes(&file);
    free(long_one);
}

static void test_stops_at_the_end_of_each_block(void **state)
{
    const compression_t kind = kind_of(state);
    bytes_t file = {0};
    append_block(&file, kind, "first");
    const size_t first = file.size;
    append_block(&file, kind, "second");
    decompressor_t *self = decompressor_new(kind);
    char out[64];
    const void *data = file.data;
    size_t size = file.size;
    size_t written = 0;
    assert_int_equal(decompressor_run(self, &data, &size, out, sizeof out, &written),
                     DECOMPRESSOR_END);
    assert_int_equal(written, 5);
    assert_memory_equal(out, "first", 5);
    assert_int_equal(size, file.size - first);
    assert_int_equal(decompressor_run(self, &data, &size, out, sizeof out, &written),
                     DECOMPRESSOR_END);
    assert_int_equal(written, 6);
    assert_int_equal(size, 0);
    decompressor_destroy(&self);
    decompressor_destroy(&self);
    free_bytes(&file);
}

/* ---- incomplete files ---- */

static void test_a_block_that_was_cut_off_is_not_ended(void **state)
{
    const compression_t kind = kind_of(state);
    bytes_t file = {0};
    append_block(&file, kind, "first ");
    const size_t first = file.size;
    append_block(&file, kind, "second, which was cut off");
    const size_t whole = file.size;
    for (size_t cut = first + 1; cut < whole; cut++) {
        file.size = cut;
        bytes_t text = {0};
        assert_int_equal(decompress(kind, &file, 4096, &text), DECOMPRESSOR_MORE);
        assert_memory_equal(text.data, "first ", 6);
        free_bytes(&text);
    }
    file.size = whole;
    free_bytes(&file);
}

/* Whichever byte it is: a block that isn't read back as written is not complete. */
static void test_a_damaged_block_is_no_whole_one(void **state)
{
    const compression_t kind = kind_of(state);
    static const char expected[] =
        "0123456789abcdefghijklmnopqrstuvwxyz, that is: little to compress";
    bytes_t file = {0};
    append_block(&file, kind, expected);
    size_t broken = 0;
    for (size_t i = 0; i < file.size; i++) {
        file.data[i] ^= 0x04;
        bytes_t text = {0};
        const decompressor_state_t end = decompress(kind, &file, 4096, &text);
        assert_true(end != DECOMPRESSOR_END || strcmp(text.data, expected) == 0);
        broken += end == DECOMPRESSOR_BROKEN;
        free_bytes(&text);
        file.data[i] ^= 0x04;
    }
    assert_true(broken > file.size / 2);
    free_bytes(&file);
}

static void test_what_is_no_block_behind_one_is_broken(void **state)
{
    const compression_t kind = kind_of(state);
    bytes_t file = {0};
    append_block(&file, kind, "first");
    append(&file, "something else, and enough of it", 32);
    bytes_t text = {0};
    assert_int_equal(decompress(kind, &file, 4096, &text), DECOMPRESSOR_BROKEN);
    assert_string_equal(text.data, "first");
    free_bytes(&text);
    free_bytes(&file);
}

static void test_zeros_between_blocks_and_behind_them_are_padding(void **state)
{
    const compression_t kind = kind_of(state);
    bytes_t file = {0};
    append_block(&file, kind, "first ");
    append(&file, "\0\0\0\0\0\0\0", 8);
    append_block(&file, kind, "second");
    append(&file, "\0\0\0", 4);
    for (size_t step = 3; step < 5000; step += 4093) {
        bytes_t text = {0};
        const decompressor_state_t end = decompress(kind, &file, step, &text);
        if (kind == COMPRESSION_ZSTD) {
            assert_int_equal(end, DECOMPRESSOR_BROKEN); /* its tools don't accept them either */
        } else {
            assert_int_equal(end, DECOMPRESSOR_PADDING);
            assert_string_equal(text.data, "first second");
        }
        free_bytes(&text);
    }
    free_bytes(&file);
}

static void test_more_memory_than_is_allowed_is_too_large(void **state)
{
    (void)state;
    /* A stream's header, and a block's that asks for a dictionary of 4 GiB less a byte. */
    static const unsigned char xz[] = {0xfd, '7',  'z',  'X',  'Z',  0,    0,    0,
                                       0xff, 0x12, 0xd9, 0x41, 0x02, 0x00, 0x21, 0x01,
                                       40,   0,    0,    0,    0xe6, 0xa0, 0x11, 0xb3};
    /* A frame's header, and a window of 2 to the power of 10 + 22 bytes. */
    static const unsigned char zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 22 << 3, 1, 0, 0};
    const bytes_t files[] = {{(char *)(uintptr_t)xz, sizeof xz},
                             {(char *)(uintptr_t)zstd, sizeof zstd}};
    for (size_t i = 0; i < 2; i++) {
        bytes_t text = {0};
        assert_int_equal(
            decompress(i == 0 ? COMPRESSION_XZ : COMPRESSION_ZSTD, &files[i], 4096, &text),
            DECOMPRESSOR_TOO_LARGE);
        free_bytes(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_ask_for_it_by_their_ending),
        EACH_KIND(test_its_first_bytes_tell),
        cmocka_unit_test(test_the_first_bytes_of_others),
        cmocka_unit_test(test_without_compression_a_block_is_its_data),
        EACH_KIND(test_blocks_come_back_as_one_file),
        EACH_KIND(test_stops_at_the_end_of_each_block),
        EACH_KIND(test_a_block_that_was_cut_off_is_not_ended),
        EACH_KIND(test_a_damaged_block_is_no_whole_one),
        EACH_KIND(test_what_is_no_block_behind_one_is_broken),
        EACH_KIND(test_zeros_between_blocks_and_behind_them_are_padding),
        cmocka_unit_test(test_more_memory_than_is_allowed_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
