#include "process/user_name.h"

#include <pwd.h>
#include <stdio.h>

void user_name(uid_t user, char *name, size_t size)
{
    char text[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwuid_r(user, &entry, text, sizeof text, &found) == 0 && found != NULL)
        snprintf(name, size, "%s", found->pw_name);
    else
        snprintf(name, size, "%lu", (unsigned long)user);
}
