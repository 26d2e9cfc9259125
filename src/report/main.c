/*
 * ska-tango-event-report: what recordings say.
 *
 * This file turns the options into a source and sinks; run.h is the loop between them.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/terminal.h"
#include "monitor/limits.h"
#include "monitor/messages.h"
#include "monitor/program.h"
#include "monitor/recording/merge.h"
#include "monitor/run.h"
#include "monitor/signals.h"
#include "monitor/view/report/collect/report_sink.h"
#include "monitor/view/report/html/report_html.h"
#include "monitor/view/report/report_json.h"
#include "monitor/view/report/report_text.h"
#include "monitor/view/report/tables/report_csv.h"
#include "report/page_file.h"
#include "report/progress.h"
#include "report/report_options.h"
#include "version.h"

#define PROGRAM "ska-tango-event-report"

#define EXIT_USAGE 2
#define EXIT_FOUND 3

typedef struct {
    source_t source;    /* comes first: the merged recordings, with the progress */
    source_t *readings; /* these recordings */
    report_program_options_t options;
    signals_t signals;
    messages_t *messages;
    progress_t progress;
    merge_t *merge; /* the readings'; NULL: they have been destroyed */
    size_t file_count;
    report_t *report;
    sink_t *csv; /* the run's; or NULL */
    bool found;  /* --fail-on applies */
} reporter_t;

/* ---- the source ---- */

static bool next(source_t *source, source_item_t *item)
{
    reporter_t *self = (reporter_t *)source;
    progress_show(&self->progress, merge_part(self->merge), merge_size(self->merge),
                  self->report->polls);
    return self->readings->methods->next(self->readings, item);
}

static void destroy(source_t **source)
{
    reporter_t *self = (reporter_t *)*source;
    self->merge = NULL;
    self->readings->methods->destroy(&self->readings);
    *source = NULL;
}

static void clear_progress(void *context)
{
    progress_clear(&((reporter_t *)context)->progress);
}

/* ---- the report ---- */

/* The user has no patience any more: nothing is left of what was begun. */
static _Noreturn void end_at_once(reporter_t *self)
{
    progress_clear(&self->progress);
    if (self->csv)
        self->csv->methods->abandon(self->csv);
    signals_die_of(signals_take_stop(&self->signals));
}

static void write_text(const reporter_t *self)
{
    const bool on_terminal = terminal_is_capable(STDOUT_FILENO);
    const bool color = on_terminal && !self->options.no_color && !terminal_no_color();
    const report_text_options_t text = {
        .top = self->options.top,
        .files = self->file_count,
        .style = {.width = on_terminal ? terminal_width(STDOUT_FILENO) : 0, .color = color}};
    report_text_write(stdout, self->report, &text);
}

/* What the page is about. The caller frees it. */
static char *title_of(const reporter_t *self)
{
    const char *path = self->options.files[0];
    const char *slash = strrchr(path, '/');
    const char *name = strcmp(path, "-") == 0 ? "standard input" : slash ? slash + 1 : path;
    const size_t more = self->file_count - 1;
    return more > 0 ? memory_format("%s and %zu more file%s", name, more, PLURAL(more))
                    : memory_string(name);
}

static bool write_page(const reporter_t *self, char **error)
{
    page_file_t file;
    if (!page_file_open(&file, self->options.html, error))
        return false;
    char *title = title_of(self);
    report_html_write(file.out, self->report, &(report_html_options_t){.title = title});
    free(title);
    return page_file_close(&file, error);
}

static bool fails(const reporter_t *self)
{
    bool any = false;
    for (size_t i = 0; self->options.fail_on.is_given && i < self->report->finding_count; i++)
        any |= fail_on_counts(&self->options.fail_on, self->report->findings[i]);
    return any;
}

/* Why there is nothing to report. The caller frees it. */
static char *nothing(const reporter_t *self)
{
    const bool is_limited = self->options.since.is_given || self->options.until.is_given;
    return memory_format("nothing to report: the recording%s ha%s no polls%s",
                         PLURAL(self->file_count), self->file_count == 1 ? "s" : "ve",
                         is_limited ? " between --since and --until" : "");
}

static bool is_standard_output(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

/* What is written into files, before anything is printed: whoever reads that may not do so for
 * long.
 */
static sink_result_t write_report(void *context, const report_t *report, char **error)
{
    reporter_t *self = context;
    if (signals_say_stop(&self->signals))
        end_at_once(self);
    progress_clear(&self->progress);
    self->progress.is_on = false;
    if (report->polls == 0) {
        if (self->csv)
            self->csv->methods->abandon(self->csv);
        *error = nothing(self);
        return SINK_FAILED;
    }
    self->report->broken_lines = merge_broken_lines(self->merge);
    self->found = fails(self);
    const bool writes_page = self->options.html && !is_standard_output(self->options.html);
    return writes_page && !write_page(self, error) ? SINK_FAILED : SINK_OK;
}

/* Standard output. False if that failed, and that was said. */
static bool print_report(reporter_t *self)
{
    char *error = NULL;
    signals_release();
    if (is_standard_output(self->options.html)) {
        const bool good = write_page(self, &error);
        if (error)
            messages_say_and_free(self->messages, error);
        return good;
    }
    if (self->options.format == FORMAT_JSON) {
        report_json_write(stdout, self->report);
        putchar('\n');
    } else if (!self->options.quiet) {
        write_text(self);
    }
    return program_finish_printing(PROGRAM) == EXIT_SUCCESS;
}

/* ---- the run ---- */

/* Opens the recordings; what is wrong is one line, or NULL. */
static char *open_recordings(reporter_t *self)
{
    static const merge_options_t everything = {0};
    report_program_options_t *options = &self->options;
    char *error = NULL;
    self->merge =
        merge_new(options->files, options->file_count, &everything, self->signals.stop_fd, &error);
    if (!self->merge)
        return error;
    self->file_count = merge_file_count(self->merge);
    if (options->html && merge_reads(self->merge, options->html)) {
        merge_destroy(&self->merge);
        return memory_format("--html %s: would overwrite a recording that is read", options->html);
    }
    struct timespec begin;
    if (!merge_begin(self->merge, &begin))
        return NULL;
    const struct timespec since =
        options->since.is_given ? time_option_since(&options->since, &begin) : begin;
    const struct timespec until = time_option_until(&options->until, &since);
    merge_limit(self->merge, &(merge_options_t){.since = options->since.is_given ? &since : NULL,
                                                .until = options->until.is_given ? &until : NULL});
    return NULL;
}

static bool go(reporter_t *self, run_t *run)
{
    static const source_methods_t methods = {.next = next, .destroy = destroy};
    self->source.methods = &methods;
    self->readings = merge_source(self->merge);
    self->progress = progress_of(STDERR_FILENO, self->options.quiet);
    messages_set_before(self->messages, clear_progress, self);
    source_t *source = &self->source;
    return run_go(run, &source, 0);
}

/* Makes the sinks; what is wrong is one line, or NULL. */
static char *add_sinks(reporter_t *self, run_t *run)
{
    char *error = NULL;
    run_add(run, report_sink_new(self->report, write_report, self));
    if (!self->options.csv)
        return NULL;
    self->csv = report_csv_new(self->options.csv, self->report, &self->options.filter, &error);
    if (self->csv)
        run_add(run, self->csv);
    return error;
}

static bool run_report(reporter_t *self)
{
    self->messages = messages_new(STDERR_FILENO, PROGRAM);
    run_t *run = run_new(&self->signals, self->messages, &self->options.rules);
    self->report = report_new(&(report_options_t){.filter = self->options.filter});
    char *error = add_sinks(self, run);
    bool good = !error && go(self, run);
    if (error)
        messages_say_and_free(self->messages, error);
    else if (self->report->polls > 0)
        good &= print_report(self);
    merge_destroy(&self->merge);
    run_destroy(&run);
    report_destroy(&self->report);
    messages_destroy(&self->messages);
    return good;
}

static int report(const report_program_options_t *options)
{
    reporter_t self = {.options = *options};
    char *error = NULL;
    limits_raise_files();
    self.signals = signals_open(true, &error);
    if (!error)
        error = open_recordings(&self);
    if (!error && signals_say_stop(&self.signals))
        end_at_once(&self);
    const bool good = !error && run_report(&self);
    if (error)
        program_complain(PROGRAM, error);
    signals_clear(&self.signals);
    if (!good)
        return EXIT_FAILURE;
    return self.found ? EXIT_FOUND : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    report_program_options_t options;
    char *error = NULL;
    int status = EXIT_USAGE;
    switch (report_options_parse(&options, argc, argv, &error)) {
    case REPORT_OPTIONS_RUN:
        status = report(&options);
        break;
    case REPORT_OPTIONS_HELP:
        report_options_help(stdout);
        status = program_finish_printing(PROGRAM);
        break;
    case REPORT_OPTIONS_VERSION:
        puts(PROGRAM " " STEM_VERSION);
        status = program_finish_printing(PROGRAM);
        break;
    case REPORT_OPTIONS_WRONG:
        program_complain(PROGRAM, memory_format("%s (try " PROGRAM " --help)", error));
        free(error);
        break;
    }
    report_options_clear(&options);
    return status;
}
