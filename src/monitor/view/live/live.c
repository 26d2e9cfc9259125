#include "monitor/view/live/live.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/outlet.h"
#include "base/printable.h"
#include "base/terminal.h"
#include "base/vector.h"
#include "monitor/view/live/curses.h"
#include "monitor/view/live/frames/frame.h"
#include "monitor/view/live/frames/timeline.h"
#include "monitor/view/live/rescue.h"
#include "monitor/view/live/stray.h"
#include "monitor/view/live/ui/ui.h"

/* Bytes of frames that are kept. Hours of a few servers; of 10,000 streams, whose frames take 8 MB
 * each, a few polls. A recording is there to be looked through: it is worth more. */
#define LIVE_BUDGET      ((size_t)64 << 20)
#define RECORDING_BUDGET ((size_t)256 << 20)

/* New numbers are drawn at most so often; an answer to a key as soon as possible, but keys that
 * come faster than that are drawn together. */
#define DRAW_SECONDS 0.1
#define KEY_SECONDS  0.02

/* So many messages are printed when the terminal was given back. */
enum { MESSAGES_KEPT = 20 };

/* What the UI's thread says to the loop, and the other way round. */
typedef struct {
    bool wants_perf, perf; /* a wish, and what for */
    char *record;          /* a wish: the file; or NULL */
    size_t wanted;         /* a poll of the recording; SIZE_MAX: none */
    bool was_read;         /* the recording, since that is wanted */
    bool quits;

    bool is_asking;
    double next_poll_at; /* monotonic_seconds(); NAN: never */
    double polled_at;    /* NAN: not yet */
    bool perf_on;
    char *recorded_into;
    double read_part;
    char *said;       /* the newest message that wasn't shown yet */
    size_t said_more; /* before that, and not shown either */
    bool changed;
    bool ends;
} exchange_t;

struct live {
    const live_options_t *options;
    const live_controls_t *controls;
    timeline_t *timeline;
    pthread_mutex_t lock;
    exchange_t exchange; /* guarded by the lock */
    vector_t messages;   /* char *, the newest last; likewise */
    int ui_fd;           /* eventfds: wake the UI's thread, and the loop */
    int loop_fd;
    atomic_bool reads_again; /* a recording, whose messages are known */

    pthread_t thread;
    int signal_fd;
    int in_fd;
    bool in_is_ours;
    curses_t *curses; /* from here on, the UI thread's */
    stray_t *stray;
    ui_t *ui;
    canvas_t *canvas;
    char *recorded_into; /* the UI's copy */
    bool changed;        /* something is to be drawn */
    bool has_key;        /* and it answers a key */
    bool has_more_keys;  /* some may have been read, and not taken yet */
    bool is_suspended;   /* the terminal is the shell's */
    bool is_gone;        /* or nobody's any more */
    double drawn_at;
};

static void wake(int fd)
{
    const uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

static void drain(int fd)
{
    uint64_t count = 0;
    (void)!read(fd, &count, sizeof count);
}

/* ---- messages ---- */

static void keep_message(live_t *self, const char *line)
{
    if (self->messages.count == MESSAGES_KEPT) {
        char **lines = self->messages.items;
        free(lines[0]);
        memmove(lines, lines + 1, --self->messages.count * sizeof *lines);
    }
    *(char **)vector_add(&self->messages) = memory_string(line);
}

/* keeps: it is printed afterwards, too. */
static void say(live_t *self, const char *line, bool keeps)
{
    pthread_mutex_lock(&self->lock);
    if (keeps)
        keep_message(self, line);
    self->exchange.said_more += self->exchange.said != NULL;
    free(self->exchange.said);
    self->exchange.said = memory_string(line);
    self->exchange.changed = true;
    pthread_mutex_unlock(&self->lock);
    wake(self->ui_fd);
}

bool live_say(live_t *self, const char *line)
{
    if (self->reads_again)
        return true;
    const bool is_taken = self->stray && stray_has_errors(self->stray);
    say(self, line, is_taken);
    return is_taken;
}

/* What a library prints. at_end: also what it hasn't finished. */
static void take_stray_lines(live_t *self, bool at_end)
{
    for (;;) {
        char *line = stray_line(self->stray);
        if (!line && at_end)
            line = stray_rest(self->stray);
        if (!line)
            return;
        if (*line)
            say(self, line, true);
        free(line);
    }
}

/* ---- what the user wants ---- */

static void quit(live_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->exchange.quits = true;
    pthread_mutex_unlock(&self->lock);
    wake(self->loop_fd);
    self->controls->quit(self->controls->context);
}

static void wish(live_t *self, ui_request_t request)
{
    pthread_mutex_lock(&self->lock);
    exchange_t *exchange = &self->exchange;
    if (request == UI_SET_PERF) {
        exchange->wants_perf = true;
        exchange->perf = ui_wants_perf(self->ui);
    } else {
        free(exchange->record);
        exchange->record = memory_string(ui_record_path(self->ui));
    }
    const bool is_asking = exchange->is_asking;
    pthread_mutex_unlock(&self->lock);
    if (is_asking)
        ui_say(self->ui, "after this poll: the servers are being asked");
    wake(self->loop_fd);
}

static void take_request(live_t *self, ui_request_t request)
{
    switch (request) {
    case UI_NOTHING:
        break;
    case UI_QUIT:
        ui_say(self->ui, "ending; once more: at once");
        quit(self);
        break;
    case UI_SET_PERF:
    case UI_RECORD:
        wish(self, request);
        break;
    case UI_REDRAW:
        curses_forget(self->curses);
        break;
    }
}

/* The poll that the UI waits for, if it isn't kept. */
static void take_wanted(live_t *self)
{
    const size_t wanted = ui_wanted(self->ui);
    pthread_mutex_lock(&self->lock);
    const bool is_new = self->exchange.wanted != wanted && wanted != SIZE_MAX;
    self->exchange.wanted = wanted;
    self->exchange.was_read &= !is_new;
    pthread_mutex_unlock(&self->lock);
    if (is_new)
        wake(self->loop_fd);
}

/* ---- the UI's thread ---- */

static bool reads_standard_input(const live_options_t *options)
{
    return options->read && strcmp(options->read, "-") == 0;
}

/* Frees line, which may be NULL. */
static void show_message(live_t *self, char *line, size_t more)
{
    if (line && more > 0) {
        char *longer = memory_format("(and %zu more before) %s", more, line);
        free(line);
        line = longer;
    }
    if (line)
        ui_say(self->ui, line);
    free(line);
}

/* Takes over what is new; the status is good until the next time. */
static ui_status_t take_news(live_t *self, double now)
{
    ui_status_t status = UI_STATUS_NONE;
    pthread_mutex_lock(&self->lock);
    exchange_t *exchange = &self->exchange;
    char *said = exchange->said;
    const size_t more = exchange->said_more;
    exchange->said = NULL;
    exchange->said_more = 0;
    free(self->recorded_into);
    self->recorded_into = memory_string(exchange->recorded_into);
    status.is_asking = exchange->is_asking;
    if (exchange->next_poll_at > now)
        status.seconds_to_poll = exchange->next_poll_at - now;
    status.seconds_since_poll = now - exchange->polled_at;
    status.perf_on = exchange->perf_on;
    status.read_part = exchange->read_part;
    pthread_mutex_unlock(&self->lock);
    status.is_live = !self->options->read;
    status.poll_period = self->options->poll_period;
    status.recorded_into = self->recorded_into;
    status.read = reads_standard_input(self->options) ? "standard input" : self->options->read;
    status.can_read_again = self->options->can_read_again;
    show_message(self, said, more);
    return status;
}

static void draw(live_t *self, double now)
{
    int rows = 0;
    int columns = 0;
    const ui_status_t status = take_news(self, now);
    curses_size(self->curses, &rows, &columns);
    canvas_clear(self->canvas, rows, columns);
    ui_draw(self->ui, self->canvas, &status);
    curses_show(self->curses, self->canvas);
    self->drawn_at = now;
    self->changed = self->has_key = false;
}

static bool is_in_background(const live_t *self)
{
    const pid_t foreground = tcgetpgrp(self->in_fd);
    return foreground > 0 && foreground != getpgrp();
}

/* Goes on, if the terminal is ours: after "bg" it isn't, before "fg". */
static void resume(live_t *self)
{
    if (is_in_background(self))
        return;
    curses_resume(self->curses);
    self->is_suspended = false;
    self->changed = true;
}

/* Ctrl-Z: stops as everybody does, with the terminal as it was. */
static void suspend(live_t *self)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    if (!self->is_suspended)
        curses_suspend(self->curses);
    self->is_suspended = true;
    signal(SIGTSTP, SIG_DFL);
    kill(getpid(), SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* here it stops, unless no shell would continue it */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    resume(self);
}

static void take_signals(live_t *self)
{
    struct signalfd_siginfo info;
    while (read(self->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTSTP)
            suspend(self);
        else if (info.ssi_signo == SIGCONT)
            resume(self);
        self->changed = true;
    }
}

/* Those that are there, but what they do is drawn meanwhile: somebody may paste a whole file. */
static void take_keys(live_t *self)
{
    const double until = monotonic_seconds() + KEY_SECONDS;
    ui_input_t input;
    self->has_more_keys = false;
    while (!self->has_more_keys && curses_read(self->curses, &input)) {
        take_request(self, ui_input(self->ui, &input));
        self->changed = self->has_key = true;
        self->has_more_keys = monotonic_seconds() > until;
    }
}

/* The terminal has gone: as a rule, SIGHUP says so, too. */
static void lose_terminal(live_t *self)
{
    self->is_gone = true;
    quit(self);
}

static bool has_ended(live_t *self)
{
    pthread_mutex_lock(&self->lock);
    const bool ends = self->exchange.ends;
    self->changed |= self->exchange.changed;
    self->exchange.changed = false;
    pthread_mutex_unlock(&self->lock);
    return ends;
}

/* When there is something to draw again: moments of monotonic_seconds(). */
static double next_draw_at(const live_t *self, double tick_at)
{
    if (self->is_suspended || self->is_gone)
        return INFINITY;
    const double soon = self->drawn_at + (self->has_key ? KEY_SECONDS : DRAW_SECONDS);
    if (self->changed)
        return soon;
    const double clock_at = self->drawn_at + 1;
    return !isnan(tick_at) && tick_at < clock_at ? fmax(tick_at, soon) : clock_at;
}

static void wait_until(live_t *self, double moment)
{
    enum { WAKE, SIGNALS, STRAY, KEYS, KINDS };
    const bool takes_keys = !self->is_suspended && !self->is_gone;
    struct pollfd fds[KINDS] = {
        [WAKE] = {.fd = self->ui_fd, .events = POLLIN},
        [SIGNALS] = {.fd = self->signal_fd, .events = POLLIN},
        [STRAY] = {.fd = self->stray ? stray_fd(self->stray) : -1, .events = POLLIN},
        [KEYS] = {.fd = takes_keys ? self->in_fd : -1, .events = POLLIN},
    };
    const bool more = takes_keys && self->has_more_keys;
    const double left = more ? 0 : moment - monotonic_seconds();
    const struct timespec wait =
        monotonic_timespec(left > 0 ? (int64_t)(left * (double)NS_PER_SECOND) : 0);
    const int ready = ppoll(fds, KINDS, isinf(moment) && !more ? NULL : &wait, NULL);
    if (ready < 0 || (ready == 0 && !more))
        return;
    if (fds[WAKE].revents)
        drain(self->ui_fd);
    if (fds[SIGNALS].revents)
        take_signals(self);
    if (fds[STRAY].revents)
        take_stray_lines(self, false);
    /* A terminal that has gone is readable as well: there is its end. */
    if (fds[KEYS].revents & ~POLLIN)
        lose_terminal(self);
    else if (fds[KEYS].revents || more)
        take_keys(self);
}

static void *ui_main(void *argument)
{
    live_t *self = argument;
    double tick_at = NAN;
    while (!has_ended(self)) {
        const double now = monotonic_seconds();
        if (next_draw_at(self, tick_at) <= now) {
            tick_at = now + ui_tick(self->ui, now);
            draw(self, now);
            take_wanted(self);
        }
        wait_until(self, next_draw_at(self, tick_at));
    }
    /* Here, since it may have to wait for the terminal. */
    if (rescue_end())
        curses_destroy(&self->curses);
    return NULL;
}

/* ---- taking the terminal, and giving it back ---- */

static sigset_t own_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGTSTP);
    sigaddset(&set, SIGCONT);
    return set;
}

void live_block_signals(void)
{
    const sigset_t set = own_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool live_check(const live_options_t *options, char **error)
{
    const char *kind = getenv("TERM");
    const bool needs_input = !reads_standard_input(options);
    *error = NULL;
    if (!isatty(STDOUT_FILENO) || (needs_input && !isatty(STDIN_FILENO)))
        *error = memory_format("--live: standard %s is no terminal",
                               isatty(STDOUT_FILENO) ? "input" : "output");
    else if (!terminal_is_capable(STDOUT_FILENO))
        *error = memory_format("--live: a terminal of the kind TERM=%s can't move its cursor: "
                               "without --live, summaries are printed",
                               kind ? kind : "");
    return !*error;
}

/* Where keys come from. */
static bool open_input(live_t *self, char **error)
{
    self->in_fd = STDIN_FILENO;
    if (!reads_standard_input(self->options))
        return true;
    self->in_fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    self->in_is_ours = self->in_fd >= 0;
    if (!self->in_is_ours)
        *error = memory_format("--live: no keys: /dev/tty: %s", strerror(errno));
    return self->in_is_ours;
}

static bool open_terminal(live_t *self, char **error)
{
    const sigset_t set = own_signals();
    if (!live_check(self->options, error) || !open_input(self, error))
        return false;
    if (is_in_background(self)) {
        *error = memory_string("--live: the terminal belongs to another job");
        return false;
    }
    self->ui_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->loop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (self->ui_fd < 0 || self->loop_fd < 0 || self->signal_fd < 0) {
        *error = memory_format("--live: %s", strerror(errno));
        return false;
    }
    self->curses = curses_new(self->in_fd, STDOUT_FILENO,
                              self->options->no_color || terminal_no_color(), error);
    return self->curses != NULL;
}

static void free_messages(live_t *self)
{
    char **lines = self->messages.items;
    for (size_t i = 0; i < self->messages.count; i++)
        free(lines[i]);
    free(lines);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void free_all(live_t *self)
{
    curses_destroy(&self->curses);
    stray_destroy(&self->stray);
    ui_destroy(&self->ui);
    canvas_destroy(&self->canvas);
    timeline_destroy(&self->timeline);
    free(self->recorded_into);
    free(self->exchange.record);
    free(self->exchange.recorded_into);
    free(self->exchange.said);
    free_messages(self);
    close_if_open(self->ui_fd);
    close_if_open(self->loop_fd);
    close_if_open(self->signal_fd);
    if (self->in_is_ours)
        close(self->in_fd);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static bool begin(live_t *self, char **error)
{
    const live_options_t *options = self->options;
    if (!open_terminal(self, error))
        return false;
    self->timeline = timeline_new(options->read ? RECORDING_BUDGET : LIVE_BUDGET);
    self->ui = ui_new(self->timeline, options->key, options->filter);
    self->canvas = canvas_new(1, 1, printable_locale_is_utf8());
    self->stray = stray_new();
    rescue_begin(self->curses, self->stray);
    const int why = pthread_create(&self->thread, NULL, ui_main, self);
    if (why == 0)
        return true;
    (void)rescue_end();
    *error = memory_format("--live: can't start a thread: %s", strerror(why));
    return false;
}

live_t *live_new(const live_options_t *options, const live_controls_t *controls, char **error)
{
    live_t *self = memory_new(1, sizeof *self);
    *error = NULL;
    self->options = options;
    self->controls = controls;
    pthread_mutex_init(&self->lock, NULL);
    self->messages.item_size = sizeof(char *);
    self->ui_fd = self->loop_fd = self->signal_fd = -1;
    self->exchange = (exchange_t){.wanted = SIZE_MAX,
                                  .is_asking = !options->read,
                                  .next_poll_at = NAN,
                                  .polled_at = NAN,
                                  .perf_on = options->perf,
                                  .read_part = NAN,
                                  .changed = true};
    if (begin(self, error))
        return self;
    free_all(self);
    return NULL;
}

/* Tells the UI's thread to end, and waits a moment. False: the terminal takes nothing. */
static bool end_thread(live_t *self)
{
    struct timespec until;
    pthread_mutex_lock(&self->lock);
    self->exchange.ends = true;
    pthread_mutex_unlock(&self->lock);
    wake(self->ui_fd);
    clock_gettime(CLOCK_REALTIME, &until);
    const int64_t ns = until.tv_nsec + OUTLET_GRACE_MS * (NS_PER_SECOND / 1000);
    until.tv_sec += ns / NS_PER_SECOND;
    until.tv_nsec = ns % NS_PER_SECOND;
    return pthread_timedjoin_np(self->thread, NULL, &until) == 0;
}

void live_destroy(live_t **pointer, void (*print)(void *context, const char *line), void *context)
{
    live_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return;
    const bool ended = end_thread(self);
    if (ended && self->stray)
        take_stray_lines(self, true);
    if (ended)
        stray_destroy(&self->stray);
    else
        rescue_now();
    pthread_mutex_lock(&self->lock);
    char *const *lines = self->messages.items;
    for (size_t i = 0; i < self->messages.count; i++)
        print(context, lines[i]);
    pthread_mutex_unlock(&self->lock);
    /* A thread that hangs keeps all that it uses: the program is about to end. */
    if (ended)
        free_all(self);
}

/* ---- the sink ---- */

typedef struct {
    sink_t sink; /* comes first */
    live_t *live;
    frame_maker_t *maker;
    size_t number; /* of the next poll */
    double (*part)(void *context);
    void *context;
} live_sink_t;

static void report(live_t *self, bool polled, double part)
{
    pthread_mutex_lock(&self->lock);
    exchange_t *exchange = &self->exchange;
    if (polled)
        exchange->polled_at = monotonic_seconds();
    exchange->is_asking = false;
    exchange->read_part = part;
    exchange->changed = true;
    pthread_mutex_unlock(&self->lock);
    wake(self->ui_fd);
}

/* Whether a recording that is read again has come far enough: what is wanted is there, and all that
 * is kept around it. */
static bool has_enough(live_t *self, size_t number)
{
    pthread_mutex_lock(&self->lock);
    const size_t wanted = self->exchange.wanted;
    pthread_mutex_unlock(&self->lock);
    if (wanted == SIZE_MAX)
        return !timeline_wants(self->timeline, number);
    if (wanted >= number)
        return false;
    /* It was passed before somebody wanted it. */
    const frame_t *frame = timeline_frame(self->timeline, wanted);
    const bool is_there = frame != NULL;
    frame_release(&frame);
    return !is_there;
}

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    live_sink_t *self = (live_sink_t *)sink;
    live_t *live = self->live;
    *error = NULL;
    if (timeline_wants(live->timeline, self->number))
        timeline_add(live->timeline, frame_make(self->maker, observation));
    else
        frame_skip(self->maker);
    self->number++;
    report(live, !live->options->read, self->part ? self->part(self->context) : NAN);
    return live->reads_again && has_enough(live, self->number) ? SINK_CLOSED : SINK_OK;
}

static void show_status(sink_t *sink, const sink_status_t *status)
{
    live_t *self = ((live_sink_t *)sink)->live;
    pthread_mutex_lock(&self->lock);
    exchange_t *exchange = &self->exchange;
    const bool was_asking = exchange->is_asking;
    const char *before = exchange->recorded_into;
    const char *now = status->recorded_into;
    exchange->is_asking = status->is_asking;
    exchange->next_poll_at = status->is_asking ? NAN : monotonic_seconds() + status->seconds;
    const bool changed =
        was_asking != status->is_asking || !before != !now || (before && strcmp(before, now) != 0);
    if (changed) {
        free(exchange->recorded_into);
        exchange->recorded_into = memory_string(now);
        exchange->changed = true;
    }
    pthread_mutex_unlock(&self->lock);
    if (changed)
        wake(self->ui_fd);
}

static int fd_of(const sink_t *sink)
{
    return ((const live_sink_t *)sink)->live->loop_fd;
}

/* Says what came of a wish; frees error. */
static void say_result(live_t *self, bool good, char *error, const char *otherwise)
{
    if (error || good)
        say(self, error ? error : otherwise, error != NULL);
    free(error);
}

static void set_perf(live_t *self, bool perf)
{
    char *error = NULL;
    const bool good = self->controls->set_perf(self->controls->context, perf, &error);
    pthread_mutex_lock(&self->lock);
    self->exchange.perf_on = perf;
    pthread_mutex_unlock(&self->lock);
    say_result(self, good, error,
               perf ? "performance monitoring was switched on"
                    : "performance monitoring was switched off where this monitor had switched "
                      "it on");
}

static void record(live_t *self, const char *path)
{
    char *error = NULL;
    char *line = memory_format("records into %s from the next poll on", path);
    const bool good = self->controls->record(self->controls->context, path, &error);
    say_result(self, good, error, line);
    free(line);
}

static sink_result_t ready(sink_t *sink, char **error)
{
    live_t *self = ((live_sink_t *)sink)->live;
    *error = NULL;
    drain(self->loop_fd);
    pthread_mutex_lock(&self->lock);
    exchange_t *exchange = &self->exchange;
    const bool wants_perf = exchange->wants_perf;
    const bool perf = exchange->perf;
    char *path = exchange->record;
    exchange->wants_perf = false;
    exchange->record = NULL;
    pthread_mutex_unlock(&self->lock);
    if (wants_perf)
        set_perf(self, perf);
    if (path)
        record(self, path);
    free(path);
    return SINK_OK;
}

static void abandon(sink_t *sink)
{
    (void)sink;
    rescue_now();
}

static void destroy(sink_t **sink)
{
    live_sink_t *self = (live_sink_t *)*sink;
    frame_maker_destroy(&self->maker);
    free(self);
    *sink = NULL;
}

sink_t *live_sink_new(live_t *self, double (*part)(void *context), void *context)
{
    static const sink_methods_t methods = {
        .show = show,
        .show_status = show_status,
        .fd = fd_of,
        .ready = ready,
        .abandon = abandon,
        .destroy = destroy,
    };
    live_sink_t *sink = memory_new(1, sizeof *sink);
    sink->sink = (sink_t){.methods = &methods, .compares = true, .has_status = true};
    sink->live = self;
    sink->maker = frame_maker_new();
    sink->part = part;
    sink->context = context;
    self->reads_again = timeline_count(self->timeline) > 0;
    return &sink->sink;
}

/* ---- recordings ---- */

static bool wants_to_read(live_t *self, bool *quits)
{
    pthread_mutex_lock(&self->lock);
    const size_t wanted = self->exchange.wanted;
    *quits = self->exchange.quits;
    /* Once it was read in vain, it isn't there any more: the file is another one. */
    const bool is_new = wanted != SIZE_MAX && !self->exchange.was_read && !*quits;
    self->exchange.was_read |= is_new;
    pthread_mutex_unlock(&self->lock);
    if (!is_new)
        return false;
    const frame_t *frame = timeline_frame(self->timeline, wanted);
    const bool is_there = frame != NULL;
    frame_release(&frame);
    return !is_there;
}

bool live_wait(live_t *self, int stop_fd)
{
    report(self, false, NAN);
    if (timeline_count(self->timeline) == 0)
        return false;
    for (;;) {
        bool quits = false;
        const bool wants = wants_to_read(self, &quits);
        if (wants || quits)
            return wants;
        struct pollfd fds[] = {{.fd = self->loop_fd, .events = POLLIN},
                               {.fd = stop_fd, .events = POLLIN}};
        if (poll(fds, 2, -1) > 0 && fds[1].revents)
            return false;
        drain(self->loop_fd);
    }
}
