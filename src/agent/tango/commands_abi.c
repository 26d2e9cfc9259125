#include "agent/tango/commands_abi.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/platform/guard.h"
#include "agent/platform/log.h"
#include "agent/platform/std_string.h"
#include "agent/tango/command_gate.h"
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
    libtango_add_command_t *add_command;
    libtango_remove_command_t *remove_command;
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
    void *unused;
    const struct {
        libtango_symbol_t symbol;
        void **where;
    } wanted[] = {
        {LIBTANGO_UTIL_INSTANCE, &unused}, /* for libtango_admin_device */
        {LIBTANGO_DEVICE_LIST_BY_CLASS, &unused},
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

    found->remove_command =
        (libtango_remove_command_t *)libtango_defined(libtango, LIBTANGO_REMOVE_COMMAND);
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
    void *object; /* created; libtango's once it is added, which may delete it; else NULL */
    bool added;   /* without an object: Tango has a command of that name built in, and keeps that */
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
    for (size_t i = 0; i < command_class_count; i++)
        if (command_classes[i].object == self)
            command_classes[i].object = NULL;
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

bool commands_abi_is_admin_device(const void *device)
{
    return device && command_origin && libtango_admin_device(command_origin) == device;
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
    /* It deletes ours if it has one of the same name and types itself. */
    class->added = class->object && guard_call(add_command, &addition);
    return class->added ? TANGO_ADDED : TANGO_BUSY;
}

/* The object stays: threads may be in it. */
static void remove_command(void *argument)
{
    addition_t *removal = argument;
    tango.remove_command(removal->device, removal->class->object, false, false);
}

static tango_addition_t remove_one(void *device, const tango_command_t *command)
{
    for (size_t i = 0; i < command_class_count; i++) {
        command_class_t *class = &command_classes[i];
        if (class->command != command || !class->added)
            continue;
        addition_t removal = {device, class};
        if (!class->object) {
            class->added = false;
            return TANGO_ADDED;
        }
        class->added = !guard_call(remove_command, &removal);
        return class->added ? TANGO_BUSY : TANGO_ADDED;
    }
    return TANGO_ADDED;
}

static void call_omni(void *argument)
{
    (*(libtango_omni_dummy_t **)argument)();
}

/* What is done with each command. */
typedef tango_addition_t change_t(void *device, const tango_command_t *command);

static tango_addition_t change_each(void *device, change_t *change, const tango_command_t *commands,
                                    size_t count, bool device_is_held)
{
    tango_addition_t result = TANGO_ADDED;
    for (size_t i = 0; i < count && (device_is_held || result == TANGO_ADDED); i++) {
        tango_addition_t one = change(device, &commands[i]);
        if (one == TANGO_BUSY && device_is_held) {
            log_line(LOG_ERROR, "command %s: Tango refused it", commands[i].name);
            one = TANGO_REFUSED;
        }
        if (one != TANGO_ADDED)
            result = one;
    }
    return result;
}

typedef struct {
    libtango_auto_monitor_t *take;
    libtango_destructor_t *give_back;
    void *device;
    _Alignas(max_align_t) unsigned char monitor[LIBTANGO_AUTO_MONITOR_SIZE];
} held_device_t;

static void hold_device(void *argument)
{
    held_device_t *self = argument;
    self->take(self->monitor, self->device, true);
}

static void release_device(void *argument)
{
    held_device_t *self = argument;
    self->give_back(self->monitor);
}

/*
 * While nobody reads the device's list of commands. Its monitor is taken first, although Tango
 * takes it, too (a thread may do so twice): clients wait at the gate, which is closed only once
 * nothing else has to be waited for. And Tango doesn't, if the server's model is NO_SYNC.
 */
static tango_addition_t change_at_gate(void *device, change_t *change,
                                       const tango_command_t *commands, size_t count,
                                       bool device_is_held)
{
    held_device_t held = {
        .take = (libtango_auto_monitor_t *)libtango_defined(command_origin, LIBTANGO_AUTO_MONITOR),
        .give_back = (libtango_destructor_t *)libtango_defined(command_origin,
                                                               LIBTANGO_AUTO_MONITOR_DESTRUCTOR),
        .device = device};
    tango_addition_t result = TANGO_BUSY;
    const bool can_hold = held.take && held.give_back;
    if (can_hold && !guard_call(hold_device, &held))
        return TANGO_BUSY;
    bool may_change = true;
    if (can_hold || device_is_held)
        may_change = command_gate_close();
    else
        command_gate_close_with_monitor();
    if (may_change)
        result = change_each(device, change, commands, count, device_is_held);
    command_gate_open();
    if (can_hold)
        guard_call(release_device, &held);
    return result;
}

/*
 * Tango's monitors identify threads by their omni_thread: this one gets one, if it has none (then
 * create_dummy throws), for as long as it needs it.
 */
static tango_addition_t change_all(void *device, change_t *change, const tango_command_t *commands,
                                   size_t count, bool device_is_held)
{
    libtango_omni_dummy_t *create_dummy =
        (libtango_omni_dummy_t *)libtango_imported(command_origin, LIBTANGO_OMNI_CREATE_DUMMY);
    libtango_omni_dummy_t *release_dummy =
        (libtango_omni_dummy_t *)libtango_imported(command_origin, LIBTANGO_OMNI_RELEASE_DUMMY);
    bool is_dummy = create_dummy && release_dummy && guard_call(call_omni, &create_dummy);
    command_gate_begin(command_origin);
    tango_addition_t result = change_at_gate(device, change, commands, count, device_is_held);
    command_gate_end();
    if (is_dummy)
        guard_call(call_omni, &release_dummy);
    return result;
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
    void *device = libtango_admin_device(libtango);
    if (!device)
        return TANGO_NO_DEVICE;
    return change_all(device, add_one, commands, count, device_is_held);
}

static bool any_is_added(void)
{
    for (size_t i = 0; i < command_class_count; i++)
        if (command_classes[i].added)
            return true;
    return false;
}

tango_addition_t commands_abi_remove(const tango_command_t *commands, size_t count,
                                     bool device_is_held)
{
    if (!any_is_added())
        return TANGO_ADDED;
    void *device = libtango_admin_device(command_origin);
    if (!device)
        return TANGO_NO_DEVICE;
    if (!tango.remove_command)
        return TANGO_REFUSED;
    return change_all(device, remove_one, commands, count, device_is_held);
}
