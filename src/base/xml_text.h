/*
 * xml_text: writes any text into XML.
 */
#ifndef STEM_XML_TEXT_H
#define STEM_XML_TEXT_H

#include <stdio.h>

/*
 * Writes text as the content of an element, or as the value of an attribute in double quotes.
 * U+FFFD stands for each byte that isn't UTF-8, and for each character that XML 1.0 forbids.
 */
void xml_text_write(FILE *out, const char *text);
void xml_text_write_value(FILE *out, const char *text);

#endif
