// A C++ device server that does everything at once, in threads of its own, as hard as it can: what
// a running process may be in the middle of when the agent is loaded into it. It keeps the truth
// about its events meanwhile.
//
// Server name: cpp_busy/<instance>; device class: CppBusy. Its first device pushes; a second one
// takes the commands, for who pushes at full speed leaves nobody else its device's monitor.
//   burst (DevDouble, pushed by code)  the number of the newest event, counted from 1
//   Push(DevLong)                      the first device pushes that many events
//   Subscribe(attribute)               to change events of such a burst; the attribute's full name
//   Load([kind, ...])                  begins: push, allocate, libraries, threads, fork, execute,
//                                      signals, throw
//   Rest() -> JSON                     ends all of it; {kind: how often it was done}
//   Truth(tail) -> JSON                {"pushed", "values", "last", "gaps", "gaps_of_tail",
//                                      "backwards", "errors"}
//
// Of the events that reached the callback: "values", the newest one, the sum of
// what is missing between a value and the next ("gaps"), the same between the last tail values
// only, how often a value was smaller than the one before, and all errors.

#include "cpp_server.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace
{

// ---- what it is busy with ----

std::atomic<bool> resting{true};
std::atomic<long> signals_seen{0};

void count_signal(int)
{
    signals_seen.fetch_add(1, std::memory_order_relaxed);
}

void allocate()
{
    std::array<std::unique_ptr<char[]>, 64> kept;
    static thread_local unsigned seed = static_cast<unsigned>(syscall(SYS_gettid));
    for (int i = 0; i < 2000; i++) {
        // Some of it by mmap, and given back at once.
        const std::size_t size =
            i % 100 == 0 ? 300000 : 1 + static_cast<unsigned>(rand_r(&seed)) % 4000;
        auto &place = kept[static_cast<std::size_t>(i) % kept.size()];
        place = std::make_unique<char[]>(size);
        place[size - 1] = 1;
    }
}

void open_and_close()
{
    for (const char *name : {"libanl.so.1", "libBrokenLocale.so.1", "libutil.so.1"}) {
        void *library = dlopen(name, RTLD_NOW);
        if (library)
            dlclose(library);
    }
}

void start_and_end_threads()
{
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; i++)
        threads.emplace_back(allocate);
    for (std::thread &thread : threads)
        thread.join();
}

void wait_for_child(pid_t child)
{
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (child > 0 && status != 0)
        std::abort(); // the child crashed
}

void fork_child()
{
    const pid_t child = fork();
    if (child == 0) {
        allocate();
        _exit(0);
    }
    wait_for_child(child);
}

void execute()
{
    const pid_t child = fork();
    if (child == 0) {
        execl("/bin/true", "true", static_cast<char *>(nullptr));
        _exit(1);
    }
    wait_for_child(child);
}

// The unwinder looks at all loaded libraries.
void throw_and_catch()
{
    for (int i = 0; i < 50; i++) {
        try {
            throw std::runtime_error(std::to_string(i));
        } catch (const std::exception &caught) {
            if (std::atoi(caught.what()) != i)
                std::abort();
        }
    }
}

// In system calls that signals interrupt; cppTango's own threads block them.
void take_signals()
{
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
    for (int i = 0; i < 100; i++)
        usleep(1000);
}

// ---- the device ----

struct Kind {
    const char *name;
    int threads;
    std::function<void()> once;
};

// What the callback of the one subscription saw, in the consumer thread.
class Seen : public Tango::CallBack
{
  public:
    void push_event(Tango::EventData *event) override
    {
        Tango::DevDouble number = 0;
        const std::lock_guard<std::mutex> guard(mutex_);
        if (!event->err && event->attr_value && (*event->attr_value >> number))
            value(static_cast<Tango::DevLong64>(number));
        else if (!event->err || std::strcmp(event->errors[0].reason.in(), "API_MissedEvents") != 0)
            errors_++;
    }

    void tell(std::ostream &out, Tango::DevLong64 tail)
    {
        const std::lock_guard<std::mutex> guard(mutex_);
        Tango::DevLong64 all = 0;
        Tango::DevLong64 of_tail = 0;
        // The first of the last values has no gap before it that belongs to them.
        for (const auto &gap : gaps_) {
            all += gap.second;
            if (gap.first > values_ - tail + 1)
                of_tail += gap.second;
        }
        out << "\"values\": " << values_ << ", \"last\": " << last_ << ", \"gaps\": " << all
            << ", \"gaps_of_tail\": " << of_tail << ", \"backwards\": " << backwards_
            << ", \"errors\": " << errors_;
    }

  private:
    void value(Tango::DevLong64 number)
    {
        if (number == 0)
            return; // not an event: Tango reads the attribute when it subscribes, and reconnects
        values_++;
        if (values_ > 1 && number <= last_)
            backwards_++;
        else if (values_ > 1 && number > last_ + 1)
            gaps_.emplace_back(values_, number - last_ - 1);
        last_ = number;
    }

    std::mutex mutex_;
    std::vector<std::pair<Tango::DevLong64, Tango::DevLong64>>
        gaps_; // before which value, how many
    Tango::DevLong64 values_ = 0;
    Tango::DevLong64 last_ = 0;
    Tango::DevLong64 backwards_ = 0;
    Tango::DevLong64 errors_ = 0;
};

class CppBusy : public Tango::Device_4Impl
{
  public:
    CppBusy(Tango::DeviceClass *its_class, const std::string &its_name)
        : Tango::Device_4Impl(its_class, its_name.c_str())
    {
        set_change_event("burst", true, false);
        set_state(Tango::ON);
        if (!pusher)
            pusher = this;
    }

    CppBusy(const CppBusy &) = delete;
    CppBusy &operator=(const CppBusy &) = delete;

    ~CppBusy() override
    {
        rest();
    }

    static void make_attributes(std::vector<Tango::Attr *> &attributes);
    static void make_commands(std::vector<Tango::Command *> &commands);

    void init_device() override
    {
    }

    void delete_device() override
    {
        rest();
    }

    static void push_by_first(Tango::DevLong count)
    {
        pusher->push(count);
    }

    void push(Tango::DevLong count)
    {
        for (Tango::DevLong done = 0; done < count; done++) {
            Tango::AutoTangoMonitor guard(this);
            value_ = static_cast<Tango::DevDouble>(++pushed);
            push_change_event("burst", &value_);
        }
    }

    void subscribe(const std::string &attribute)
    {
        // tango://host:port/a/b/c/attr: it is kept for ever, see cpp_subscriber.
        std::string device = attribute.substr(0, attribute.rfind('/'));
        auto *proxy = new Tango::DeviceProxy(device);
        proxy->subscribe_event("burst", Tango::CHANGE_EVENT, &seen_);
    }

    void load(const std::string &name)
    {
        const Kind kinds[] = {{"push", 1, [] { push_by_first(100); }},
                              {"allocate", 2, allocate},
                              {"libraries", 2, open_and_close},
                              {"threads", 1, start_and_end_threads},
                              {"fork", 1, fork_child},
                              {"execute", 1, execute},
                              {"throw", 1, throw_and_catch},
                              {"signals", 1, take_signals}};
        for (const Kind &kind : kinds)
            if (name == kind.name)
                return begin(kind);
        Tango::Except::throw_exception("TEST_BadArgument", "unknown kind: " + name, "Load");
    }

    std::string rest()
    {
        const std::lock_guard<std::mutex> guard(loads_mutex_);
        resting = true;
        const itimerval never = {};
        setitimer(ITIMER_REAL, &never, nullptr);
        std::ostringstream out;
        out << "{\"\": 0";
        for (auto &load : loads_) {
            load->thread.join();
            out << ", \"" << load->name << "\": " << load->done;
        }
        loads_.clear();
        out << '}';
        return out.str();
    }

    std::string truth(Tango::DevLong64 tail)
    {
        std::ostringstream out;
        out << "{\"pushed\": " << pushed << ", ";
        seen_.tell(out, tail);
        out << '}';
        return out.str();
    }

  private:
    struct Load {
        std::string name;
        std::atomic<long> done{0};
        std::thread thread;
    };

    void begin(const Kind &kind)
    {
        const std::lock_guard<std::mutex> guard(loads_mutex_);
        resting = false;
        if (std::strcmp(kind.name, "signals") == 0)
            begin_signals();
        for (int i = 0; i < kind.threads; i++) {
            auto load = std::make_unique<Load>();
            load->name = kind.name;
            load->thread = std::thread([its = load.get(), once = kind.once] {
                // cppTango's locks need every thread to be known to omniORB.
                omni_thread::ensure_self known_to_omni;
                try {
                    while (!resting) {
                        once();
                        its->done++;
                    }
                } catch (const Tango::DevFailed &) {
                    // The server ends; otherwise its truth will show it.
                }
            });
            loads_.push_back(std::move(load));
        }
    }

    static void begin_signals()
    {
        struct sigaction action = {};
        action.sa_handler = count_signal;
        sigaction(SIGALRM, &action, nullptr);
        itimerval timer = {};
        timer.it_interval.tv_usec = timer.it_value.tv_usec = 300;
        setitimer(ITIMER_REAL, &timer, nullptr);
    }

    static CppBusy *pusher; // the first device
    static std::atomic<Tango::DevLong64> pushed;

    Tango::DevDouble value_ = 0.0;
    Seen seen_;
    std::mutex loads_mutex_;
    std::vector<std::unique_ptr<Load>> loads_;
};

CppBusy *CppBusy::pusher = nullptr;
std::atomic<Tango::DevLong64> CppBusy::pushed{0};

class BurstAttr : public Tango::Attr
{
  public:
    BurstAttr() : Tango::Attr("burst", Tango::DEV_DOUBLE, Tango::READ)
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

void CppBusy::make_attributes(std::vector<Tango::Attr *> &attributes)
{
    attributes.push_back(new BurstAttr);
}

void CppBusy::make_commands(std::vector<Tango::Command *> &commands)
{
    using Command = TestCommand<CppBusy>;
    commands.push_back(new Command("Push", Tango::DEV_LONG, Tango::DEV_VOID,
                                   [](CppBusy &, Command &command, const CORBA::Any &in) {
                                       Tango::DevLong count = 0;
                                       command.extract(in, count);
                                       CppBusy::push_by_first(count);
                                       return command.insert();
                                   }));
    commands.push_back(new Command("Subscribe", Tango::DEV_STRING, Tango::DEV_VOID,
                                   [](CppBusy &device, Command &command, const CORBA::Any &in) {
                                       Tango::DevString attribute = nullptr;
                                       command.extract(in, attribute);
                                       device.subscribe(attribute);
                                       return command.insert();
                                   }));
    commands.push_back(new Command(
        "Load", Tango::DEVVAR_STRINGARRAY, Tango::DEV_VOID,
        [](CppBusy &device, Command &command, const CORBA::Any &in) {
            const Tango::DevVarStringArray *kinds = nullptr;
            command.extract(in, kinds);
            for (CORBA::ULong i = 0; i < kinds->length(); i++)
                device.load((*kinds)[i].in());
            return command.insert();
        }));
    commands.push_back(new Command("Rest", Tango::DEV_VOID, Tango::DEV_STRING,
                                   [](CppBusy &device, Command &command, const CORBA::Any &) {
                                       return command.insert(device.rest().c_str());
                                   }));
    commands.push_back(new Command("Truth", Tango::DEV_LONG64, Tango::DEV_STRING,
                                   [](CppBusy &device, Command &command, const CORBA::Any &in) {
                                       Tango::DevLong64 tail = 0;
                                       command.extract(in, tail);
                                       return command.insert(device.truth(tail).c_str());
                                   }));
}

} // namespace

std::vector<Tango::DeviceClass *> make_classes()
{
    return {new TestClass<CppBusy>("CppBusy")};
}

int main(int argc, char *argv[])
{
    return serve(argc, argv);
}
