/*
 * ska-tango-event-monitor: polls the event systems of Tango device servers.
 *
 * This file turns the options into a source and sinks; run.h is the loop between them.
 */
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/terminal.h"
#include "monitor/explain.h"
#include "monitor/messages.h"
#include "monitor/options.h"
#include "monitor/program.h"
#include "monitor/recording/recording.h"
#include "monitor/recording/recording_sink.h"
#include "monitor/recording/replay.h"
#include "monitor/run.h"
#include "monitor/signals.h"
#include "monitor/view/diagnosis/diagnosis_sink.h"
#include "monitor/view/json/json_sink.h"
#include "monitor/view/live/live.h"
#include "monitor/view/text/text_sink.h"
#include "monitor/watch.h"
#include "version.h"

#define PROGRAM "ska-tango-event-monitor"

#define EXIT_USAGE 2
#define EXIT_FOUND 3

enum { EXPLAIN_WIDTH = 80 };

typedef struct {
    options_t options;
    signals_t signals;
    messages_t *messages;
    outlet_t *output; /* standard output; NULL: not needed so far */
    run_t *run;
    verdict_t verdict; /* of --diagnose */
    live_t *live;      /* the view of --live, while it has the terminal; or NULL */
    live_options_t live_options;
    live_controls_t live_controls;
    char *recorded_into; /* what was asked for in the view; or NULL */
    replay_t *replay;    /* the recording that is read; the source's */
} monitor_t;

/*
 * SIGHUP means that the terminal has gone, and we should end too; or, without a terminal, that the
 * recording was moved away.
 */
static bool hangup_stops(const options_t *options)
{
    return !options->recording.path || isatty(STDOUT_FILENO) || isatty(STDERR_FILENO);
}

static int status_of(bool good)
{
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the live view ---- */

static bool say_in_view(void *context, const char *line)
{
    return live_say(context, line);
}

static void say_afterwards(void *context, const char *line)
{
    messages_say(context, line);
}

static void end_view(monitor_t *self)
{
    messages_set_instead(self->messages, NULL, NULL);
    live_destroy(&self->live, say_afterwards, self->messages);
}

static bool set_perf(void *context, bool perf, char **error)
{
    *error = NULL;
    return run_set_perf(((monitor_t *)context)->run, perf);
}

static bool record(void *context, const char *path, char **error)
{
    monitor_t *self = context;
    struct stat status;
    const recording_options_t options = {.path = path};
    char *note = NULL;
    *error = NULL;
    if (run_recorded_into(self->run))
        *error = memory_format("it is being recorded into %s", run_recorded_into(self->run));
    else if (recording_goes_to_standard_output(path) || stat(path, &status) == 0)
        *error = memory_format("%s: there is such a file: record into another one", path);
    if (*error)
        return false;
    recording_t *recording = recording_new(&options, self->signals.stop_fd, error, &note);
    free(note);
    if (!recording)
        return false;
    free(self->recorded_into);
    self->recorded_into = memory_string(path);
    sink_t *sink = recording_sink_new(&recording, self->recorded_into);
    sink->is_required = false;
    sink->when_closed = "the recording has ended; the view goes on";
    run_add(self->run, sink);
    run_keep_texts(self->run);
    return true;
}

static void quit(void *context)
{
    (void)context;
    signals_ask_to_stop();
}

static live_options_t view_options(const options_t *options)
{
    return (live_options_t){
        .key = options->view.summary.top_key,
        .filter = &options->view.summary.filter,
        .poll_period = options->watch.poll_period,
        .perf = options->watch.perf,
        .no_color = options->view.no_color,
        .read = options->read,
    };
}

static double part_read(void *context)
{
    return replay_part(context);
}

static bool begin_view(monitor_t *self)
{
    char *error = NULL;
    self->live_options = view_options(&self->options);
    self->live_options.can_read_again = self->replay && replay_is_file(self->replay);
    self->live_controls =
        (live_controls_t){.context = self, .set_perf = set_perf, .record = record, .quit = quit};
    self->live = live_new(&self->live_options, &self->live_controls, &error);
    if (!self->live) {
        messages_say_and_free(self->messages, error);
        return false;
    }
    messages_set_instead(self->messages, say_in_view, self->live);
    run_add(self->run, live_sink_new(self->live, self->replay ? part_read : NULL, self->replay));
    return true;
}

/* Reads the recording once more, for the view. */
static void read_again(monitor_t *self)
{
    char *error = NULL;
    replay_t *replay = replay_new(self->options.read, self->signals.stop_fd, &error);
    if (!replay) {
        messages_say_and_free(self->messages, error);
        return;
    }
    run_t *run = run_new(&self->signals, self->messages, &self->options.watch.rules);
    run_add(run, live_sink_new(self->live, part_read, replay));
    source_t *source = replay_source(replay);
    (void)run_go(run, &source, self->options.count);
    run_destroy(&run);
}

/* After the run: a recording is there to be looked through. */
static void look_and_end_view(monitor_t *self)
{
    while (self->options.read && live_wait(self->live, self->signals.stop_fd))
        read_again(self);
    end_view(self);
}

/* ---- the run ---- */

/* Lets the source run to its end. Returns the exit status: what was found is more than that
 * something else failed as well. */
static int go(void *context, source_t **source)
{
    monitor_t *self = context;
    if (self->options.diagnose)
        run_limit(self->run, self->options.duration);
    const bool good = run_go(self->run, source, self->options.count);
    if (self->live)
        look_and_end_view(self);
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
static bool add_sinks(void *context)
{
    monitor_t *self = context;
    if (!add_recording(self))
        return false;
    if (self->options.live)
        return begin_view(self);
    add_summaries(self);
    return true;
}

/* ---- sources ---- */

/* Told to stop before there was anything to show. Returns the exit status. */
static int end_at_once(void *context)
{
    monitor_t *self = context;
    if (!self->options.watch.list && !self->options.live)
        add_summaries(self);
    const int status = status_of(run_end_at_once(self->run) && !self->options.diagnose);
    messages_flush(self->messages);
    return status;
}

/* Prints what would be watched. Returns the exit status. */
static int print_list(void *context, const poller_t *poller)
{
    monitor_t *self = context;
    return status_of(watch_print_list(poller, output_of(self), self->messages, &self->signals));
}

static int ask_servers(monitor_t *self)
{
    const watch_t watch = {
        .options = &self->options.watch,
        .keeps_texts = self->options.recording.path,
        .signals = &self->signals,
        .messages = self->messages,
        .context = self,
        .begin = add_sinks,
        .go = go,
        .end_at_once = end_at_once,
        .print_list = print_list,
    };
    return watch_servers(&watch);
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
    self->replay = replay;
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
    const live_options_t live = view_options(options);
    self.signals = signals_open(hangup_stops(options), &error);
    if (options->live)
        live_block_signals();
    if (error || (options->live && !live_check(&live, &error))) {
        program_complain(PROGRAM, error);
        return EXIT_FAILURE;
    }
    self.messages = messages_new(STDERR_FILENO, PROGRAM);
    self.run = run_new(&self.signals, self.messages, &self.options.watch.rules);
    const int status = options->read ? read_recording(&self) : ask_servers(&self);
    run_destroy(&self.run);
    free(self.recorded_into);
    outlet_destroy(&self.output);
    messages_destroy(&self.messages);
    signals_clear(&self.signals);
    return status;
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
    explain_print(stdout, options->explained, options->explained_count, &options->watch.rules,
                  &style);
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
        status = program_finish_printing(PROGRAM);
        break;
    case OPTIONS_HELP:
        options_help(stdout);
        status = program_finish_printing(PROGRAM);
        break;
    case OPTIONS_VERSION:
        puts(PROGRAM " " STEM_VERSION);
        status = program_finish_printing(PROGRAM);
        break;
    case OPTIONS_WRONG:
        program_complain(PROGRAM, memory_format("%s (try " PROGRAM " --help)", error));
        free(error);
        break;
    }
    options_clear(&options);
    return status;
}
