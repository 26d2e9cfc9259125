#include "monitor/view/report/page/report_page.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "monitor/view/report/collect/report.h"
#include "monitor/view/report/html/report_html.h"
#include "monitor/view/report/page/report_page_sink.h"

struct report_page {
    report_html_options_t html;
    pthread_mutex_t lock; /* of the report */
    report_t *report;
    _Atomic int64_t number;
};

typedef struct {
    sink_t sink; /* comes first */
    report_page_t *page;
} page_sink_t;

report_page_t *report_page_new(const report_page_options_t *options)
{
    report_page_t *self = memory_new(1, sizeof *self);
    const report_options_t report = {.filter = options->filter,
                                     .window = options->window,
                                     .budget = options->budget,
                                     .copies_findings = true};
    pthread_mutex_init(&self->lock, NULL);
    self->html = (report_html_options_t){.title = "Tango events",
                                         .refresh = options->poll_period,
                                         .metrics_path = options->metrics_path};
    self->report = report_new(&report);
    return self;
}

void report_page_destroy(report_page_t **self)
{
    if (!*self)
        return;
    report_destroy(&(*self)->report);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

int64_t report_page_number(report_page_t *self)
{
    return atomic_load(&self->number);
}

char *report_page_write(report_page_t *self, size_t *size, int64_t *number)
{
    char *text = NULL;
    pthread_mutex_lock(&self->lock);
    *number = report_page_number(self);
    if (*number > 0) {
        FILE *out = memory_stream_open(&text, size);
        report_settle(self->report);
        report_html_write(out, self->report, &self->html);
        memory_stream_close(out);
    }
    pthread_mutex_unlock(&self->lock);
    return text;
}

const char *report_page_policy(void)
{
    return report_html_policy();
}

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    report_page_t *page = ((page_sink_t *)sink)->page;
    *error = NULL;
    pthread_mutex_lock(&page->lock);
    report_add(page->report, observation);
    atomic_fetch_add(&page->number, 1);
    pthread_mutex_unlock(&page->lock);
    return SINK_OK;
}

static void destroy(sink_t **sink)
{
    free(*sink);
    *sink = NULL;
}

sink_t *report_page_sink_new(report_page_t *page)
{
    static const sink_methods_t methods = {.show = show, .destroy = destroy};
    page_sink_t *self = memory_new(1, sizeof *self);
    self->sink.methods = &methods;
    self->sink.compares = true;
    self->page = page;
    return &self->sink;
}
