#include "launcher/options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "launcher/console.h"
#include "launcher/usage.h"

/* Of what getopt_long() has refused: a long option as it was given, or a letter. */
static void name_option(char **argv, char *name, size_t size)
{
    const char *word = argv[optind - 1];
    const char letter[] = {'-', (char)optopt, '\0'};
    show_text(strncmp(word, "--", 2) == 0 ? word : letter, name, size);
}

static int complain_of_option(int problem, char **argv)
{
    char name[128];
    name_option(argv, name, sizeof name);
    if (problem == ':')
        return complain_of_usage("%s needs an argument", name);
    if (strncmp(name, "--", 2) == 0 && optopt != 0)
        return complain_of_usage("%s: this option has no argument", name);
    return complain_of_usage("unknown option %s", name);
}

int options_next(int argc, char **argv, const char *letters, const struct option *options,
                 int *status)
{
    opterr = 0;
    const int option = getopt_long(argc, argv, letters, options, NULL);
    if (option == 'h')
        *status = usage_print();
    else if (option == '?' || option == ':')
        *status = complain_of_option(option, argv);
    else
        return option;
    return -1;
}
