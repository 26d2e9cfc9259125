#include "agent/platform/std_string.h"

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
    const std_string_storage_t *storage = (const std_string_storage_t *)self;
    if (layout == STD_STRING_OLD) {
        *length = old_head(storage->as_old)->length;
        return storage->as_old;
    }
    *length = storage->as_new.length;
    return storage->as_new.text;
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
        self->storage.as_old = self->text;
    } else {
        self->storage.as_new.text = self->text;
        self->storage.as_new.length = length;
        self->storage.as_new.capacity = STD_STRING_BORROWED_MAX;
    }
    return (const std_string_t *)&self->storage;
}

void *std_string_release(std_string_layout_t layout, std_string_storage_t *storage, size_t *size)
{
    if (layout == STD_STRING_OLD) {
        old_string_head_t *head = old_head(storage->as_old);
        /* All empty strings share one, in libstdc++ itself. */
        if (head->capacity == 0 || __atomic_fetch_sub(&head->references, 1, __ATOMIC_ACQ_REL) > 0)
            return NULL;
        *size = sizeof *head + head->capacity + 1;
        return head;
    }
    if (storage->as_new.text == storage->as_new.local)
        return NULL;
    *size = storage->as_new.capacity + 1;
    return (void *)(uintptr_t)storage->as_new.text;
}
