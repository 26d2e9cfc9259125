#include "monitor/messages.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"

/* How much may wait for a reader, in bytes. */
enum { CAPACITY = 65536 };

struct messages {
    const char *program;
    outlet_t *outlet;
    pthread_mutex_t lock;
    size_t left_out; /* and not reported yet; guarded by the lock */
    messages_before_t before;
    void *before_context;
    messages_instead_t instead;
    void *instead_context;
};

messages_t *messages_new(int fd, const char *program)
{
    messages_t *self = memory_new(1, sizeof *self);
    self->program = program;
    self->outlet = outlet_new(fd, NULL);
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

char *messages_line(const char *program, const char *line)
{
    char *text = printable_copy(line, printable_locale_is_utf8());
    char *whole = memory_format("%s: %s\n", program, text);
    free(text);
    return whole;
}

/* Frees text. */
static bool put(messages_t *self, char *text)
{
    return outlet_put(self->outlet, OUTLET_MESSAGE, text, strlen(text), CAPACITY);
}

static void say_what_was_left_out(messages_t *self)
{
    if (self->left_out == 0)
        return;
    if (put(self,
            memory_format("%s: %zu message%s left out here: nobody read them\n", self->program,
                          self->left_out, self->left_out == 1 ? " was" : "s were")))
        self->left_out = 0;
}

void messages_say(messages_t *self, const char *line)
{
    if (self->instead && self->instead(self->instead_context, line))
        return;
    if (self->before)
        self->before(self->before_context);
    pthread_mutex_lock(&self->lock);
    say_what_was_left_out(self);
    if (self->left_out > 0 || !put(self, messages_line(self->program, line)))
        self->left_out++;
    pthread_mutex_unlock(&self->lock);
}

void messages_say_and_free(messages_t *self, char *line)
{
    messages_say(self, line);
    free(line);
}

void messages_set_before(messages_t *self, messages_before_t before, void *context)
{
    self->before = before;
    self->before_context = context;
}

void messages_set_instead(messages_t *self, messages_instead_t instead, void *context)
{
    self->instead = instead;
    self->instead_context = context;
}

outlet_t *messages_outlet(messages_t *self)
{
    return self->outlet;
}

void messages_flush(messages_t *self)
{
    pthread_mutex_lock(&self->lock);
    say_what_was_left_out(self);
    pthread_mutex_unlock(&self->lock);
    outlet_wait(self->outlet, OUTLET_GRACE_MS, -1);
}

void messages_destroy(messages_t **self)
{
    if (!*self)
        return;
    messages_flush(*self);
    outlet_destroy(&(*self)->outlet);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}
