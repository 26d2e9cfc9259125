/*
 * target: the memory of another process: what is loaded there, and where a function is.
 *
 * Everything is read from the process itself and not from files: it may be in a container, where a
 * path means another file, or has been deleted. What it says isn't trusted: it is another
 * process's.
 */
#ifndef STEM_TARGET_H
#define STEM_TARGET_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A loaded ELF object. */
typedef struct {
    char path[512];                /* as /proc/PID/maps has it, truncated */
    uint64_t start, end;           /* the addresses that its mappings span */
    uint64_t text_start, text_end; /* of its last executable mapping; 0 without one */
} target_object_t;

/* A mapping, of a file or of none. */
typedef struct {
    uint64_t start, end;
    bool can_read, can_write, can_execute;
} target_mapping_t;

typedef struct {
    pid_t pid;
    int memory; /* /proc/PID/mem */
    target_object_t *objects;
    size_t count;
    target_mapping_t *mappings; /* in the order of their addresses */
    size_t mapping_count;
} target_t;

enum { TARGET_PARTS_MAX = 64 };

/* The program headers of an object, and the difference between its addresses and those in the file.
 */
typedef struct {
    Elf64_Phdr headers[TARGET_PARTS_MAX];
    size_t count;
    uint64_t bias;
} target_layout_t;

/* Opens a process. False with a line in error; true: end it with target_close(). */
bool target_open(target_t *self, pid_t pid, char *error, size_t error_size);

void target_close(target_t *self);

/* Looks again what is loaded there. False with a line in error; it has to be closed all the same.
 */
bool target_reload(target_t *self, char *error, size_t error_size);

/* Reads so many bytes at an address there. */
bool target_read(const target_t *self, uint64_t address, void *data, size_t size);

/*
 * The address of a function that the object defines and exports, of its newest version; 0 if it
 * doesn't.
 */
uint64_t target_symbol(const target_t *self, const target_object_t *object, const char *name);

/*
 * Whether the object calls, by its name and through a slot of its own, a function that it defines
 * and exports: then another object's of that name may come first. True, too, if that can't be read.
 */
bool target_calls_by_name(const target_t *self, const target_object_t *object, const char *name);

/* The first object whose file's name begins so; or NULL. */
const target_object_t *target_find(const target_t *self, const char *name_begin);

/* False if it isn't an ELF object of this kind of machine. */
bool target_layout(const target_t *self, const target_object_t *object, target_layout_t *layout);

/* The mapping that has an address; or NULL. */
const target_mapping_t *target_mapping(const target_t *self, uint64_t address);

#endif
