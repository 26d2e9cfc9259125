#include "process/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OBJECTS_MAX = 4096,
    MAPPINGS_MAX = 1 << 20, /* as many as Linux allows, and more */
    CHAIN_MAX = 4096,       /* symbols of a hash bucket; usual libraries have up to a dozen */
    SLOTS_MAX = 1 << 20,
    DYNAMIC_MAX = 256,
    PAGE = 4096
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool add_mapping(target_t *self, const target_mapping_t *mapping)
{
    const size_t count = self->mapping_count;
    if (count == MAPPINGS_MAX)
        return true;
    if ((count & (count - 1)) == 0) { /* it doubles */
        target_mapping_t *more =
            realloc(self->mappings, (count > 0 ? 2 * count : 1) * sizeof *self->mappings);
        if (more == NULL)
            return false;
        self->mappings = more;
    }
    self->mappings[self->mapping_count++] = *mapping;
    return true;
}

/* A mapping belongs to the object that the one before is of, if it has the same path. */
static bool add_to_object(target_t *self, const target_mapping_t *mapping, const char *path)
{
    target_object_t *object = self->count > 0 ? &self->objects[self->count - 1] : NULL;
    if (object == NULL || strncmp(object->path, path, sizeof object->path - 1) != 0) {
        if (self->count == OBJECTS_MAX)
            return true;
        target_object_t *more = realloc(self->objects, (self->count + 1) * sizeof *self->objects);
        if (more == NULL)
            return false;
        self->objects = more;
        object = &self->objects[self->count++];
        *object = (target_object_t){.start = mapping->start};
        snprintf(object->path, sizeof object->path, "%s", path);
    }
    object->end = mapping->end;
    if (mapping->can_execute) {
        object->text_start = mapping->start;
        object->text_end = mapping->end;
    }
    return true;
}

/* Adds a line of /proc/PID/maps. */
static bool add_line(target_t *self, const char *line)
{
    unsigned long long start = 0;
    unsigned long long end = 0;
    unsigned long long inode = 0;
    char rights[5] = "";
    int path_at = 0;
    if (sscanf(line, "%llx-%llx %4s %*x %*x:%*x %llu %n", &start, &end, rights, &inode, &path_at) <
        4)
        return true;
    const target_mapping_t mapping = {.start = start,
                                      .end = end,
                                      .can_read = rights[0] == 'r',
                                      .can_write = rights[1] == 'w',
                                      .can_execute = rights[2] == 'x'};
    return add_mapping(self, &mapping) &&
           (inode == 0 || path_at == 0 || add_to_object(self, &mapping, line + path_at));
}

static bool read_maps(target_t *self, char *error, size_t error_size)
{
    char path[64];
    char *line = NULL;
    size_t size = 0;
    bool ok = true;
    snprintf(path, sizeof path, "/proc/%ld/maps", (long)self->pid);
    FILE *maps = fopen(path, "re");
    if (maps == NULL) {
        snprintf(error, error_size, "its memory can't be looked at: %s", strerror(errno));
        return false;
    }
    while (ok && getline(&line, &size, maps) > 0) {
        line[strcspn(line, "\n")] = '\0';
        ok = add_line(self, line);
    }
    free(line);
    fclose(maps);
    if (!ok)
        snprintf(error, error_size, "out of memory");
    return ok;
}

bool target_open(target_t *self, pid_t pid, char *error, size_t error_size)
{
    char path[64];
    *self = (target_t){.pid = pid, .memory = -1};
    snprintf(path, sizeof path, "/proc/%ld/mem", (long)pid);
    self->memory = open(path, O_RDWR | O_CLOEXEC);
    if (self->memory < 0)
        snprintf(error, error_size, "its memory can't be read: %s", strerror(errno));
    if (self->memory >= 0 && read_maps(self, error, error_size))
        return true;
    target_close(self);
    return false;
}

static void forget_maps(target_t *self)
{
    free(self->objects);
    free(self->mappings);
    self->objects = NULL;
    self->mappings = NULL;
    self->count = self->mapping_count = 0;
}

void target_close(target_t *self)
{
    if (self->memory >= 0)
        close(self->memory);
    forget_maps(self);
    *self = (target_t){.memory = -1};
}

bool target_reload(target_t *self, char *error, size_t error_size)
{
    forget_maps(self);
    return read_maps(self, error, error_size);
}

bool target_read(const target_t *self, uint64_t address, void *data, size_t size)
{
    return pread(self->memory, data, size, (off_t)address) == (ssize_t)size;
}

const target_object_t *target_find(const target_t *self, const char *name_begin)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->objects[i].text_end != 0 &&
            strncmp(base_name(self->objects[i].path), name_begin, strlen(name_begin)) == 0)
            return &self->objects[i];
    return NULL;
}

bool target_layout(const target_t *self, const target_object_t *object, target_layout_t *layout)
{
    Elf64_Ehdr header;
    if (!target_read(self, object->start, &header, sizeof header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
        header.e_phnum == 0 || header.e_phnum > TARGET_PARTS_MAX)
        return false;
    layout->count = header.e_phnum;
    if (!target_read(self, object->start + header.e_phoff, layout->headers,
                     layout->count * sizeof *layout->headers))
        return false;
    for (size_t i = 0; i < layout->count; i++) {
        if (layout->headers[i].p_type == PT_LOAD) {
            layout->bias = object->start - (layout->headers[i].p_vaddr & ~(uint64_t)(PAGE - 1));
            return true;
        }
    }
    return false;
}

/* What a dynamic section says of symbols. glibc adds the load bias in place. */
typedef struct {
    uint64_t symbols, strings, strings_size, gnu_hash, versions;
    uint64_t slots[2], slots_size[2]; /* the relocations of calls, and the others */
} dynamic_t;

static bool read_dynamic(const target_t *self, const target_layout_t *layout, dynamic_t *dynamic)
{
    const Elf64_Phdr *found = NULL;
    *dynamic = (dynamic_t){0};
    for (size_t i = 0; i < layout->count; i++)
        if (layout->headers[i].p_type == PT_DYNAMIC)
            found = &layout->headers[i];
    for (size_t i = 0; found != NULL && i < DYNAMIC_MAX; i++) {
        Elf64_Dyn entry;
        if (!target_read(self, layout->bias + found->p_vaddr + i * sizeof entry, &entry,
                         sizeof entry))
            return false;
        uint64_t address = entry.d_un.d_ptr;
        if (address < layout->bias)
            address += layout->bias;
        if (entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag == DT_SYMTAB)
            dynamic->symbols = address;
        else if (entry.d_tag == DT_STRTAB)
            dynamic->strings = address;
        else if (entry.d_tag == DT_STRSZ)
            dynamic->strings_size = entry.d_un.d_val;
        else if (entry.d_tag == DT_GNU_HASH)
            dynamic->gnu_hash = address;
        else if (entry.d_tag == DT_VERSYM)
            dynamic->versions = address;
        else if (entry.d_tag == DT_JMPREL)
            dynamic->slots[0] = address;
        else if (entry.d_tag == DT_PLTRELSZ)
            dynamic->slots_size[0] = entry.d_un.d_val;
        else if (entry.d_tag == DT_RELA)
            dynamic->slots[1] = address;
        else if (entry.d_tag == DT_RELASZ)
            dynamic->slots_size[1] = entry.d_un.d_val;
    }
    return dynamic->symbols != 0 && dynamic->strings != 0 && dynamic->gnu_hash != 0;
}

static uint32_t gnu_hash_of(const char *name)
{
    uint32_t hash = 5381;
    for (const unsigned char *p = (const unsigned char *)name; *p != 0; p++)
        hash = hash * 33 + *p;
    return hash;
}

static bool has_name(const target_t *self, const dynamic_t *dynamic, uint32_t at, const char *name)
{
    char text[128] = "";
    size_t size = strlen(name) + 1;
    return size <= sizeof text && at < dynamic->strings_size &&
           target_read(self, dynamic->strings + at, text, size) && memcmp(text, name, size) == 0;
}

/* Its version is hidden if it is an older one, for programs that were linked with that. */
static bool is_older(const target_t *self, const dynamic_t *dynamic, uint32_t index)
{
    uint16_t version = 0;
    return dynamic->versions != 0 &&
           target_read(self, dynamic->versions + index * sizeof version, &version,
                       sizeof version) &&
           (version & 0x8000) != 0;
}

/* The symbol of a function that is defined and exported, of its newest version; index: its number.
 * False if there is none. */
static bool find_symbol(const target_t *self, const dynamic_t *dynamic, const char *name,
                        Elf64_Sym *found, uint32_t *found_index)
{
    uint32_t head[4];
    uint32_t index = 0;
    bool any = false;
    if (!target_read(self, dynamic->gnu_hash, head, sizeof head) || head[0] == 0)
        return false;
    uint32_t hash = gnu_hash_of(name);
    uint64_t buckets = dynamic->gnu_hash + sizeof head + (uint64_t)head[2] * 8;
    uint64_t chains = buckets + (uint64_t)head[0] * 4;
    if (!target_read(self, buckets + (uint64_t)(hash % head[0]) * 4, &index, sizeof index) ||
        index < head[1])
        return false;
    for (size_t i = 0; i < CHAIN_MAX; i++, index++) {
        uint32_t chain = 0;
        Elf64_Sym symbol;
        if (!target_read(self, chains + (uint64_t)(index - head[1]) * 4, &chain, sizeof chain))
            return false;
        if ((chain | 1) == (hash | 1) &&
            target_read(self, dynamic->symbols + index * sizeof symbol, &symbol, sizeof symbol) &&
            symbol.st_shndx != SHN_UNDEF && has_name(self, dynamic, symbol.st_name, name)) {
            any = true;
            *found = symbol;
            *found_index = index;
            if (!is_older(self, dynamic, index))
                return true;
        }
        if ((chain & 1) != 0)
            break;
    }
    return any;
}

uint64_t target_symbol(const target_t *self, const target_object_t *object, const char *name)
{
    target_layout_t layout;
    dynamic_t dynamic;
    Elf64_Sym symbol;
    uint32_t index = 0;
    return target_layout(self, object, &layout) && read_dynamic(self, &layout, &dynamic) &&
                   find_symbol(self, &dynamic, name, &symbol, &index)
               ? layout.bias + symbol.st_value
               : 0;
}

/* True, too, if the table can't be read. */
static bool has_slot(const target_t *self, uint64_t table, uint64_t size, uint32_t symbol)
{
    Elf64_Rela some[256];
    const uint64_t count = size / sizeof *some;
    for (uint64_t i = 0; i < count && i < SLOTS_MAX;) {
        const size_t left = (size_t)(count - i);
        const size_t part = left < sizeof some / sizeof *some ? left : sizeof some / sizeof *some;
        if (!target_read(self, table + i * sizeof *some, some, part * sizeof *some))
            return true;
        for (size_t k = 0; k < part; k++)
            if (ELF64_R_SYM(some[k].r_info) == symbol)
                return true;
        i += part;
    }
    return false;
}

bool target_calls_by_name(const target_t *self, const target_object_t *object, const char *name)
{
    target_layout_t layout;
    dynamic_t dynamic;
    Elf64_Sym symbol;
    uint32_t index = 0;
    return !target_layout(self, object, &layout) || !read_dynamic(self, &layout, &dynamic) ||
           !find_symbol(self, &dynamic, name, &symbol, &index) ||
           has_slot(self, dynamic.slots[0], dynamic.slots_size[0], index) ||
           has_slot(self, dynamic.slots[1], dynamic.slots_size[1], index);
}

const target_mapping_t *target_mapping(const target_t *self, uint64_t address)
{
    size_t from = 0;
    size_t to = self->mapping_count;
    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        if (self->mappings[middle].end <= address)
            from = middle + 1;
        else
            to = middle;
    }
    return from < self->mapping_count && self->mappings[from].start <= address
               ? &self->mappings[from]
               : NULL;
}
