/*
 * ska-tango-event-exporter: what happens to events in Tango device servers, as metrics for
 * Prometheus.
 *
 * This file turns the options into a source, sinks and a web server.
 */
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "exporter/exporter_options.h"
#include "exporter/reload_sink.h"
#include "exporter/web/web_server.h"
#include "monitor/messages.h"
#include "monitor/program.h"
#include "monitor/run.h"
#include "monitor/signals.h"
#include "monitor/view/metrics/metrics_sink.h"
#include "monitor/view/report/page/report_page_sink.h"
#include "monitor/watch.h"
#include "version.h"

#define PROGRAM "ska-tango-event-exporter"

#define EXIT_USAGE 2

/* How far back the page goes, in s, and the memory for its curves. */
#define PAGE_WINDOW 3600
#define PAGE_BUDGET ((size_t)16 << 20)

typedef struct {
    exporter_options_t options;
    signals_t signals;
    messages_t *messages;
    outlet_t *output; /* standard output; NULL: not needed so far */
    run_t *run;
    metrics_store_t *store;
    report_page_t *page; /* NULL: there is none */
    web_server_t *server;
} exporter_t;

static int status_of(bool good)
{
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool begin(void *context)
{
    exporter_t *self = context;
    run_add(self->run, metrics_sink_new(self->store));
    if (self->page)
        run_add(self->run, report_page_sink_new(self->page));
    run_add(self->run, reload_sink_new(self->server));
    return true;
}

static int go(void *context, source_t **source)
{
    exporter_t *self = context;
    return status_of(run_go(self->run, source, 0));
}

static int end_at_once(void *context)
{
    exporter_t *self = context;
    const int status = status_of(run_end_at_once(self->run));
    messages_flush(self->messages);
    return status;
}

static int print_list(void *context, const poller_t *poller)
{
    exporter_t *self = context;
    self->output = outlet_new(STDOUT_FILENO, messages_outlet(self->messages));
    return status_of(watch_print_list(poller, self->output, self->messages, &self->signals));
}

static void say(void *messages, const char *line)
{
    messages_say(messages, line);
}

/* NULL: it isn't wanted, or the metrics are where it would be. */
static report_page_t *new_page(const exporter_options_t *options)
{
    const report_page_options_t page = {
        .filter = options->watch.filter,
        .window = PAGE_WINDOW,
        .budget = PAGE_BUDGET,
        .poll_period = options->watch.poll_period,
        .metrics_path = options->web.telemetry_path,
    };
    const bool is_wanted = !options->no_page && strcmp(options->web.telemetry_path, "/") != 0;
    return is_wanted ? report_page_new(&page) : NULL;
}

/* Before there are servers, so that whoever asks whether we are alive is answered meanwhile. */
static bool start_server(exporter_t *self)
{
    char *error = NULL;
    if (self->options.watch.list)
        return true;
    self->options.web.say = say;
    self->options.web.say_context = self->messages;
    self->options.web.page = self->page = new_page(&self->options);
    self->server = web_server_new(&self->options.web, self->store, &error);
    if (error)
        messages_say_and_free(self->messages, error);
    return self->server;
}

static int watch(exporter_t *self)
{
    const watch_t watch = {
        .options = &self->options.watch,
        .may_be_empty = true,
        .tries_again = true,
        .signals = &self->signals,
        .messages = self->messages,
        .context = self,
        .begin = begin,
        .go = go,
        .end_at_once = end_at_once,
        .print_list = print_list,
    };
    return watch_servers(&watch);
}

/* SIGHUP means that the terminal has gone, and we should end, too; or, without a terminal, to read
 * the web server's configuration again. */
static bool hangup_stops(void)
{
    return isatty(STDOUT_FILENO) || isatty(STDERR_FILENO);
}

static int export(const exporter_options_t *options)
{
    exporter_t self = {.options = *options};
    char *error = NULL;
    self.signals = signals_open(hangup_stops(), &error);
    if (error) {
        program_complain(PROGRAM, error);
        return EXIT_FAILURE;
    }
    self.messages = messages_new(STDERR_FILENO, PROGRAM);
    self.run = run_new(&self.signals, self.messages, &self.options.watch.rules);
    messages_set_before(self.messages, NULL,
                        NULL); /* there is no status line; threads say things */
    const metrics_options_t metrics = {
        .filter = options->watch.filter,
        .series_limit = options->limit,
        .poll_period = options->watch.poll_period,
    };
    self.store = metrics_store_new(&metrics);
    const int status = start_server(&self) ? watch(&self) : EXIT_FAILURE;
    web_server_destroy(&self.server);
    run_destroy(&self.run);
    report_page_destroy(&self.page);
    metrics_store_destroy(&self.store);
    outlet_destroy(&self.output);
    messages_destroy(&self.messages);
    signals_clear(&self.signals);
    return status;
}

int main(int argc, char **argv)
{
    mallopt(M_ARENA_MAX, 2); /* as in the monitor */
    /* Answers of megabytes go back to the system at once, and not just up to the largest so far. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    setlocale(LC_CTYPE, "");
    exporter_options_t options;
    char *error = NULL;
    int status = EXIT_SUCCESS;
    switch (exporter_options_parse(&options, argc, argv, &error)) {
    case EXPORTER_RUN:
        status = export(&options);
        break;
    case EXPORTER_HELP:
        exporter_options_help(stdout);
        status = program_finish_printing(PROGRAM);
        break;
    case EXPORTER_VERSION:
        puts(PROGRAM " " STEM_VERSION);
        status = program_finish_printing(PROGRAM);
        break;
    case EXPORTER_WRONG:
        program_complain(PROGRAM, memory_format("%s (try " PROGRAM " --help)", error));
        free(error);
        status = EXIT_USAGE;
        break;
    }
    exporter_options_clear(&options);
    return status;
}
