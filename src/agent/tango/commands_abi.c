#include "agent/tango/commands_abi.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/platform/guard.h"
#include "agent/platform/log.h"
#include "agent/platform/std_string.h"
#include "agent/tango/libtango.h"

/* Seen on cppTango 9.3.4, 10.0.2 and 10.3.3. */
enum {
    COMMAND_SIZE = 1024, /* more than any Tango::Command: about 300 bytes */
    VTABLE_SLOTS = 32,   /* more than Tango::Command's: 7 with its head */
    VTABLE_HEAD = 2,     /* offset to top and type information, before the first function */
    MAX_COMMANDS = 8,
    DISPLAY_OPERATOR = 0 /* Tango::DispLevel */
};

typedef struct {
    libtango_util_instance_t *util_instance;
    libtango_get_dserver_device_t *get_dserver_device;
    libtango_add_command_t *add_command;
    libtango_operator_new_t *operator_new;
    libtango_command_new_t *command_new;
    std_string_layout_t strings;
    libtango_insert_string_t *insert_string;
    libtango_insert_void_t *insert_void;
    libtango_extract_boolean_t *extract_boolean;
    libtango_destructor_t *command_destroy;
    void *command_delete;
    void *command_execute;
    void **command_vtable;
    size_t command_vtable_size;
} tango_functions_t;

static tango_functions_t tango;

/* Finds everything that commands need. Returns the missing symbol, or NULL. */
static const char *find_functions(const elf_image_t *libtango, tango_functions_t *found)
{
    const struct {
        libtango_symbol_t symbol;
        void **where;
    } wanted[] = {
        {LIBTANGO_UTIL_INSTANCE, (void **)&found->util_instance},
        {LIBTANGO_GET_DSERVER_DEVICE, (void **)&found->get_dserver_device},
        {LIBTANGO_ADD_COMMAND, (void **)&found->add_command},
        {LIBTANGO_INSERT_STRING, (void **)&found->insert_string},
        {LIBTANGO_INSERT_VOID, (void **)&found->insert_void},
        {LIBTANGO_EXTRACT_BOOLEAN, (void **)&found->extract_boolean},
        {LIBTANGO_QUERY_CLASS_DESTRUCTOR, (void **)&found->command_destroy},
        {LIBTANGO_QUERY_CLASS_DELETING_DESTRUCTOR, &found->command_delete},
        {LIBTANGO_QUERY_CLASS_EXECUTE, &found->command_execute},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].where = libtango_defined(libtango, wanted[i].symbol);
        if (!*wanted[i].where)
            return libtango_name(wanted[i].symbol);
    }

    const char *vtable = libtango_name(LIBTANGO_QUERY_CLASS_VTABLE);
    found->command_vtable = elf_image_symbol(libtango, vtable, &found->command_vtable_size);
    if (!found->command_vtable)
        return vtable;

    found->command_new = libtango_command_new(libtango, &found->strings);
    if (!found->command_new)
        return libtango_name(LIBTANGO_COMMAND_NEW);

    found->operator_new =
        (libtango_operator_new_t *)libtango_imported(libtango, LIBTANGO_OPERATOR_NEW);
    return found->operator_new ? NULL : libtango_name(LIBTANGO_OPERATOR_NEW);
}

/* ---- commands ---- */

/*
 * Our commands are Tango::Command objects with our own virtual table: a copy of a real command's,
 * in which one function, execute, is ours. There is one table for each command, so that an object's
 * table identifies the command.
 */
typedef struct {
    void *vtable[VTABLE_SLOTS];
    const tango_command_t *command;
    void *object; /* created; libtango's once it is added */
    bool added;
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
    libtango_delete(command_origin, self, COMMAND_SIZE);
}

/* CORBA::Any *Command::execute(DeviceImpl *device, const CORBA::Any &argument) */
static void *execute(void *self, void *device, const void *argument)
{
    (void)device;
    void **vtable = *(void ***)self - VTABLE_HEAD;
    const tango_command_t *command = NULL;
    for (size_t i = 0; i < command_class_count; i++)
        if (command_classes[i].vtable == vtable)
            command = command_classes[i].command;
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

/* The class of that command, created by the first call; NULL if that fails. */
static command_class_t *command_class_of(const tango_command_t *command)
{
    for (size_t i = 0; i < command_class_count; i++)
        if (command_classes[i].command == command)
            return &command_classes[i];
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
    command_class_t *class;
} addition_t;

static void make_command(void *argument)
{
    command_class_t *class = argument;
    const tango_command_t *command = class->command;
    std_string_borrowed_t name, in_description, out_description;

    void *object = tango.operator_new(COMMAND_SIZE);
    memset(object, 0, COMMAND_SIZE);
    tango.command_new(object, std_string_borrow(tango.strings, &name, command->name),
                      (int)command->in_type, (int)command->out_type,
                      std_string_borrow(tango.strings, &in_description, command->in_description),
                      std_string_borrow(tango.strings, &out_description, command->out_description),
                      DISPLAY_OPERATOR);
    *(void **)object = &class->vtable[VTABLE_HEAD];
    class->object = object;
}

/* Waits for the device's monitor, and throws if that takes too long. */
static void add_command(void *argument)
{
    addition_t *addition = argument;
    tango.add_command(addition->device, addition->class->object, true);
}

static void find_device(void *device)
{
    void *util = tango.util_instance(false);
    *(void **)device = util ? tango.get_dserver_device(util) : NULL;
}

bool commands_abi_is_admin_device(const void *device)
{
    void *admin = NULL;
    return guard_call(find_device, &admin) && admin == device;
}

static tango_addition_t add_one(void *device, const tango_command_t *command)
{
    command_class_t *class = command_class_of(command);
    if (!class) {
        log_line(LOG_ERROR, "command %s: the virtual table of Tango's commands isn't as expected",
                 command->name);
        return TANGO_REFUSED;
    }
    if (class->added)
        return TANGO_ADDED;
    if (!class->object)
        guard_call(make_command, class);
    addition_t addition = {device, class};
    class->added = class->object && guard_call(add_command, &addition);
    return class->added ? TANGO_ADDED : TANGO_BUSY;
}

static void call_omni(void *argument)
{
    (*(libtango_omni_dummy_t **)argument)();
}

tango_addition_t commands_abi_add(const elf_image_t *libtango, const tango_command_t *commands,
                                  size_t count, bool device_is_held)
{
    if (!command_origin) {
        const char *missing = find_functions(libtango, &tango);
        if (missing) {
            log_line(LOG_ERROR, "%s has no symbol %s; the server runs without the agent's commands",
                     libtango->path, missing);
            return TANGO_REFUSED;
        }
        command_origin = libtango;
    }
    void *device = NULL;
    if (!guard_call(find_device, &device) || !device)
        return TANGO_BUSY;

    /* Tango's monitors identify threads by their omni_thread. If a thread already has one, this
     * throws. */
    libtango_omni_dummy_t *create_dummy =
        (libtango_omni_dummy_t *)libtango_imported(libtango, LIBTANGO_OMNI_CREATE_DUMMY);
    libtango_omni_dummy_t *release_dummy =
        (libtango_omni_dummy_t *)libtango_imported(libtango, LIBTANGO_OMNI_RELEASE_DUMMY);
    bool is_dummy = create_dummy && release_dummy && guard_call(call_omni, &create_dummy);
    tango_addition_t result = TANGO_ADDED;
    for (size_t i = 0; i < count && (device_is_held || result == TANGO_ADDED); i++) {
        tango_addition_t one = add_one(device, &commands[i]);
        if (one == TANGO_BUSY && device_is_held) {
            log_line(LOG_ERROR, "command %s: Tango refused it", commands[i].name);
            one = TANGO_REFUSED;
        }
        if (one != TANGO_ADDED)
            result = one;
    }
    if (is_dummy)
        guard_call(call_omni, &release_dummy);
    return result;
}
