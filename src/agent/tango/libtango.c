#include "agent/tango/libtango.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/platform/environment.h"
#include "agent/platform/guard.h"

/* ---- names ---- */

/* How a symbol is identified. The rest of its name depends on the version, or on its arguments. */
typedef enum {
    WHOLE,             /* by its whole name */
    BEGINNING,         /* by the beginning of its name */
    BEGINNING_STRINGS, /* and by the std::string that it takes */
    THUNK,             /* a virtual thunk, by the function that it leads to */
} known_by_t;

static const struct {
    const char *name;
    known_by_t by;
} symbols[LIBTANGO_SYMBOLS] = {
    [LIBTANGO_SERVER_INIT] = {LIBTANGO_SERVER_INIT_NAME, WHOLE},
    [LIBTANGO_SERVER_RUN] = {"_ZN5Tango4Util10server_runEv", WHOLE},
    [LIBTANGO_UTIL_INIT] = {"_ZN5Tango4Util4initEiPPc", WHOLE},
    [LIBTANGO_UTIL_INSTANCE] = {"_ZN5Tango4Util8instanceEb", WHOLE},
    [LIBTANGO_UTIL_POINTER] = {"_ZN5Tango4Util9_instanceE", WHOLE},
    [LIBTANGO_DEVICE_NAME] = {"_ZN5Tango10DeviceImpl4nameEv", WHOLE},
    [LIBTANGO_DEVICE_LIST_BY_CLASS] = {"_ZN5Tango4Util24get_device_list_by_classEPKc", WHOLE},
    [LIBTANGO_LIB_RELEASE] = {"_ZN5Tango26_convert_tango_lib_releaseEv", WHOLE},

    [LIBTANGO_PUSH_EVENT] = {"_ZN5Tango16ZmqEventSupplier10push_eventEPNS_10DeviceImpl", BEGINNING},
    [LIBTANGO_INIT_EVENT_CPTR] = {"_ZN5Tango16ZmqEventSupplier15init_event_cptr",
                                  BEGINNING_STRINGS},
    [LIBTANGO_CONFIRM_SUBSCRIPTION] =
        {"_ZN5Tango7DServer26event_confirm_subscriptionEPKNS_17DevVarStringArrayE", WHOLE},

    [LIBTANGO_CONNECT_EVENT] = {"_ZN5Tango13EventConsumer13connect_eventEPNS_11DeviceProxy",
                                BEGINNING_STRINGS},
    /* 10.1 and later. */
    [LIBTANGO_ASYNC_SUBSCRIPTION] = {"_ZN5Tango13EventConsumer24async_event_subscription",
                                     BEGINNING_STRINGS},
    [LIBTANGO_ADD_NOT_CONNECTED] = {"_ZN5Tango13EventConsumer23add_not_connected_event", BEGINNING},
    /* Up to 10.0. */
    [LIBTANGO_STATELESS_FAILED] =
        {"_ZN5Tango28EventConsumerKeepAliveThread29stateless_subscription_failed", BEGINNING},
    [LIBTANGO_UNSUBSCRIBE_EVENT] = {"_ZN5Tango13EventConsumer17unsubscribe_eventEi", WHOLE},
    [LIBTANGO_NEWEST_EVENT_ID] = {"_ZN5Tango13EventConsumer18subscribe_event_idE", WHOLE},
    /* string DeviceProxy::dev_name(), by the string that it returns. */
    [LIBTANGO_DEV_NAME] = {"_ZN5Tango11DeviceProxy8dev_nameB5cxx11Ev", WHOLE},
    [LIBTANGO_DEV_NAME_OLD_STRING] = {"_ZN5Tango11DeviceProxy8dev_nameEv", WHOLE},

    [LIBTANGO_COMMAND_HANDLER] = {"_ZN5Tango11DeviceClass15command_handlerEPNS_10DeviceImpl",
                                  BEGINNING},
    [LIBTANGO_SHUTDOWN] = {"_ZN5Tango4Util11shutdown_dsEv", WHOLE},
    [LIBTANGO_ADD_COMMAND] = {"_ZN5Tango10DeviceImpl11add_commandEPNS_7CommandEb", WHOLE},
    [LIBTANGO_REMOVE_COMMAND] = {"_ZN5Tango10DeviceImpl14remove_commandEPNS_7CommandEbb", WHOLE},
    [LIBTANGO_COMMAND_LIST_QUERY] = {"_ZN5Tango10DeviceImpl18command_list_queryEv", WHOLE},
    [LIBTANGO_COMMAND_LIST_QUERY_THUNK] = {"_N5Tango10DeviceImpl18command_list_queryEv", THUNK},
    [LIBTANGO_COMMAND_LIST_QUERY_2] = {"_ZN5Tango12Device_2Impl20command_list_query_2Ev", WHOLE},
    [LIBTANGO_COMMAND_LIST_QUERY_2_THUNK] = {"_N5Tango12Device_2Impl20command_list_query_2Ev",
                                             THUNK},
    [LIBTANGO_COMMAND_LIST_QUERY_6] = {"_ZN5Tango12Device_6Impl20command_list_query_6Ev", WHOLE},
    [LIBTANGO_COMMAND_LIST_QUERY_6_THUNK] = {"_N5Tango12Device_6Impl20command_list_query_6Ev",
                                             THUNK},
    [LIBTANGO_COMMAND_QUERY] = {"_ZN5Tango10DeviceImpl13command_queryEPKc", WHOLE},
    [LIBTANGO_COMMAND_QUERY_THUNK] = {"_N5Tango10DeviceImpl13command_queryEPKc", THUNK},
    [LIBTANGO_COMMAND_QUERY_2] = {"_ZN5Tango12Device_2Impl15command_query_2EPKc", WHOLE},
    [LIBTANGO_COMMAND_QUERY_2_THUNK] = {"_N5Tango12Device_2Impl15command_query_2EPKc", THUNK},
    [LIBTANGO_COMMAND_QUERY_6] = {"_ZN5Tango12Device_6Impl15command_query_6EPKc", WHOLE},
    [LIBTANGO_COMMAND_QUERY_6_THUNK] = {"_N5Tango12Device_6Impl15command_query_6EPKc", THUNK},
    [LIBTANGO_GET_MONITOR] = {"_ZN5Tango12TangoMonitor11get_monitorEv", WHOLE},
    [LIBTANGO_AUTO_MONITOR] = {"_ZN5Tango16AutoTangoMonitorC1EPNS_10DeviceImplEb", WHOLE},
    [LIBTANGO_AUTO_MONITOR_DESTRUCTOR] = {"_ZN5Tango16AutoTangoMonitorD1Ev", WHOLE},
    /* The strings are "const string &" from 10.0 on; before that they are "string &". */
    [LIBTANGO_COMMAND_NEW] =
        {"_ZN5Tango7CommandC2ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEENS_"
         "10CmdArgTypeES9_S8_S8_NS_9DispLevelE",
         WHOLE},
    [LIBTANGO_COMMAND_NEW_UP_TO_9] =
        {"_ZN5Tango7CommandC2ERNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEENS_"
         "10CmdArgTypeES8_S7_S7_NS_9DispLevelE",
         WHOLE},
    [LIBTANGO_COMMAND_NEW_OLD_STRING] =
        {"_ZN5Tango7CommandC2ERKSsNS_10CmdArgTypeES3_S2_S2_NS_9DispLevelE", WHOLE},
    [LIBTANGO_COMMAND_NEW_OLD_STRING_UP_TO_9] =
        {"_ZN5Tango7CommandC2ERSsNS_10CmdArgTypeES2_S1_S1_NS_9DispLevelE", WHOLE},
    [LIBTANGO_INSERT_STRING] = {"_ZN5Tango7Command6insertEPKc", WHOLE},
    [LIBTANGO_INSERT_VOID] = {"_ZN5Tango7Command6insertEv", WHOLE},
    [LIBTANGO_EXTRACT_BOOLEAN] = {"_ZN5Tango7Command7extractERKN5CORBA3AnyERb", WHOLE},
    [LIBTANGO_QUERY_CLASS_DESTRUCTOR] = {"_ZN5Tango16DevQueryClassCmdD1Ev", WHOLE},
    [LIBTANGO_QUERY_CLASS_DELETING_DESTRUCTOR] = {"_ZN5Tango16DevQueryClassCmdD0Ev", WHOLE},
    [LIBTANGO_QUERY_CLASS_EXECUTE] =
        {"_ZN5Tango16DevQueryClassCmd7executeEPNS_10DeviceImplERKN5CORBA3AnyE", WHOLE},
    [LIBTANGO_QUERY_CLASS_VTABLE] = {"_ZTVN5Tango16DevQueryClassCmdE", WHOLE},
    /* 10.1 and later. */
    [LIBTANGO_QUERY_EVENT_SYSTEM_VTABLE] = {"_ZTVN5Tango22DevQueryEventSystemCmdE", WHOLE},

    [LIBTANGO_OPERATOR_NEW] = {"_Znwm", WHOLE},
    [LIBTANGO_OPERATOR_DELETE] = {"_ZdlPv", WHOLE},
    [LIBTANGO_SIZED_OPERATOR_DELETE] = {"_ZdlPvm", WHOLE},
    [LIBTANGO_OMNI_CREATE_DUMMY] = {"_ZN11omni_thread12create_dummyEv", WHOLE},
    [LIBTANGO_OMNI_RELEASE_DUMMY] = {"_ZN11omni_thread13release_dummyEv", WHOLE},
    [LIBTANGO_ZMQ_MSG_RECV] = {"zmq_msg_recv", WHOLE},
    /* 9.3. */
    [LIBTANGO_ZMQ_RECVMSG] = {"zmq_recvmsg", WHOLE},
    [LIBTANGO_ZMQ_MSG_SEND] = {"zmq_msg_send", WHOLE},
    [LIBTANGO_ZMQ_POLL] = {"zmq_poll", WHOLE},
    [LIBTANGO_ZMQ_MSG_DATA] = {"zmq_msg_data", WHOLE},
    [LIBTANGO_ZMQ_MSG_SIZE] = {"zmq_msg_size", WHOLE},
    [LIBTANGO_ZMQ_GETSOCKOPT] = {"zmq_getsockopt", WHOLE},
};

/* The part of the mangled name of a function that takes a std::string, by the string's layout. */
static const char *const string_names[] = {[STD_STRING_NEW] = "__cxx11", [STD_STRING_OLD] = "Ss"};

const char *libtango_name(libtango_symbol_t symbol)
{
    return symbols[symbol].name;
}

void *libtango_defined(const elf_image_t *libtango, libtango_symbol_t symbol)
{
    return elf_image_symbol(libtango, symbols[symbol].name, NULL);
}

void *libtango_imported(const elf_image_t *libtango, libtango_symbol_t symbol)
{
    return elf_image_imported(libtango, symbols[symbol].name);
}

static void list_hooks(const elf_image_t *libtango, const libtango_hook_t *hooks, size_t hook_count,
                       elf_hook_t list[LIBTANGO_SYMBOLS])
{
    const char *string_name = string_names[libtango_strings(libtango)];
    for (size_t i = 0; i < hook_count; i++) {
        known_by_t by = symbols[hooks[i].symbol].by;
        const char *name = symbols[hooks[i].symbol].name;
        list[i] = (elf_hook_t){.symbol = by == THUNK ? "_ZTv0_n" : name,
                               .is_prefix = by != WHOLE,
                               .replacement = hooks[i].replacement,
                               .original = hooks[i].original};
        if (by == BEGINNING_STRINGS)
            list[i].must_contain = string_name;
        else if (by == THUNK)
            list[i].must_contain = name;
    }
}

int libtango_hook(const elf_image_t *libtango, const libtango_hook_t *hooks, size_t hook_count)
{
    elf_hook_t list[LIBTANGO_SYMBOLS];
    list_hooks(libtango, hooks, hook_count, list);
    return elf_image_hook(libtango, list, hook_count);
}

int libtango_unhook(const elf_image_t *libtango, const libtango_hook_t *hooks, size_t hook_count)
{
    elf_hook_t list[LIBTANGO_SYMBOLS];
    list_hooks(libtango, hooks, hook_count, list);
    return elf_image_unhook(libtango, list, hook_count);
}

/* ---- the library ---- */

/* Whether the object is a libtango. Another copy of the agent has a server_init, too. */
static bool is_libtango(const elf_image_t *image)
{
    /* Tango::Util::instance(bool), or Tango::Util::server_run(). */
    return (libtango_defined(image, LIBTANGO_UTIL_INSTANCE) ||
            libtango_defined(image, LIBTANGO_SERVER_RUN)) &&
           libtango_defined(image, LIBTANGO_SERVER_INIT);
}

/* The server_init of the libtango that contains the address; NULL if none does. */
static libtango_server_init_t *server_init_beside(const void *address)
{
    elf_image_t image;
    if (!address || !elf_image_of_address(&image, address) || !is_libtango(&image))
        return NULL;
    return (libtango_server_init_t *)libtango_defined(&image, LIBTANGO_SERVER_INIT);
}

/*
 * The code that starts a server also calls one of these: Tango::Util::instance(bool),
 * Tango::Util::init( int, char **), Tango::Util::server_run(). Its own slots for them lead to its
 * libtango; otherwise, the loader's lookup on its behalf does.
 */
static const libtango_symbol_t neighbours[] = {LIBTANGO_UTIL_INSTANCE, LIBTANGO_UTIL_INIT,
                                               LIBTANGO_SERVER_RUN};
enum { NEIGHBOURS = sizeof neighbours / sizeof *neighbours };

static libtango_server_init_t *server_init_of_caller(const void *caller)
{
    elf_image_t image;
    libtango_server_init_t *found = NULL;
    if (!caller || !elf_image_of_address(&image, caller))
        return NULL;
    for (size_t i = 0; i < NEIGHBOURS && !found; i++)
        found = server_init_beside(libtango_imported(&image, neighbours[i]));
    void *handle = found ? NULL : dlopen(*image.path ? image.path : NULL, RTLD_LAZY | RTLD_NOLOAD);
    if (!handle)
        return found;
    for (size_t i = 0; i < NEIGHBOURS && !found; i++)
        found = server_init_beside(dlsym(handle, symbols[neighbours[i]].name));
    dlclose(handle);
    return found;
}

libtango_server_init_t *libtango_find_server_init(const void *util, const void *caller,
                                                  const void *not_in)
{
    elf_image_t image;
    /* Tango::Util::_instance, which Tango::Util::init() has set. The caller alone isn't enough: a
       function that ends with the call isn't in the list of callers any more. */
    if (util && elf_image_find_pointer(&image, symbols[LIBTANGO_UTIL_POINTER].name, util) &&
        is_libtango(&image))
        return (libtango_server_init_t *)libtango_defined(&image, LIBTANGO_SERVER_INIT);
    libtango_server_init_t *found = server_init_of_caller(caller);
    for (size_t i = 0; i < NEIGHBOURS && !found; i++)
        if (elf_image_find(&image, symbols[neighbours[i]].name, not_in))
            found = (libtango_server_init_t *)libtango_defined(&image, LIBTANGO_SERVER_INIT);
    return found;
}

bool libtango_find(elf_image_t *libtango, libtango_server_init_t *server_init)
{
    return elf_image_of_address(libtango, (const void *)server_init) && is_libtango(libtango);
}

libtango_command_new_t *libtango_command_new(const elf_image_t *libtango,
                                             std_string_layout_t *strings)
{
    static const struct {
        libtango_symbol_t symbol;
        std_string_layout_t strings;
    } variants[] = {
        {LIBTANGO_COMMAND_NEW, STD_STRING_NEW},
        {LIBTANGO_COMMAND_NEW_UP_TO_9, STD_STRING_NEW},
        {LIBTANGO_COMMAND_NEW_OLD_STRING, STD_STRING_OLD},
        {LIBTANGO_COMMAND_NEW_OLD_STRING_UP_TO_9, STD_STRING_OLD},
    };
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        void *found = libtango_defined(libtango, variants[i].symbol);
        *strings = variants[i].strings;
        if (found)
            return (libtango_command_new_t *)found;
    }
    return NULL;
}

std_string_layout_t libtango_strings(const elf_image_t *libtango)
{
    std_string_layout_t strings;
    return libtango_command_new(libtango, &strings) ? strings : STD_STRING_NEW;
}

/* A number such as 934, or 1003 for 10.0.3; 0 if libtango doesn't say. */
static int library_release(const elf_image_t *libtango)
{
    libtango_lib_release_t *lib_release =
        (libtango_lib_release_t *)libtango_defined(libtango, LIBTANGO_LIB_RELEASE);
    return lib_release ? lib_release() : 0;
}

bool libtango_compares_zeros(const elf_image_t *libtango)
{
    return library_release(libtango) >= 1000;
}

bool libtango_has_several_hosts(void)
{
    const char *hosts = environment_tango_host();
    return hosts && strchr(hosts, ',');
}

void libtango_version(const elf_image_t *libtango, char *text, size_t size)
{
    int release = library_release(libtango);
    if (release > 0)
        snprintf(text, size, "%d.%d.%d", release / 100, release / 10 % 10, release % 10);
    else if (size > 0)
        text[0] = '\0';
}

bool libtango_has_query_event_system(const elf_image_t *libtango)
{
    return libtango_defined(libtango, LIBTANGO_QUERY_EVENT_SYSTEM_VTABLE) != NULL;
}

/* ---- calls ---- */

void libtango_delete(const elf_image_t *libtango, void *memory, size_t size)
{
    /* Searching all slots takes longer than everything else here; there is only one libtango. */
    static _Atomic bool looked_up;
    static _Atomic(libtango_operator_delete_t *) plain;
    static _Atomic(libtango_sized_operator_delete_t *) sized;
    if (!atomic_load(&looked_up)) {
        atomic_store(&plain, (libtango_operator_delete_t *)libtango_imported(
                                 libtango, LIBTANGO_OPERATOR_DELETE));
        atomic_store(&sized, (libtango_sized_operator_delete_t *)libtango_imported(
                                 libtango, LIBTANGO_SIZED_OPERATOR_DELETE));
        atomic_store(&looked_up, true);
    }
    libtango_operator_delete_t *delete_plain = atomic_load(&plain);
    libtango_sized_operator_delete_t *delete_sized = atomic_load(&sized);
    if (delete_plain)
        delete_plain(memory);
    else if (delete_sized)
        delete_sized(memory, size);
}

typedef struct {
    libtango_dev_name_t *function;
    void *proxy;
    std_string_storage_t *result;
} device_name_call_t;

static void call_device_name(void *argument)
{
    const device_name_call_t *call = argument;
    call->function(call->result, call->proxy);
}

bool libtango_device_name(const elf_image_t *libtango, void *proxy, char *name, size_t size)
{
    static const struct {
        libtango_symbol_t symbol;
        std_string_layout_t strings;
    } dev_names[] = {{LIBTANGO_DEV_NAME, STD_STRING_NEW},
                     {LIBTANGO_DEV_NAME_OLD_STRING, STD_STRING_OLD}};
    std_string_storage_t result = {0};
    device_name_call_t call = {NULL, proxy, &result};
    std_string_layout_t strings = STD_STRING_NEW;
    for (size_t i = 0; i < sizeof dev_names / sizeof *dev_names && !call.function; i++) {
        call.function = (libtango_dev_name_t *)libtango_defined(libtango, dev_names[i].symbol);
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
        libtango_delete(libtango, memory, allocated);
    return true;
}

int libtango_newest_event_id(const elf_image_t *libtango)
{
    const int *newest = libtango_defined(libtango, LIBTANGO_NEWEST_EVENT_ID);
    return newest ? *newest : 0;
}

typedef struct {
    libtango_util_instance_t *util_instance;
    libtango_device_list_by_class_t *device_list;
    void *device;
} admin_device_t;

/*
 * Not Util::get_dserver_device, which takes the first of the list of devices of class DServer,
 * whether there is one or not: while a server is being initialised, there isn't. This list throws
 * before that, and can be looked at.
 */
static void find_admin_device(void *argument)
{
    admin_device_t *self = argument;
    void *util = self->util_instance(false);
    if (!util)
        return;
    void *const *volatile const *list =
        (void *const *volatile const *)self->device_list(util, "DServer");
    void *const *end = list[1]; /* libstdc++'s std::vector: begin, end */
    void *const *begin = list[0];
    if (begin && end > begin)
        self->device = *begin;
}

/*
 * Once it was found, it is kept: it stays the same as long as its Util does, RestartServer makes
 * only the other devices anew. Meanwhile that deletes the classes of which the list above is one,
 * and Tango has no lock that would keep them there.
 */
void *libtango_admin_device(const elf_image_t *libtango)
{
    static _Atomic(void *) known_util;
    static _Atomic(void *) known_device;
    void *const *util = libtango_defined(libtango, LIBTANGO_UTIL_POINTER);
    if (util && *util && atomic_load(&known_util) == *util)
        return atomic_load(&known_device);
    admin_device_t call = {
        (libtango_util_instance_t *)libtango_defined(libtango, LIBTANGO_UTIL_INSTANCE),
        (libtango_device_list_by_class_t *)libtango_defined(libtango,
                                                            LIBTANGO_DEVICE_LIST_BY_CLASS),
        NULL};
    if ((util && !*util) || !call.util_instance || !call.device_list ||
        !guard_call(find_admin_device, &call))
        return NULL;
    if (util && call.device) {
        atomic_store(&known_device, call.device);
        atomic_store(&known_util, *util);
    }
    return call.device;
}

typedef struct {
    libtango_name_of_device_t *name_of_device;
    void *device;
    const char *name;
} admin_name_t;

static void find_admin_name(void *argument)
{
    admin_name_t *self = argument;
    self->name = self->name_of_device(self->device);
}

bool libtango_admin_device_name(const elf_image_t *libtango, char *name, size_t size)
{
    admin_name_t call = {
        (libtango_name_of_device_t *)libtango_defined(libtango, LIBTANGO_DEVICE_NAME),
        libtango_admin_device(libtango), NULL};
    if (!call.name_of_device || !call.device || !guard_call(find_admin_name, &call) || !call.name)
        return false;
    snprintf(name, size, "%s", call.name);
    return true;
}
