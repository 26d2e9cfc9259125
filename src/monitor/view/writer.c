#include "monitor/view/writer.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"

static sink_result_t take_failure(writer_t *self, int why, char **error)
{
    if (!self->failing)
        *error = memory_format("standard output: can't print summaries: %s", strerror(why));
    self->failing = true;
    return SINK_FAILED;
}

static sink_result_t take_stall(writer_t *self, char **error)
{
    if (!self->unread && !self->failing)
        *error = memory_string("standard output: nobody reads it: summaries are skipped until "
                               "somebody does; all else goes on");
    self->unread |= !self->failing;
    return SINK_FAILED;
}

static void count_left_out(writer_t *self, bool failing)
{
    self->left_out++;
    self->left_out_in_all++;
    self->left_out_why = failing ? "they couldn't be printed" : "nobody read them";
}

sink_result_t writer_put(writer_t *self, char *text, size_t size, size_t capacity, char **error)
{
    const bool taken = outlet_put(self->outlet, OUTLET_RESULT, text, size, capacity);
    const outlet_state_t state =
        self->waits ? outlet_wait(self->outlet, -1, self->stop_fd) : outlet_state(self->outlet);
    const int why = errno;
    if (state == OUTLET_CLOSED) /* "| head" has seen enough: no error */
        return SINK_CLOSED;
    if (taken) {
        self->begun = true;
        self->left_out = 0;
    } else {
        count_left_out(self, self->failing || state == OUTLET_FAILING);
    }
    if (state == OUTLET_FAILING)
        return take_failure(self, why, error);
    if (taken && state == OUTLET_IDLE) /* while some of it is pending nobody knows yet */
        self->failing = self->unread = false;
    return taken ? SINK_OK : take_stall(self, error);
}

sink_result_t writer_finish(writer_t *self, bool told, char **error)
{
    const outlet_state_t state =
        outlet_wait(self->outlet, told ? OUTLET_GRACE_MS : -1, told ? -1 : self->stop_fd);
    if (state == OUTLET_FAILING)
        return take_failure(self, errno, error);
    const size_t pending = outlet_pending(self->outlet, OUTLET_RESULT);
    if (state != OUTLET_PENDING || pending == 0) /* or what standard error has to say, behind it */
        return SINK_OK;
    *error = memory_format("standard output: nobody read the last %zu %s", pending,
                           pending == 1 ? "summary" : "summaries");
    return SINK_FAILED;
}
