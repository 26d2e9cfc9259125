/*
 * ska-tango-event-monitor: polls the event systems of Tango device servers.
 *
 * This file turns the options into a source and sinks; run.h is the loop between them.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/terminal.h"
#include "monitor/explain.h"
#include "monitor/limits.h"
#include "monitor/messages.h"
#include "monitor/options.h"
#include "monitor/poll/poll_source.h"
#include "monitor/poll/poller.h"
#include "monitor/recording/recording.h"
#include "monitor/recording/recording_sink.h"
#include "monitor/recording/replay.h"
#include "monitor/run.h"
#include "monitor/signals.h"
#include "monitor/view/diagnosis/diagnosis_sink.h"
#include "monitor/view/json/json_sink.h"
#include "monitor/view/text/text_sink.h"
#include "tango/tango_client.h"
#include "version.h"

#define PROGRAM "ska-tango-event-monitor"

#define EXIT_USAGE 2
#define EXIT_FOUND 3

enum { EXPLAIN_WIDTH = 80 };

/* How many servers --follow may add: each takes a thread and an open file. */
#define FOLLOWED_MAXIMUM 1000

typedef struct {
    options_t options;
    signals_t signals;
    checker_t *checker; /* or NULL */
    messages_t *messages;
    outlet_t *output; /* standard output; NULL: not needed so far */
    run_t *run;
    verdict_t verdict; /* of --diagnose */
} monitor_t;

/* One line on standard error, for before there are messages; frees it. */
static void complain(char *line)
{
    char *whole = messages_line(line);
    fputs(whole, stderr);
    free(whole);
    free(line);
}

static void say_for_poller(void *messages, poller_level_t level, const char *line)
{
    (void)level;
    messages_say(messages, line);
}

/*
 * If we were started with one of the standard descriptors closed, the next file opened would get
 * its number, and our output would go there. That file may be opened before main(): one of the
 * ORB's libraries opens pipes when it is loaded. Only .preinit_array runs before all libraries.
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
 * SIGHUP means that the terminal has gone, and we should end too; or, without a terminal, that the
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

static int status_of(bool good)
{
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Lets the source run to its end. Returns the exit status: what was found is more than that
 * something else failed as well. */
static int go(monitor_t *self, source_t **source)
{
    if (self->options.diagnose)
        run_limit(self->run, self->options.duration);
    const bool good = run_go(self->run, source, self->options.count);
    if (!self->options.diagnose)
        return status_of(good);
    return self->verdict == VERDICT_FOUND ? EXIT_FOUND
                                          : status_of(good && self->verdict == VERDICT_HEALTHY);
}

/* ---- sinks ---- */

static outlet_t *output_of(monitor_t *self)
{
    if (!self->output)
        self->output = outlet_new(STDOUT_FILENO, messages_outlet(self->messages));
    return self->output;
}

static bool add_recording(monitor_t *self)
{
    const recording_options_t *options = &self->options.recording;
    char *error = NULL;
    char *note = NULL;
    if (!options->path)
        return true;
    recording_t *recording = recording_new(options, self->signals.stop_fd, &error, &note);
    if (note)
        messages_say_and_free(self->messages, note);
    if (!recording) {
        messages_say_and_free(self->messages, error);
        return false;
    }
    run_add(self->run, recording_sink_new(&recording, options->path));
    return true;
}

static void add_summaries(monitor_t *self)
{
    const char *path = self->options.recording.path;
    const bool quiet = self->options.quiet || (path && recording_goes_to_standard_output(path));
    const view_options_t *view = &self->options.view;
    const int stop_fd = self->signals.stop_fd;
    if (self->options.diagnose) {
        run_add(self->run,
                diagnosis_sink_new(view, &self->options.fail_on, self->options.duration,
                                   quiet ? NULL : output_of(self), stop_fd, &self->verdict));
        return;
    }
    if (quiet)
        return;
    switch (view->format) {
    case FORMAT_TEXT:
        run_add(self->run, text_sink_new(view, output_of(self), stop_fd));
        break;
    case FORMAT_JSON:
    case FORMAT_JSONL:
    case FORMAT_JUNIT:
        run_add(self->run, json_sink_new(view, output_of(self), stop_fd));
        break;
    }
}

/* A recording comes first: it waits for no other output. */
static bool add_sinks(monitor_t *self)
{
    if (!add_recording(self))
        return false;
    add_summaries(self);
    return true;
}

/* ---- sources ---- */

/* Told to stop before there was anything to show. Returns the exit status. */
static int end_at_once(monitor_t *self)
{
    if (!self->options.list)
        add_summaries(self);
    const bool good = run_end_at_once(self->run);
    return status_of(good && !self->options.diagnose);
}

/* Prints what would be watched; waits for its reader. Returns the exit status. */
static int print_list(monitor_t *self, const poller_t *poller)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    poller_list(poller, out);
    memory_stream_close(out);
    outlet_put(output_of(self), OUTLET_RESULT, text, size, SIZE_MAX);
    const outlet_state_t state = outlet_wait(self->output, -1, self->signals.stop_fd);
    if (state == OUTLET_FAILING)
        messages_say_and_free(self->messages,
                              memory_format("standard output: %s", strerror(errno)));
    return status_of(state != OUTLET_FAILING && poller_is_complete(poller));
}

/* If that fails, the monitor goes on without. */
static void start_checks(monitor_t *self)
{
    char *error = NULL;
    if (!self->options.no_checks)
        self->checker = checker_new(&error);
    if (error)
        messages_say_and_free(self->messages, error);
}

/* Connects, opens the recording, polls. Returns the exit status. */
static int poll_servers(monitor_t *self, poller_t *poller)
{
    const options_t *options = &self->options;
    const int stop_fd = self->signals.stop_fd;
    if (options->follow)
        poller_follow(poller, &options->selection, FOLLOWED_MAXIMUM);
    const bool connected = poller_connect(poller, stop_fd);
    if (connected && !is_stopped(self))
        poller_find_others(poller, stop_fd);
    if (is_stopped(self))
        return end_at_once(self);
    if (options->list)
        return print_list(self, poller);
    limits_release_files();
    if (!connected || !poller_settle(poller) || !add_sinks(self))
        return EXIT_FAILURE;
    if (!options->recording.path)
        poller_drop_texts(poller);
    poller_start_perf(poller, stop_fd);
    start_checks(self);
    source_t *source =
        poll_source_new(poller, self->checker, options->perf,
                        (int64_t)(options->poll_period * (double)NS_PER_SECOND), stop_fd);
    return go(self, &source);
}

static int ask_servers(monitor_t *self)
{
    const options_t *options = &self->options;
    tango_error_t error = {0};
    limits_raise_files();
    limits_reserve_files();
    if (!tango_client_init((int)(options->timeout * 1000), &error)) {
        messages_say_and_free(self->messages,
                              memory_format("can't start the Tango client library: %s",
                                            error.text ? error.text : "unknown error"));
        tango_error_clear(&error);
        return EXIT_FAILURE;
    }
    char *wrong = NULL;
    selection_t selection = selection_make(&options->selection, self->signals.stop_fd, &wrong);
    if (selection.stopped) {
        const int status = end_at_once(self);
        messages_destroy(&self->messages);
        _exit(status);
    }
    if (wrong) {
        messages_say_and_free(self->messages, wrong);
        selection_clear(&selection);
        return EXIT_FAILURE;
    }
    poller_t *poller = poller_new(selection.targets, selection.count, options->timeout,
                                  options->perf, say_for_poller, self->messages, &wrong);
    selection_clear(&selection);
    if (!poller) {
        messages_say_and_free(self->messages, wrong);
        return EXIT_FAILURE;
    }
    const int status = poll_servers(self, poller);
    /* With a call under way, exit() would tear the Tango library down under it. */
    const bool checks_ended = checker_destroy(&self->checker);
    if (!poller_destroy(&poller) || !checks_ended) {
        messages_destroy(&self->messages);
        _exit(status);
    }
    return status;
}

/* Shows a recording as if servers were answering now. It can wait for its reader. */
static int read_recording(monitor_t *self)
{
    const char *output = self->options.recording.path;
    self->options.view.waits = true;
    self->options.recording.waits = true;
    char *error = NULL;
    replay_t *replay = replay_new(self->options.read, self->signals.stop_fd, &error);
    if (!replay) {
        messages_say_and_free(self->messages, error);
        return EXIT_FAILURE;
    }
    const bool reads_output = output && replay_reads(replay, output);
    if (reads_output)
        messages_say_and_free(
            self->messages,
            memory_format("%s: this file is being read: record into another one", output));
    if (reads_output || !add_sinks(self)) {
        replay_destroy(&replay);
        return EXIT_FAILURE;
    }
    source_t *source = replay_source(replay);
    return go(self, &source);
}

static int monitor(const options_t *options)
{
    monitor_t self = {.options = *options};
    char *error = NULL;
    self.signals = signals_open(hangup_stops(options), &error);
    if (error) {
        complain(error);
        return EXIT_FAILURE;
    }
    self.messages = messages_new(STDERR_FILENO);
    self.run = run_new(&self.signals, self.messages, &self.options.rules);
    const int status = options->read ? read_recording(&self) : ask_servers(&self);
    run_destroy(&self.run);
    outlet_destroy(&self.output);
    messages_destroy(&self.messages);
    signals_clear(&self.signals);
    return status;
}

static int finish_printing(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    complain(memory_format("standard output: %s", strerror(errno)));
    return EXIT_FAILURE;
}

/* As wide as the terminal, but no wider than what is easy to read. */
static void explain(const options_t *options)
{
    const bool on_terminal = terminal_is_capable(STDOUT_FILENO);
    const size_t width = on_terminal ? terminal_width(STDOUT_FILENO) : 0;
    const text_style_t style = {
        .width = width == 0 || width > EXPLAIN_WIDTH ? EXPLAIN_WIDTH : width,
        .color = on_terminal && !options->view.no_color && !terminal_no_color(),
    };
    explain_print(stdout, options->explained, options->explained_count, &options->rules, &style);
}

int main(int argc, char **argv)
{
    /*
     * With an arena for each worker thread, memory freed by one would be of no use to the others.
     */
    mallopt(M_ARENA_MAX, 2);
    setlocale(LC_CTYPE, ""); /* LC_NUMERIC stays: a decimal point is a point */
    options_t options;
    char *error = NULL;
    int status = EXIT_USAGE;
    switch (options_parse(&options, argc, argv, &error)) {
    case OPTIONS_RUN:
        status = monitor(&options);
        break;
    case OPTIONS_EXPLAIN:
        explain(&options);
        status = finish_printing();
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
        complain(memory_format("%s (try " PROGRAM " --help)", error));
        free(error);
        break;
    }
    options_clear(&options);
    return status;
}
