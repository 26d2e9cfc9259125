/*
 * report_page: the page of the last hour, which the exporter serves. It is filled by a sink in the
 * thread of the loop (report_page_sink.h), and written by another one, when somebody wants it.
 */
#ifndef STEM_REPORT_PAGE_H
#define STEM_REPORT_PAGE_H

#include <stddef.h>
#include <stdint.h>

typedef struct report_page report_page_t;

/* The number of the newest observation; 0: there was none yet. Any thread; never waits. */
int64_t report_page_number(report_page_t *self);

/*
 * Writes the page of the newest observation: HTML, owned by the caller, with its size and the
 * observation's number; NULL: there was none yet. Any thread. That takes a while: an observation
 * that comes meanwhile waits in the sink until it is done.
 */
char *report_page_write(report_page_t *self, size_t *size, int64_t *number);

/* Its content security policy, for an HTTP header. */
const char *report_page_policy(void);

#endif
