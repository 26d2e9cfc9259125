/*
 * The one C++ file of the project: exceptions, strings and ORB objects end here.
 */
#include "tango/tango_client.h"

#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <vector>

#include <tango/tango.h>

#include "base/reasons.h"

struct tango_device {
    std::unique_ptr<Tango::DeviceProxy> proxy;
    bool stopped = false; /* the last attempt to connect found that it isn't exported */
};

namespace
{

const char scheme[] = "tango://";
const char no_database[] = "#dbase=no";

/* How long a call waits, for error messages; set once by tango_client_init(). */
int call_timeout_ms = 3000;

char *copy_of(const std::string &text)
{
    char *copy = static_cast<char *>(std::malloc(text.size() + 1));
    if (!copy)
        throw std::bad_alloc();
    std::memcpy(copy, text.c_str(), text.size() + 1);
    return copy;
}

/* Descriptions of Tango have line feeds, and a server may put anything into its own. */
std::string one_line(const char *text)
{
    std::string line;
    for (const char *c = text ? text : ""; *c; c++) {
        const unsigned char byte = static_cast<unsigned char>(*c);
        if (byte > ' ' && byte != 0x7f)
            line += *c;
        else if (!line.empty() && line.back() != ' ')
            line += ' ';
    }
    while (!line.empty() && line.back() == ' ')
        line.pop_back();
    return line;
}

void set_error(tango_error_t *error, tango_error_kind_t kind, const std::string &text)
{
    if (!error)
        return;
    error->kind = kind;
    error->text = copy_of(text.empty() ? "unknown error" : text);
}

bool has_error(const Tango::DevFailed &failure, CORBA::ULong i, const char *reason)
{
    return std::strcmp(failure.errors[i].reason.in(), reason) == 0;
}

const char no_connection[] = "can't connect to the Tango database";
const char not_running[] = REASON_NOT_RUNNING;

/*
 * What a failure's reasons mean, the most specific first: a database that is down also fails with
 * "couldn't connect". The reasons are cppTango's, as seen in 9.3.4. A text is ours where Tango's
 * own description tells a user little (nullptr: it tells enough).
 */
const struct {
    const char *reason;
    tango_error_kind_t kind;
    const char *text;
} meanings[] = {
    {"API_TangoHostNotSet", TANGO_ERROR_TANGO_HOST, "TANGO_HOST is not set, or is not HOST:PORT"},
    {"API_CantConnectToDatabase", TANGO_ERROR_DATABASE, no_connection},
    {"API_DatabaseAccess", TANGO_ERROR_DATABASE, nullptr},
    {"DB_SQLError", TANGO_ERROR_DATABASE, nullptr},
    {"DB_DeviceNotDefined", TANGO_ERROR_NO_DEVICE, REASON_NO_DEVICE},
    {"DB_AliasNotDefined", TANGO_ERROR_NO_DEVICE, REASON_NO_DEVICE},
    {"API_DeviceNotDefined", TANGO_ERROR_NO_DEVICE, "its server has no such device"},
    {"API_WrongDeviceNameSyntax", TANGO_ERROR_NO_DEVICE, nullptr},
    {"API_UnsupportedProtocol", TANGO_ERROR_NO_DEVICE, nullptr},
    {"API_UnsupportedDBaseModifier", TANGO_ERROR_NO_DEVICE, nullptr},
    {"API_CommandNotFound", TANGO_ERROR_NO_COMMAND, nullptr},
    {"API_DeviceTimedOut", TANGO_ERROR_TIMEOUT, nullptr},
    {"API_CantConnectToDevice", TANGO_ERROR_NOT_RUNNING, not_running},
    {"API_DeviceNotExported", TANGO_ERROR_NOT_RUNNING, REASON_STOPPED},
    {"API_ServerNotRunning", TANGO_ERROR_NOT_RUNNING, not_running},
    {"API_CommunicationFailed", TANGO_ERROR_NOT_RUNNING, not_running},
};

std::string timeout_text()
{
    char text[60];
    std::snprintf(text, sizeof text, "no answer within %g s", call_timeout_ms / 1000.0);
    return text;
}

/* A timed out connection looks like one that failed, but for the ORB's own words. */
bool timed_out(const Tango::DevFailed &failure)
{
    for (CORBA::ULong i = 0; i < failure.errors.length(); i++)
        if (std::strstr(failure.errors[i].desc.in(), "TRANSIENT_CallTimedout"))
            return true;
    return false;
}

void describe(const Tango::DevFailed &failure, tango_error_t *error)
{
    for (const auto &meaning : meanings) {
        for (CORBA::ULong i = 0; i < failure.errors.length(); i++) {
            if (!has_error(failure, i, meaning.reason))
                continue;
            if (meaning.kind == TANGO_ERROR_TIMEOUT ||
                (meaning.kind == TANGO_ERROR_NOT_RUNNING && timed_out(failure)))
                set_error(error, TANGO_ERROR_TIMEOUT, timeout_text());
            else if (meaning.text)
                set_error(error, meaning.kind, meaning.text);
            else
                set_error(error, meaning.kind, one_line(failure.errors[i].desc.in()));
            return;
        }
    }
    /* The first error is the cause; those after it say who had called whom. */
    std::string text;
    if (failure.errors.length() > 0) {
        text = one_line(failure.errors[0].desc.in());
        if (text.empty())
            text = one_line(failure.errors[0].reason.in());
    }
    set_error(error, TANGO_ERROR_OTHER, text);
}

/* Thrown here, since the library itself has no reason for a server that doesn't talk. */
struct no_answer {
};

/*
 * Whether a connection may have failed because this process may open no more files. The ORB doesn't
 * say why a socket couldn't be made, so this checks whether nearly all descriptors are in use: some
 * may have been closed since. Descriptors are allocated from the lowest, so that it is mostly
 * enough to look at one high one.
 */
const int files_in_passing = 8;

bool files_ran_out()
{
    rlimit limit = {};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
        return false;
    const int nearly = static_cast<int>(limit.rlim_cur) - files_in_passing;
    if (fcntl(nearly, F_GETFD) < 0)
        return false;
    DIR *list = opendir("/proc/self/fd");
    if (!list)
        return errno == EMFILE || errno == ENFILE;
    int open_files = 0;
    while (readdir(list))
        open_files++;
    closedir(list);
    return open_files >= nearly;
}

std::string files_text()
{
    rlimit limit = {};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return "too many open files: " + std::to_string(limit.rlim_cur) + " are allowed";
}

/* Reports a failure to connect as too many open files if that is the reason. */
void blame_files(tango_error_t *error)
{
    const bool may_be_files =
        error && (error->kind == TANGO_ERROR_NOT_RUNNING || error->kind == TANGO_ERROR_DATABASE ||
                  error->kind == TANGO_ERROR_OTHER);
    if (may_be_files && files_ran_out()) {
        tango_error_clear(error);
        set_error(error, TANGO_ERROR_FILES, files_text());
    }
}

/*
 * Runs work and lets no exception out. The inner try is for what describing a failure may throw:
 * then the error is left without a text, which callers have to handle anyway.
 */
template <typename Work> bool guarded(tango_error_t *error, Work work)
{
    if (error) {
        error->kind = TANGO_ERROR_NONE;
        error->text = nullptr;
    }
    try {
        /* The Tango library has to know each thread, also one that it hasn't started. */
        omni_thread::ensure_self self;
        try {
            work();
            return true;
        } catch (const Tango::DevFailed &failure) {
            describe(failure, error);
        } catch (const no_answer &) {
            set_error(error, TANGO_ERROR_TIMEOUT, timeout_text());
        } catch (const CORBA::SystemException &failure) {
            set_error(error, TANGO_ERROR_OTHER,
                      std::string("CORBA ") + failure._name() + " " +
                          (failure.NP_minorString() ? failure.NP_minorString() : ""));
        } catch (const CORBA::Exception &failure) {
            set_error(error, TANGO_ERROR_OTHER, std::string("CORBA ") + failure._name());
        } catch (const std::exception &failure) {
            set_error(error, TANGO_ERROR_OTHER, one_line(failure.what()));
        } catch (...) {
            set_error(error, TANGO_ERROR_OTHER, "an unknown exception of the Tango library");
        }
        blame_files(error);
    } catch (...) {
        if (error)
            error->kind = TANGO_ERROR_OTHER;
    }
    return false;
}

/* Whether it was not even tried, since an attempt shortly before had failed; 9.3.4 to 10.3. */
bool was_not_tried(const Tango::DevFailed &failure)
{
    for (CORBA::ULong i = 0; i < failure.errors.length(); i++)
        if (std::strstr(failure.errors[i].desc.in(), "connection request was delayed"))
            return true;
    return false;
}

/* guarded(), for work with a device: a failure without an attempt has the reason of the last one.
 */
template <typename Work> bool guarded_on(tango_device &device, tango_error_t *error, Work work)
{
    const bool done = guarded(error, [&] {
        try {
            work();
            device.stopped = false;
        } catch (const Tango::DevFailed &failure) {
            if (!was_not_tried(failure))
                device.stopped =
                    failure.errors.length() > 0 && has_error(failure, 0, "API_DeviceNotExported");
            throw;
        }
    });
    if (!done && device.stopped && error && error->kind == TANGO_ERROR_NOT_RUNNING) {
        tango_error_clear(error);
        guarded(nullptr, [&] { set_error(error, TANGO_ERROR_NOT_RUNNING, REASON_STOPPED); });
    }
    return done;
}

std::string lower(std::string text)
{
    for (char &c : text)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return text;
}

/* Where "host:port" begins in "tango://host:port/..." or "//host:port/..."; npos in other names. */
size_t authority_start(const std::string &name)
{
    if (lower(name.substr(0, sizeof scheme - 1)) == scheme)
        return sizeof scheme - 1;
    return name.compare(0, 2, "//") == 0 ? 2 : std::string::npos;
}

/* "tango://host:port/" of a name, or "" if it has none; also of "//host:port/...". */
std::string authority_of(const std::string &name)
{
    const size_t start = authority_start(name);
    if (start == std::string::npos)
        return "";
    const size_t end = name.find('/', start);
    if (end == std::string::npos)
        return "";
    return scheme + name.substr(start, end + 1 - start);
}

/* "dserver/Pub/1" of "tango://host:port/dserver/Pub/1#dbase=no". */
std::string path_of(const std::string &name)
{
    std::string path = name;
    const size_t start = authority_start(name);
    if (start != std::string::npos) {
        const size_t end = path.find('/', start);
        path = end == std::string::npos ? "" : path.substr(end + 1);
    }
    return path.substr(0, path.find('#'));
}

/*
 * Adds to an error which database can't be reached, as the user wrote it: before name, a device or
 * a pattern, or in TANGO_HOST. Tango itself names another host for "localhost", and one of several.
 */
void name_database(tango_error_t *error, const char *name)
{
    if (!error || !error->text || std::strcmp(error->text, no_connection) != 0)
        return;
    tango_error_t nameless = *error;
    guarded(error, [&] {
        const char *variable = std::getenv("TANGO_HOST");
        std::string database = authority_of(name);
        if (!database.empty())
            database = database.substr(sizeof scheme - 1, database.size() - sizeof scheme);
        else
            database = variable ? variable : "of /etc/tangorc or ~/.tangorc";
        set_error(error, nameless.kind, nameless.text + (" " + one_line(database.c_str())));
    });
    std::free(nameless.text);
}

/* A host's first address as a number, so that "localhost" and "127.0.0.1" are one host. */
std::string numeric_host(const std::string &host)
{
    addrinfo hints = {};
    hints.ai_family = AF_INET; /* as cppTango itself prefers */
    hints.ai_socktype = SOCK_STREAM;
    addrinfo *found = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || !found)
        return lower(host);
    char text[NI_MAXHOST];
    const int failed = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0,
                                   NI_NUMERICHOST);
    freeaddrinfo(found);
    return failed ? lower(host) : text;
}

/* The database of an authority, or TANGO_HOST's if that is empty; throws. */
std::unique_ptr<Tango::Database> open_database(const std::string &authority)
{
    if (authority.empty())
        return std::unique_ptr<Tango::Database>(new Tango::Database());
    std::string host = authority.substr(sizeof scheme - 1);
    host.pop_back();
    const size_t colon = host.rfind(':');
    if (colon == std::string::npos)
        Tango::Except::throw_exception("API_WrongDeviceNameSyntax",
                                       "a pattern is tango://HOST:PORT/PATTERN", "open_database");
    std::string name = host.substr(0, colon);
    return std::unique_ptr<Tango::Database>(
        new Tango::Database(name, std::atoi(host.c_str() + colon + 1)));
}

/* Databases that have answered, by "host:port". */
std::mutex reached_lock;
std::set<std::string> reached;

/*
 * Makes sure that a device's database has answered once; throws if it doesn't. While the library
 * connects to a database, it holds a lock that everybody who creates a proxy waits for: a database
 * that accepts connections but doesn't talk would block, try after try, those that use another one.
 */
void reach_database(const std::string &name)
{
    if (lower(name).find(no_database) != std::string::npos)
        return;
    const std::string authority = authority_of(name);
    const std::string path = path_of(name);
    const auto slashes = std::count(path.begin(), path.end(), '/');
    const bool is_name = slashes == 2 || slashes == 0; /* of a device, or an alias */
    if (!is_name ||
        (!authority.empty() && authority.find(':', sizeof scheme - 1) == std::string::npos))
        return; /* the library says what is wrong with that, and asks no database */
    {
        const std::lock_guard<std::mutex> lock(reached_lock);
        if (reached.count(authority) > 0)
            return;
    }
    open_database(authority);
    const std::lock_guard<std::mutex> lock(reached_lock);
    reached.insert(authority);
}

/* After a failure that the database's end may have caused: the next try shows which of the two it
 * was. */
void forget_database(const std::string &name)
{
    const std::lock_guard<std::mutex> lock(reached_lock);
    reached.erase(authority_of(name));
}

/* The admin device of a server that is not running, by what the database knows. */
std::string admin_in_database(Tango::DeviceProxy &proxy)
{
    std::string device = proxy.dev_name();
    return "dserver/" + proxy.get_device_db()->get_device_info(device).ds_full_name;
}

} // namespace

extern "C" {

bool tango_client_init(int timeout_ms, tango_error_t *error)
{
    return guarded(
        error,
        [&] {
            /* The library prints some failures before it throws them. We report them, once, and
             * standard output may be a recording. */
            std::cout.rdbuf(nullptr);
            std::cerr.rdbuf(nullptr);
            /* Nor should the ORB print, at every try, what it thinks of a server that talks
             * nonsense; ORBtraceLevel in the environment, or omniORB's configuration, enables that.
             */
            omniORB::traceLevel = 0;
            Tango::ApiUtil *api = Tango::ApiUtil::instance();
            const CORBA::ORB_var orb = api->get_orb();
            if (CORBA::is_nil(orb))
                api->create_orb();
            /* For what has no timeout of its own: looking for the interface of a device. */
            omniORB::setClientCallTimeout(static_cast<CORBA::ULong>(timeout_ms));
            call_timeout_ms = timeout_ms;
        });
}

bool tango_client_find_admin(const char *name, tango_admin_t *admin, tango_device_t **device,
                             tango_error_t *error)
{
    *admin = {nullptr, nullptr};
    *device = nullptr;
    const bool found = guarded(error, [&] {
        std::string given = name;
        const auto start = std::chrono::steady_clock::now();
        std::unique_ptr<tango_device> self(new tango_device);
        reach_database(given);
        self->proxy.reset(new Tango::DeviceProxy(given));
        Tango::DeviceProxy &proxy = *self->proxy;
        /* A proxy that couldn't connect doesn't say why, and later reports that it doesn't try
         * again so soon. A server that accepted the connection and didn't talk also cost us time.
         */
        const bool database = proxy.is_dbase_used();
        if (!proxy.is_connected() && !database &&
            std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(call_timeout_ms))
            throw no_answer();
        const std::string host = database ? proxy.get_db_host() : proxy.get_dev_host();
        const std::string port = database ? proxy.get_db_port() : proxy.get_dev_port();
        /* Without a database adm_name() gives the host's full name, which may be another address
         * than the one that the server listens on: keep what the user wrote. */
        const std::string path = proxy.is_connected() || !database ? path_of(proxy.adm_name())
                                                                   : admin_in_database(proxy);
        admin->name = copy_of(authority_of(name) + path + (database ? "" : no_database));
        admin->identity = copy_of(std::string(database ? "database " : "host ") +
                                  numeric_host(host) + ":" + port + "/" + lower(path));
        /* An admin device needs no second connection. */
        if (proxy.is_connected() && lower(path_of(name)) == lower(path)) {
            proxy.set_timeout_millis(call_timeout_ms);
            *device = self.release();
        }
    });
    if (!found) {
        tango_admin_clear(admin);
        guarded(nullptr, [&] { forget_database(name); });
        name_database(error, name);
    }
    return found;
}

bool tango_client_name_admin(const char *host, bool has_database, const char *path,
                             tango_admin_t *admin, tango_error_t *error)
{
    *admin = {nullptr, nullptr};
    const bool named = guarded(error, [&] {
        std::string place = host;
        place = place.substr(0, place.find(','));
        const size_t colon = place.rfind(':');
        std::string name = place.substr(0, colon);
        const std::string port = colon == std::string::npos ? "" : place.substr(colon + 1);
        /* As cppTango does with that of a database. */
        char own[HOST_NAME_MAX + 1] = "";
        if (has_database && lower(name) == "localhost" && gethostname(own, sizeof own - 1) == 0)
            name = own;
        admin->name = copy_of(scheme + place + "/" + path + (has_database ? "" : no_database));
        admin->identity = copy_of(std::string(has_database ? "database " : "host ") +
                                  numeric_host(name) + ":" + port + "/" + lower(path));
    });
    if (!named)
        tango_admin_clear(admin);
    return named;
}

bool tango_client_match(const char *pattern, tango_match_t **matches, size_t *count,
                        tango_error_t *error)
{
    *matches = nullptr;
    *count = 0;
    const bool matched = guarded(error, [&] {
        const std::string authority = authority_of(pattern);
        const std::unique_ptr<Tango::Database> database = open_database(authority);
        std::string filter = path_of(pattern);
        Tango::DbDatum found = database->get_device_exported(filter);
        std::vector<std::string> devices;
        found >> devices;
        *matches = static_cast<tango_match_t *>(std::calloc(devices.size() + 1, sizeof **matches));
        if (!*matches)
            throw std::bad_alloc();
        for (std::string &device : devices) {
            /* An admin device's own name tells its server. */
            const bool is_admin = lower(device).compare(0, 8, "dserver/") == 0;
            const std::string admin =
                is_admin ? device : "dserver/" + database->get_device_info(device).ds_full_name;
            tango_match_t *match = &(*matches)[(*count)++];
            match->device = copy_of(authority + device);
            match->admin = copy_of(authority + admin);
        }
    });
    if (!matched) {
        tango_matches_destroy(matches, *count);
        *count = 0;
        name_database(error, pattern);
    }
    return matched;
}

void tango_matches_destroy(tango_match_t **self, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        std::free((*self)[i].device);
        std::free((*self)[i].admin);
    }
    std::free(*self);
    *self = nullptr;
}

void tango_admin_clear(tango_admin_t *admin)
{
    std::free(admin->name);
    std::free(admin->identity);
    *admin = {nullptr, nullptr};
}

const char *tango_error_advice(tango_error_kind_t kind)
{
    switch (kind) {
    case TANGO_ERROR_NO_DEVICE:
        return ": check the name";
    case TANGO_ERROR_DATABASE:
        return ": start it, or name the right one: TANGO_HOST=HOST:PORT, or "
               "tango://HOST:PORT/DEVICE";
    case TANGO_ERROR_TANGO_HOST:
        return ": set it to that of the Tango database, or name tango://HOST:PORT/DEVICE";
    case TANGO_ERROR_FILES:
        return ": raise the limit (ulimit -Hn; LimitNOFILE in a systemd unit), or watch fewer "
               "servers";
    case TANGO_ERROR_NOT_RUNNING:
    case TANGO_ERROR_TIMEOUT:
    case TANGO_ERROR_NONE:
    case TANGO_ERROR_NO_COMMAND:
    case TANGO_ERROR_OTHER:
        break;
    }
    return "";
}

void tango_error_clear(tango_error_t *error)
{
    std::free(error->text);
    *error = {TANGO_ERROR_NONE, nullptr};
}

tango_device_t *tango_device_new(const char *name, tango_error_t *error)
{
    std::unique_ptr<tango_device> self;
    const bool made = guarded(error, [&] {
        std::string device = name;
        self.reset(new tango_device);
        self->proxy.reset(new Tango::DeviceProxy(device));
        self->proxy->set_timeout_millis(call_timeout_ms);
    });
    if (!made)
        name_database(error, name);
    return made ? self.release() : nullptr;
}

void tango_device_destroy(tango_device_t **self)
{
    guarded(nullptr, [&] { delete *self; });
    *self = nullptr;
}

bool tango_device_ping(const char *name, tango_error_t *error)
{
    bool stopped = false;
    const bool answers = guarded(error, [&] {
        std::string given = name;
        const auto start = std::chrono::steady_clock::now();
        reach_database(given);
        Tango::DeviceProxy proxy(given);
        proxy.set_timeout_millis(call_timeout_ms);
        /* As in tango_client_find_admin(): such a proxy doesn't say why it couldn't connect. */
        if (!proxy.is_connected() && proxy.is_dbase_used()) {
            std::string device = proxy.dev_name();
            stopped = !proxy.get_device_db()->get_device_info(device).exported;
        }
        if (!proxy.is_connected() && !stopped &&
            std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(call_timeout_ms))
            throw no_answer();
        proxy.ping();
    });
    if (answers)
        return true;
    guarded(nullptr, [&] { forget_database(name); });
    name_database(error, name);
    if (stopped && error && error->kind == TANGO_ERROR_NOT_RUNNING) {
        tango_error_clear(error);
        guarded(nullptr, [&] { set_error(error, TANGO_ERROR_NOT_RUNNING, REASON_STOPPED); });
    }
    return false;
}

static bool is_specified(const std::string &value)
{
    return !value.empty() && value != Tango::AlrmValueNotSpec;
}

/* Whether an attribute may have to have criteria for change and archive events. */
static bool needs_criteria(const Tango::AttributeInfoEx &info)
{
    switch (info.data_type) {
    case Tango::DEV_STRING:
    case Tango::DEV_BOOLEAN:
    case Tango::DEV_ENCODED:
    case Tango::DEV_STATE:
    case Tango::DEV_ENUM:
        return false;
    default:
        return lower(info.name) != "state";
    }
}

static bool has_criteria(const Tango::AttributeInfoEx &info, const std::string &event_type)
{
    const Tango::ChangeEventInfo &change = info.events.ch_event;
    const Tango::ArchiveEventInfo &archive = info.events.arch_event;
    if (!needs_criteria(info))
        return true;
    if (event_type == "archive")
        return is_specified(archive.archive_abs_change) ||
               is_specified(archive.archive_rel_change) || is_specified(archive.archive_period);
    return is_specified(change.abs_change) || is_specified(change.rel_change);
}

/* By the rules of DServer::event_subscription() in cppTango 9.3.4. */
static tango_events_t events_of(Tango::DeviceProxy &proxy, std::string attribute,
                                const std::string &event_type)
{
    Tango::AttributeInfoEx info;
    try {
        info = proxy.get_attribute_config(attribute);
    } catch (const Tango::DevFailed &failure) {
        for (CORBA::ULong i = 0; i < failure.errors.length(); i++)
            if (has_error(failure, i, "API_AttrNotFound"))
                return TANGO_EVENTS_NO_ATTRIBUTE;
        throw;
    }
    if (event_type == "data_ready")
        return TANGO_EVENTS_NOT_BY_CODE;
    const bool by_change = event_type == "change" || event_type == "archive";
    if (!by_change && event_type != "periodic")
        return TANGO_EVENTS_POSSIBLE;
    const bool is_polled = proxy.is_attribute_polled(attribute);
    const bool criteria = !by_change || has_criteria(info, event_type);
    if (is_polled)
        return criteria ? TANGO_EVENTS_POSSIBLE : TANGO_EVENTS_NO_CRITERIA;
    return criteria ? TANGO_EVENTS_NOT_POLLED : TANGO_EVENTS_NEITHER;
}

bool tango_device_check_events(const char *device, const char *attribute, const char *event_type,
                               tango_events_t *events, tango_error_t *error)
{
    *events = TANGO_EVENTS_POSSIBLE;
    if (!tango_device_ping(device, error))
        return false;
    return guarded(error, [&] {
        std::string name = device;
        const std::string type = lower(event_type);
        if (type == "intr_change" || type == "pipe")
            return; /* no attribute's */
        Tango::DeviceProxy proxy(name);
        proxy.set_timeout_millis(call_timeout_ms);
        *events = events_of(proxy, attribute, type);
    });
}

// Which of our commands are in the device's list.
static void read_commands(Tango::DeviceProxy &proxy, tango_event_commands_t *commands)
{
    *commands = {};
    const std::unique_ptr<Tango::CommandInfoList> list(proxy.command_list_query());
    bool start = false;
    bool stop = false;
    for (const auto &command : *list) {
        const std::string name = lower(command.cmd_name);
        const bool takes_nothing = command.in_type == Tango::DEV_VOID;
        const bool gives_text = command.out_type == Tango::DEV_STRING;
        if (name == "queryeventagent")
            commands->query_event_agent = takes_nothing && gives_text;
        else if (name == "queryeventsystem")
            commands->query_event_system = takes_nothing && gives_text;
        else if (name == "starteventsystemperfmon")
            start = takes_nothing;
        else if (name == "stopeventsystemperfmon")
            stop = takes_nothing;
        else if (name == "enableeventsystemperfmon")
            commands->enable = command.in_type == Tango::DEV_BOOLEAN;
    }
    commands->start_and_stop = start && stop;
}

bool tango_device_event_commands(tango_device_t *self, tango_event_commands_t *commands,
                                 tango_error_t *error)
{
    *commands = {};
    return guarded_on(*self, error, [&] {
        read_commands(*self->proxy, commands);
        if (commands->query_event_agent)
            return;
        // An agent that found the admin device busy adds its commands with the next one.
        try {
            self->proxy->command_inout("State");
        } catch (const Tango::DevFailed &) {
            return;
        }
        read_commands(*self->proxy, commands);
    });
}

char *tango_device_call_string(tango_device_t *self, const char *command, size_t *size,
                               tango_error_t *error)
{
    char *text = nullptr;
    *size = 0;
    guarded_on(*self, error, [&] {
        Tango::DeviceData result = self->proxy->command_inout(command);
        const char *value = nullptr;
        result >> value;
        const size_t length = value ? std::strlen(value) : 0;
        text = static_cast<char *>(std::malloc(length + 1));
        if (!text)
            throw std::bad_alloc();
        if (length > 0)
            std::memcpy(text, value, length);
        text[length] = '\0';
        *size = length;
    });
    return text;
}

bool tango_device_call(tango_device_t *self, const char *command, tango_error_t *error)
{
    return guarded_on(
        *self, error, [&] { self->proxy->command_inout(command); });
}

bool tango_device_call_boolean(tango_device_t *self, const char *command, bool argument,
                               tango_error_t *error)
{
    return guarded_on(
        *self, error,
        [&] {
            Tango::DeviceData in;
            in << argument;
            self->proxy->command_inout(command, in);
        });
}

} /* extern "C" */
