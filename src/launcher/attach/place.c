#include "launcher/attach/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/attach/threads.h"

enum { PAGE = 4096, CODE_MAX = 1024, ALIGNMENT = 16 };

/* The first multiple of 16 after so much of a page is used, leaving some bytes free in between. */
static uint64_t beyond(uint64_t end)
{
    return (end + 3UL * ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

static uint64_t page_end(uint64_t address)
{
    return (address + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* Whether another segment has the last page of this one, too. */
static bool is_shared(const target_layout_t *layout, const Elf64_Phdr *one)
{
    const uint64_t last = page_end(one->p_vaddr + one->p_memsz) - PAGE;
    for (size_t i = 0; i < layout->count; i++) {
        const Elf64_Phdr *other = &layout->headers[i];
        if (other != one && other->p_type == PT_LOAD && other->p_vaddr < last + PAGE &&
            other->p_vaddr + other->p_memsz > last)
            return true;
    }
    return false;
}

/* The gap after a segment of an object; 0 if it is smaller than size. */
static uint64_t gap_after(const target_t *target, const target_layout_t *layout,
                          const Elf64_Phdr *segment, size_t size)
{
    const uint64_t end = layout->bias + segment->p_vaddr + segment->p_memsz;
    const uint64_t gap = beyond(end);
    const target_mapping_t *mapping = target_mapping(target, gap);
    if (segment->p_memsz == 0 || segment->p_filesz > segment->p_memsz ||
        gap + size > page_end(end) || is_shared(layout, segment) || mapping == NULL ||
        gap + size > mapping->end)
        return 0;
    const bool is_code = (segment->p_flags & PF_X) != 0;
    if (mapping->can_execute != is_code || mapping->can_write == is_code)
        return 0;
    return gap;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
    size_t zeros = 0;
    while (zeros < size && bytes[zeros] == 0)
        zeros++;
    return zeros == size;
}

/* ---- what is left of another one ---- */

static bool is_inside(const wait_t *wait, uint64_t code)
{
    return wait->at >= code && wait->at < code + CODE_MAX;
}

/* The waiter is where it was before: it waits with the same stack pointer. (In a signal handler it
 * would be below, or on a stack of the handler's.) */
static bool has_left(const target_t *target, const mailbox_t *mailbox)
{
    wait_t wait;
    switch (threads_state(target->pid, mailbox->waiter_thread, &wait)) {
    case THREAD_GONE:
        return true;
    case THREAD_WAITS:
        return wait.stack == mailbox->waiter_stack;
    default:
        return false;
    }
}

static bool is_gone(const target_t *target, int32_t thread)
{
    wait_t wait;
    return threads_state(target->pid, thread, &wait) == THREAD_GONE;
}

/* It was to be sent there by somebody who was killed before or after that. */
static place_use_t use_of_given(const target_t *target, uint64_t code, const mailbox_t *mailbox)
{
    wait_t wait;
    switch (threads_state(target->pid, mailbox->waiter_thread, &wait)) {
    case THREAD_GONE:
        return PLACE_FREE;
    case THREAD_WAITS: /* the first instructions don't wait; but it may be stopped there */
        return is_inside(&wait, code) ? PLACE_USED : PLACE_FREE;
    default:
        return PLACE_USED;
    }
}

place_use_t place_use(const target_t *target, uint64_t code, const mailbox_t *mailbox)
{
    switch (mailbox->waiter_state) {
    case WAITER_NONE:
        return PLACE_FREE;
    case WAITER_GIVEN:
        return use_of_given(target, code, mailbox);
    case WAITER_ENTERED: /* it may be gone in a process that was forked meanwhile */
        return is_gone(target, mailbox->waiter_thread) ? PLACE_FREE : PLACE_USED;
    default:
        break;
    }
    const bool loader_gone = mailbox->created != 0 || (mailbox->loader_thread != 0 &&
                                                       is_gone(target, mailbox->loader_thread));
    if (mailbox->loader_state != LOADER_DONE && !loader_gone)
        return PLACE_USED;
    return loader_gone && has_left(target, mailbox) ? PLACE_FREE : PLACE_UNSURE;
}

/* ---- finding one ---- */

typedef struct {
    const target_t *target;
    size_t code_size;
    place_t *place;
    bool in_use;
    bool unsure; /* one may be free in a moment */
} search_t;

/* A payload is there already. Its mailbox is read again after its thread has been looked at: one
 * that has been given it may have entered it. */
static void take_over(search_t *self, uint64_t code, uint64_t mailbox_at)
{
    mailbox_t mailbox;
    mailbox_t again;
    if (!target_read(self->target, mailbox_at, &mailbox, sizeof mailbox))
        return;
    const place_use_t use = place_use(self->target, code, &mailbox);
    if (use == PLACE_USED || !target_read(self->target, mailbox_at, &again, sizeof again) ||
        again.waiter_state != mailbox.waiter_state) {
        self->in_use = true;
    } else if (use == PLACE_UNSURE) {
        self->unsure = true;
    } else if (self->place->code == 0) {
        self->place->code = code;
        self->place->mailbox = mailbox_at;
    }
}

static void look_at_code(search_t *self, uint64_t gap)
{
    unsigned char bytes[CODE_MAX];
    uint64_t mailbox = 0;
    if (!target_read(self->target, gap, bytes, self->code_size))
        return;
    if (memcmp(bytes, PAYLOAD_SIGNATURE, PAYLOAD_SIGNATURE_SIZE) == 0) {
        memcpy(&mailbox, bytes + PAYLOAD_MAILBOX_AT, sizeof mailbox);
        take_over(self, gap, mailbox);
    } else if (self->place->code == 0 && is_zero(bytes, self->code_size)) {
        self->place->code = gap;
    }
}

/* Where the heap begins; 0 if that isn't to be seen. */
static uint64_t heap_start(pid_t pid)
{
    enum { STATE_FIELD = 3, START_BRK_FIELD = 47 }; /* of proc(5) */
    char text[2048];
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    const size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[length] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = STATE_FIELD - 1; at != NULL && field < START_BRK_FIELD; field++) {
        at = strchr(at, ' ');
        at = at != NULL ? at + 1 : NULL;
    }
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

static void look_at_data(search_t *self, uint64_t gap)
{
    unsigned char bytes[sizeof(mailbox_t)];
    const uint64_t heap = heap_start(self->target->pid);
    const bool is_heaps = heap == 0 || (heap < page_end(gap) && heap >= page_end(gap) - PAGE);
    if (self->place->mailbox == 0 && !is_heaps &&
        target_read(self->target, gap, bytes, sizeof bytes) && is_zero(bytes, sizeof bytes))
        self->place->mailbox = gap;
}

static void look_at_segments(search_t *self, const target_layout_t *layout, bool for_data)
{
    const size_t size = for_data ? sizeof(mailbox_t) : self->code_size;
    for (size_t i = 0; i < layout->count; i++) {
        const Elf64_Phdr *segment = &layout->headers[i];
        const bool is_code = (segment->p_flags & PF_X) != 0;
        if (segment->p_type != PT_LOAD || is_code == for_data ||
            (for_data && (segment->p_flags & PF_W) == 0))
            continue;
        const uint64_t gap = gap_after(self->target, layout, segment, size);
        if (gap != 0 && for_data)
            look_at_data(self, gap);
        else if (gap != 0)
            look_at_code(self, gap);
    }
}

static bool begins_with(const char *name, const char *const *begins)
{
    for (size_t i = 0; begins[i] != NULL; i++)
        if (strncmp(name, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

/* Whether it is never unloaded: a program (which names an interpreter), or a library that one is
 * linked with; libtango and its libraries have symbols that forbid it (STB_GNU_UNIQUE). */
static bool stays(const char *name, const target_layout_t *layout)
{
    static const char *const libraries[] = {
        "libc.", "libc-",     "libpthread", "libdl",   "libm.",   "libm-",  "librt", "ld-",
        "ld.so", "libstdc++", "libtango.",  "libzmq.", "libomni", "libcos", NULL};
    bool is_program = false;
    for (size_t i = 0; i < layout->count; i++)
        is_program |= layout->headers[i].p_type == PT_INTERP;
    return is_program || begins_with(name, libraries);
}

static bool is_loader(const char *name)
{
    static const char *const loaders[] = {"ld-", "ld.so", NULL};
    return begins_with(name, loaders);
}

static void look_at_object(search_t *self, const target_object_t *object, bool for_data)
{
    target_layout_t layout;
    const char *slash = strrchr(object->path, '/');
    const char *name = slash != NULL ? slash + 1 : object->path;
    if (object->text_end != 0 && target_layout(self->target, object, &layout) &&
        stays(name, &layout) && !(for_data && is_loader(name)))
        look_at_segments(self, &layout, for_data);
}

place_result_t place_find(const target_t *target, place_t *place)
{
    search_t search = {.target = target, .code_size = payload_size(), .place = place};
    *place = (place_t){0};
    /* All code is looked at: somebody may be attaching in the last one's. */
    for (size_t i = 0; i < target->count; i++)
        look_at_object(&search, &target->objects[i], false);
    for (size_t i = 0; i < target->count && place->mailbox == 0; i++)
        look_at_object(&search, &target->objects[i], true);
    if (search.in_use)
        return PLACE_IN_USE;
    if (place->code != 0 && place->mailbox != 0)
        return PLACE_FOUND;
    return search.unsure ? PLACE_IN_USE : PLACE_NONE;
}

bool place_write(const target_t *target, uint64_t address, const void *data, size_t size)
{
    return pwrite(target->memory, data, size, (off_t)address) == (ssize_t)size;
}

bool place_clean(const target_t *target, const place_t *place)
{
    static const unsigned char zeros[CODE_MAX];
    mailbox_t mailbox;
    return target_read(target, place->mailbox, &mailbox, sizeof mailbox) &&
           place_use(target, place->code, &mailbox) == PLACE_FREE &&
           place_write(target, place->mailbox, zeros, sizeof mailbox) &&
           place_write(target, place->code, zeros, payload_size());
}
