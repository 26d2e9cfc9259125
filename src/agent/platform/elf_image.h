/*
 * elf_image: one loaded object of this process, seen through its dynamic section: its symbols, and
 * the relocation slots through which it reaches the symbols of others.
 *
 * It knows ELF and nothing of Tango or ZeroMQ. Source: the System V gABI, and glibc's
 * dl_iterate_phdr(3).
 */
#ifndef STEM_AGENT_ELF_IMAGE_H
#define STEM_AGENT_ELF_IMAGE_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char path[512];                   /* as the loader knows it; "" for the program itself */
    uintptr_t base;                   /* load bias */
    uintptr_t start, end;             /* addresses that its segments span */
    uintptr_t relro_start, relro_end; /* made read-only after relocation; whole pages */
    const ElfW(Sym) * symbols;
    size_t symbol_count;
    const char *strings;
    size_t strings_size;
    const uint32_t *gnu_hash;          /* or NULL */
    const ElfW(Rela) * relocations[2]; /* DT_RELA, DT_JMPREL */
    size_t relocation_counts[2];
} elf_image_t;

/* One symbol whose slots are to be replaced. */
typedef struct {
    const char *symbol; /* its mangled name, or the beginning of it if is_prefix */
    bool is_prefix;
    void *replacement;
    void **original;          /* out: what the slots held; NULL if there was no slot */
    const char *must_contain; /* or NULL: a text that the symbol must also contain */
} elf_hook_t;

/*
 * Finds the loaded object that defines the symbol; the object that contains the address `not_in` is
 * skipped (so that an interposer doesn't find itself). False if there is none, or if its dynamic
 * section can't be read; *self is then undefined. Holds no reference to the object.
 */
bool elf_image_find(elf_image_t *self, const char *symbol, const void *not_in);

/* The loaded object that defines the variable, a pointer, with this value. */
bool elf_image_find_pointer(elf_image_t *self, const char *variable, const void *value);

/* Keeps the object loaded for the life of the process, whoever closes it. */
void elf_image_pin(const elf_image_t *self);

/* The object that contains the address, likewise. */
bool elf_image_of_address(elf_image_t *self, const void *address);

/*
 * The address of a symbol that the object itself defines, or NULL. size (if not NULL) gets its size
 * in bytes as the symbol table gives it.
 */
void *elf_image_symbol(const elf_image_t *self, const char *name, size_t *size);

/*
 * Where the object's own slot for the symbol points to, whoever defines it: the very function that
 * the object would call. NULL if it has no such slot. A slot that isn't bound yet (lazy binding) is
 * looked up instead.
 */
void *elf_image_imported(const elf_image_t *self, const char *name);

/*
 * Replaces, in every slot of the object for each hook's symbol, the address by the replacement, and
 * stores the previous address in *original. Slots that already contain the replacement are left, so
 * that a second call changes nothing. A hook whose *original stays NULL had no slot. Returns how
 * many slots were written; -1 if the memory can't be made writable (then nothing or only some slots
 * were written, each of them completely). Several threads may do so at once, with different hooks.
 */
int elf_image_hook(const elf_image_t *self, const elf_hook_t *hooks, size_t hook_count);

/*
 * Puts the original back into every slot that contains a hook's replacement; *original stays, since
 * threads may be in the replacement, and goes on being called by it. Returns how many slots were
 * written; -1 as above.
 */
int elf_image_unhook(const elf_image_t *self, const elf_hook_t *hooks, size_t hook_count);

/* In a child of the process: no other thread is writing a slot. Async-signal-safe. */
void elf_image_forget(void);

#endif
