// The device server that is measured: it pushes events, subscribes to them, and measures how long
// that took.
//
// Server name: bench_server/<instance>; device class: Bench. Built twice: as bench_server, an
// ordinary server, into which the agent may be preloaded; and as bench_toggle, with the agent
// linked in, which can take the agent's hooks out of libtango's slots and put them back between two
// blocks of events, so that both cases are measured in one process within milliseconds of
// each other.
//
//   BENCH_ATTRIBUTES (environment)          how many attributes: a0, a1, ... (default: 1)
//   Push([first, count])                    one event of each of these attributes
//   Burst(count)                            events of a0
//   Keep([count, milliseconds])             such a burst again and again, until the server ends
//   Subscribe(device)                       to change events of all attributes of a device like
//                                           this one
//   Received() -> count                     callbacks so far
//   Flow(count) -> events per second        to itself, at full speed, never more on the way
//                                           than ZeroMQ's queues hold; call Subscribe first
//   Watch(device)                           calls a command of a device like this one as fast as it
//                                           can, and subscribes to it; instead of the one before
//   Gaps() -> [command, event, count]       the longest times, in microseconds, between two answers
//                                           and between two events, and how many answers there
//                                           were, since the last Gaps()
//   MeasurePush([blocks, events, states]) -> nanoseconds   CPU time of the pushing thread per event
//   MeasureReceive(device, blocks, events, states) -> nanoseconds   of the consumer thread; strings
//
// The last two alternate between the states; the answer has one number per block. A state: bit 0,
// the hooks are in place; bit 1, the agent's monitoring is on; bit 2, Tango's own (cppTango 10.1
// and later).

#include "cpp_server.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#ifdef BENCH_TOGGLE
extern "C" {
#include "toggle.h"
}
#endif

namespace
{

constexpr Tango::DevLong window = 200; // events on their way; ZeroMQ's queues hold 1000

std::atomic<Tango::DevLong64> received{0};
std::atomic<pthread_t> consumer_thread{};

std::string attribute_name(Tango::DevLong number)
{
    return "a" + std::to_string(number);
}

Tango::DevLong attribute_count()
{
    const char *wanted = std::getenv("BENCH_ATTRIBUTES");
    return wanted ? std::atoi(wanted) : 1;
}

int64_t now_us()
{
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// The longest time between two of something; by one thread, and asked by others.
class Gap
{
  public:
    void restart()
    {
        last_ = now_us();
        longest_ = 0;
        count_ = 0;
    }

    void happened()
    {
        const int64_t now = now_us();
        const int64_t gap = now - last_.exchange(now);
        if (gap > longest_)
            longest_ = gap;
        count_++;
    }

    // Including the time since the last one.
    double longest() const
    {
        return static_cast<double>(std::max(longest_.load(), now_us() - last_));
    }

    double count() const
    {
        return static_cast<double>(count_);
    }

  private:
    std::atomic<int64_t> last_{0};
    std::atomic<int64_t> longest_{0};
    std::atomic<int64_t> count_{0};
};

// What a client of a device sees of it.
class Watcher : public Tango::CallBack
{
  public:
    explicit Watcher(const std::string &device) : proxy_(new Tango::DeviceProxy(device.c_str()))
    {
        proxy_->set_timeout_millis(60000); // no gap ends before an answer comes
        id_ = proxy_->subscribe_event(attribute_name(0), Tango::CHANGE_EVENT, this);
        restart();
        caller_ = std::thread([this] {
            omni_thread::ensure_self known_to_omni;
            while (!ending_) {
                proxy_->command_inout("Received");
                answers_.happened();
            }
        });
    }

    Watcher(const Watcher &) = delete;
    Watcher &operator=(const Watcher &) = delete;

    ~Watcher() override
    {
        ending_ = true;
        caller_.join();
        proxy_->unsubscribe_event(id_);
        delete proxy_;
    }

    void push_event(Tango::EventData *) override
    {
        events_.happened();
    }

    void restart()
    {
        answers_.restart();
        events_.restart();
    }

    Tango::DevVarDoubleArray *gaps()
    {
        auto result = std::make_unique<Tango::DevVarDoubleArray>();
        result->length(3);
        (*result)[0] = answers_.longest();
        (*result)[1] = events_.longest();
        (*result)[2] = answers_.count();
        restart();
        return result.release();
    }

  private:
    Tango::DeviceProxy *proxy_;
    int id_ = 0;
    Gap answers_;
    Gap events_;
    std::atomic<bool> ending_{false};
    std::thread caller_;
};

class Counter : public Tango::CallBack
{
  public:
    void push_event(Tango::EventData *) override
    {
        consumer_thread.store(pthread_self(), std::memory_order_relaxed);
        received.fetch_add(1, std::memory_order_release);
    }
};

void wait_received(Tango::DevLong64 wanted)
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (received.load(std::memory_order_acquire) < wanted) {
        if (std::chrono::steady_clock::now() > deadline)
            Tango::Except::throw_exception("BENCH_Lost", "events didn't arrive", "wait_received");
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
}

class Bench : public Tango::Device_4Impl
{
  public:
    Bench(Tango::DeviceClass *its_class, const std::string &its_name)
        : Tango::Device_4Impl(its_class, its_name.c_str())
    {
        for (Tango::DevLong i = 0; i < attribute_count(); i++)
            set_change_event(attribute_name(i), true, false);
        set_state(Tango::ON);
    }

    static void make_attributes(std::vector<Tango::Attr *> &attributes);
    static void make_commands(std::vector<Tango::Command *> &commands);

    void init_device() override
    {
    }

    void push(const std::string &attribute)
    {
        Tango::AutoTangoMonitor guard(this);
        value_ += 1.0;
        push_change_event(attribute, &value_);
    }

    void burst(Tango::DevLong count)
    {
        const std::string attribute = attribute_name(0);
        for (Tango::DevLong done = 0; done < count; done++)
            push(attribute);
    }

    void subscribe(const std::string &device)
    {
        std::string name = device;
        auto proxy = std::make_unique<Tango::DeviceProxy>(name);
        for (Tango::DevLong i = 0; i < attribute_count(); i++)
            proxy->subscribe_event(attribute_name(i), Tango::CHANGE_EVENT, &counter_);
        proxies_.push_back(std::move(proxy));
    }

    void keep(Tango::DevLong count, Tango::DevLong milliseconds)
    {
        std::thread([this, count, milliseconds] {
            omni_thread::ensure_self
                self; // a thread that locks a device has to be one of the ORB's
            for (;;) {
                burst(count);
                std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
            }
        }).detach();
    }

    // "" for none.
    void watch(const std::string &device)
    {
        watcher_.reset();
        if (!device.empty())
            watcher_ = std::make_unique<Watcher>(device);
    }

    Tango::DevVarDoubleArray *gaps()
    {
        return watcher_->gaps();
    }

    // Events per second.
    Tango::DevDouble flow(Tango::DevLong count)
    {
        const std::string attribute = attribute_name(0);
        const Tango::DevLong64 before = received;
        const auto start = std::chrono::steady_clock::now();
        for (Tango::DevLong done = 0; done < count; done++) {
            while (before + done - received.load(std::memory_order_acquire) >= window)
                sched_yield();
            push(attribute);
        }
        wait_received(before + count);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        return count / took.count();
    }

  private:
    Tango::DevDouble value_ = 0.0;
    Counter counter_;
    std::vector<std::unique_ptr<Tango::DeviceProxy>> proxies_;
    std::unique_ptr<Watcher> watcher_;
};

class BenchAttr : public Tango::Attr
{
  public:
    explicit BenchAttr(const std::string &its_name)
        : Tango::Attr(its_name.c_str(), Tango::DEV_DOUBLE, Tango::READ)
    {
    }

    void read(Tango::DeviceImpl *, Tango::Attribute &attribute) override
    {
        static Tango::DevDouble zero = 0.0;
        attribute.set_value(&zero);
    }

    bool is_allowed(Tango::DeviceImpl *, Tango::AttReqType) override
    {
        return true;
    }
};

void Bench::make_attributes(std::vector<Tango::Attr *> &attributes)
{
    for (Tango::DevLong i = 0; i < attribute_count(); i++)
        attributes.push_back(new BenchAttr(attribute_name(i)));
}

#ifdef BENCH_TOGGLE

int64_t read_clock(clockid_t clock)
{
    timespec now = {};
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

enum { HOOKS = 1, AGENT_MONITORING = 2, TANGO_MONITORING = 4 };

// Puts this process into a state; not to be called while it is measured.
void enter_state(Bench &device, int state)
{
    static int now = -1;
    if (state == now)
        return;
    static std::string admin_name = device.adm_name();
    static Tango::DeviceProxy admin(admin_name);
    toggle_hooks(state & HOOKS);
    admin.command_inout(state & AGENT_MONITORING ? "StartEventSystemPerfMon"
                                                 : "StopEventSystemPerfMon");
    if ((state & TANGO_MONITORING) || (now > 0 && (now & TANGO_MONITORING))) {
        Tango::DeviceData on;
        on << static_cast<Tango::DevBoolean>((state & TANGO_MONITORING) != 0);
        admin.command_inout("EnableEventSystemPerfMon", on);
    }
    now = state;
}

// The first events in a new state fill the caches again; they aren't measured.
constexpr Tango::DevLong warm_up = 50;

CORBA::Any *measure_push(Bench &device, TestCommand<Bench> &command, const CORBA::Any &in)
{
    const Tango::DevVarLongArray *wanted = nullptr;
    command.extract(in, wanted);
    const Tango::DevLong blocks = (*wanted)[0];
    const Tango::DevLong events = (*wanted)[1];
    auto result = std::make_unique<Tango::DevVarDoubleArray>();
    result->length(static_cast<CORBA::ULong>(blocks));
    for (Tango::DevLong block = 0; block < blocks; block++) {
        const CORBA::ULong which = 2 + static_cast<CORBA::ULong>(block) % (wanted->length() - 2);
        enter_state(device, (*wanted)[which]);
        device.burst(warm_up);
        const int64_t start = read_clock(CLOCK_THREAD_CPUTIME_ID);
        device.burst(events);
        const int64_t took = read_clock(CLOCK_THREAD_CPUTIME_ID) - start;
        (*result)[static_cast<CORBA::ULong>(block)] = static_cast<double>(took) / events;
        // So that no work of the other side is left for the next block.
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return command.insert(result.release());
}

CORBA::Any *measure_receive(Bench &device, TestCommand<Bench> &command, const CORBA::Any &in)
{
    const Tango::DevVarStringArray *wanted = nullptr;
    command.extract(in, wanted);
    std::string publisher = (*wanted)[0].in();
    const Tango::DevLong blocks = std::atoi((*wanted)[1]);
    const Tango::DevLong events = std::atoi((*wanted)[2]);
    Tango::DeviceProxy proxy(publisher);
    auto push = [&proxy](Tango::DevLong count) {
        const Tango::DevLong64 before = received;
        Tango::DeviceData argument;
        argument << count;
        proxy.command_inout("Burst", argument);
        wait_received(before + count);
    };
    push(warm_up);
    clockid_t consumer_clock = 0;
    pthread_getcpuclockid(consumer_thread, &consumer_clock);
    auto result = std::make_unique<Tango::DevVarDoubleArray>();
    result->length(static_cast<CORBA::ULong>(blocks));
    for (Tango::DevLong block = 0; block < blocks; block++) {
        const CORBA::ULong which = 3 + static_cast<CORBA::ULong>(block) % (wanted->length() - 3);
        enter_state(device, std::atoi((*wanted)[which]));
        push(warm_up);
        const int64_t start = read_clock(consumer_clock);
        push(events);
        const int64_t took = read_clock(consumer_clock) - start;
        (*result)[static_cast<CORBA::ULong>(block)] = static_cast<double>(took) / events;
    }
    return command.insert(result.release());
}

#endif

void Bench::make_commands(std::vector<Tango::Command *> &commands)
{
    using Command = TestCommand<Bench>;
    commands.push_back(new Command("Push", Tango::DEVVAR_LONGARRAY, Tango::DEV_VOID,
                                   [](Bench &device, Command &command, const CORBA::Any &in) {
                                       const Tango::DevVarLongArray *range = nullptr;
                                       command.extract(in, range);
                                       for (Tango::DevLong i = 0; i < (*range)[1]; i++)
                                           device.push(attribute_name((*range)[0] + i));
                                       return command.insert();
                                   }));
    commands.push_back(new Command("Burst", Tango::DEV_LONG, Tango::DEV_VOID,
                                   [](Bench &device, Command &command, const CORBA::Any &in) {
                                       Tango::DevLong count = 0;
                                       command.extract(in, count);
                                       device.burst(count);
                                       return command.insert();
                                   }));
    commands.push_back(new Command("Keep", Tango::DEVVAR_LONGARRAY, Tango::DEV_VOID,
                                   [](Bench &device, Command &command, const CORBA::Any &in) {
                                       const Tango::DevVarLongArray *wanted = nullptr;
                                       command.extract(in, wanted);
                                       device.keep((*wanted)[0], (*wanted)[1]);
                                       return command.insert();
                                   }));
    commands.push_back(new Command("Subscribe", Tango::DEV_STRING, Tango::DEV_VOID,
                                   [](Bench &device, Command &command, const CORBA::Any &in) {
                                       Tango::DevString name = nullptr;
                                       command.extract(in, name);
                                       device.subscribe(name);
                                       return command.insert();
                                   }));
    commands.push_back(new Command(
        "Watch", Tango::DEV_STRING, Tango::DEV_VOID,
        [](Bench &device, Command &command, const CORBA::Any &in) {
            Tango::DevString name = nullptr;
            command.extract(in, name);
            device.watch(name);
            return command.insert();
        }));
    commands.push_back(new Command("Gaps", Tango::DEV_VOID, Tango::DEVVAR_DOUBLEARRAY,
                                   [](Bench &device, Command &command, const CORBA::Any &) {
                                       return command.insert(device.gaps());
                                   }));
    commands.push_back(new Command("Received", Tango::DEV_VOID, Tango::DEV_LONG64,
                                   [](Bench &, Command &command, const CORBA::Any &) {
                                       const Tango::DevLong64 count = received;
                                       return command.insert(count);
                                   }));
    commands.push_back(new Command("Flow", Tango::DEV_LONG, Tango::DEV_DOUBLE,
                                   [](Bench &device, Command &command, const CORBA::Any &in) {
                                       Tango::DevLong count = 0;
                                       command.extract(in, count);
                                       return command.insert(device.flow(count));
                                   }));
#ifdef BENCH_TOGGLE
    commands.push_back(new Command("MeasurePush", Tango::DEVVAR_LONGARRAY,
                                   Tango::DEVVAR_DOUBLEARRAY, measure_push));
    commands.push_back(new Command("MeasureReceive", Tango::DEVVAR_STRINGARRAY,
                                   Tango::DEVVAR_DOUBLEARRAY, measure_receive));
#endif
}

} // namespace

std::vector<Tango::DeviceClass *> make_classes()
{
    return {new TestClass<Bench>("Bench")};
}

int main(int argc, char *argv[])
{
#ifdef BENCH_TOGGLE
    if (!toggle_prepare())
        return 1;
#endif
    return serve(argc, argv);
}
