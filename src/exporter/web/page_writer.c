#include "exporter/web/page_writer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "base/memory.h"
#include "base/monotonic.h"

/*
 * How many pages there may be. A page lives for as long as somebody reads it: a minute at most
 * (PHASE_ANSWER). Up to FREELY of them there is one for each poll; beyond, one each PACE_NS, so
 * that those of a minute are no more than the maximum.
 */
enum { TEXTS_FREELY = 4, TEXTS_MAXIMUM = 16 };
#define PACE_NS (5 * NS_PER_SECOND)

/* The quickest level takes a third of the time of the usual one, for a fifth more. */
enum { GZIP_LEVEL = 1, GZIP_WINDOW = MAX_WBITS + 16, GZIP_MEMORY = 8 };

typedef struct {
    void *context;
    void (*done)(void *context, page_text_t *text);
} waiter_t;

typedef struct {
    waiter_t *list;
    size_t count;
} waiters_t;

struct page_writer {
    report_page_t *page;
    uint64_t run; /* tells the pages of one run from those of the one before */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    bool stopped;
    waiters_t waiters;
    page_text_t *newest; /* NULL: none was written yet */
    int64_t written_ns;  /* when it was */
    size_t texts;        /* how many there are */
};

/* ---- a page ---- */

static void pack(page_text_t *text)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return;
    const size_t size = deflateBound(&stream, text->size);
    text->packed = memory_new(size, 1);
    stream.next_in = (Bytef *)text->text;
    stream.avail_in = (uInt)text->size;
    stream.next_out = (Bytef *)text->packed;
    stream.avail_out = (uInt)size;
    const bool good = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    text->packed_size = stream.total_out;
    (void)deflateEnd(&stream);
    if (good) {
        text->packed = memory_resize(text->packed, text->packed_size, 1);
    } else {
        free(text->packed);
        text->packed = NULL;
    }
}

/* Held by nobody. */
static page_text_t *write_text(const page_writer_t *self)
{
    page_text_t *text = memory_new(1, sizeof *text);
    text->text = report_page_write(self->page, &text->size, &text->number);
    (void)snprintf(text->tag, sizeof text->tag, "\"%" PRIx64 "-%" PRId64 "\"", self->run,
                   text->number);
    pack(text);
    return text;
}

static void free_text(page_text_t *text)
{
    free(text->text);
    free(text->packed);
    free(text);
}

/* With the lock. */
static void release(page_writer_t *self, page_text_t **pointer)
{
    page_text_t *text = *pointer;
    *pointer = NULL;
    if (!text || --text->holders > 0)
        return;
    self->texts--;
    free_text(text);
}

static page_text_t *share(page_text_t *text)
{
    text->holders++;
    return text;
}

void page_writer_release(page_writer_t *self, page_text_t **text)
{
    pthread_mutex_lock(&self->lock);
    release(self, text);
    pthread_mutex_unlock(&self->lock);
}

/* ---- the thread ---- */

/* Writes a page for all who wait, also for those that begin to meanwhile. With the lock, which it
 * unlocks for a while. */
static void serve(page_writer_t *self)
{
    pthread_mutex_unlock(&self->lock);
    page_text_t *text = write_text(self);
    pthread_mutex_lock(&self->lock);
    self->texts++;
    release(self, &self->newest);
    self->newest = share(text);
    self->written_ns = monotonic_ns();
    const waiters_t waiters = self->waiters;
    self->waiters = (waiters_t){0};
    text->holders += waiters.count;
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; i < waiters.count; i++)
        waiters.list[i].done(waiters.list[i].context, text);
    free(waiters.list);
    pthread_mutex_lock(&self->lock);
}

static void *run(void *argument)
{
    page_writer_t *self = argument;
    pthread_mutex_lock(&self->lock);
    while (!self->stopped)
        if (self->waiters.count > 0)
            serve(self);
        else
            pthread_cond_wait(&self->wake, &self->lock);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* ---- for others ---- */

page_writer_t *page_writer_new(report_page_t *page, char **error)
{
    page_writer_t *self = memory_new(1, sizeof *self);
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *error = NULL;
    self->page = page;
    self->run = (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wake, NULL);
    const int result = pthread_create(&self->thread, NULL, run, self);
    self->has_thread = result == 0;
    if (!self->has_thread) {
        *error = memory_string(strerror(result));
        page_writer_destroy(&self);
    }
    return self;
}

/* Whether a new page may be written. */
static bool is_due(const page_writer_t *self)
{
    return self->texts < TEXTS_FREELY ||
           (self->texts < TEXTS_MAXIMUM && monotonic_ns() - self->written_ns >= PACE_NS);
}

static page_result_t ask(page_writer_t *self, const page_question_t *question, page_text_t **text)
{
    const int64_t number = report_page_number(self->page);
    if (self->stopped || number == 0)
        return PAGE_NONE;
    if (self->newest && (self->newest->number == number || !is_due(self))) {
        *text = share(self->newest);
        return PAGE_READY;
    }
    waiters_t *waiters = &self->waiters;
    waiters->list = memory_resize(waiters->list, waiters->count + 1, sizeof *waiters->list);
    waiters->list[waiters->count++] =
        (waiter_t){.context = question->context, .done = question->done};
    question->wait(question->context);
    pthread_cond_signal(&self->wake);
    return PAGE_WAIT;
}

page_result_t page_writer_ask(page_writer_t *self, const page_question_t *question,
                              page_text_t **text)
{
    pthread_mutex_lock(&self->lock);
    const page_result_t result = ask(self, question, text);
    pthread_mutex_unlock(&self->lock);
    return result;
}

void page_writer_stop(page_writer_t *self)
{
    if (!self->has_thread)
        return;
    pthread_mutex_lock(&self->lock);
    self->stopped = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    self->has_thread = false;
    for (size_t i = 0; i < self->waiters.count; i++)
        self->waiters.list[i].done(self->waiters.list[i].context, NULL);
    free(self->waiters.list);
    self->waiters = (waiters_t){0};
}

void page_writer_destroy(page_writer_t **pointer)
{
    page_writer_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return;
    page_writer_stop(self);
    release(self, &self->newest);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
