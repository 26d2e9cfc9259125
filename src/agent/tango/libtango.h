/*
 * libtango: all assumptions about libtango's binary interface: its symbols and those that it
 * imports, the arguments of their functions, and the differences between versions. No Tango header,
 * no link: everything is found by name in the loaded library.
 *
 * Everything here was seen on cppTango 9.3.4, 10.0.2 and 10.3.3 (x86-64), unless noted otherwise.
 * The mangled names are in libtango.c.
 */
#ifndef STEM_AGENT_LIBTANGO_H
#define STEM_AGENT_LIBTANGO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/platform/elf_image.h"
#include "agent/platform/std_string.h"

/* ---- Tango::Util ---- */

/*
 * Tango::Util::server_init(bool). The name is here, since the agent defines a function of that
 * name, too (entry/preload.c).
 */
#define LIBTANGO_SERVER_INIT_NAME "_ZN5Tango4Util11server_initEb"

typedef void libtango_server_init_t(void *util, bool with_window);

/*
 * Tango::ApiUtil::create_zmq_event_consumer(), likewise (entry/client.c): called before the first
 * subscription of a process. Up to 10.0 its only argument is the ApiUtil; in 10.3 it returns an
 * object (PointerWithLock<EventConsumer>), for which the first argument is the place, and the
 * ApiUtil the second.
 */
#define LIBTANGO_CREATE_CONSUMER_NAME "_ZN5Tango7ApiUtil25create_zmq_event_consumerEv"

typedef void *libtango_create_consumer_t(void *first, void *second);

typedef void *libtango_util_instance_t(bool exit_if_none);
/* Util::get_device_list_by_class(const char *): a reference to a vector of pointers. */
typedef void *const *const *libtango_device_list_by_class_t(void *util, const char *class_name);
typedef int libtango_lib_release_t(void);
/* DeviceImpl::name(): a copy, which the caller frees with CORBA::string_free: it is leaked here,
 * once a process. */
typedef char *libtango_name_of_device_t(void *device);

/* ---- publishing ---- */

/*
 * ZmqEventSupplier::push_event takes 10 arguments besides this; a std::string by value is passed by
 * address, so all are pointers or a bool: one C function can replace all versions.
 */
typedef void libtango_push_event_t(void *self, void *a, void *b, void *c, void *d, void *e, void *f,
                                   void *g, void *h, void *i, uintptr_t j);

/* ZmqEventSupplier::init_event_cptr(const string &). */
typedef void libtango_init_event_cptr_t(void *self, const std_string_t *name);

/* A sequence<string> of omniORB 4.2 and 4.3: Tango::DevVarStringArray. */
typedef struct {
    uint32_t maximum;
    uint32_t length;
    bool owns;
    bool bounded;
    char *const *texts;
} libtango_string_array_t;

/* DServer::event_confirm_subscription(const DevVarStringArray *): device, attribute or pipe, and
   event with its IDL level, of each stream that a client listens to. */
typedef void libtango_confirm_subscription_t(void *self, const libtango_string_array_t *streams);

/* ---- subscribing ---- */

/*
 * EventConsumer::connect_event(DeviceProxy *, const string &object, EventType, CallBack *,
 * EventQueue *, const vector<string> &filters, string &event_name, int event_id), and from 10.1 on
 * one more argument; older ones ignore it: it is a word on the stack that they don't read.
 */
typedef int libtango_connect_event_t(void *self, void *device, const std_string_t *object,
                                     int event_type, void *callback, void *queue, void *filters,
                                     std_string_t *event_name, uintptr_t event_id, uintptr_t mode);
/*
 * EventConsumer::async_event_subscription(DeviceProxy *, const string &object, EventType, CallBack
 * *, EventQueue *, string &event_name, int event_id, EventSubMode), of 10.1 and later: for clients
 * that don't want to wait. It only calls add_not_connected_event; the keep-alive thread then
 * connects it.
 */
typedef void libtango_async_subscription_t(void *self, void *device, const std_string_t *object,
                                           int event_type, void *callback, void *queue,
                                           std_string_t *event_name, uintptr_t event_id,
                                           uintptr_t mode);
/* EventConsumer::add_not_connected_event: its first argument differs, by address or as an object in
   memory, that is by address, too. */
typedef void libtango_add_not_connected_t(void *self, void *error, void *parameters);
/* EventConsumerKeepAliveThread::stateless_subscription_failed, up to 10.0: three references. */
typedef void libtango_stateless_failed_t(void *self, void *place, void *error, void *now);
typedef void libtango_unsubscribe_event_t(void *self, int event_id);
/* string DeviceProxy::dev_name(): an object as result is written where the first, hidden argument
   points to. */
typedef void libtango_dev_name_t(std_string_storage_t *result, void *proxy);

/* ---- commands ---- */

/* The part of Tango::CmdArgType that is used here. */
typedef enum { TANGO_DEV_VOID = 0, TANGO_DEV_BOOLEAN = 1, TANGO_DEV_STRING = 8 } tango_type_t;

/* DeviceClass::command_handler(DeviceImpl *, string &command, const CORBA::Any &): a device
   executes a command. The thread that comes here holds the device's monitor. */
typedef void libtango_shutdown_t(void *util);
typedef void *libtango_command_handler_t(void *device_class, void *device, void *command,
                                         void *argument);

/* DeviceImpl::add_command(Command *, bool). */
typedef void libtango_add_command_t(void *device, void *command, bool device_level);

/* DeviceImpl::remove_command(Command *, bool free_it, bool clean_db). */
typedef void libtango_remove_command_t(void *device, void *command, bool free_it, bool clean_db);
/* AutoTangoMonitor::AutoTangoMonitor(DeviceImpl *, bool force), for an object of at most
   LIBTANGO_AUTO_MONITOR_SIZE, and its destructor: holds the device's monitor meanwhile, with force
   also where the server's serialization model is NO_SYNC; throws if it has to wait for too long.
   Not exported by Debian 11's 9.3.4. */
typedef void libtango_auto_monitor_t(void *monitor, void *device, bool force);
enum { LIBTANGO_AUTO_MONITOR_SIZE = 256 }; /* more than enough: a pointer or two */
/* TangoMonitor::get_monitor(), through which all that take a device's monitor go. */
typedef void libtango_get_monitor_t(void *monitor);

/* Command::Command(string name, CmdArgType, CmdArgType, string in_desc, string out_desc,
   DispLevel), the base-object constructor. */
typedef void libtango_command_new_t(void *command, const std_string_t *name, int in_type,
                                    int out_type, const std_string_t *in_description,
                                    const std_string_t *out_description, int level);
typedef void libtango_destructor_t(void *object);
typedef void *libtango_insert_string_t(void *command, const char *value);
typedef void *libtango_insert_void_t(void *command);
typedef void libtango_extract_boolean_t(void *command, const void *any, bool *value);

/* ---- what libtango calls itself ---- */

typedef void *libtango_operator_new_t(size_t size);
typedef void libtango_operator_delete_t(void *memory);
typedef void libtango_sized_operator_delete_t(void *memory, size_t size);

/* omni_thread::create_dummy() and release_dummy(); the result doesn't matter. */
typedef void libtango_omni_dummy_t(void);

/* Of ZeroMQ's interface (libzmq 4, zmq.h). */
typedef struct zmq_msg zmq_msg_t; /* opaque here */

typedef struct {
    void *socket;
    int fd;
    short events;
    short revents;
} zmq_pollitem_t;

enum { ZMQ_SNDMORE_FLAG = 2, ZMQ_TYPE_OPTION = 16, ZMQ_SUB_TYPE = 2, ZMQ_REP_TYPE = 4 };

typedef int libtango_msg_recv_t(zmq_msg_t *message, void *socket, int flags);
/* 9.3 receives multicast events through this one; later ones don't import it. */
typedef int libtango_recvmsg_t(void *socket, zmq_msg_t *message, int flags);
typedef int libtango_msg_send_t(zmq_msg_t *message, void *socket, int flags);
typedef int libtango_poll_t(zmq_pollitem_t *items, int item_count, long timeout);
typedef void *libtango_msg_data_t(zmq_msg_t *message);
typedef size_t libtango_msg_size_t(const zmq_msg_t *message);
typedef int libtango_getsockopt_t(void *socket, int option, void *value, size_t *size);

/* ---- all of them, by name ---- */

typedef enum {
    LIBTANGO_SERVER_INIT,
    LIBTANGO_SERVER_RUN,
    LIBTANGO_UTIL_INIT,
    LIBTANGO_UTIL_INSTANCE,
    LIBTANGO_UTIL_POINTER, /* the variable that instance() returns */
    LIBTANGO_DEVICE_LIST_BY_CLASS,
    LIBTANGO_LIB_RELEASE,
    LIBTANGO_DEVICE_NAME,

    LIBTANGO_PUSH_EVENT,
    LIBTANGO_INIT_EVENT_CPTR,
    LIBTANGO_CONFIRM_SUBSCRIPTION,

    LIBTANGO_CONNECT_EVENT,
    LIBTANGO_ASYNC_SUBSCRIPTION,
    LIBTANGO_ADD_NOT_CONNECTED,
    LIBTANGO_STATELESS_FAILED,
    LIBTANGO_UNSUBSCRIBE_EVENT,
    LIBTANGO_NEWEST_EVENT_ID, /* a variable */
    LIBTANGO_DEV_NAME,
    LIBTANGO_DEV_NAME_OLD_STRING,

    LIBTANGO_COMMAND_HANDLER,
    LIBTANGO_SHUTDOWN,
    LIBTANGO_ADD_COMMAND,
    LIBTANGO_REMOVE_COMMAND,
    /* Of a device's virtual tables: what commands it has. The thunks are what clients' requests go
       through; those that end with 6 are of 10.1 and later. */
    LIBTANGO_COMMAND_LIST_QUERY,
    LIBTANGO_COMMAND_LIST_QUERY_THUNK,
    LIBTANGO_COMMAND_LIST_QUERY_2,
    LIBTANGO_COMMAND_LIST_QUERY_2_THUNK,
    LIBTANGO_COMMAND_LIST_QUERY_6,
    LIBTANGO_COMMAND_LIST_QUERY_6_THUNK,
    LIBTANGO_COMMAND_QUERY,
    LIBTANGO_COMMAND_QUERY_THUNK,
    LIBTANGO_COMMAND_QUERY_2,
    LIBTANGO_COMMAND_QUERY_2_THUNK,
    LIBTANGO_COMMAND_QUERY_6,
    LIBTANGO_COMMAND_QUERY_6_THUNK,
    LIBTANGO_GET_MONITOR,
    LIBTANGO_AUTO_MONITOR,
    LIBTANGO_AUTO_MONITOR_DESTRUCTOR,
    LIBTANGO_COMMAND_NEW, /* with libstdc++'s new std::string */
    LIBTANGO_COMMAND_NEW_UP_TO_9,
    LIBTANGO_COMMAND_NEW_OLD_STRING,
    LIBTANGO_COMMAND_NEW_OLD_STRING_UP_TO_9,
    LIBTANGO_INSERT_STRING,
    LIBTANGO_INSERT_VOID,
    LIBTANGO_EXTRACT_BOOLEAN,
    /* The command that ours are copies of: it needs nothing, and only has execute. */
    LIBTANGO_QUERY_CLASS_DESTRUCTOR,
    LIBTANGO_QUERY_CLASS_DELETING_DESTRUCTOR,
    LIBTANGO_QUERY_CLASS_EXECUTE,
    LIBTANGO_QUERY_CLASS_VTABLE,
    LIBTANGO_QUERY_EVENT_SYSTEM_VTABLE, /* of 10.1 and later */

    LIBTANGO_OPERATOR_NEW,
    LIBTANGO_OPERATOR_DELETE,
    LIBTANGO_SIZED_OPERATOR_DELETE,
    LIBTANGO_OMNI_CREATE_DUMMY,
    LIBTANGO_OMNI_RELEASE_DUMMY,
    LIBTANGO_ZMQ_MSG_RECV,
    LIBTANGO_ZMQ_RECVMSG,
    LIBTANGO_ZMQ_MSG_SEND,
    LIBTANGO_ZMQ_POLL,
    LIBTANGO_ZMQ_MSG_DATA,
    LIBTANGO_ZMQ_MSG_SIZE,
    LIBTANGO_ZMQ_GETSOCKOPT,

    LIBTANGO_SYMBOLS
} libtango_symbol_t;

/* The mangled name, or the common beginning of its variants. */
const char *libtango_name(libtango_symbol_t symbol);

/* ---- the library ---- */

/*
 * The Tango::Util::server_init that a caller of ours meant: a process may have several libtangos.
 * The right one is the one whose Util it is; if that isn't known, the one that the caller (an
 * address in it) is linked to. Either may be NULL. NULL if there is none except in copies of the
 * agent; the object that contains the address `not_in` is one.
 */
libtango_server_init_t *libtango_find_server_init(const void *util, const void *caller,
                                                  const void *not_in);

/* The libtango that contains that function. False if it can't be read. */
bool libtango_find(elf_image_t *libtango, libtango_server_init_t *server_init);

/* The address of a symbol that libtango itself defines (not for names that have variants); NULL if
 * it doesn't. */
void *libtango_defined(const elf_image_t *libtango, libtango_symbol_t symbol);

/* Where libtango's own slot for the symbol leads; NULL if it has none. See elf_image_imported. */
void *libtango_imported(const elf_image_t *libtango, libtango_symbol_t symbol);

/* A function to put into libtango's slots. */
typedef struct {
    libtango_symbol_t symbol;
    void *replacement;
    void **original; /* out: what the slots held; NULL if there was no slot */
} libtango_hook_t;

/* Puts them there, at most LIBTANGO_SYMBOLS. Returns what elf_image_hook does. */
int libtango_hook(const elf_image_t *libtango, const libtango_hook_t *hooks, size_t hook_count);

/* Takes them out again, see elf_image_unhook. */
int libtango_unhook(const elf_image_t *libtango, const libtango_hook_t *hooks, size_t hook_count);

/* Which std::string libtango was built with. */
std_string_layout_t libtango_strings(const elf_image_t *libtango);

/* libtango's version, e.g. "9.3.4", into text; "" if it isn't known. */
void libtango_version(const elf_image_t *libtango, char *text, size_t size);

/*
 * Whether a subscriber's Tango takes an event with the counter 0 for a duplicate if the previous
 * one had 0, too, or if there was none. cppTango 10.0 and later do (seen on 10.0.2 and 10.3.3; the
 * change is of February 2024, after 9.5.0); earlier ones don't (seen on 9.3.4).
 */
bool libtango_compares_zeros(const elf_image_t *libtango);

/* Whether TANGO_HOST names several databases. */
bool libtango_has_several_hosts(void);

/* Whether the admin device has QueryEventSystem built in (cppTango 10.1 and later). */
bool libtango_has_query_event_system(const elf_image_t *libtango);

/* ---- calls; guarded: libtango's exceptions end here ---- */

/* The device's name as its proxy (Tango::DeviceProxy) knows it, "domain/family/member", truncated
 * to the buffer; false if that can't be asked. */
bool libtango_device_name(const elf_image_t *libtango, void *proxy, char *name, size_t size);

/*
 * This process's admin device (a Tango::DeviceImpl); NULL if it has none yet. At any moment, also
 * while the server is being initialised.
 */
void *libtango_admin_device(const elf_image_t *libtango);

/*
 * The name of this process's admin device, "dserver/SERVER/INSTANCE", truncated to the buffer;
 * false if it has none (yet), or if that can't be asked.
 */
bool libtango_admin_device_name(const elf_image_t *libtango, char *name, size_t size);

/* Tango's newest event id (Tango::EventConsumer::subscribe_event_id); 0 if that can't be read. */
int libtango_newest_event_id(const elf_image_t *libtango);

/*
 * Frees what libtango's code has allocated by operator new, or we through its slot: the process may
 * have replaced the operators (another allocator, a sanitizer), so it must be libtango's. Without
 * either slot the memory stays allocated.
 */
void libtango_delete(const elf_image_t *libtango, void *memory, size_t size);

/* Tango::Command's constructor, and in *strings which std::string it takes. NULL if no known one
 * exists. */
libtango_command_new_t *libtango_command_new(const elf_image_t *libtango,
                                             std_string_layout_t *strings);

#endif
