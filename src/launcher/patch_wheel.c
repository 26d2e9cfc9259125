#include "launcher/patch_wheel.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zip.h>

#include "launcher/python_source.h"
#include "launcher/wheel_record.h"

/* Made by the build out of the files that the names tell: see CMakeLists.txt. */
extern const unsigned char embedded_loader[];
extern const size_t embedded_loader_size;
extern const unsigned char embedded_licence[];
extern const size_t embedded_licence_size;

#define PACKAGE      "tango/"
#define INIT         PACKAGE "__init__.py"
#define EXTENSION    PACKAGE "_tango."
#define AGENT_ENTRY  PACKAGE "libska-tango-event-agent.so"
#define LOADER_NAME  "_ska_tango_event_agent"
#define LOADER_ENTRY PACKAGE LOADER_NAME ".py"
#define LOCAL_PART   "events"

static const char load_statement[] = "from . import " LOADER_NAME "; " LOADER_NAME
                                     ".load()  # by ska-tango-event-agent patch-wheel\n";

enum { ELF_HEADER_MAX = sizeof(Elf64_Ehdr), MAX_FILE_SIZE = 512 * 1024 * 1024 };

/* Where the new wheel's version is written, in the order in which it is asked for. */
typedef struct {
    const char *path; /* of the old wheel */
    char *name;       /* its file name */
    char *old_version;
    char *new_version;
    char *rest; /* of the name, from the version's "-" on */
    char *old_info;
    char *new_info; /* "pytango-9.5.0+events.dist-info/" */
    char *old_data;
    char *new_data;
    zip_t *zip;
    char *error;
    size_t error_size;
} patch_t;

/* A file's content in memory of its own, and a NUL behind it. */
typedef struct {
    char *data;
    size_t size;
} content_t;

__attribute__((format(printf, 2, 3))) static bool fail(patch_t *self, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(self->error, self->error_size, format, args);
    va_end(args);
    return false;
}

static bool fail_memory(patch_t *self)
{
    return fail(self, "%s: out of memory", self->path);
}

__attribute__((format(printf, 1, 2))) static char *format_text(const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return text;
}

/* ---- the wheel's name: NAME-VERSION(-BUILD)?-PYTHON-ABI-PLATFORM.whl ---- */

/* One of a platform tag's parts that are joined by dots: "manylinux_2_17_x86_64". */
static bool is_platform_of_agent(const char *tag, size_t length)
{
    static const char machine[] = "_x86_64";
    size_t tail = sizeof machine - 1;

    if (length < tail || strncmp(tag + length - tail, machine, tail) != 0)
        return false;
    return strncmp(tag, "manylinux", strlen("manylinux")) == 0 ||
           (length == strlen("linux_x86_64") && strncmp(tag, "linux", strlen("linux")) == 0);
}

static bool check_platform(patch_t *self, const char *platform)
{
    size_t length = strlen(platform) - strlen(".whl");

    for (size_t at = 0; at < length;) {
        size_t part = strcspn(platform + at, ".");
        if (at + part > length)
            part = length - at;
        if (is_platform_of_agent(platform + at, part))
            return true;
        at += part + 1;
    }
    return fail(self, "%s is for %.*s; the agent is for x86-64 Linux with glibc (linux_x86_64)",
                self->path, (int)length, platform);
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t suffix_length = strlen(suffix);

    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

/* Whether "events" is one of the parts of a version's local part: "9.5.0+ska.events". */
static bool is_patched_version(const char *version)
{
    const char *local = strchr(version, '+');

    while (local != NULL) {
        size_t length = strcspn(++local, ".-_");
        if (length == strlen(LOCAL_PART) && strncasecmp(local, LOCAL_PART, length) == 0)
            return true;
        local = strpbrk(local, ".-_");
    }
    return false;
}

static bool read_name(patch_t *self)
{
    char *slash = strrchr(self->path, '/');
    const char *version = NULL;
    const char *platform = NULL;
    int dashes = 0;

    self->name = strdup(slash != NULL ? slash + 1 : self->path);
    if (self->name == NULL)
        return fail_memory(self);
    for (const char *c = self->name; *c != '\0'; c++)
        dashes += *c == '-';
    version = strchr(self->name, '-');
    platform = strrchr(self->name, '-');
    if (!has_suffix(self->name, ".whl") || dashes < 4 || dashes > 5 ||
        (size_t)(version - self->name) != strlen("pytango") ||
        strncasecmp(self->name, "pytango", strlen("pytango")) != 0)
        return fail(self,
                    "%s is no PyTango wheel: its name isn't"
                    " pytango-VERSION-PYTHON-ABI-PLATFORM.whl",
                    self->path);
    version++;
    self->old_version = strndup(version, strcspn(version, "-"));
    self->rest = strdup(version + strcspn(version, "-"));
    if (self->old_version == NULL || self->rest == NULL)
        return fail_memory(self);
    if (is_patched_version(self->old_version))
        return fail(self, "%s is patched already: its version is %s", self->path,
                    self->old_version);
    if (!check_platform(self, platform + 1))
        return false;
    self->new_version = format_text("%s%s%s", self->old_version,
                                    strchr(self->old_version, '+') ? "." : "+", LOCAL_PART);
    return self->new_version != NULL || fail_memory(self);
}

/* ---- the old wheel's files ---- */

static bool fail_entry(patch_t *self, const char *entry)
{
    return fail(self, "%s: cannot read %s in it: %s", self->path, entry,
                zip_error_strerror(zip_get_error(self->zip)));
}

static bool read_entry(patch_t *self, const char *entry, content_t *content)
{
    zip_stat_t stat;
    zip_file_t *file = NULL;
    bool ok = false;

    if (zip_stat(self->zip, entry, 0, &stat) != 0) {
        fail(self, "%s is no PyTango wheel: there is no %s in it", self->path, entry);
        return false;
    }
    if (stat.size > MAX_FILE_SIZE) {
        fail(self, "%s: %s in it is too large", self->path, entry);
        return false;
    }
    content->size = (size_t)stat.size;
    content->data = malloc(content->size + 1);
    if (content->data == NULL) {
        fail_memory(self);
        return false;
    }
    content->data[content->size] = '\0';
    file = zip_fopen(self->zip, entry, 0);
    /* At the end of the file libzip compares the checksum. */
    ok = file != NULL &&
         zip_fread(file, content->data, content->size) == (zip_int64_t)content->size &&
         zip_fread(file, (char[]){0}, 1) == 0;
    if (!ok && file != NULL)
        fail(self, "%s: %s in it is damaged", self->path, entry);
    else if (!ok)
        fail_entry(self, entry);
    if (file != NULL)
        zip_fclose(file);
    return ok;
}

/* The wheel's own folders have its name as whoever made it wrote it: "PyTango-9.3.6.dist-info/". */
static bool find_info(patch_t *self)
{
    zip_int64_t count = zip_get_num_entries(self->zip, 0);
    static const char end[] = ".dist-info/METADATA";

    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(self->zip, (zip_uint64_t)i, 0);
        size_t stem = 0;
        if (name == NULL || !has_suffix(name, end) || strchr(name, '/') != strrchr(name, '/'))
            continue;
        stem = strcspn(name, "-");
        self->old_info = format_text("%.*s/", (int)strcspn(name, "/"), name);
        self->new_info = format_text("%.*s-%s.dist-info/", (int)stem, name, self->new_version);
        self->old_data = format_text("%.*s.data/", (int)(strlen(name) - strlen(end)), name);
        self->new_data = format_text("%.*s-%s.data/", (int)stem, name, self->new_version);
        if (!self->old_info || !self->new_info || !self->old_data || !self->new_data)
            return fail_memory(self);
        return true;
    }
    return fail(self, "%s is no wheel: there is no .dist-info/METADATA in it", self->path);
}

/* Tango's extension module has to be for the machine that the agent is for. */
static bool check_machine(patch_t *self)
{
    zip_int64_t count = zip_get_num_entries(self->zip, 0);

    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(self->zip, (zip_uint64_t)i, 0);
        Elf64_Ehdr header;
        zip_file_t *file = NULL;
        zip_int64_t length = 0;
        if (name == NULL || strncmp(name, EXTENSION, strlen(EXTENSION)) != 0 ||
            !has_suffix(name, ".so"))
            continue;
        file = zip_fopen_index(self->zip, (zip_uint64_t)i, 0);
        if (file == NULL)
            return fail_entry(self, name);
        memset(&header, 0, sizeof header);
        length = zip_fread(file, &header, sizeof header);
        zip_fclose(file);
        if (length != (zip_int64_t)sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
            header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
            return fail(self, "%s: %s in it is not for x86-64, which the agent is for", self->path,
                        name);
        return true;
    }
    return fail(self, "%s is no PyTango wheel: there is no %s*.so in it", self->path, EXTENSION);
}

/* The value of a header line of METADATA, up to the end of the line; NULL if there is none. */
static const char *find_header(const content_t *metadata, const char *key, size_t *length)
{
    size_t key_length = strlen(key);

    for (const char *line = metadata->data; *line != '\0' && *line != '\n' && *line != '\r';) {
        size_t line_length = strcspn(line, "\n");
        if (line_length > key_length && strncasecmp(line, key, key_length) == 0) {
            const char *value = line + key_length;
            value += strspn(value, " \t");
            *length = strcspn(value, "\r\n");
            return value;
        }
        line += line_length;
        line += *line == '\n';
    }
    return NULL;
}

/* ---- the new wheel's files ---- */

static bool new_metadata(patch_t *self, const content_t *old, content_t *new)
{
    size_t length = 0;
    const char *value = find_header(old, "Name:", &length);

    if (value == NULL || length != strlen("pytango") || strncasecmp(value, "pytango", length) != 0)
        return fail(self, "%s is no PyTango wheel: its metadata name another package", self->path);
    value = find_header(old, "Version:", &length);
    if (value == NULL || length != strlen(self->old_version) ||
        strncmp(value, self->old_version, length) != 0)
        return fail(self, "%s is damaged: its metadata have another version than its name",
                    self->path);
    new->data = format_text("%.*s%s%s", (int)(value - old->data), old->data, self->new_version,
                            value + length);
    if (new->data == NULL)
        return fail_memory(self);
    new->size = strlen(new->data);
    return true;
}

static bool new_init(patch_t *self, const content_t *old, content_t *new)
{
    size_t at = python_source_first_statement(old->data, old->size);
    /* A last line may have no end. */
    const char *newline = at > 0 && old->data[at - 1] != '\n' ? "\n" : "";
    size_t size = old->size + strlen(newline) + strlen(load_statement);

    new->data = malloc(size + 1);
    if (new->data == NULL)
        return fail_memory(self);
    memcpy(new->data, old->data, at);
    new->size = at;
    new->size += (size_t)sprintf(new->data + at, "%s%s", newline, load_statement);
    memcpy(new->data + new->size, old->data + at, old->size - at + 1);
    new->size = size;
    return true;
}

static bool read_file(patch_t *self, const char *path, content_t *content)
{
    struct stat info;
    FILE *file = fopen(path, "re");

    if (file == NULL || fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
        fail(self, "cannot read %s: %s", path, file != NULL ? "it is no file" : strerror(errno));
        if (file != NULL)
            fclose(file);
        return false;
    }
    content->size = (size_t)info.st_size;
    content->data = malloc(content->size + 1);
    if (content->data == NULL || fread(content->data, 1, content->size, file) != content->size) {
        fail(self, "cannot read %s: %s", path, strerror(errno));
        fclose(file);
        return false;
    }
    content->data[content->size] = '\0';
    fclose(file);
    return true;
}

/* As old as the wheel's own files, so that the same wheel gives the same bytes again. */
static time_t time_of_wheel(patch_t *self)
{
    zip_stat_t stat;

    if (zip_stat(self->zip, INIT, 0, &stat) == 0 && (stat.valid & ZIP_STAT_MTIME) != 0)
        return stat.mtime;
    return 315532800; /* 1980, where a zip's time begins */
}

static bool put_entry(patch_t *self, const char *entry, const void *data, size_t size, time_t mtime)
{
    zip_source_t *source = zip_source_buffer(self->zip, data, size, 0);
    zip_int64_t index = 0;

    if (source == NULL)
        return fail_memory(self);
    index = zip_file_add(self->zip, entry, source, ZIP_FL_OVERWRITE | ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source);
        return fail(self, "%s: cannot put %s into it: %s", self->path, entry,
                    zip_strerror(self->zip));
    }
    zip_file_set_mtime(self->zip, (zip_uint64_t)index, mtime, 0);
    zip_file_set_external_attributes(self->zip, (zip_uint64_t)index, 0, ZIP_OPSYS_UNIX,
                                     (zip_uint32_t)(S_IFREG | 0644) << 16);
    return true;
}

/* Gives the entries below the wheel's own folders their new names. */
static bool rename_entries(patch_t *self)
{
    const char *const prefixes[][2] = {{self->old_info, self->new_info},
                                       {self->old_data, self->new_data}};
    zip_int64_t count = zip_get_num_entries(self->zip, 0);

    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(self->zip, (zip_uint64_t)i, 0);
        for (size_t p = 0; name != NULL && p < 2; p++) {
            size_t length = strlen(prefixes[p][0]);
            char *renamed = NULL;
            int failed = 0;
            if (strncmp(name, prefixes[p][0], length) != 0)
                continue;
            renamed = format_text("%s%s", prefixes[p][1], name + length);
            failed = renamed == NULL ||
                     zip_file_rename(self->zip, (zip_uint64_t)i, renamed, ZIP_FL_ENC_UTF_8) != 0;
            free(renamed);
            if (failed)
                return fail(self, "%s: cannot rename what is in it: %s", self->path,
                            zip_strerror(self->zip));
            break;
        }
    }
    return true;
}

typedef struct {
    content_t metadata, init, record, agent;
    char *entries[3]; /* the new names of METADATA, the licence and RECORD */
    char *record_text;
    content_t new_metadata, new_init;
} parts_t;

static void free_parts(parts_t *parts)
{
    const content_t *const contents[] = {&parts->metadata, &parts->init,         &parts->record,
                                         &parts->agent,    &parts->new_metadata, &parts->new_init};

    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
        free(contents[i]->data);
    for (size_t i = 0; i < sizeof parts->entries / sizeof parts->entries[0]; i++)
        free(parts->entries[i]);
    free(parts->record_text);
}

/* The old wheel, opened, is read, checked and changed; the change is written by zip_close. The
   parts have to live until then. */
static bool change(patch_t *self, const char *agent, parts_t *parts)
{
    char *old_name = NULL;
    char *old_record = NULL;
    bool ok = false;
    time_t mtime = 0;

    if (!find_info(self) || !check_machine(self) || !read_entry(self, INIT, &parts->init))
        return false;
    if (zip_name_locate(self->zip, AGENT_ENTRY, 0) >= 0)
        return fail(self, "%s is patched already: there is %s in it", self->path, AGENT_ENTRY);
    old_name = format_text("%sMETADATA", self->old_info);
    old_record = format_text("%sRECORD", self->old_info);
    ok = (old_name != NULL && old_record != NULL) || fail_memory(self);
    ok = ok && read_entry(self, old_name, &parts->metadata) &&
         read_entry(self, old_record, &parts->record);
    free(old_name);
    free(old_record);
    if (!ok || !read_file(self, agent, &parts->agent) ||
        !new_metadata(self, &parts->metadata, &parts->new_metadata) ||
        !new_init(self, &parts->init, &parts->new_init))
        return false;

    parts->entries[0] = format_text("%sMETADATA", self->new_info);
    parts->entries[1] = format_text("%sLICENSE.ska-tango-event-agent", self->new_info);
    parts->entries[2] = format_text("%sRECORD", self->new_info);
    if (!parts->entries[0] || !parts->entries[1] || !parts->entries[2])
        return fail_memory(self);
    const wheel_file_t files[] = {
        {INIT, parts->new_init.data, parts->new_init.size},
        {LOADER_ENTRY, embedded_loader, embedded_loader_size},
        {AGENT_ENTRY, parts->agent.data, parts->agent.size},
        {parts->entries[0], parts->new_metadata.data, parts->new_metadata.size},
        {parts->entries[1], embedded_licence, embedded_licence_size},
        {parts->entries[2], NULL, 0},
    };
    size_t count = sizeof files / sizeof files[0];
    char *renamed = wheel_record_update(parts->record.data, parts->record.size, self->old_data,
                                        self->new_data, NULL, 0);
    if (renamed != NULL)
        parts->record_text = wheel_record_update(renamed, strlen(renamed), self->old_info,
                                                 self->new_info, files, count);
    free(renamed);
    if (parts->record_text == NULL)
        return fail_memory(self);

    mtime = time_of_wheel(self);
    if (!rename_entries(self))
        return false;
    for (size_t i = 0; i < count; i++) {
        const void *data = files[i].content != NULL ? files[i].content : parts->record_text;
        size_t size = files[i].content != NULL ? files[i].size : strlen(parts->record_text);
        if (!put_entry(self, files[i].path, data, size, mtime))
            return false;
    }
    return true;
}

/* ---- the new file ---- */

/* What has to go when the user is impatient. */
static char unfinished[PATH_MAX];

static void give_up(int number)
{
    unlink(unfinished);
    signal(number, SIG_DFL);
    raise(number);
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return true;
}

/* Under another name first: whoever finds a wheel finds a whole one. */
static bool write_new(patch_t *self, const char *path, const char *data, size_t size)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t impatience;
    char *copy = strdup(path);
    mode_t mask = umask(0);
    bool ok = false;
    int fd = -1;

    umask(mask);
    if (copy == NULL)
        return fail_memory(self);
    if ((size_t)snprintf(unfinished, sizeof unfinished, "%s/.%s.XXXXXX", dirname(copy),
                         strrchr(path, '/') + 1) >= sizeof unfinished) {
        free(copy);
        return fail(self, "cannot write %s: %s", path, strerror(ENAMETOOLONG));
    }
    free(copy);
    /* None comes while the file has a name that give_up doesn't know yet. */
    sigemptyset(&impatience);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&impatience, signals[i]);
    sigprocmask(SIG_BLOCK, &impatience, NULL);
    fd = mkostemp(unfinished, O_CLOEXEC);
    if (fd < 0)
        fail(self, "cannot write %s: %s", path, strerror(errno));
    for (size_t i = 0; fd >= 0 && i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], give_up);
    sigprocmask(SIG_UNBLOCK, &impatience, NULL);
    if (fd < 0)
        return false;
    ok = write_all(fd, data, size) && fchmod(fd, 0666 & ~mask) == 0 && fsync(fd) == 0;
    if (close(fd) != 0)
        ok = false;
    if (ok && rename(unfinished, path) != 0)
        ok = false;
    if (!ok) {
        fail(self, "cannot write %s: %s", path, strerror(errno));
        unlink(unfinished);
    }
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], SIG_DFL);
    return ok;
}

/* libzip changes an archive where it stands: in memory, so that the old one stays. */
static bool patch_in_memory(patch_t *self, const char *agent, content_t *result)
{
    content_t old = {0};
    parts_t parts = {0};
    zip_error_t error;
    zip_source_t *source = NULL;
    zip_stat_t stat;
    bool ok = read_file(self, self->path, &old);

    if (ok && old.size == 0)
        ok = fail(self, "%s is no wheel: it is empty", self->path);
    zip_error_init(&error);
    if (ok) {
        /* From here on the content is libzip's to free, also if it is only a part that changes. */
        source = zip_source_buffer_create(old.data, old.size, 1, &error);
        if (source != NULL)
            old.data = NULL;
        self->zip = source != NULL ? zip_open_from_source(source, ZIP_CHECKCONS, &error) : NULL;
        if (self->zip == NULL) {
            zip_source_free(source);
            source = NULL;
            ok = fail(self, "%s is no wheel: %s", self->path, zip_error_strerror(&error));
        } else {
            zip_source_keep(source);
        }
    }
    ok = ok && change(self, agent, &parts);
    if (ok && zip_close(self->zip) != 0) {
        fail(self, "cannot make a wheel of %s: %s", self->path, zip_strerror(self->zip));
        ok = false;
    } else if (ok) {
        self->zip = NULL;
    }
    if (self->zip != NULL)
        zip_discard(self->zip);
    self->zip = NULL;
    if (ok) {
        zip_source_stat(source, &stat);
        result->size = (size_t)stat.size;
        result->data = malloc(result->size);
        ok = result->data != NULL && zip_source_open(source) == 0 &&
             zip_source_read(source, result->data, result->size) == (zip_int64_t)result->size &&
             zip_source_close(source) == 0;
        if (!ok)
            fail_memory(self);
    }
    zip_source_free(source);
    zip_error_fini(&error);
    free_parts(&parts);
    free(old.data);
    return ok;
}

char *patch_wheel(const char *wheel, const char *agent, const char *folder, char *error,
                  size_t error_size)
{
    patch_t self = {.path = wheel, .error = error, .error_size = error_size};
    content_t result = {0};
    char *beside = strdup(wheel);
    char *path = NULL;
    bool ok = beside != NULL && read_name(&self) && patch_in_memory(&self, agent, &result);

    if (ok) {
        path = format_text("%s/%.*s-%s%s", folder != NULL ? folder : dirname(beside),
                           (int)strcspn(self.name, "-"), self.name, self.new_version, self.rest);
        ok = path != NULL ? write_new(&self, path, result.data, result.size) : fail_memory(&self);
    }
    if (!ok) {
        free(path);
        path = NULL;
    }
    free(result.data);
    free(beside);
    free(self.name);
    free(self.old_version);
    free(self.new_version);
    free(self.rest);
    free(self.old_info);
    free(self.new_info);
    free(self.old_data);
    free(self.new_data);
    return path;
}
