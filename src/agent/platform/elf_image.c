#include "agent/platform/elf_image.h"

#include <dlfcn.h>
#include <elf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The relocation types that hold a symbol's plain address, per architecture. */
#if defined(__x86_64__)
static const uint32_t address_relocations[] = {R_X86_64_JUMP_SLOT, R_X86_64_GLOB_DAT, R_X86_64_64};
#else
#error "the agent knows x86-64 only: elf_image's relocations, guard's trampoline, libtango's calls"
#endif

static bool is_address_relocation(const ElfW(Rela) * rela)
{
    uint32_t type = (uint32_t)ELF64_R_TYPE(rela->r_info);
    for (size_t i = 0; i < sizeof address_relocations / sizeof *address_relocations; i++)
        if (type == address_relocations[i])
            return rela->r_addend == 0;
    return false;
}

/*
 * glibc adds the load bias to the addresses in a dynamic section in place, but not for every object
 * (the vDSO's is read-only): an address below the bias is still relative.
 */
static const void *dynamic_pointer(const elf_image_t *self, ElfW(Addr) address)
{
    return (const void *)(address < self->base ? address + self->base : address);
}

/*
 * A DT_GNU_HASH table doesn't say how many symbols there are: the last one is the end of the chain
 * of the bucket that starts highest.
 */
static size_t gnu_hash_symbol_count(const uint32_t *table)
{
    uint32_t bucket_count = table[0];
    uint32_t first = table[1];
    uint32_t bloom_words = table[2];
    const uint32_t *buckets = table + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chains = buckets + bucket_count;

    uint32_t last = 0;
    for (uint32_t i = 0; i < bucket_count; i++)
        if (buckets[i] > last)
            last = buckets[i];
    if (last < first)
        return first;
    while (!(chains[last - first] & 1))
        last++;
    return (size_t)last + 1;
}

static bool read_dynamic(elf_image_t *self, const ElfW(Dyn) * dynamic)
{
    const uint32_t *sysv_hash = NULL;
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        switch (dynamic->d_tag) {
        case DT_SYMTAB:
            self->symbols = dynamic_pointer(self, dynamic->d_un.d_ptr);
            break;
        case DT_STRTAB:
            self->strings = dynamic_pointer(self, dynamic->d_un.d_ptr);
            break;
        case DT_STRSZ:
            self->strings_size = dynamic->d_un.d_val;
            break;
        case DT_GNU_HASH:
            self->gnu_hash = dynamic_pointer(self, dynamic->d_un.d_ptr);
            break;
        case DT_HASH:
            sysv_hash = dynamic_pointer(self, dynamic->d_un.d_ptr);
            break;
        case DT_RELA:
            self->relocations[0] = dynamic_pointer(self, dynamic->d_un.d_ptr);
            break;
        case DT_RELASZ:
            self->relocation_counts[0] = dynamic->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_JMPREL:
            self->relocations[1] = dynamic_pointer(self, dynamic->d_un.d_ptr);
            break;
        case DT_PLTRELSZ:
            self->relocation_counts[1] = dynamic->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_PLTREL:
            if (dynamic->d_un.d_val != DT_RELA)
                return false;
            break;
        default:
            break;
        }
    }
    for (size_t i = 0; i < 2; i++)
        if (!self->relocations[i])
            self->relocation_counts[i] = 0;
    if (!self->symbols || !self->strings)
        return false;
    if (self->gnu_hash)
        self->symbol_count = gnu_hash_symbol_count(self->gnu_hash);
    else if (sysv_hash)
        self->symbol_count = sysv_hash[1];
    return self->symbol_count > 0;
}

static bool read_object(elf_image_t *self, const struct dl_phdr_info *info)
{
    *self = (elf_image_t){.base = info->dlpi_addr, .start = UINTPTR_MAX};
    if (info->dlpi_name)
        strncpy(self->path, info->dlpi_name, sizeof self->path - 1);

    const ElfW(Dyn) *dynamic = NULL;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t from = self->base + header->p_vaddr;
        uintptr_t to = from + header->p_memsz;
        if (header->p_type == PT_LOAD) {
            if (from < self->start)
                self->start = from;
            if (to > self->end)
                self->end = to;
        } else if (header->p_type == PT_GNU_RELRO) {
            /* The loader protects whole pages only: rounded down at both ends. */
            self->relro_start = from & ~(page - 1);
            self->relro_end = to & ~(page - 1);
        } else if (header->p_type == PT_DYNAMIC) {
            dynamic = (const ElfW(Dyn) *)from;
        }
    }
    return dynamic && read_dynamic(self, dynamic);
}

static uint32_t gnu_hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        hash = hash * 33 + *p;
    return hash;
}

static const char *symbol_name(const elf_image_t *self, size_t index)
{
    if (index >= self->symbol_count || self->symbols[index].st_name >= self->strings_size)
        return "";
    return self->strings + self->symbols[index].st_name;
}

static bool is_definition(const ElfW(Sym) * symbol)
{
    unsigned char type = ELF64_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_OBJECT) &&
           ELF64_ST_BIND(symbol->st_info) != STB_LOCAL;
}

static const ElfW(Sym) * find_symbol(const elf_image_t *self, const char *name)
{
    if (!self->gnu_hash) {
        for (size_t i = 1; i < self->symbol_count; i++)
            if (is_definition(&self->symbols[i]) && strcmp(symbol_name(self, i), name) == 0)
                return &self->symbols[i];
        return NULL;
    }

    uint32_t bucket_count = self->gnu_hash[0];
    uint32_t first = self->gnu_hash[1];
    uint32_t bloom_words = self->gnu_hash[2];
    const uint32_t *buckets =
        self->gnu_hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chains = buckets + bucket_count;
    uint32_t hash = gnu_hash_of(name);
    if (bucket_count == 0)
        return NULL;

    uint32_t index = buckets[hash % bucket_count];
    if (index < first)
        return NULL;
    for (;; index++) {
        uint32_t chain = chains[index - first];
        if ((chain | 1) == (hash | 1) && is_definition(&self->symbols[index]) &&
            strcmp(symbol_name(self, index), name) == 0)
            return &self->symbols[index];
        if (chain & 1)
            return NULL;
    }
}

/* What is searched for: a symbol, but not in the object at that address; or a variable that holds
 * that address; or the object at that address. */
typedef struct {
    elf_image_t *image;
    const char *symbol;   /* or NULL */
    const char *variable; /* or NULL */
    uintptr_t address;
    bool found;
} search_t;

/* Whether the object defines a variable of that name, a pointer, that holds the address. */
static bool holds_pointer(const elf_image_t *image, const char *variable, uintptr_t address)
{
    const ElfW(Sym) *symbol = find_symbol(image, variable);
    return symbol && symbol->st_size == sizeof(uintptr_t) &&
           *(const uintptr_t *)(image->base + symbol->st_value) == address;
}

static int visit_object(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    search_t *search = data;
    if (!read_object(search->image, info))
        return 0;
    bool holds_address =
        search->address >= search->image->start && search->address < search->image->end;
    if (search->symbol)
        search->found = !holds_address && find_symbol(search->image, search->symbol);
    else if (search->variable)
        search->found = holds_pointer(search->image, search->variable, search->address);
    else
        search->found = holds_address;
    return search->found;
}

bool elf_image_find(elf_image_t *self, const char *symbol, const void *not_in)
{
    search_t search = {.image = self, .symbol = symbol, .address = (uintptr_t)not_in};
    dl_iterate_phdr(visit_object, &search);
    return search.found;
}

bool elf_image_find_pointer(elf_image_t *self, const char *variable, const void *value)
{
    search_t search = {.image = self, .variable = variable, .address = (uintptr_t)value};
    dl_iterate_phdr(visit_object, &search);
    return search.found;
}

void elf_image_pin(const elf_image_t *self)
{
    if (self->path[0])
        dlopen(self->path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

bool elf_image_of_address(elf_image_t *self, const void *address)
{
    search_t search = {.image = self, .address = (uintptr_t)address};
    dl_iterate_phdr(visit_object, &search);
    return search.found;
}

void *elf_image_symbol(const elf_image_t *self, const char *name, size_t *size)
{
    const ElfW(Sym) *symbol = find_symbol(self, name);
    if (!symbol)
        return NULL;
    if (size)
        *size = symbol->st_size;
    return (void *)(self->base + symbol->st_value);
}

/*
 * The function that the slot calls: its content, or, if it isn't bound yet (it then points back
 * into the object's own procedure linkage table), the function that it would be bound to.
 */
static void *slot_target(const elf_image_t *self, void *const *slot, size_t symbol_index)
{
    uintptr_t value = (uintptr_t)*slot;
    const ElfW(Sym) *symbol = &self->symbols[symbol_index];
    if (value < self->start || value >= self->end)
        return *slot;
    if (symbol->st_shndx != SHN_UNDEF)
        return (void *)(self->base + symbol->st_value);

    void *handle = dlopen(self->path[0] ? self->path : NULL, RTLD_LAZY | RTLD_NOLOAD);
    if (!handle)
        return NULL;
    void *target = dlsym(handle, symbol_name(self, symbol_index));
    dlclose(handle);
    return target;
}

void *elf_image_imported(const elf_image_t *self, const char *name)
{
    for (size_t table = 0; table < 2; table++) {
        for (size_t i = 0; i < self->relocation_counts[table]; i++) {
            const ElfW(Rela) *rela = &self->relocations[table][i];
            size_t index = ELF64_R_SYM(rela->r_info);
            if (index != 0 && is_address_relocation(rela) &&
                strcmp(symbol_name(self, index), name) == 0)
                return slot_target(self, (void **)(self->base + rela->r_offset), index);
        }
    }
    return NULL;
}

static const elf_hook_t *hook_for(const elf_hook_t *hooks, size_t hook_count, const char *name)
{
    for (size_t i = 0; i < hook_count; i++) {
        const elf_hook_t *hook = &hooks[i];
        if (hook->must_contain && !strstr(name, hook->must_contain))
            continue;
        if (hook->is_prefix ? strncmp(name, hook->symbol, strlen(hook->symbol)) == 0
                            : strcmp(name, hook->symbol) == 0)
            return hook;
    }
    return NULL;
}

/*
 * After relocation the loader has made the RELRO pages read-only. They become writable for the
 * moment of one store, and read-only again; other threads may call through the slot meanwhile and
 * see either the old or the new address, both of which work.
 */
static bool write_slot_alone(const elf_image_t *self, void **slot, void *value)
{
    uintptr_t address = (uintptr_t)slot;
    bool read_only = address >= self->relro_start && address < self->relro_end;
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *page = (void *)(address & ~(page_size - 1));

    if (read_only && mprotect(page, page_size, PROT_READ | PROT_WRITE) != 0)
        return false;
    atomic_store_explicit((void *_Atomic *)slot, value, memory_order_release);
    if (read_only)
        mprotect(page, page_size, PROT_READ);
    return true;
}

/* Between one thread's two changes of a page, no other may make it read-only. */
static pthread_mutex_t write_mutex = PTHREAD_MUTEX_INITIALIZER;

static bool write_slot(const elf_image_t *self, void **slot, void *value)
{
    pthread_mutex_lock(&write_mutex);
    bool written = write_slot_alone(self, slot, value);
    pthread_mutex_unlock(&write_mutex);
    return written;
}

void elf_image_forget(void)
{
    write_mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

/* What a slot that a hook is for is to contain, from now on; NULL: what it contains. */
typedef void *wanted_t(const elf_image_t *self, const elf_hook_t *hook, void **slot, size_t index);

/* Returns how many slots were written; -1 if one can't be. */
static int change_slots(const elf_image_t *self, const elf_hook_t *hooks, size_t hook_count,
                        wanted_t *wanted)
{
    int written = 0;
    for (size_t table = 0; table < 2; table++) {
        for (size_t i = 0; i < self->relocation_counts[table]; i++) {
            const ElfW(Rela) *rela = &self->relocations[table][i];
            size_t index = ELF64_R_SYM(rela->r_info);
            if (index == 0 || !is_address_relocation(rela))
                continue;
            const elf_hook_t *hook = hook_for(hooks, hook_count, symbol_name(self, index));
            void **slot = (void **)(self->base + rela->r_offset);
            void *value = hook ? wanted(self, hook, slot, index) : NULL;
            if (!value)
                continue;
            if (!write_slot(self, slot, value))
                return -1;
            written++;
        }
    }
    return written;
}

static void *replacement_of(const elf_image_t *self, const elf_hook_t *hook, void **slot,
                            size_t index)
{
    void *target = *slot == hook->replacement ? NULL : slot_target(self, slot, index);
    if (!target)
        return NULL;
    /* The original is set before anybody can call the hook. */
    atomic_store_explicit((void *_Atomic *)hook->original, target, memory_order_release);
    return hook->replacement;
}

int elf_image_hook(const elf_image_t *self, const elf_hook_t *hooks, size_t hook_count)
{
    return change_slots(self, hooks, hook_count, replacement_of);
}

static void *original_of(const elf_image_t *self, const elf_hook_t *hook, void **slot, size_t index)
{
    (void)self;
    (void)index;
    return *slot == hook->replacement ? *hook->original : NULL;
}

int elf_image_unhook(const elf_image_t *self, const elf_hook_t *hooks, size_t hook_count)
{
    return change_slots(self, hooks, hook_count, original_of);
}
