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

static json_member_t *find(object_t *self, json_slice_t key)
{
    json_member_t *next = self->next < self->count ? &self->members[self->next] : NULL;
    if (!next || !same(next->key, key)) {
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

static void apply(json_slice_t before, json_slice_t changes, json_slice_t removed, FILE *out)
{
    object_t old = object_of(before);
    object_t changed = object_of(changes);
    object_t gone = object_of(removed);
    bool any = false;
    putc('{', out);
    for (size_t i = 0; i < old.count; i++) {
        const json_member_t *member = &old.members[i];
        const json_member_t *change = find(&changed, member->key);
        const json_member_t *removal = find(&gone, member->key);
        if (change)
            changed.found[change - changed.members] = true;
        if (removal && !is_object(removal->value) && !change)
            continue;
        if (any)
            putc(',', out);
        any = true;
        write_slice(out, member->key);
        putc(':', out);
        const bool inner = is_object(member->value) && ((change && is_object(change->value)) ||
                                                        (removal && is_object(removal->value)));
        if (inner) {
            const json_slice_t nothing = {"{}", 2};
            apply(member->value, change ? change->value : nothing,
                  removal ? removal->value : nothing, out);
        } else {
            write_slice(out, change ? change->value : member->value);
        }
    }
    for (size_t i = 0; i < changed.count; i++) {
        if (changed.found[i])
            continue;
        if (any)
            putc(',', out);
        any = true;
        write_slice(out, changed.members[i].key);
        putc(':', out);
        write_slice(out, changed.members[i].value);
    }
    putc('}', out);
    object_clear(&old);
    object_clear(&changed);
    object_clear(&gone);
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
    char *text = NULL;
    FILE *out = memory_stream_open(&text, size);
    apply(old, changed, gone, out);
    memory_stream_close(out);
    return text;
}
