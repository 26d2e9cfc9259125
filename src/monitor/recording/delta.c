#include "monitor/recording/delta.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "base/vector.h"

/* Members of an object, and where to begin the next search: they are mostly in the same order. */
typedef struct {
    json_member_t *members;
    size_t count;
    json_member_t **sorted; /* by key; created when it is first needed */
    size_t next;
    bool *found;
} object_t;

static object_t object_of(json_slice_t text)
{
    vector_t members = {.item_size = sizeof(json_member_t)};
    json_member_t member;
    for (size_t at = 0; json_text_member(text, &at, &member);)
        *(json_member_t *)vector_add(&members) = member;
    object_t self = {0};
    self.members = vector_take(&members, &self.count);
    self.found = memory_new(self.count, sizeof *self.found);
    return self;
}

static void object_clear(object_t *self)
{
    free(self->members);
    free(self->sorted);
    free(self->found);
}

static bool same(json_slice_t a, json_slice_t b)
{
    return a.size == b.size && memcmp(a.text, b.text, a.size) == 0;
}

static int compare_slices(json_slice_t a, json_slice_t b)
{
    const int order = memcmp(a.text, b.text, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_members(const void *a, const void *b)
{
    const json_member_t *left = *(json_member_t *const *)a;
    const json_member_t *right = *(json_member_t *const *)b;
    return compare_slices(left->key, right->key);
}

static int compare_to_key(const void *key, const void *member)
{
    return compare_slices(*(const json_slice_t *)key, (*(json_member_t *const *)member)->key);
}

/* Up to so many members, it isn't worth sorting them. */
enum { UNSORTED_MAX = 12 };

static json_member_t *find_one_by_one(const object_t *self, json_slice_t key)
{
    for (size_t i = 0; i < self->count; i++)
        if (same(self->members[i].key, key))
            return &self->members[i];
    return NULL;
}

static json_member_t *find(object_t *self, json_slice_t key)
{
    if (self->next < self->count && same(self->members[self->next].key, key))
        return &self->members[self->next++];
    json_member_t *next = NULL;
    if (self->count <= UNSORTED_MAX) {
        next = find_one_by_one(self, key);
    } else {
        if (!self->sorted) {
            self->sorted = memory_new(self->count, sizeof(json_member_t *));
            for (size_t i = 0; i < self->count; i++)
                self->sorted[i] = &self->members[i];
            qsort(self->sorted, self->count, sizeof(json_member_t *), compare_members);
        }
        json_member_t **place =
            bsearch(&key, self->sorted, self->count, sizeof(json_member_t *), compare_to_key);
        next = place ? *place : NULL;
    }
    if (next)
        self->next = (size_t)(next - self->members) + 1;
    return next;
}

static bool is_object(json_slice_t text)
{
    return text.size > 0 && text.text[0] == '{';
}

/* An object that is written member by member, or not at all if it has none. */
typedef struct {
    FILE *out;
    bool any;
} writer_t;

static void write_slice(FILE *out, json_slice_t slice)
{
    fwrite(slice.text, 1, slice.size, out);
}

static void write_member(writer_t *self, json_slice_t key, const char *value, size_t size)
{
    putc(self->any ? ',' : '{', self->out);
    self->any = true;
    write_slice(self->out, key);
    putc(':', self->out);
    fwrite(value, 1, size, self->out);
}

/* Both sides of a delta as text; NULL where there is nothing. */
typedef struct {
    char *changes;
    size_t changes_size;
    char *removed;
    size_t removed_size;
} delta_t;

static void delta_clear(delta_t *self)
{
    free(self->changes);
    free(self->removed);
    *self = (delta_t){0};
}

static char *finish(writer_t *writer, char **text)
{
    if (writer->any)
        putc('}', writer->out);
    memory_stream_close(writer->out);
    if (!writer->any) {
        free(*text);
        *text = NULL;
    }
    return *text;
}

/* False if there are equal keys. */
static bool compare(json_slice_t before, json_slice_t after, delta_t *delta)
{
    object_t old = object_of(before);
    object_t new = object_of(after);
    *delta = (delta_t){0};
    writer_t changes = {.out = memory_stream_open(&delta->changes, &delta->changes_size)};
    writer_t removed = {.out = memory_stream_open(&delta->removed, &delta->removed_size)};
    bool good = true;
    for (size_t i = 0; i < new.count &&good; i++) {
        const json_member_t *now = &new.members[i];
        const json_member_t *was = find(&old, now->key);
        if (was && old.found[was - old.members])
            good = false;
        if (was)
            old.found[was - old.members] = true;
        if (was && same(was->value, now->value))
            continue;
        if (!was || !is_object(was->value) || !is_object(now->value)) {
            write_member(&changes, now->key, now->value.text, now->value.size);
            continue;
        }
        delta_t inner;
        good &= compare(was->value, now->value, &inner);
        if (inner.changes)
            write_member(&changes, now->key, inner.changes, inner.changes_size);
        if (inner.removed)
            write_member(&removed, now->key, inner.removed, inner.removed_size);
        delta_clear(&inner);
    }
    for (size_t i = 0; i < old.count && good; i++) {
        if (old.found[i])
            continue;
        good = find(&new, old.members[i].key) == NULL;
        write_member(&removed, old.members[i].key, "true", 4);
    }
    finish(&changes, &delta->changes);
    finish(&removed, &delta->removed);
    object_clear(&old);
    object_clear(&new);
    return good;
}

char *delta_make(const char *before, size_t before_size, const char *after, size_t after_size)
{
    const json_slice_t old = {before, before_size};
    const json_slice_t new = {after, after_size};
    if (!is_object(old) || !is_object(new))
        return NULL;
    delta_t delta;
    char *text = NULL;
    if (compare(old, new, &delta))
        text =
            memory_format("\"changes\":%s%s%s", delta.changes ? delta.changes : "{}",
                          delta.removed ? ",\"removed\":" : "", delta.removed ? delta.removed : "");
    delta_clear(&delta);
    return text;
}

/* A text that grows. */
typedef struct {
    char *text;
    size_t size;
    size_t capacity;
} text_t;

static void put(text_t *self, const char *text, size_t size)
{
    if (self->capacity - self->size < size) {
        self->capacity = 2 * self->capacity + size;
        self->text = memory_resize(self->text, self->capacity, 1);
    }
    memcpy(self->text + self->size, text, size);
    self->size += size;
}

static void put_key(text_t *self, json_slice_t key, bool *any)
{
    if (*any)
        put(self, ",", 1);
    *any = true;
    put(self, key.text, key.size);
    put(self, ":", 1);
}

/*
 * Writes the object that begins at before.text[begin] with its changes. Returns the index after it:
 * each byte of before is looked at once only, however deep it is.
 */
static size_t apply(json_slice_t before, size_t begin, json_slice_t changes, json_slice_t removed,
                    text_t *out)
{
    const json_slice_t nothing = {"{}", 2};
    object_t changed = object_of(changes);
    object_t gone = object_of(removed);
    json_slice_t key;
    bool any = false;
    size_t at = begin;
    put(out, "{", 1);
    while (json_text_key(before, &at, &key)) {
        const json_member_t *change = find(&changed, key);
        const json_member_t *removal = find(&gone, key);
        const size_t value = at;
        if (change)
            changed.found[change - changed.members] = true;
        const bool stays = change || !removal || is_object(removal->value);
        if (stays)
            put_key(out, key, &any);
        if (stays && before.text[value] == '{' &&
            ((change && is_object(change->value)) || (removal && is_object(removal->value)))) {
            at = apply(before, value, change ? change->value : nothing,
                       removal ? removal->value : nothing, out);
            continue;
        }
        at = json_scan_skip_value(before.text, before.size, value);
        if (stays && change)
            put(out, change->value.text, change->value.size);
        else if (stays)
            put(out, before.text + value, at - value);
    }
    for (size_t i = 0; i < changed.count; i++) {
        if (changed.found[i])
            continue;
        put_key(out, changed.members[i].key, &any);
        put(out, changed.members[i].value.text, changed.members[i].value.size);
    }
    put(out, "}", 1);
    object_clear(&changed);
    object_clear(&gone);
    /* Without a member, it is still at the brace. */
    return json_text_end(before, at == begin ? begin + 1 : at);
}

char *delta_apply(const char *before, size_t before_size, const char *changes, size_t changes_size,
                  const char *removed, size_t removed_size, size_t *size)
{
    const json_slice_t old = {before, before_size};
    const json_slice_t changed = {changes, changes_size};
    const json_slice_t gone =
        removed ? (json_slice_t){removed, removed_size} : (json_slice_t){"{}", 2};
    if (!is_object(old) || !is_object(changed) || !is_object(gone))
        return NULL;
    text_t out = {.capacity = before_size + changes_size + 1};
    out.text = memory_resize(NULL, out.capacity, 1);
    apply(old, 0, changed, gone, &out);
    put(&out, "", 1);
    *size = out.size - 1;
    return out.text;
}
