// A C++ device server that subscribes to change events of doubles that count up, as cpp_publisher
// pushes them, and keeps the truth about them: what its callbacks saw, and nothing else.
//
// Server name: cpp_subscriber/<instance>; device class: CppSubscriber.
//   Subscribe(attribute) -> number      a callback; the attribute's full name
//   Unsubscribe(number)
//   SetCallbackDelay(microseconds)      every callback sleeps so long: a slow consumer
//   BreakConnections([port, ...])       this process's connections to them break; how many did
//   Truth() -> JSON                     {number: {"attribute", "threads": {thread id: {...}}}}
//
// Of each thread that called a callback (the consumer thread for events; others while Tango
// subscribes, and when it makes a channel anew): "values" (callbacks with a value), "missed"
// (errors API_MissedEvents), "errors" (all others), "first", "last" (values), "gaps" (the sum of
// what is missing between a value and the next), "backwards" (how often a value was smaller than
// the one before).

#include "cpp_server.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

namespace
{

std::atomic<Tango::DevLong> callback_delay_us{0};

struct Seen {
    Tango::DevLong64 values = 0;
    Tango::DevLong64 missed = 0;
    Tango::DevLong64 errors = 0;
    Tango::DevLong64 first = 0;
    Tango::DevLong64 last = 0;
    Tango::DevLong64 gaps = 0;
    Tango::DevLong64 backwards = 0;

    void value(Tango::DevLong64 number)
    {
        if (values++ == 0)
            first = number;
        else if (number <= last)
            backwards++;
        else
            gaps += number - last - 1;
        last = number;
    }
};

// One proxy for each device, for ever: cppTango takes all callbacks of a topic away when the proxy
// that subscribed first is destroyed. Also at the end: one that unsubscribes in exit() waits for
// ever for the thread that receives events, which cppTango 9.3 has ended by then.
Tango::DeviceProxy &proxy_of(std::string device)
{
    static std::mutex mutex;
    static auto &proxies = *new std::map<std::string, Tango::DeviceProxy *>;
    const std::lock_guard<std::mutex> guard(mutex);
    auto &proxy = proxies[device];
    if (!proxy)
        proxy = new Tango::DeviceProxy(device);
    return *proxy;
}

class Subscription : public Tango::CallBack
{
  public:
    explicit Subscription(const std::string &attribute) : attribute_(attribute)
    {
        // tango://host:port/a/b/c/attr#dbase=no: the attribute is before the '#'.
        const auto hash = attribute.find('#');
        const auto slash = attribute.rfind('/', hash);
        const std::string tail = hash == std::string::npos ? "" : attribute.substr(hash);
        proxy_ = &proxy_of(attribute.substr(0, slash) + tail);
        const auto end = hash == std::string::npos ? hash : hash - slash - 1;
        id_ = proxy_->subscribe_event(attribute.substr(slash + 1, end), Tango::CHANGE_EVENT, this);
    }

    void unsubscribe()
    {
        proxy_->unsubscribe_event(id_);
    }

    void push_event(Tango::EventData *event) override
    {
        {
            const std::lock_guard<std::mutex> guard(mutex_);
            note(event, seen_[syscall(SYS_gettid)]);
        }
        if (callback_delay_us > 0)
            usleep(static_cast<useconds_t>(callback_delay_us));
    }

    void tell(std::ostream &out)
    {
        const std::lock_guard<std::mutex> guard(mutex_);
        out << "{\"attribute\": \"" << attribute_ << "\", \"threads\": {";
        const char *comma = "";
        for (const auto &entry : seen_) {
            const Seen &seen = entry.second;
            out << comma << '"' << entry.first << "\": {\"values\": " << seen.values
                << ", \"missed\": " << seen.missed << ", \"errors\": " << seen.errors
                << ", \"first\": " << seen.first << ", \"last\": " << seen.last
                << ", \"gaps\": " << seen.gaps << ", \"backwards\": " << seen.backwards << '}';
            comma = ", ";
        }
        out << "}}";
    }

  private:
    static void note(Tango::EventData *event, Seen &seen)
    {
        Tango::DevDouble number = 0;
        if (event->err && std::string(event->errors[0].reason.in()) == "API_MissedEvents")
            seen.missed++;
        else if (event->err || !event->attr_value || !(*event->attr_value >> number))
            seen.errors++;
        else
            seen.value(static_cast<Tango::DevLong64>(number));
    }

    std::string attribute_;
    std::mutex mutex_;
    std::map<long, Seen> seen_;
    Tango::DeviceProxy *proxy_ = nullptr;
    int id_ = 0;
};

class CppSubscriber : public Tango::Device_4Impl
{
  public:
    CppSubscriber(Tango::DeviceClass *its_class, const std::string &its_name)
        : Tango::Device_4Impl(its_class, its_name.c_str())
    {
        set_state(Tango::ON);
    }

    static void make_attributes(std::vector<Tango::Attr *> &)
    {
    }

    static void make_commands(std::vector<Tango::Command *> &commands);

    void init_device() override
    {
    }

    Tango::DevLong subscribe(const std::string &attribute)
    {
        auto made = std::make_unique<Subscription>(attribute);
        const std::lock_guard<std::mutex> guard(mutex_);
        subscriptions_[++newest_] = std::move(made);
        return newest_;
    }

    void unsubscribe(Tango::DevLong number)
    {
        std::unique_ptr<Subscription> gone;
        {
            const std::lock_guard<std::mutex> guard(mutex_);
            gone = std::move(subscriptions_.at(number));
            subscriptions_.erase(number);
        }
        gone->unsubscribe();
    }

    std::string truth()
    {
        const std::lock_guard<std::mutex> guard(mutex_);
        std::ostringstream out;
        out << '{';
        const char *comma = "";
        for (const auto &entry : subscriptions_) {
            out << comma << '"' << entry.first << "\": ";
            entry.second->tell(out);
            comma = ", ";
        }
        out << '}';
        return out.str();
    }

  private:
    std::mutex mutex_;
    std::map<Tango::DevLong, std::unique_ptr<Subscription>> subscriptions_;
    Tango::DevLong newest_ = 0;
};

// The remote port of a connected socket; 0 if it isn't one.
int peer_port(int file)
{
    sockaddr_in peer = {};
    socklen_t size = sizeof peer;
    if (getpeername(file, reinterpret_cast<sockaddr *>(&peer), &size) != 0 ||
        peer.sin_family != AF_INET)
        return 0;
    return ntohs(peer.sin_port);
}

Tango::DevLong break_connections(const Tango::DevVarLongArray &ports)
{
    Tango::DevLong broken = 0;
    DIR *files = opendir("/proc/self/fd");
    for (const dirent *entry = readdir(files); entry; entry = readdir(files)) {
        const int port = peer_port(std::atoi(entry->d_name));
        for (CORBA::ULong i = 0; port != 0 && i < ports.length(); i++)
            if (ports[i] == port && shutdown(std::atoi(entry->d_name), SHUT_RDWR) == 0)
                broken++;
    }
    closedir(files);
    return broken;
}

void CppSubscriber::make_commands(std::vector<Tango::Command *> &commands)
{
    using Command = TestCommand<CppSubscriber>;
    commands.push_back(
        new Command("Subscribe", Tango::DEV_STRING, Tango::DEV_LONG,
                    [](CppSubscriber &device, Command &command, const CORBA::Any &in) {
                        Tango::DevString attribute = nullptr;
                        command.extract(in, attribute);
                        return command.insert(device.subscribe(attribute));
                    }));
    commands.push_back(
        new Command("Unsubscribe", Tango::DEV_LONG, Tango::DEV_VOID,
                    [](CppSubscriber &device, Command &command, const CORBA::Any &in) {
                        Tango::DevLong number = 0;
                        command.extract(in, number);
                        device.unsubscribe(number);
                        return command.insert();
                    }));
    commands.push_back(new Command("SetCallbackDelay", Tango::DEV_LONG, Tango::DEV_VOID,
                                   [](CppSubscriber &, Command &command, const CORBA::Any &in) {
                                       Tango::DevLong micros = 0;
                                       command.extract(in, micros);
                                       callback_delay_us = micros;
                                       return command.insert();
                                   }));
    commands.push_back(new Command(
        "BreakConnections", Tango::DEVVAR_LONGARRAY, Tango::DEV_LONG,
        [](CppSubscriber &, Command &command, const CORBA::Any &in) {
            const Tango::DevVarLongArray *ports = nullptr;
            command.extract(in, ports);
            return command.insert(break_connections(*ports));
        }));
    commands.push_back(new Command("Truth", Tango::DEV_VOID, Tango::DEV_STRING,
                                   [](CppSubscriber &device, Command &command, const CORBA::Any &) {
                                       return command.insert(device.truth().c_str());
                                   }));
}

} // namespace

std::vector<Tango::DeviceClass *> make_classes()
{
    return {new TestClass<CppSubscriber>("CppSubscriber")};
}

int main(int argc, char *argv[])
{
    return serve(argc, argv);
}
