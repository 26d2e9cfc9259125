// Everything that a C++ test server needs besides its device classes, on every generation of
// cppTango.
#ifndef STEM_CPP_SERVER_H
#define STEM_CPP_SERVER_H

#include <tango/tango.h>

#include <iostream>
#include <string>
#include <vector>

// The server's device classes; each program defines it.
std::vector<Tango::DeviceClass *> make_classes();

#if TANGO_VERSION_MAJOR > 10 || (TANGO_VERSION_MAJOR == 10 && TANGO_VERSION_MINOR >= 3)

// From 10.3 on, cppTango is told how to make the admin device, which knows the server's classes.
class AdminDevice : public Tango::DServer
{
  public:
    using Tango::DServer::DServer;

  private:
    void class_factory() override
    {
        for (Tango::DeviceClass *made : make_classes())
            add_class(made);
    }
};

inline void tell_classes(Tango::Util *util)
{
    util->register_dserver_constructor([](Tango::DeviceClass *device_class, const std::string &name,
                                          const std::string &description, Tango::DevState state,
                                          const std::string &status) {
        return new AdminDevice(device_class, name.c_str(), description.c_str(), state,
                               status.c_str());
    });
}

#else

inline void tell_classes(Tango::Util *)
{
}

// Called by cppTango: which classes this server has.
void Tango::DServer::class_factory()
{
    for (Tango::DeviceClass *made : make_classes())
        add_class(made);
}

#endif

// Exports the devices of a class, with or without a database.
template <class Device> class TestClass : public Tango::DeviceClass
{
  public:
    explicit TestClass(std::string class_name) : Tango::DeviceClass(class_name)
    {
    }

    void attribute_factory(std::vector<Tango::Attr *> &attributes) override
    {
        Device::make_attributes(attributes);
    }

    void command_factory() override
    {
        Device::make_commands(command_list);
    }

    void device_factory(const Tango::DevVarStringArray *names) override
    {
        for (CORBA::ULong i = 0; i < names->length(); i++) {
            const std::string device = (*names)[i].in();
            device_list.push_back(new Device(this, device));
            if (Tango::Util::_UseDb)
                export_device(device_list.back());
            else
                export_device(device_list.back(), device.c_str());
        }
    }
};

// A command that one method of a device serves: Out method(const In &), each a type that CORBA::Any
// takes, or no argument and no answer.
template <class Device> class TestCommand : public Tango::Command
{
  public:
    using Serve = CORBA::Any *(*)(Device &, TestCommand &, const CORBA::Any &);

    TestCommand(const char *its_name, Tango::CmdArgType in, Tango::CmdArgType out, Serve serve)
        : Tango::Command(its_name, in, out, "", ""), serve_(serve)
    {
    }

    CORBA::Any *execute(Tango::DeviceImpl *device, const CORBA::Any &in) override
    {
        return serve_(*static_cast<Device *>(device), *this, in);
    }

  private:
    Serve serve_;
};

// Runs the server until it is told to end; what main() returns. Calls initialised (if it isn't
// null) before it serves anybody.
inline int serve(int argc, char *argv[], void (*initialised)(Tango::Util *) = nullptr)
{
    try {
        Tango::Util *util = Tango::Util::init(argc, argv);
        tell_classes(util);
        util->server_init();
        if (initialised)
            initialised(util);
        std::cout << "Ready to accept request" << std::endl;
        util->server_run();
    } catch (const CORBA::Exception &exception) {
        Tango::Except::print_exception(exception);
        return 1;
    }
    return 0;
}

#endif
