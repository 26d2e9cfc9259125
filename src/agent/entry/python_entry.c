/*
 * python_entry: lets Python open the agent like an extension module, which it is not.
 *
 * CPython's import machinery (_imp.create_dynamic) opens the library with RTLD_LOCAL and calls the
 * function PyInit_NAME. That makes the library's functions visible to the whole process, as
 * LD_PRELOAD does, and returns no module, which Python reports as a SystemError. It needs nothing
 * of Python's, not even ctypes, which can't be imported at every moment at which Tango may be.
 * Source: Python/importdl.c and dynload_shlib.c of CPython 3.7 to 3.14.
 */
#include "agent/platform/environment.h"
#include "agent/platform/log.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *PyInit_ska_tango_event_agent(void);

/* For a Python that ignores the environment, where the agent does so too. */
EXPORTED void *PyInit_ska_tango_event_agent_isolated(void);

/*
 * Whether this library's functions are already visible to the whole process. RTLD_DEFAULT doesn't
 * show that: in a library of a local scope it searches there, too.
 */
static bool is_global(void)
{
    void *process = dlopen(NULL, RTLD_LAZY);
    if (process == NULL)
        return false;
    void *found = dlsym(process, "PyInit_ska_tango_event_agent");
    dlclose(process);
    return found == (void *)PyInit_ska_tango_event_agent;
}

static void make_global(void)
{
    Dl_info self;
    if (dladdr((void *)PyInit_ska_tango_event_agent, &self) == 0 ||
        dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL) == NULL)
        log_line(LOG_ERROR, "not loaded: the library can't be made visible to the whole process");
}

void *PyInit_ska_tango_event_agent(void)
{
    if (!is_global())
        make_global();
    return NULL;
}

void *PyInit_ska_tango_event_agent_isolated(void)
{
    if (!is_global()) {
        environment_ignore();
        make_global();
    }
    /* Otherwise LD_PRELOAD loaded it, which means the environment is trusted; the launcher's
     * options are variables. */
    return NULL;
}
