/*
 * tango_abi: libtango's C++ objects, used from C by symbol name: no Tango header, no link.
 *
 * Everything that is assumed about libtango's binary interface stands in tango_abi.c, with the
 * versions it was seen in. Functions that call into libtango are guarded: what it throws ends here.
 */
#ifndef STEM_AGENT_TANGO_ABI_H
#define STEM_AGENT_TANGO_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/elf_image.h"
#include "agent/std_string.h"

/* Tango::CmdArgType, as far as it is used here. */
typedef enum { TANGO_DEV_VOID = 0, TANGO_DEV_BOOLEAN = 1, TANGO_DEV_STRING = 8 } tango_type_t;

/* A sequence<string> of omniORB 4.2 and 4.3: Tango::DevVarStringArray. */
typedef struct {
    uint32_t room;
    uint32_t length;
    bool owns;
    bool bounded;
    char *const *texts;
} tango_string_array_t;

/*
 * What a command does. It is called in a thread of the ORB, with the argument's value if the
 * command takes a boolean. For a command that answers a string it returns that, NUL-terminated, to
 * be freed; NULL then is a failure for want of memory. Other commands return NULL.
 */
typedef char *tango_action_t(bool argument);

typedef struct {
    const char *name;
    tango_type_t in_type; /* void or boolean */
    const char *in_description;
    tango_type_t out_type; /* void or string */
    const char *out_description;
    tango_action_t *action;
} tango_command_t;

/* Tango::Util::server_init(bool). */
#define TANGO_SERVER_INIT "_ZN5Tango4Util11server_initEb"

/* Finds the process's libtango; the object that holds the address `not_in` isn't it, nor is another
   copy of the agent. False if there is none, or none that can be read. */
bool tango_find_library(elf_image_t *libtango, const void *not_in);

/* Which std::string libtango was built with. */
std_string_layout_t tango_string_layout(const elf_image_t *libtango);

/* Calls the process's own Tango::Util::server_init(bool), which may throw: not guarded. */
void tango_server_init(const elf_image_t *libtango, void *util, bool with_window);

/* libtango's version, e.g. "9.3.4", into text; "" if it doesn't tell. */
void tango_version(const elf_image_t *libtango, char *text, size_t size);

/* The device's name as its proxy (Tango::DeviceProxy) knows it, "domain/family/member", cut to the
   room; false if that can't be asked. */
bool tango_device_name(const elf_image_t *libtango, void *proxy, char *name, size_t size);

/* Tango's newest event id (Tango::EventConsumer::subscribe_event_id); 0 if that can't be read. */
int tango_newest_event_id(const elf_image_t *libtango);

/* Whether the admin device has QueryEventSystem built in (cppTango 10.1 and later). */
bool tango_has_query_event_system(const elf_image_t *libtango);

/*
 * Adds commands to the admin device of this process's server, which has to exist. The commands
 * (and their strings) and libtango must live as long as the process. Returns how many were added;
 * *missing (if not NULL) names the symbol for want of which none was, or is NULL; a command that
 * Tango refused isn't counted.
 */
size_t tango_add_commands(const elf_image_t *libtango, const tango_command_t *commands,
                          size_t count, const char **missing);

#endif
