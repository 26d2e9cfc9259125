/*
 * pages: what the web server answers besides metrics and the page of the last hour.
 */
#ifndef STEM_PAGES_H
#define STEM_PAGES_H

#include <stdbool.h>

/* Links, for people, in HTML; the caller frees it. waits: it is there until the page of the last
 * hour is, and asks for that again and again. */
char *pages_landing(const char *telemetry_path, bool is_ready, bool waits);

#endif
