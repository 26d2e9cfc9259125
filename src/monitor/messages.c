#include "monitor/messages.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"

#define PROGRAM "ska-tango-event-monitor"

/* How much may wait for a reader, in bytes. */
enum { CAPACITY = 65536 };

struct messages {
    outlet_t *outlet;
    size_t left_out; /* and not reported yet */
    messages_before_t before;
    void *before_context;
};

messages_t *messages_new(int fd)
{
    messages_t *self = memory_new(1, sizeof *self);
    self->outlet = outlet_new(fd, NULL);
    return self;
}

char *messages_line(const char *line)
{
    char *text = printable_copy(line, printable_locale_is_utf8());
    char *whole = memory_format(PROGRAM ": %s\n", text);
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
    if (put(self, memory_format(PROGRAM ": %zu message%s left out here: nobody read them\n",
                                self->left_out, self->left_out == 1 ? " was" : "s were")))
        self->left_out = 0;
}

void messages_say(messages_t *self, const char *line)
{
    if (self->before)
        self->before(self->before_context);
    say_what_was_left_out(self);
    if (self->left_out > 0 || !put(self, messages_line(line)))
        self->left_out++;
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

outlet_t *messages_outlet(messages_t *self)
{
    return self->outlet;
}

void messages_destroy(messages_t **self)
{
    if (!*self)
        return;
    say_what_was_left_out(*self);
    outlet_wait((*self)->outlet, OUTLET_GRACE_MS, -1);
    outlet_destroy(&(*self)->outlet);
    free(*self);
    *self = NULL;
}
