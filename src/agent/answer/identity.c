#include "agent/answer/identity.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/answer/identity_program.h"
#include "agent/answer/json_writer.h"
#include "agent/platform/environment.h"
#include "agent/platform/leaving.h"
#include "agent/tango/libtango.h"
#include "version.h"

enum { NAME_SIZE = 256, LINE_SIZE = 4096 };

/* ---- the program ---- */

/* Up to size - 1 bytes of a file in /proc, NUL-terminated. */
static size_t read_file(const char *path, char *text, size_t size)
{
    size_t length = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t got = 1; file >= 0 && got > 0 && length + 1 < size; length += (size_t)got) {
        got = read(file, text + length, size - 1 - length);
        if (got <= 0)
            break;
    }
    if (file >= 0)
        close(file);
    text[length] = '\0';
    return length;
}

static void find_program(char *text, size_t size)
{
    char line[LINE_SIZE];
    size_t length = read_file("/proc/self/cmdline", line, sizeof line);
    if (!line[0]) { /* no arguments at all: the name of the main thread */
        length = read_file("/proc/self/comm", line, sizeof line);
        line[strcspn(line, "\n")] = '\0';
    }
    identity_program_of(text, size, line, length);
}

/* ---- the object ---- */

/* This process's admin device; "" as long as it has none. Asked until it is there: it leaks the few
 * bytes that Tango gives it in. */
static char device[NAME_SIZE];

void identity_forget(void)
{
    device[0] = '\0';
}

static void key_text(json_writer_t *json, const char *key, const char *text)
{
    json_key(json, key);
    if (text && *text)
        json_utf8(json, text);
    else
        json_null(json);
}

char *identity_text(const elf_image_t *libtango, const answer_origin_t *origin,
                    bool commands_are_missing)
{
    char program[NAME_SIZE];
    const char *commands = commands_are_missing ? "missing" : "added";
    if (libtango && !device[0] && leaving_not_yet()) {
        libtango_admin_device_name(libtango, device, sizeof device);
        leaving_done();
    }
    find_program(program, sizeof program);
    json_writer_t json;
    json_init(&json);
    json_open_object(&json);
    json_key(&json, "pid");
    json_integer(&json, getpid());
    key_text(&json, "program", program);
    key_text(&json, "admin_device", device);
    key_text(&json, "tango_host", environment_tango_host());
    key_text(&json, "tango_version", origin->tango_version);
    key_text(&json, "agent_version", STEM_VERSION);
    key_text(&json, "loaded", answer_loaded(origin));
    key_text(&json, "state", origin->is_detached ? "detached" : "watching");
    key_text(&json, "commands", device[0] && !origin->is_detached ? commands : NULL);
    json_key(&json, "attached");
    json_time(&json, origin->attached_ns);
    json_close_object(&json);
    return json_take(&json);
}
