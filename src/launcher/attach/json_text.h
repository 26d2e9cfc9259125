/*
 * json_text: prints JSON on standard output.
 */
#ifndef LAUNCHER_JSON_TEXT_H
#define LAUNCHER_JSON_TEXT_H

#include <stddef.h>

/* A text, in quotes. What is not UTF-8 becomes U+FFFD. */
void json_text_print(const char *text);

/* A JSON text, with its lists and objects on lines of their own; anything else as it is. */
void json_text_print_indented(const char *json, size_t size);

#endif
