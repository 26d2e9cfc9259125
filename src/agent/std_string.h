/*
 * std_string: std::string as libtango's code has it, read and made from C.
 *
 * libstdc++ has two of them. What is built on a system with gcc 5 or later has the new one; wheels
 * for manylinux2014, as PyTango's were up to 10.1, have the old one, whose texts are shared and
 * counted. Source: libstdc++, bits/basic_string.h and bits/cow_string.h; gcc's "Dual ABI".
 */
#ifndef STEM_AGENT_STD_STRING_H
#define STEM_AGENT_STD_STRING_H

#include <stddef.h>

typedef enum { STD_STRING_NEW, STD_STRING_OLD } std_string_layout_t;

/* A std::string that libtango's code has made or will read; known by its address only. */
typedef struct std_string std_string_t;

/* Room for a std::string of either layout. */
typedef union {
    struct {
        const char *text; /* local, or memory of operator new */
        size_t length;
        union {
            char local[16];
            size_t capacity; /* if the text isn't in local */
        };
    } as_new;
    const char *as_old; /* behind an old_string_head_t */
} std_string_room_t;

/* What stands before the text of an old std::string. */
typedef struct {
    size_t length;
    size_t capacity;
    int references; /* besides the first; below zero: not to be shared, copies get their own text */
} old_string_head_t;

enum { STD_STRING_BORROWED_MAX = 511 }; /* what is longer is cut off */

/* A std::string for others to read and to copy, while it lives here. */
typedef struct {
    std_string_room_t room;
    old_string_head_t head;
    char text[STD_STRING_BORROWED_MAX + 1];
} std_string_borrowed_t;

/* The text, NUL-terminated, and its length; it belongs to the string. */
const char *std_string_text(std_string_layout_t layout, const std_string_t *self, size_t *length);

/* Makes a std::string of a text in place, without memory of its own. Nobody may destroy it. */
const std_string_t *std_string_borrow(std_string_layout_t layout, std_string_borrowed_t *self,
                                      const char *text);

/*
 * Takes apart a std::string that was returned into `room`. Returns the memory that is now to be
 * given to operator delete, and its size in bytes; NULL if there is none, or if others still share
 * it.
 */
void *std_string_release(std_string_layout_t layout, std_string_room_t *room, size_t *size);

#endif
