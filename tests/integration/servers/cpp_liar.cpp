// A device server whose admin device has a QueryEventSystem that answers whatever the test wants.
//
// Server name: cpp_liar/<instance>; device class: Liar.
//   AnswerSubscription(DevVarLongStringArray)   the device is its own admin device from now on, and
//                          answers this to whoever subscribes to its attributes one and two
//   Answer(DevString)      what to answer from now on
//   AnswerLarge(DevLong)   so many megabytes of 'x'
//   AnswerLargeList(DevLong)   so many megabytes of JSON that nobody knows

#include "cpp_server.h"

#include <mutex>
#include <string>

namespace
{

std::mutex mutex;
std::string answer = "{}";

std::string current_answer()
{
    std::lock_guard<std::mutex> guard(mutex);
    return answer;
}

void set_answer(std::string text)
{
    std::lock_guard<std::mutex> guard(mutex);
    answer = std::move(text);
}

class Query : public Tango::Command
{
  public:
    Query() : Tango::Command("QueryEventSystem", Tango::DEV_VOID, Tango::DEV_STRING, "", "")
    {
    }

    CORBA::Any *execute(Tango::DeviceImpl *, const CORBA::Any &) override
    {
        const std::string text = current_answer();
        return insert(text.c_str());
    }
};

class Liar;

class Value : public Tango::Attr
{
  public:
    explicit Value(const char *its_name) : Tango::Attr(its_name, Tango::DEV_DOUBLE, Tango::READ)
    {
    }

    void read(Tango::DeviceImpl *, Tango::Attribute &attribute) override
    {
        attribute.set_value(&value_);
    }

    bool is_allowed(Tango::DeviceImpl *, Tango::AttReqType) override
    {
        return true;
    }

  private:
    Tango::DevDouble value_ = 1;
};

class Liar : public Tango::Device_4Impl
{
  public:
    Liar(Tango::DeviceClass *its_class, const std::string &its_name)
        : Tango::Device_4Impl(its_class, its_name.c_str())
    {
        set_state(Tango::ON);
    }

    static void make_attributes(std::vector<Tango::Attr *> &attributes)
    {
        attributes.push_back(new Value("one"));
        attributes.push_back(new Value("two"));
    }

    char *adm_name() override
    {
        if (subscription_.svalue.length() == 0)
            return Tango::Device_4Impl::adm_name();
        const std::string name = get_name();
        return CORBA::string_dup(name.c_str());
    }

    static void make_commands(std::vector<Tango::Command *> &commands)
    {
        using Command = TestCommand<Liar>;
        commands.push_back(new Command(
            "AnswerSubscription", Tango::DEVVAR_LONGSTRINGARRAY, Tango::DEV_VOID,
            [](Liar &device, Command &command, const CORBA::Any &in) {
                const Tango::DevVarLongStringArray *reply = nullptr;
                command.extract(in, reply);
                device.subscription_ = *reply;
                return command.insert();
            }));
        commands.push_back(new Command(
            "ZmqEventSubscriptionChange", Tango::DEVVAR_STRINGARRAY, Tango::DEVVAR_LONGSTRINGARRAY,
            [](Liar &device, Command &command, const CORBA::Any &) {
                return command.insert(new Tango::DevVarLongStringArray(device.subscription_));
            }));
        commands.push_back(new Command("Answer", Tango::DEV_STRING, Tango::DEV_VOID,
                                       [](Liar &, Command &command, const CORBA::Any &in) {
                                           Tango::DevString text = nullptr;
                                           command.extract(in, text);
                                           set_answer(text);
                                           return command.insert();
                                       }));
        commands.push_back(
            new Command("AnswerLarge", Tango::DEV_LONG, Tango::DEV_VOID,
                        [](Liar &, Command &command, const CORBA::Any &in) {
                            Tango::DevLong megabytes = 0;
                            command.extract(in, megabytes);
                            set_answer(std::string(static_cast<size_t>(megabytes) * 1000000, 'x'));
                            return command.insert();
                        }));
        commands.push_back(
            new Command("AnswerLargeList", Tango::DEV_LONG, Tango::DEV_VOID,
                        [](Liar &, Command &command, const CORBA::Any &in) {
                            Tango::DevLong megabytes = 0;
                            command.extract(in, megabytes);
                            std::string text = "{\"version\": 1, \"unknown\": [0";
                            const std::string item = ",[\"" + std::string(1000, 'x') + "\"]";
                            while (text.size() < static_cast<size_t>(megabytes) * 1000000)
                                text += item;
                            set_answer(text + "]}");
                            return command.insert();
                        }));
    }

    void init_device() override
    {
    }

  private:
    Tango::DevVarLongStringArray subscription_;
};

} // namespace

std::vector<Tango::DeviceClass *> make_classes()
{
    return {new TestClass<Liar>("Liar")};
}

int main(int argc, char *argv[])
{
    return serve(
        argc, argv,
        [](Tango::Util *util) {
            util->get_dserver_device()->get_device_class()->get_command_list().push_back(new Query);
        });
}
