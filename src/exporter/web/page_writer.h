/*
 * page_writer: has the page of the last hour written when somebody asks for it, in a thread of its
 * own, once for all who ask before the next poll. Scrapes don't wait for it.
 *
 * Whoever reads slowly goes on with the page that was the newest one when it asked. There can't be
 * many of those: while some are being read, a new one is written less often.
 */
#ifndef STEM_PAGE_WRITER_H
#define STEM_PAGE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "monitor/view/report/page/report_page.h"

/* With its quotes. */
enum { PAGE_TAG_SIZE = 48 };

/* A page as it was written once. It doesn't change. */
typedef struct {
    char *text;
    size_t size;
    char *packed; /* the same, as gzip; NULL: there was no memory for it */
    size_t packed_size;
    char tag[PAGE_TAG_SIZE]; /* which one it is: an ETag, without the W/ before it */
    int64_t number;          /* of its observation */
    size_t holders;
} page_text_t;

typedef struct page_writer page_writer_t;

typedef enum {
    PAGE_READY, /* *text is one reference, the caller's: page_writer_release() */
    PAGE_WAIT,  /* it is being written */
    PAGE_NONE   /* there is none yet, or the writer was stopped */
} page_result_t;

typedef struct {
    void *context;               /* for both functions: */
    void (*wait)(void *context); /* called before PAGE_WAIT is returned */
    /* And this afterwards, in another thread, with one reference, or NULL after
     * page_writer_stop(). */
    void (*done)(void *context, page_text_t *text);
} page_question_t;

/* The page stays the caller's and has to live as long. Signals must be blocked by now (signals.h).
 * NULL if there is no thread for it: then *error says why, and the caller frees it. */
page_writer_t *page_writer_new(report_page_t *page, char **error);

/* Any thread. */
page_result_t page_writer_ask(page_writer_t *self, const page_question_t *question,
                              page_text_t **text);

/* Sets *text to NULL, which it may be. Any thread. */
void page_writer_release(page_writer_t *self, page_text_t **text);

/* Ends writing: those that wait are told, and nobody has to wait from now on. */
void page_writer_stop(page_writer_t *self);

/* Does so, frees it and sets *self to NULL; *self may be NULL. All texts have to be released by
 * now. */
void page_writer_destroy(page_writer_t **self);

#endif
