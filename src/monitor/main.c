/*
 * ska-tango-event-monitor: polls the event systems of Tango device servers.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "monitor/display.h"
#include "monitor/history.h"
#include "monitor/monotonic.h"
#include "monitor/options.h"
#include "monitor/poller.h"
#include "monitor/recording.h"
#include "monitor/replay.h"
#include "monitor/signals.h"
#include "response/memory.h"
#include "response/printable.h"
#include "tango/tango_client.h"
#include "version.h"

#define PROGRAM "ska-tango-event-monitor"

#define EXIT_USAGE 2

typedef struct {
    options_t options;
    signals_t signals;
    poller_t *poller;       /* NULL: a recording is read */
    history_t *history;     /* what each server answered the last time */
    recording_t *recording; /* or NULL */
    display_t *display;     /* or NULL */
    size_t asked;           /* servers in the last poll */
    size_t failed;          /* of them */
    bool lost;              /* something that was asked for was lost: exit status 1 */
    bool closed;            /* nobody takes what we have to say: stop */
    bool answered;          /* at least one server did, at least once */
    int in_time;            /* polls since one took longer than the period, and that was said */
} monitor_t;

/* The one that may have a status line on the terminal that we write to, too. */
static display_t *shown;

/* One line on standard error. Texts come from the network: made fit for a terminal first. */
static void say(const char *line)
{
    if (shown)
        display_clear_status(shown);
    char *text = printable_copy(line, printable_locale_is_utf8());
    char *whole = memory_format(PROGRAM ": %s\n", text);
    fputs(whole, stderr);
    free(whole);
    free(text);
}

static void say_and_free(char *line)
{
    say(line);
    free(line);
}

static void say_for_poller(void *context, poller_level_t level, const char *line)
{
    (void)context;
    (void)level;
    say(line);
}

/*
 * If we were started with one of the standard descriptors closed, the next thing opened would get
 * its number, and what is printed would go there. That next thing may be opened before main(): a
 * library of the ORB's opens pipes as it is loaded. Only .preinit_array comes before all libraries.
 */
static void fill_standard_descriptors(void)
{
    int fd = 0;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const before_all_libraries)(void) = fill_standard_descriptors;

/*
 * SIGHUP says that the terminal has gone, and so should we; or, where there is none, that the
 * recording was moved away.
 */
static bool hangup_stops(const options_t *options)
{
    return !options->recording.path || isatty(STDOUT_FILENO) || isatty(STDERR_FILENO);
}

static bool is_stopped(const monitor_t *self)
{
    return signals_say_stop(&self->signals);
}

static void reopen_recording(monitor_t *self)
{
    char *error = NULL;
    if (!signals_take_hangup(&self->signals) || !self->recording)
        return;
    if (!recording_reopen(self->recording, &error) && error)
        say_and_free(error);
}

/* What goes on, for whoever looks at the terminal between two polls. */
static void show_status(const monitor_t *self, int64_t left_ns)
{
    const long long lost = display_lost_events(self->display);
    char *lost_text =
        lost > 0 ? memory_format(", %lld events LOST so far", lost) : memory_string("");
    char *failed =
        self->failed > 0 ? memory_format(", %zu FAILED", self->failed) : memory_string("");
    const char *path = self->options.recording.path;
    display_status(self->display,
                   memory_format("next poll in %.0f s; %zu %s%s%s%s%s",
                                 (double)left_ns / (double)NS_PER_SECOND, self->asked,
                                 self->asked == 1 ? "server" : "servers", failed, lost_text,
                                 path ? "; recording into " : "", path ? path : ""));
    free(failed);
    free(lost_text);
}

/* Waits until a moment of the monotonic clock. Returns false as soon as a signal says to stop. */
static bool wait_until(monitor_t *self, int64_t moment_ns)
{
    for (;;) {
        int64_t left = moment_ns - monotonic_ns();
        if (left <= 0)
            return !is_stopped(self);
        if (self->display && display_has_status(self->display)) {
            show_status(self, left);
            left = left < NS_PER_SECOND ? left : NS_PER_SECOND;
        }
        const struct timespec wait = monotonic_timespec(left);
        struct pollfd fds[] = {{.fd = self->signals.stop_fd, .events = POLLIN},
                               {.fd = self->signals.hangup_fd, .events = POLLIN}};
        if (ppoll(fds, 2, &wait, NULL) <= 0)
            continue;
        if (fds[0].revents)
            return false;
        if (fds[1].revents)
            reopen_recording(self);
    }
}

/*
 * The next moment of the schedule that is still to come: polls keep to multiples of the period
 * after the first one, however long one took; those that were slept through are left out.
 */
static int64_t next_moment_ns(int64_t first_ns, int64_t period_ns)
{
    const int64_t passed = (monotonic_ns() - first_ns) / period_ns;
    return first_ns + (passed + 1) * period_ns;
}

/* So many polls in a row have to be in time before a late one is told of again. */
#define IN_TIME_AGAIN 100

/* Tells that polls take longer than the period, once until it is over. */
static void say_when_late(monitor_t *self, int64_t begun_ns, int64_t period_ns)
{
    const int64_t late_ns = monotonic_ns() - begun_ns - period_ns;
    if (late_ns <= 0) {
        self->in_time++;
        return;
    }
    if (self->in_time >= IN_TIME_AGAIN)
        say_and_free(memory_format(
            "a poll took %.3g s longer than the period: polls keep to the schedule, and those that "
            "are late are left out",
            (double)late_ns / (double)NS_PER_SECOND));
    self->in_time = 0;
}

static void record(monitor_t *self, const snapshot_t *snapshot)
{
    char *error = NULL;
    const recording_result_t result = recording_write(self->recording, snapshot, &error);
    if (error)
        say_and_free(error);
    if (result != RECORDING_OK)
        self->lost = true;
    if (result == RECORDING_CLOSED)
        self->closed = true;
}

static void take_display_result(monitor_t *self, display_result_t result, char *error)
{
    if (error)
        say_and_free(error);
    self->closed |= result == DISPLAY_CLOSED;
    self->lost |= result == DISPLAY_FAILED;
}

/* Hands a snapshot to all who want it. */
static void present(monitor_t *self, snapshot_t *snapshot)
{
    if (self->recording)
        record(self, snapshot);
    if (self->display) {
        char *error = NULL;
        const display_result_t result =
            display_show(self->display, history_previous(self->history), snapshot, &error);
        take_display_result(self, result, error);
    }
}

static void count_failures(monitor_t *self, const snapshot_t *snapshot)
{
    self->asked = snapshot->reply_count;
    self->failed = 0;
    for (size_t i = 0; i < snapshot->reply_count; i++)
        self->failed += !snapshot->replies[i].response;
}

static void poll_once(monitor_t *self)
{
    if (self->display && self->asked > 0)
        display_status(self->display, memory_format("asking %zu %s ...", self->asked,
                                                    self->asked == 1 ? "server" : "servers"));
    snapshot_t *snapshot = poller_poll(self->poller, self->signals.stop_fd);
    const bool has_answer = snapshot_has_answer(snapshot);
    self->answered |= has_answer;
    count_failures(self, snapshot);
    /* Answers that came before a signal count: their samples exist nowhere else any more. */
    if (!is_stopped(self) || has_answer) {
        reopen_recording(self);
        present(self, snapshot);
    }
    history_remember(self->history, &snapshot);
}

static void poll_on(monitor_t *self)
{
    const int64_t period_ns = (int64_t)(self->options.poll_period * (double)NS_PER_SECOND);
    const int64_t first_ns = monotonic_ns();
    int64_t left = self->options.count;
    for (;;) {
        const int64_t begun_ns = monotonic_ns();
        poll_once(self);
        if (self->closed || is_stopped(self))
            return;
        if (self->options.count != 1)
            say_when_late(self, begun_ns, period_ns);
        if (self->options.count > 0 && --left == 0)
            return;
        if (!wait_until(self, next_moment_ns(first_ns, period_ns)))
            return;
    }
}

/* Stops what was started. A second signal ends the program here. */
static void stop_perf(monitor_t *self)
{
    const bool told = signals_take_stop(&self->signals) != 0;
    bool off = poller_stop_perf(self->poller, self->signals.stop_fd);
    if (!told && is_stopped(self)) {
        /* The first one, while we were ending by ourselves: what we are doing anyway. */
        (void)signals_take_stop(&self->signals);
        off = poller_stop_perf(self->poller, self->signals.stop_fd);
    }
    if (!off && is_stopped(self)) {
        say("ended at once: performance monitoring may still be on");
        signals_die_of(signals_take_stop(&self->signals));
    }
    if (!off)
        self->lost = true;
}

static int finish_printing(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    say_and_free(memory_format("standard output: %s", strerror(errno)));
    return EXIT_FAILURE;
}

static bool open_recording(monitor_t *self)
{
    char *error = NULL;
    char *note = NULL;
    if (!self->options.recording.path)
        return true;
    self->recording = recording_new(&self->options.recording, self->signals.stop_fd, &error, &note);
    if (note)
        say_and_free(note);
    if (!self->recording)
        say_and_free(error);
    return self->recording != NULL;
}

static void open_display(monitor_t *self)
{
    if (self->options.quiet || (self->recording && recording_is_standard_output(self->recording)))
        return;
    self->display = display_new(&self->options.display, self->signals.stop_fd);
    shown = self->display;
}

static void close_all(monitor_t *self)
{
    if (self->display && !self->closed) {
        char *error = NULL;
        const display_result_t result = display_end(self->display, &error);
        take_display_result(self, result, error);
    }
    shown = NULL;
    display_destroy(&self->display);
    history_destroy(&self->history);
}

/* Connects, opens the recording, polls. Returns the exit status. */
static int run(monitor_t *self)
{
    const bool connected = poller_connect(self->poller, self->signals.stop_fd);
    if (is_stopped(self))
        return EXIT_SUCCESS;
    if (self->options.list) {
        poller_list(self->poller, stdout);
        const int status = finish_printing();
        return connected ? status : EXIT_FAILURE;
    }
    if (!connected || !poller_settle(self->poller) || !open_recording(self))
        return EXIT_FAILURE;
    open_display(self);
    self->history = history_new();
    if (!self->recording)
        poller_drop_texts(self->poller);
    poller_start_perf(self->poller, self->signals.stop_fd);
    if (!is_stopped(self))
        poll_on(self);
    close_all(self);
    const bool in_vain = !self->answered && !is_stopped(self);
    if (self->options.perf)
        stop_perf(self);
    recording_destroy(&self->recording);
    return self->lost || in_vain ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Shows a recording as if it were what servers answer. */
static int read_recording(monitor_t *self)
{
    char *note = NULL;
    replay_t *replay = replay_new(self->options.read, self->signals.stop_fd, &note);
    if (!replay) {
        say_and_free(note);
        return EXIT_FAILURE;
    }
    int status = EXIT_FAILURE;
    const char *output = self->options.recording.path;
    if (output && replay_reads(replay, output)) {
        say_and_free(memory_format("%s: it is what is read: record into another file", output));
    } else if (open_recording(self)) {
        open_display(self);
        self->history = history_new();
        snapshot_t *snapshot = NULL;
        bool damaged = false;
        int64_t count = 0;
        bool more = true;
        while (more && !self->closed && !is_stopped(self) &&
               (self->options.count == 0 || count < self->options.count)) {
            more = replay_next(replay, &snapshot, &note, &damaged);
            if (note)
                say_and_free(note);
            self->lost |= damaged;
            if (!snapshot)
                continue;
            count++;
            present(self, snapshot);
            history_remember(self->history, &snapshot);
        }
        close_all(self);
        recording_destroy(&self->recording);
        status = self->lost ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    replay_destroy(&replay);
    return status;
}

static int ask_servers(monitor_t *self)
{
    const options_t *options = &self->options;
    tango_error_t error = {0};
    if (!tango_client_init((int)(options->timeout * 1000), &error)) {
        say_and_free(memory_format("can't start the Tango client library: %s",
                                   error.text ? error.text : "unknown error"));
        tango_error_clear(&error);
        return EXIT_FAILURE;
    }
    selection_t selection = selection_make(&options->selection);
    if (selection.error) {
        say(selection.error);
        selection_clear(&selection);
        return EXIT_FAILURE;
    }
    self->poller = poller_new(selection.targets, selection.count, options->timeout, options->perf,
                              say_for_poller, NULL);
    selection_clear(&selection);
    const int status = run(self);
    /* With a call under way, exit() would tear the Tango library down under it. */
    if (!poller_destroy(&self->poller))
        _exit(status);
    return status;
}

static int monitor(const options_t *options)
{
    monitor_t self = {.options = *options, .in_time = IN_TIME_AGAIN};
    self.signals = signals_open(hangup_stops(options));
    if (self.signals.stop_fd < 0) {
        say_and_free(memory_format("can't wait for signals: %s", strerror(errno)));
        return EXIT_FAILURE;
    }
    const int status = options->read ? read_recording(&self) : ask_servers(&self);
    signals_close(&self.signals);
    return status;
}

int main(int argc, char **argv)
{
    /* With an arena for each worker thread, what one frees would be of no use to the others. */
    mallopt(M_ARENA_MAX, 2);
    setlocale(LC_CTYPE, ""); /* LC_NUMERIC stays: a decimal point is a point */
    options_t options;
    char *error = NULL;
    int status = EXIT_USAGE;
    switch (options_parse(&options, argc, argv, &error)) {
    case OPTIONS_RUN:
        status = monitor(&options);
        break;
    case OPTIONS_HELP:
        options_help(stdout);
        status = finish_printing();
        break;
    case OPTIONS_VERSION:
        puts(PROGRAM " " STEM_VERSION);
        status = finish_printing();
        break;
    case OPTIONS_WRONG:
        say_and_free(memory_format("%s (try " PROGRAM " --help)", error));
        free(error);
        break;
    }
    options_clear(&options);
    return status;
}
