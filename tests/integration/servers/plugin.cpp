// A device server as a library, for a program that knows nothing of Tango.
//
// Device class: Plugged, with nothing in it.

#include "cpp_server.h"

namespace
{

class Plugged : public Tango::Device_4Impl
{
  public:
    Plugged(Tango::DeviceClass *its_class, const std::string &its_name)
        : Tango::Device_4Impl(its_class, its_name.c_str())
    {
        set_state(Tango::ON);
    }

    static void make_attributes(std::vector<Tango::Attr *> &)
    {
    }

    static void make_commands(std::vector<Tango::Command *> &)
    {
    }

    void init_device() override
    {
    }
};

} // namespace

std::vector<Tango::DeviceClass *> make_classes()
{
    return {new TestClass<Plugged>("Plugged")};
}

extern "C" {

Tango::Util *plugin_init(int argc, char *argv[])
{
    Tango::Util *util = Tango::Util::init(argc, argv);
    tell_classes(util);
    return util;
}

// The last thing it does is a call, which optimised code makes a jump: whoever is called sees the
// caller of this function as its own.
__attribute__((optimize("O2"))) void plugin_start(Tango::Util *util)
{
    util->server_init(false);
}

void plugin_run(Tango::Util *util)
{
    util->server_run();
}
}
