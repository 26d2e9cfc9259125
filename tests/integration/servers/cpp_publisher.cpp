// A C++ device server that pushes change events as fast as C++ can, for tests that need more
// events in a second than Python makes, and know exactly how many there were.
//
// Server name: cpp_publisher/<instance>; device class: CppPublisher.
//   burst (DevDouble, pushed by code)  the number of the newest event, counted from 1
//   pushed (DevLong64)                 how often push_change_event was called
//   pushing (DevBoolean)               whether a PushPaced is under way
//   PushBurst(DevLong)                 pushes that many events, and returns
//   PushPaced([number, per second])    returns at once; the events follow from a thread
//   BreakPublishing()                  everything this process sends by ZeroMQ fails from now on
//   StartSignals(microseconds)         SIGPROF, so often while it works; Signals() -> how many came
//   PushForged([name, number])         events of other names: the given one and what makes it as
//                                      long as a topic can be, with a number in it; what a broken
//                                      or hostile publisher could send
//   SetServerCounter(DevULong)         the server counter of the device's next event, as if so many
//   had
//                                      been pushed before; once somebody has subscribed
//   HoldAdminDevice(DevLong)           returns at once; for so many seconds, another thread holds
//                                      the admin device's monitor
//
// With TEST_BUSY_S in the environment, another thread holds the admin device's monitor for so many
// seconds, from before the server's start has ended.

#include "cpp_server.h"

#if __has_include(<tango/eventsupplier.h>)
#include <tango/eventsupplier.h>
#elif __has_include(<tango/server/eventsupplier.h>)
#include <tango/server/eventsupplier.h>
#else
#include <tango/server/ZmqEventSupplier.h>
#endif

#include <dlfcn.h>
#include <sys/time.h>
#include <zmq.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace
{

// What a member pointer in an explicit instantiation names need not be accessible: a door that the
// language itself leaves open, to cppTango's own server counters.
struct ServerCounters {
    using Member = std::map<std::string, unsigned int> Tango::ZmqEventSupplier::*;
    friend Member member_of(ServerCounters);
};
template <typename Tag, typename Tag::Member member> struct Door {
    friend typename Tag::Member member_of(Tag)
    {
        return member;
    }
};
template struct Door<ServerCounters, &Tango::ZmqEventSupplier::event_cptr>;

struct ZmqContext {
    using Member = zmq::context_t Tango::ZmqEventSupplier::*;
    friend Member member_of(ZmqContext);
};
template struct Door<ZmqContext, &Tango::ZmqEventSupplier::zmq_context>;

struct EventSocket {
    using Member = zmq::socket_t *Tango::ZmqEventSupplier::*;
    friend Member member_of(EventSocket);
};
template struct Door<EventSocket, &Tango::ZmqEventSupplier::event_pub_sock>;

// The signals that came so far; see StartSignals.
std::atomic<Tango::DevLong64> signals{0};

void count_signal(int)
{
    signals.fetch_add(1, std::memory_order_relaxed);
}

class CppPublisher : public Tango::Device_4Impl
{
  public:
    CppPublisher(Tango::DeviceClass *its_class, const std::string &its_name)
        : Tango::Device_4Impl(its_class, its_name.c_str())
    {
        set_change_event("burst", true, false);
        set_state(Tango::ON);
    }

    CppPublisher(const CppPublisher &) = delete;
    CppPublisher &operator=(const CppPublisher &) = delete;

    ~CppPublisher() override
    {
        end_pushing();
    }

    static void make_attributes(std::vector<Tango::Attr *> &attributes);
    static void make_commands(std::vector<Tango::Command *> &commands);

    void init_device() override
    {
    }

    void delete_device() override
    {
        end_pushing();
    }

    void push(Tango::DevLong count)
    {
        // cppTango blocks all signals in its threads.
        sigset_t profiling;
        sigemptyset(&profiling);
        sigaddset(&profiling, SIGPROF);
        pthread_sigmask(SIG_UNBLOCK, &profiling, nullptr);
        for (Tango::DevLong done = 0; done < count; done++)
            push_one();
        pthread_sigmask(SIG_BLOCK, &profiling, nullptr);
    }

    void push_paced(Tango::DevLong count, Tango::DevLong per_second)
    {
        if (pushing_)
            Tango::Except::throw_exception("TEST_StillPushing", "a PushPaced is still under way",
                                           "CppPublisher::push_paced");
        join();
        pushing_ = true;
        pacer_ = std::thread([this, count, per_second] {
            // cppTango's locks need every thread to be known to omniORB.
            omni_thread::ensure_self known_to_omni;
            const auto start = std::chrono::steady_clock::now();
            for (Tango::DevLong done = 0; done < count && !stop_; done++) {
                std::this_thread::sleep_until(
                    start + std::chrono::nanoseconds(1000000000LL * done / per_second));
                push_one();
            }
            pushing_ = false;
        });
    }

    void read_burst(Tango::Attribute &attribute)
    {
        burst_value_ = static_cast<Tango::DevDouble>(pushed_.load());
        attribute.set_value(&burst_value_);
    }

    void read_pushed(Tango::Attribute &attribute)
    {
        pushed_value_ = pushed_;
        attribute.set_value(&pushed_value_);
    }

    void read_pushing(Tango::Attribute &attribute)
    {
        pushing_value_ = pushing_;
        attribute.set_value(&pushing_value_);
    }

  private:
    void push_one()
    {
        Tango::AutoTangoMonitor guard(this);
        Tango::DevDouble value = static_cast<Tango::DevDouble>(++pushed_);
        push_change_event("burst", &value);
    }

    void end_pushing()
    {
        stop_ = true;
        join();
    }

    void join()
    {
        if (pacer_.joinable())
            pacer_.join();
    }

    std::atomic<Tango::DevLong64> pushed_{0};
    std::atomic<bool> pushing_{false};
    std::atomic<bool> stop_{false};
    std::thread pacer_;
    // What set_value points at has to live until the answer is sent.
    Tango::DevDouble burst_value_ = 0.0;
    Tango::DevLong64 pushed_value_ = 0;
    Tango::DevBoolean pushing_value_ = false;
};

// A scalar attribute whose value one method of CppPublisher sets.
class PublisherAttr : public Tango::Attr
{
  public:
    using Reader = void (CppPublisher::*)(Tango::Attribute &);

    PublisherAttr(const char *its_name, long its_type, Reader reader)
        : Tango::Attr(its_name, its_type, Tango::READ), reader_(reader)
    {
    }

    void read(Tango::DeviceImpl *device, Tango::Attribute &attribute) override
    {
        (static_cast<CppPublisher *>(device)->*reader_)(attribute);
    }

    bool is_allowed(Tango::DeviceImpl *, Tango::AttReqType) override
    {
        return true;
    }

  private:
    Reader reader_;
};

CORBA::Any *serve_push_burst(CppPublisher &device, TestCommand<CppPublisher> &command,
                             const CORBA::Any &in)
{
    Tango::DevLong count = 0;
    command.extract(in, count);
    device.push(count);
    return command.insert();
}

CORBA::Any *serve_set_server_counter(CppPublisher &device, TestCommand<CppPublisher> &command,
                                     const CORBA::Any &in)
{
    Tango::DevULong counter = 0;
    command.extract(in, counter);
    bool found = false;
    Tango::ZmqEventSupplier *supplier = Tango::Util::instance()->get_zmq_event_supplier();
    for (auto &entry : supplier->*member_of(ServerCounters{})) {
        if (entry.first.find("/" + device.get_name() + "/burst") != std::string::npos) {
            entry.second = counter;
            found = true;
        }
    }
    if (!found)
        Tango::Except::throw_exception("TEST_NotSubscribed", "nobody has subscribed to burst",
                                       "SetServerCounter::execute");
    return command.insert();
}

// From now on, all that this process sends by ZeroMQ fails, so that push_event throws.
CORBA::Any *serve_break_publishing(CppPublisher &, TestCommand<CppPublisher> &command,
                                   const CORBA::Any &)
{
    Tango::ZmqEventSupplier *supplier = Tango::Util::instance()->get_zmq_event_supplier();
    zmq_ctx_shutdown(static_cast<void *>(supplier->*member_of(ZmqContext{})));
    return command.insert();
}

void send_frame(void *socket, const std::string &content, int flags)
{
    zmq_send(socket, content.data(), content.size(), flags);
}

CORBA::Any *serve_push_forged(CppPublisher &, TestCommand<CppPublisher> &command,
                              const CORBA::Any &in)
{
    const Tango::DevVarStringArray *texts = nullptr;
    command.extract(in, texts);
    const std::string name = (*texts)[0].in();
    const long count = std::atol((*texts)[1].in());
    Tango::ZmqEventSupplier *supplier = Tango::Util::instance()->get_zmq_event_supplier();
    void *socket = static_cast<void *>(*(supplier->*member_of(EventSocket{})));
    const omni_mutex_lock guard(supplier->get_push_mutex());
    for (long i = 0; i < count; i++) {
        std::string topic = name + std::to_string(i);
        topic.resize(1023, 'x');
        send_frame(socket, topic, ZMQ_SNDMORE);
        send_frame(socket, std::string(1, 1), ZMQ_SNDMORE);
        send_frame(socket, std::string(21, 0), ZMQ_SNDMORE); // counter 0, no error
        send_frame(socket, std::string(84, 0), 0);
        // Slow enough for the other side's queue.
        if (i % 100 == 99)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return command.insert();
}

// A signal every so many microseconds, to whichever thread runs; system calls aren't restarted.
CORBA::Any *serve_start_signals(CppPublisher &, TestCommand<CppPublisher> &command,
                                const CORBA::Any &in)
{
    Tango::DevLong period_us = 0;
    command.extract(in, period_us);
    struct sigaction action = {};
    action.sa_handler = count_signal;
    sigaction(SIGPROF, &action, nullptr);
    itimerval timer = {};
    timer.it_interval.tv_usec = timer.it_value.tv_usec = period_us;
    setitimer(ITIMER_PROF, &timer, nullptr);
    return command.insert();
}

CORBA::Any *serve_push_paced(CppPublisher &device, TestCommand<CppPublisher> &command,
                             const CORBA::Any &in)
{
    const Tango::DevVarLongArray *numbers = nullptr;
    command.extract(in, numbers);
    if (numbers->length() != 2 || (*numbers)[1] <= 0)
        Tango::Except::throw_exception("TEST_BadArgument", "want: number, events per second",
                                       "PushPaced::execute");
    device.push_paced((*numbers)[0], (*numbers)[1]);
    return command.insert();
}

// Returns once another thread holds it.
void hold_admin_device(Tango::Util *util, int seconds)
{
    std::atomic<bool> held{false};
    std::thread([&held, util, seconds] {
        omni_thread::ensure_self known_to_omni;
        Tango::AutoTangoMonitor guard(util->get_dserver_device(), true);
        held = true;
        std::this_thread::sleep_for(std::chrono::seconds(seconds));
    }).detach();
    while (!held)
        std::this_thread::yield();
}

CORBA::Any *serve_hold_admin_device(CppPublisher &, TestCommand<CppPublisher> &command,
                                    const CORBA::Any &in)
{
    Tango::DevLong seconds = 0;
    command.extract(in, seconds);
    hold_admin_device(Tango::Util::instance(), seconds);
    return command.insert();
}

void CppPublisher::make_attributes(std::vector<Tango::Attr *> &attributes)
{
    attributes.push_back(new PublisherAttr("burst", Tango::DEV_DOUBLE, &CppPublisher::read_burst));
    attributes.push_back(
        new PublisherAttr("pushed", Tango::DEV_LONG64, &CppPublisher::read_pushed));
    attributes.push_back(
        new PublisherAttr("pushing", Tango::DEV_BOOLEAN, &CppPublisher::read_pushing));
}

void CppPublisher::make_commands(std::vector<Tango::Command *> &commands)
{
    using Command = TestCommand<CppPublisher>;
    commands.push_back(
        new Command("PushBurst", Tango::DEV_LONG, Tango::DEV_VOID, serve_push_burst));
    commands.push_back(
        new Command("PushPaced", Tango::DEVVAR_LONGARRAY, Tango::DEV_VOID, serve_push_paced));
    commands.push_back(
        new Command("BreakPublishing", Tango::DEV_VOID, Tango::DEV_VOID, serve_break_publishing));
    commands.push_back(
        new Command("StartSignals", Tango::DEV_LONG, Tango::DEV_VOID, serve_start_signals));
    commands.push_back(new Command("Signals", Tango::DEV_VOID, Tango::DEV_LONG64,
                                   [](CppPublisher &, Command &command, const CORBA::Any &) {
                                       const Tango::DevLong64 count = signals;
                                       return command.insert(count);
                                   }));
    commands.push_back(
        new Command("PushForged", Tango::DEVVAR_STRINGARRAY, Tango::DEV_VOID, serve_push_forged));
    commands.push_back(new Command("SetServerCounter", Tango::DEV_ULONG, Tango::DEV_VOID,
                                   serve_set_server_counter));
    commands.push_back(
        new Command("HoldAdminDevice", Tango::DEV_LONG, Tango::DEV_VOID, serve_hold_admin_device));
}

} // namespace

// Util::server_init calls it when all devices are there, and nothing that needs the admin device's
// monitor comes after it.
void polling_configure(Tango::Util *util) __asm__("_ZN5Tango4Util17polling_configureEv");

void polling_configure(Tango::Util *util)
{
    using Original = void(Tango::Util *);
    reinterpret_cast<Original *>(dlsym(RTLD_NEXT, "_ZN5Tango4Util17polling_configureEv"))(util);
    const char *busy = std::getenv("TEST_BUSY_S");
    if (!busy)
        return;
    hold_admin_device(util, std::atoi(busy));
}

std::vector<Tango::DeviceClass *> make_classes()
{
    return {new TestClass<CppPublisher>("CppPublisher")};
}

int main(int argc, char *argv[])
{
    return serve(argc, argv);
}
