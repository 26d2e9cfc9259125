/*
 * std_string: reads and makes libtango's std::strings, from C.
 *
 * libstdc++ has two of them. Code built on a system with gcc 5 or later has the new one; wheels for
 * manylinux2014, as PyTango's were up to 10.1, have the old one, whose texts are shared and
 * reference-counted. Source: libstdc++, bits/basic_string.h and bits/cow_string.h; gcc's "Dual
 * ABI".
 */
#ifndef STEM_AGENT_STD_STRING_H
#define STEM_AGENT_STD_STRING_H

#include <stddef.h>

typedef enum { STD_STRING_NEW, STD_STRING_OLD } std_string_layout_t;

/* A std::string that libtango's code has made or will read; only its address is known. */
typedef struct std_string std_string_t;

/* Memory for a std::string of either layout. */
typedef union {
    struct {
        const char *text; /* local, or memory of operator new */
        size_t length;
        union {
            char local[16];
            size_t capacity; /* if the text isn't in local */
        };
    } as_new;
    const char *as_old; /* after an old_string_head_t */
} std_string_storage_t;

/* The header before the text of an old std::string. */
typedef struct {
    size_t length;
    size_t capacity;
    int references; /* besides the first; negative: not to be shared, copies get their own text */
} old_string_head_t;

enum { STD_STRING_BORROWED_MAX = 511 }; /* longer texts are truncated */

/* A std::string for others to read and copy, as long as this one lives. */
typedef struct {
    std_string_storage_t storage;
    old_string_head_t head;
    char text[STD_STRING_BORROWED_MAX + 1];
} std_string_borrowed_t;

/* The text, NUL-terminated, and its length; it belongs to the string. */
const char *std_string_text(std_string_layout_t layout, const std_string_t *self, size_t *length);

/* Makes a std::string from a text in place, without memory of its own. It must not be destroyed. */
const std_string_t *std_string_borrow(std_string_layout_t layout, std_string_borrowed_t *self,
                                      const char *text);

/*
 * Takes apart a std::string that was returned into `storage`. Returns what has to be passed to
 * operator delete, and its size in bytes; NULL if there is nothing, or if others still share it.
 */
void *std_string_release(std_string_layout_t layout, std_string_storage_t *storage, size_t *size);

#endif
