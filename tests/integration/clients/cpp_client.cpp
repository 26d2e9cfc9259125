// A C++ program that only receives: cpp_client ATTRIBUTE. It subscribes to change events of a
// double, and writes a line for each line that it reads: how many values and errors its callback
// got, and the last value.

#include <tango/tango.h>

#include <atomic>
#include <iostream>
#include <string>

namespace
{

class Counter : public Tango::CallBack
{
  public:
    std::atomic<long> values{0};
    std::atomic<long> errors{0};
    std::atomic<double> last{0};

    void push_event(Tango::EventData *event) override
    {
        Tango::DevDouble value = 0;
        if (event->err || !(*event->attr_value >> value)) {
            errors++;
            return;
        }
        last = value;
        values++;
    }
};

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    const std::string full = argv[1];
    // ".../attribute#dbase=no"
    const auto option = full.find('#');
    const auto slash = full.rfind('/', option);
    // Not const: 9.3 takes it as "string &".
    std::string device =
        full.substr(0, slash) + (option == std::string::npos ? "" : full.substr(option));
    const std::string attribute = full.substr(
        slash + 1, option == std::string::npos ? std::string::npos : option - slash - 1);
    Counter counter;
    try {
        Tango::DeviceProxy proxy(device);
        const int id = proxy.subscribe_event(attribute, Tango::CHANGE_EVENT, &counter);
        std::string line;
        while (std::getline(std::cin, line))
            std::cout << counter.values << ' ' << counter.errors << ' '
                      << static_cast<long>(counter.last) << std::endl;
        proxy.unsubscribe_event(id);
    } catch (const CORBA::Exception &error) {
        Tango::Except::print_exception(error);
        return 1;
    }
    return 0;
}
