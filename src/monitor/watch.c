#include "monitor/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/name_set.h"
#include "monitor/limits.h"
#include "monitor/poll/poll_source.h"
#include "tango/tango_client.h"

/* How many servers --follow may add: each takes a thread and an open file. */
#define FOLLOWED_MAXIMUM 1000

/* The beginning, which may take several attempts. */
typedef struct {
    const watch_t *watch;
    poller_t *poller;
    name_set_t said; /* lines of attempts that failed */
    bool begins;     /* until servers are watched */
    bool leaves;     /* an attempt left a thread behind that hangs */
} beginning_t;

/* While it is tried again and again, each line is said once. */
static void say_once(beginning_t *self, const char *line)
{
    const uint64_t hash = name_set_hash(0, line);
    if (self->begins && self->watch->tries_again && name_set_has(&self->said, hash))
        return;
    name_set_add(&self->said, hash);
    messages_say(self->watch->messages, line);
}

static void say_for_poller(void *beginning, poller_level_t level, const char *line)
{
    (void)level;
    say_once(beginning, line);
}

/* If that fails, the program goes on without. */
static checker_t *start_checks(const watch_t *self)
{
    char *error = NULL;
    checker_t *checker = self->options->no_checks ? NULL : checker_new(&error);
    if (error)
        messages_say_and_free(self->messages, error);
    return checker;
}

/* Whether there is something to watch, or may be nothing. */
static bool settle(const watch_t *self, poller_t *poller)
{
    const bool is_sharded = self->options->selection.shard.count > 0;
    return poller_settle(poller) || (self->may_be_empty && is_sharded);
}

/* What came of an attempt to begin, or the exit status of all that followed. */
enum { TRY_AGAIN = -1 };

/* Connects, polls. */
static int poll_servers(beginning_t *beginning, checker_t **checker)
{
    const watch_t *self = beginning->watch;
    const watch_options_t *options = self->options;
    const int stop_fd = self->signals->stop_fd;
    poller_t *poller = beginning->poller;
    if (options->follow)
        poller_follow(poller, &options->selection, FOLLOWED_MAXIMUM);
    poller_shard(poller, &options->selection.shard);
    const bool connected = poller_connect(poller, stop_fd);
    if (connected && !signals_say_stop(self->signals))
        poller_find_others(poller, stop_fd);
    if (signals_say_stop(self->signals))
        return self->end_at_once(self->context);
    if (options->list)
        return self->print_list(self->context, poller);
    if (!connected || !settle(self, poller))
        return TRY_AGAIN;
    if (options->selection.local)
        poller_find_local(poller, &options->selection);
    limits_release_files();
    beginning->begins = false;
    if (!self->begin(self->context))
        return EXIT_FAILURE;
    poller_keep_texts(poller, self->keeps_texts);
    poller_start_perf(poller, stop_fd);
    *checker = start_checks(self);
    source_t *source =
        poll_source_new(poller, *checker, options->perf,
                        (int64_t)(options->poll_period * (double)NS_PER_SECOND), stop_fd);
    return self->go(self->context, &source);
}

static void say_forbidden(beginning_t *beginning, size_t count)
{
    char *line = memory_format("--local: %zu more process%s with an agent may not be asked by this "
                               "user; root may ask all",
                               count, count == 1 ? "" : "es");
    say_once(beginning, line);
    free(line);
}

/* Makes the poller of what the options select; NULL after saying why it can't be. */
static poller_t *make_poller(beginning_t *beginning)
{
    const watch_t *self = beginning->watch;
    const watch_options_t *options = self->options;
    char *wrong = NULL;
    selection_options_t selected = options->selection;
    selected.timeout = options->timeout;
    selection_t selection = selection_make(&selected, self->signals->stop_fd, &wrong);
    if (selection.stopped)
        _exit(self->end_at_once(self->context));
    poller_t *poller = wrong ? NULL
                             : poller_new(selection.targets, selection.count, options->timeout,
                                          options->perf, say_for_poller, beginning, &wrong);
    if (selection.forbidden > 0)
        say_forbidden(beginning, selection.forbidden);
    selection_clear(&selection);
    if (wrong)
        say_once(beginning, wrong);
    free(wrong);
    return poller;
}

static int attempt(beginning_t *beginning)
{
    const watch_t *self = beginning->watch;
    beginning->poller = make_poller(beginning);
    if (!beginning->poller)
        return TRY_AGAIN;
    checker_t *checker = NULL;
    const int status = poll_servers(beginning, &checker);
    const bool checks_ended = checker_destroy(&checker);
    beginning->leaves |= !poller_destroy(&beginning->poller) || !checks_ended;
    /* With a call under way, exit() would tear the Tango library down under it. */
    if (beginning->leaves && status != TRY_AGAIN) {
        messages_flush(self->messages);
        _exit(status);
    }
    return status;
}

/* Waits for the next attempt. False if it was told to stop meanwhile. */
static bool wait_for_next(const watch_t *self)
{
    const double period = self->options->poll_period;
    struct pollfd fd = {.fd = self->signals->stop_fd, .events = POLLIN};
    const struct timespec wait = monotonic_timespec((int64_t)(period * (double)NS_PER_SECOND));
    while (ppoll(&fd, 1, &wait, NULL) < 0) {
        /* EINTR */
    }
    return !fd.revents;
}

static int try_again(beginning_t *beginning)
{
    const watch_t *self = beginning->watch;
    int status = TRY_AGAIN;
    char *line = memory_format("nothing can be watched yet; that is tried again every %g s",
                               self->options->poll_period);
    while (status == TRY_AGAIN) {
        say_once(beginning, line);
        status = wait_for_next(self) ? attempt(beginning) : self->end_at_once(self->context);
    }
    free(line);
    return status;
}

int watch_servers(const watch_t *self)
{
    tango_error_t error = {0};
    limits_raise_files();
    limits_reserve_files();
    if (!tango_client_init((int)(self->options->timeout * 1000), &error)) {
        messages_say_and_free(self->messages,
                              memory_format("can't start the Tango client library: %s",
                                            error.text ? error.text : "unknown error"));
        tango_error_clear(&error);
        return EXIT_FAILURE;
    }
    beginning_t beginning = {.watch = self, .begins = true};
    int status = attempt(&beginning);
    if (status == TRY_AGAIN)
        status = self->tries_again && !self->options->list ? try_again(&beginning) : EXIT_FAILURE;
    free(beginning.said.hashes);
    if (beginning.leaves) {
        messages_flush(self->messages);
        _exit(status);
    }
    return status;
}

bool watch_print_list(const poller_t *poller, outlet_t *output, messages_t *messages,
                      const signals_t *signals)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    poller_list(poller, out);
    memory_stream_close(out);
    outlet_put(output, OUTLET_RESULT, text, size, SIZE_MAX);
    const outlet_state_t state = outlet_wait(output, -1, signals->stop_fd);
    if (state == OUTLET_FAILING)
        messages_say_and_free(messages, memory_format("standard output: %s", strerror(errno)));
    return state != OUTLET_FAILING && poller_is_complete(poller);
}
