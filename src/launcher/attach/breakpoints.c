#include "launcher/attach/breakpoints.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { BREAKPOINT = 0xcc, CHUNK = 16384 }; /* int3 */

/* The file that is mapped there, which only root may ask for; or else by its path, as the process
 * sees it. */
static int open_file(const target_t *target, const target_object_t *object)
{
    char path[64 + sizeof object->path];
    snprintf(path, sizeof path, "/proc/%ld/map_files/%llx-%llx", (long)target->pid,
             (unsigned long long)object->text_start, (unsigned long long)object->text_end);
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file >= 0)
        return file;
    snprintf(path, sizeof path, "/proc/%ld/root%s", (long)target->pid, object->path);
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* True: the segment is as in the file, but for at least one breakpoint. */
static bool is_in_segment(const target_t *target, uint64_t bias, const Elf64_Phdr *segment,
                          int file)
{
    unsigned char is[CHUNK];
    unsigned char was[CHUNK];
    bool found = false;
    for (uint64_t at = 0; at < segment->p_filesz; at += CHUNK) {
        const uint64_t left = segment->p_filesz - at;
        const size_t size = left < CHUNK ? left : CHUNK;
        if (!target_read(target, bias + segment->p_vaddr + at, is, size) ||
            pread(file, was, size, (off_t)(segment->p_offset + at)) != (ssize_t)size)
            return false;
        for (size_t i = 0; i < size; i++) {
            if (is[i] != was[i] && is[i] != BREAKPOINT)
                return false;
            found |= is[i] != was[i];
        }
    }
    return found;
}

static bool is_in_loader(const target_t *target)
{
    target_layout_t layout;
    const target_object_t *loader = target_find(target, "ld-");
    if (loader == NULL || !target_layout(target, loader, &layout))
        return false;
    const int file = open_file(target, loader);
    bool found = false;
    for (size_t i = 0; file >= 0 && i < layout.count; i++)
        if (layout.headers[i].p_type == PT_LOAD && (layout.headers[i].p_flags & PF_X) != 0)
            found |= is_in_segment(target, layout.bias, &layout.headers[i], file);
    if (file >= 0)
        close(file);
    return found;
}

bool breakpoints_are_there(const target_t *target, const uint64_t *functions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char first = 0;
        if (functions[i] != 0 && target_read(target, functions[i], &first, 1) &&
            first == BREAKPOINT)
            return true;
    }
    return is_in_loader(target);
}
