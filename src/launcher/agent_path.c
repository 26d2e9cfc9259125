#include "launcher/agent_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENT_FILE "libska-tango-event-agent.so"

/* Below the launcher's directory: where install puts the agent, and the build tree. They are
 * relative, so that an installation can be moved, or packed from a DESTDIR, as a whole. */
static const char *const agent_dirs[] = {LAUNCHER_LIBDIR_FROM_BINDIR, "../lib"};

/* Whether a file could be the agent; errno says why not. */
static int is_readable_file(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return 0;
    if (!S_ISREG(info.st_mode)) {
        errno = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
        return 0;
    }
    return access(path, R_OK) == 0;
}

/* A path from the user, made absolute: the command may change its directory and start others. Not
 * resolved any further, so that a link can stand for a path that LD_PRELOAD couldn't hold. */
static char *make_absolute(const char *path)
{
    char *cwd = NULL;
    char *absolute = NULL;

    if (path[0] == '/')
        return strdup(path);
    cwd = getcwd(NULL, 0);
    if (cwd == NULL)
        return NULL;
    if (asprintf(&absolute, "%s/%s", cwd, path) < 0)
        absolute = NULL;
    free(cwd);
    return absolute;
}

static char *find_named(const char *named, char *error, size_t error_size)
{
    char *path = make_absolute(named);

    if (path != NULL && is_readable_file(path))
        return path;
    snprintf(error, error_size, "cannot read the agent that %s names, %s: %s", AGENT_LIB_VARIABLE,
             named, strerror(errno));
    free(path);
    return NULL;
}

static char *find_beside_launcher(char *error, size_t error_size)
{
    char launcher[PATH_MAX];
    char *slash = NULL;
    ssize_t length = readlink("/proc/self/exe", launcher, sizeof launcher - 1);

    if (length < 0) {
        snprintf(error, error_size, "cannot read /proc/self/exe (%s): set %s to the agent's path",
                 strerror(errno), AGENT_LIB_VARIABLE);
        return NULL;
    }
    launcher[length] = '\0';
    slash = strrchr(launcher, '/');
    if (slash != NULL)
        *slash = '\0';
    for (size_t i = 0; i < sizeof agent_dirs / sizeof agent_dirs[0]; i++) {
        char *candidate = NULL;
        char *path = NULL;

        if (asprintf(&candidate, "%s/%s/%s", launcher, agent_dirs[i], AGENT_FILE) < 0)
            break;
        path = realpath(candidate, NULL);
        free(candidate);
        if (path != NULL && is_readable_file(path))
            return path;
        free(path);
    }
    snprintf(error, error_size, "no %s in %s/%s: install it there, or set %s to its path",
             AGENT_FILE, launcher, agent_dirs[0], AGENT_LIB_VARIABLE);
    return NULL;
}

char *agent_path_find(char *error, size_t error_size)
{
    const char *named = getenv(AGENT_LIB_VARIABLE);

    if (named != NULL && named[0] != '\0')
        return find_named(named, error, error_size);
    return find_beside_launcher(error, error_size);
}

char *agent_path_preload(const char *path, const char *present, char *error, size_t error_size)
{
    char *value = NULL;
    int length = 0;

    /* ld.so(8): items are separated by spaces or colons, which nothing can escape, and $ORIGIN and
     * its like are replaced. A link made here would have to outlive every child of the command. */
    if (strpbrk(path, " :$") != NULL) {
        snprintf(error, error_size,
                 "LD_PRELOAD cannot hold a path with a space, ':' or '$' (%s): make a link to it"
                 " elsewhere and set %s to that",
                 path, AGENT_LIB_VARIABLE);
        return NULL;
    }
    if (present != NULL && present[0] != '\0')
        length = asprintf(&value, "%s:%s", path, present);
    else
        length = asprintf(&value, "%s", path);
    if (length < 0) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    return value;
}
