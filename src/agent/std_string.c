#include "agent/std_string.h"

#include <stdint.h>
#include <string.h>

_Static_assert(sizeof(old_string_head_t) == 24,
               "the text of an old string begins at its 25th byte");
_Static_assert(offsetof(std_string_borrowed_t, text) ==
                   offsetof(std_string_borrowed_t, head) + sizeof(old_string_head_t),
               "the text follows its head");

static old_string_head_t *old_head(const char *text)
{
    return (old_string_head_t *)(uintptr_t)(text - sizeof(old_string_head_t));
}

const char *std_string_text(std_string_layout_t layout, const std_string_t *self, size_t *length)
{
    const std_string_room_t *room = (const std_string_room_t *)self;
    if (layout == STD_STRING_OLD) {
        *length = old_head(room->as_old)->length;
        return room->as_old;
    }
    *length = room->as_new.length;
    return room->as_new.text;
}

const std_string_t *std_string_borrow(std_string_layout_t layout, std_string_borrowed_t *self,
                                      const char *text)
{
    size_t length = strlen(text);
    if (length > STD_STRING_BORROWED_MAX)
        length = STD_STRING_BORROWED_MAX;
    memcpy(self->text, text, length);
    self->text[length] = '\0';
    self->head = (old_string_head_t){length, STD_STRING_BORROWED_MAX, -1};
    if (layout == STD_STRING_OLD) {
        self->room.as_old = self->text;
    } else {
        self->room.as_new.text = self->text;
        self->room.as_new.length = length;
        self->room.as_new.capacity = STD_STRING_BORROWED_MAX;
    }
    return (const std_string_t *)&self->room;
}

void *std_string_release(std_string_layout_t layout, std_string_room_t *room, size_t *size)
{
    if (layout == STD_STRING_OLD) {
        old_string_head_t *head = old_head(room->as_old);
        /* The empty string is one for all, in libstdc++ itself. */
        if (head->capacity == 0 || __atomic_fetch_sub(&head->references, 1, __ATOMIC_ACQ_REL) > 0)
            return NULL;
        *size = sizeof *head + head->capacity + 1;
        return head;
    }
    if (room->as_new.text == room->as_new.local)
        return NULL;
    *size = room->as_new.capacity + 1;
    return (void *)(uintptr_t)room->as_new.text;
}
