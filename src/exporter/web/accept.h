/*
 * accept: what a client can take, by the headers of its request.
 */
#ifndef STEM_ACCEPT_H
#define STEM_ACCEPT_H

#include <stdbool.h>

/* Whether an Accept-Encoding header (NULL: none was sent) takes gzip: RFC 9110, 12.5.3. */
bool accept_gzip(const char *header);

/* Whether an If-None-Match header (NULL: none was sent) has that ETag, in its quotes, weak or not:
 * RFC 9110, 13.1.2. */
bool accept_has_tag(const char *header, const char *tag);

#endif
