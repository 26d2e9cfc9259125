/*
 * parse_answers: reads NUL-terminated texts, and prints one line for each: "good" if it is an
 * answer, or what is wrong. For the tests of other readers (test_python_module.py).
 * With an argument it says instead which counters of a subscription are read.
 */
#include <stdio.h>
#include <stdlib.h>

#include "response/response.h"

int main(int argc, char **argv)
{
    (void)argv;
    for (size_t i = 0; argc > 1 && i < counters_of_subscription.count; i++)
        puts(counters_of_subscription.list[i].key);
    if (argc > 1)
        return 0;
    char *text = NULL;
    size_t capacity = 0;
    ssize_t size;
    while ((size = getdelim(&text, &capacity, '\0', stdin)) > 0) {
        if (text[size - 1] == '\0')
            size--;
        char *error = NULL;
        response_t *response = response_parse(text, (size_t)size, &error);
        puts(response ? "good" : error);
        response_destroy(&response);
        free(error);
    }
    free(text);
    return 0;
}
