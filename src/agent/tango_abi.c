#include "agent/tango_abi.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/guard.h"
#include "agent/log.h"

/* Seen on cppTango 9.3.4, 10.0.2 and 10.3.3; so are all symbols below. */
enum {
    COMMAND_SIZE = 1024, /* more than any Tango::Command: some 300 bytes */
    VTABLE_SLOTS = 32,   /* more than Tango::Command's has: 7 with its head */
    VTABLE_HEAD = 2,     /* offset to top and type information, before the first function */
    MAX_COMMANDS = 8,
    DISPLAY_OPERATOR = 0 /* Tango::DispLevel */
};

typedef void server_init_t(void *util, bool with_window);
typedef int lib_release_t(void);
typedef void *util_instance_t(bool exit_if_none);
typedef void *get_dserver_device_t(void *util);
typedef void add_command_t(void *device, void *command, bool device_level);
typedef void *operator_new_t(size_t size);
typedef void operator_delete_t(void *memory);
typedef void sized_operator_delete_t(void *memory, size_t size);
typedef void destructor_t(void *object);
typedef void command_new_t(void *command, const std_string_t *name, int in_type, int out_type,
                           const std_string_t *in_description, const std_string_t *out_description,
                           int level);
typedef void *insert_string_t(void *command, const char *value);
typedef void *insert_void_t(void *command);
typedef void extract_boolean_t(void *command, const void *any, bool *value);

typedef struct {
    util_instance_t *util_instance;
    get_dserver_device_t *get_dserver_device;
    add_command_t *add_command;
    operator_new_t *operator_new;
    command_new_t *command_new;
    std_string_layout_t strings;
    insert_string_t *insert_string;
    insert_void_t *insert_void;
    extract_boolean_t *extract_boolean;
    destructor_t *command_destroy;
    void *command_delete;
    void *command_execute;
    void **command_vtable;
    size_t command_vtable_size;
} tango_functions_t;

static tango_functions_t tango;

/*
 * Command::Command(string name, CmdArgType, CmdArgType, string in_desc, string out_desc,
 * DispLevel), the base-object constructor: the strings are "const string &" from 10.0 on.
 */
static const struct {
    const char *symbol;
    std_string_layout_t strings;
} command_new_symbols[] = {
    {"_ZN5Tango7CommandC2ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEENS_10CmdArgTypeES9_"
     "S8_S8_NS_9DispLevelE",
     STD_STRING_NEW},
    {"_ZN5Tango7CommandC2ERNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEENS_10CmdArgTypeES8_"
     "S7_S7_NS_9DispLevelE",
     STD_STRING_NEW},
    {"_ZN5Tango7CommandC2ERKSsNS_10CmdArgTypeES3_S2_S2_NS_9DispLevelE", STD_STRING_OLD},
    {"_ZN5Tango7CommandC2ERSsNS_10CmdArgTypeES2_S1_S1_NS_9DispLevelE", STD_STRING_OLD},
};

/* Finds the constructor; NULL if there is none that is known. */
static command_new_t *find_command_new(const elf_image_t *libtango, std_string_layout_t *strings)
{
    for (size_t i = 0; i < sizeof command_new_symbols / sizeof *command_new_symbols; i++) {
        void *found = elf_image_symbol(libtango, command_new_symbols[i].symbol, NULL);
        *strings = command_new_symbols[i].strings;
        if (found)
            return (command_new_t *)found;
    }
    return NULL;
}

std_string_layout_t tango_string_layout(const elf_image_t *libtango)
{
    std_string_layout_t strings;
    return find_command_new(libtango, &strings) ? strings : STD_STRING_NEW;
}

/* Finds all that commands need. Returns the symbol that is missing, or NULL. */
static const char *find_functions(const elf_image_t *libtango, tango_functions_t *found)
{
    const struct {
        const char *symbol;
        void **where;
    } wanted[] = {
        {"_ZN5Tango4Util8instanceEb", (void **)&found->util_instance},
        {"_ZN5Tango4Util18get_dserver_deviceEv", (void **)&found->get_dserver_device},
        {"_ZN5Tango10DeviceImpl11add_commandEPNS_7CommandEb", (void **)&found->add_command},
        {"_ZN5Tango7Command6insertEPKc", (void **)&found->insert_string},
        {"_ZN5Tango7Command6insertEv", (void **)&found->insert_void},
        {"_ZN5Tango7Command7extractERKN5CORBA3AnyERb", (void **)&found->extract_boolean},
        {"_ZN5Tango16DevQueryClassCmdD1Ev", (void **)&found->command_destroy},
        {"_ZN5Tango16DevQueryClassCmdD0Ev", &found->command_delete},
        {"_ZN5Tango16DevQueryClassCmd7executeEPNS_10DeviceImplERKN5CORBA3AnyE",
         &found->command_execute},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].where = elf_image_symbol(libtango, wanted[i].symbol, NULL);
        if (!*wanted[i].where)
            return wanted[i].symbol;
    }

    static const char vtable[] = "_ZTVN5Tango16DevQueryClassCmdE";
    found->command_vtable = elf_image_symbol(libtango, vtable, &found->command_vtable_size);
    if (!found->command_vtable)
        return vtable;

    found->command_new = find_command_new(libtango, &found->strings);
    if (!found->command_new)
        return command_new_symbols[0].symbol;

    static const char operator_new[] = "_Znwm";
    found->operator_new = (operator_new_t *)elf_image_imported(libtango, operator_new);
    return found->operator_new ? NULL : operator_new;
}

void tango_server_init(const elf_image_t *libtango, void *util, bool with_window)
{
    server_init_t *server_init =
        (server_init_t *)elf_image_symbol(libtango, TANGO_SERVER_INIT, NULL);
    server_init(util, with_window);
}

bool tango_find_library(elf_image_t *libtango, const void *not_in)
{
    /* Tango::Util::instance(bool), or Tango::Util::server_run(). Not server_init: another copy of
       the agent has that, too. */
    static const char *const recognised_by[] = {"_ZN5Tango4Util8instanceEb",
                                                "_ZN5Tango4Util10server_runEv"};
    for (size_t i = 0; i < sizeof recognised_by / sizeof *recognised_by; i++) {
        if (elf_image_find(libtango, recognised_by[i], not_in) &&
            elf_image_symbol(libtango, TANGO_SERVER_INIT, NULL))
            return true;
    }
    return false;
}

void tango_version(const elf_image_t *libtango, char *text, size_t size)
{
    /* A number such as 934, or 1003 for 10.0.3. */
    lib_release_t *lib_release = (lib_release_t *)elf_image_symbol(
        libtango, "_ZN5Tango26_convert_tango_lib_releaseEv", NULL);
    int release = lib_release ? lib_release() : 0;
    if (release > 0)
        snprintf(text, size, "%d.%d.%d", release / 100, release / 10 % 10, release % 10);
    else if (size > 0)
        text[0] = '\0';
}

/*
 * Frees what libtango's code has allocated by operator new, or we through its slot: the process may
 * have replaced the operators (another allocator, a sanitizer), so nobody else's will do. Without
 * either slot the memory stays allocated.
 */
static void delete_as_libtango(const elf_image_t *libtango, void *memory, size_t size)
{
    operator_delete_t *plain = (operator_delete_t *)elf_image_imported(libtango, "_ZdlPv");
    if (plain) {
        plain(memory);
        return;
    }
    sized_operator_delete_t *sized =
        (sized_operator_delete_t *)elf_image_imported(libtango, "_ZdlPvm");
    if (sized)
        sized(memory, size);
}

typedef void device_name_t(std_string_room_t *result, void *proxy);
typedef struct {
    device_name_t *function;
    void *proxy;
    std_string_room_t *result;
} device_name_call_t;

static void call_device_name(void *argument)
{
    const device_name_call_t *call = argument;
    call->function(call->result, call->proxy);
}

bool tango_device_name(const elf_image_t *libtango, void *proxy, char *name, size_t size)
{
    /* std::string DeviceProxy::dev_name(), with either std::string: an object as result is written
       where the first, hidden argument points to. */
    static const struct {
        const char *symbol;
        std_string_layout_t strings;
    } dev_names[] = {{"_ZN5Tango11DeviceProxy8dev_nameB5cxx11Ev", STD_STRING_NEW},
                     {"_ZN5Tango11DeviceProxy8dev_nameEv", STD_STRING_OLD}};
    std_string_room_t result = {0};
    device_name_call_t call = {NULL, proxy, &result};
    std_string_layout_t strings = STD_STRING_NEW;
    for (size_t i = 0; i < sizeof dev_names / sizeof *dev_names && !call.function; i++) {
        call.function = (device_name_t *)elf_image_symbol(libtango, dev_names[i].symbol, NULL);
        strings = dev_names[i].strings;
    }
    if (!call.function || !guard_call(call_device_name, &call))
        return false;
    size_t length;
    const char *text = std_string_text(strings, (const std_string_t *)&result, &length);
    snprintf(name, size, "%.*s", (int)(length < size ? length : size - 1), text);
    size_t allocated;
    void *memory = std_string_release(strings, &result, &allocated);
    if (memory)
        delete_as_libtango(libtango, memory, allocated);
    return true;
}

int tango_newest_event_id(const elf_image_t *libtango)
{
    const int *newest =
        elf_image_symbol(libtango, "_ZN5Tango13EventConsumer18subscribe_event_idE", NULL);
    return newest ? *newest : 0;
}

bool tango_has_query_event_system(const elf_image_t *libtango)
{
    return elf_image_symbol(libtango, "_ZTVN5Tango22DevQueryEventSystemCmdE", NULL) != NULL;
}

/* ---- commands ---- */

/*
 * Our commands are Tango::Command objects with our own virtual table: a copy of a real command's,
 * in which one function, execute, is ours. There is one table for each command, so that the object
 * itself tells, by its table, which command it is.
 */
typedef struct {
    void *vtable[VTABLE_SLOTS];
    const tango_command_t *command;
} command_class_t;

static command_class_t command_classes[MAX_COMMANDS];
static size_t command_class_count;
static const elf_image_t *command_origin; /* the libtango they belong to */

/*
 * The deleting destructor of our commands. The real one would give operator delete the size of a
 * Tango::Command, which is not what we allocated; some allocators rely on it.
 */
static void delete_command(void *self)
{
    tango.command_destroy(self);
    delete_as_libtango(command_origin, self, COMMAND_SIZE);
}

/* CORBA::Any *Command::execute(DeviceImpl *device, const CORBA::Any &argument) */
static void *execute(void *self, void *device, const void *argument)
{
    (void)device;
    void **vtable = *(void ***)self - VTABLE_HEAD;
    const tango_command_t *command = NULL;
    for (size_t i = 0; i < command_class_count; i++) {
        if (command_classes[i].vtable == vtable)
            command = command_classes[i].command;
    }
    if (!command)
        return tango.insert_void(self);

    bool value = false;
    if (command->in_type == TANGO_DEV_BOOLEAN)
        tango.extract_boolean(self, argument, &value); /* throws what Tango answers to its client */
    char *answer = command->action(value);
    if (command->out_type != TANGO_DEV_STRING)
        return tango.insert_void(self);
    void *any = tango.insert_string(self, answer ? answer : "");
    free(answer);
    return any;
}

static command_class_t *new_command_class(const tango_command_t *command)
{
    size_t slots = tango.command_vtable_size / sizeof(void *);
    if (command_class_count == MAX_COMMANDS || slots > VTABLE_SLOTS)
        return NULL;
    command_class_t *class = &command_classes[command_class_count];
    bool replaced = false;
    memcpy(class->vtable, tango.command_vtable, slots * sizeof(void *));
    for (size_t i = VTABLE_HEAD; i < slots; i++) {
        if (class->vtable[i] == tango.command_execute) {
            class->vtable[i] = (void *)execute;
            replaced = true;
        } else if (class->vtable[i] == tango.command_delete) {
            class->vtable[i] = (void *)delete_command;
        }
    }
    if (!replaced)
        return NULL;
    class->command = command;
    command_class_count++;
    return class;
}

typedef struct {
    void *device;
    const tango_command_t *command;
    command_class_t *class;
} addition_t;

static void add_command(void *argument)
{
    addition_t *addition = argument;
    const tango_command_t *command = addition->command;
    std_string_borrowed_t name, in_description, out_description;

    void *object = tango.operator_new(COMMAND_SIZE);
    memset(object, 0, COMMAND_SIZE);
    tango.command_new(object, std_string_borrow(tango.strings, &name, command->name),
                      (int)command->in_type, (int)command->out_type,
                      std_string_borrow(tango.strings, &in_description, command->in_description),
                      std_string_borrow(tango.strings, &out_description, command->out_description),
                      DISPLAY_OPERATOR);
    *(void **)object = &addition->class->vtable[VTABLE_HEAD];
    tango.add_command(addition->device, object, true);
}

static void find_device(void *device)
{
    void *util = tango.util_instance(false);
    *(void **)device = util ? tango.get_dserver_device(util) : NULL;
}

size_t tango_add_commands(const elf_image_t *libtango, const tango_command_t *commands,
                          size_t count, const char **missing)
{
    const char *symbol = find_functions(libtango, &tango);
    if (missing)
        *missing = symbol;
    if (symbol)
        return 0;

    command_origin = libtango;
    void *device = NULL;
    if (!guard_call(find_device, &device) || !device)
        return 0;

    size_t added = 0;
    for (size_t i = 0; i < count; i++) {
        addition_t addition = {device, &commands[i], new_command_class(&commands[i])};
        if (!addition.class)
            log_line(LOG_ERROR, "command %s: the virtual table of Tango's commands isn't as known",
                     commands[i].name);
        else if (!guard_call(add_command, &addition))
            log_line(LOG_ERROR, "command %s: Tango refused it", commands[i].name);
        else
            added++;
    }
    return added;
}
