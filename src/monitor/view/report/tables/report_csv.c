#include "monitor/view/report/tables/report_csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "monitor/view/report/tables/csv_series.h"
#include "monitor/view/report/tables/csv_tables.h"

typedef struct {
    const char *name;
    void (*write)(csv_file_t *file, const report_t *report); /* NULL: it is written meanwhile */
} table_t;

static const table_t tables[] = {{"series.csv", NULL},
                                 {"totals.csv", csv_totals_write},
                                 {"findings.csv", csv_findings_write},
                                 {"servers.csv", csv_servers_write},
                                 {"incidents.csv", csv_incidents_write}};

enum { SERIES = 0, TABLES = sizeof tables / sizeof *tables };

typedef struct {
    sink_t sink; /* comes first */
    const report_t *report;
    char *directory;
    bool made_directory; /* and nothing has got its name in it */
    bool failed;         /* and that was said */
    csv_file_t files[TABLES];
    csv_series_t *series;
} report_csv_t;

static char *cannot_write(const report_csv_t *self, size_t table, int error)
{
    return memory_format("%s/%s: can't write it: %s", self->directory, tables[table].name,
                         strerror(error));
}

/* Nothing is left of it. */
static void give_up(report_csv_t *self)
{
    for (size_t i = 0; i < TABLES; i++)
        csv_file_discard(&self->files[i]);
    if (self->made_directory)
        rmdir(self->directory);
    self->made_directory = false;
    self->failed = true;
}

static sink_result_t fail(report_csv_t *self, size_t table, int error_number, char **error)
{
    *error = cannot_write(self, table, error_number);
    give_up(self);
    return SINK_FAILED;
}

static sink_result_t show(sink_t *sink, const observation_t *observation, char **error)
{
    report_csv_t *self = (report_csv_t *)sink;
    csv_file_t *file = &self->files[SERIES];
    *error = NULL;
    if (self->failed)
        return SINK_OK;
    csv_series_add(self->series, observation);
    return file->error == 0 ? SINK_OK : fail(self, SERIES, file->error, error);
}

static char *say_what_is_left_out(const report_csv_t *self)
{
    const report_t *report = self->report;
    if (report->streams_left_out + report->servers_left_out + report->findings_left_out +
            report->incidents_left_out ==
        0)
        return NULL;
    return memory_format(
        "%s: not in the tables, since there are too many: %zu streams, %zu servers, "
        "%zu findings, %zu incidents",
        self->directory, report->streams_left_out, report->servers_left_out,
        report->findings_left_out, report->incidents_left_out);
}

static sink_result_t end(sink_t *sink, bool any, char **error)
{
    report_csv_t *self = (report_csv_t *)sink;
    (void)any;
    *error = NULL;
    for (size_t i = 0; i < TABLES && !self->failed; i++) {
        csv_file_t *file = &self->files[i];
        if (tables[i].write) {
            if (!csv_file_open(file, self->directory, tables[i].name))
                return fail(self, i, errno, error);
            tables[i].write(file, self->report);
        }
        if (!csv_file_close(file))
            return fail(self, i, errno, error);
    }
    *error = self->failed ? NULL : say_what_is_left_out(self);
    return SINK_OK;
}

static sink_result_t finish(sink_t *sink, bool told, char **error)
{
    report_csv_t *self = (report_csv_t *)sink;
    *error = NULL;
    if (self->failed)
        return SINK_OK;
    if (told) {
        *error = memory_format("%s: no tables were written, since not everything was read",
                               self->directory);
        give_up(self);
        return SINK_FAILED;
    }
    for (size_t i = 0; i < TABLES; i++) {
        if (!csv_file_publish(&self->files[i]))
            return fail(self, i, errno, error);
        self->made_directory = false;
    }
    return SINK_OK;
}

static void abandon(sink_t *sink)
{
    give_up((report_csv_t *)sink);
}

static void destroy(sink_t **sink)
{
    report_csv_t *self = (report_csv_t *)*sink;
    csv_series_destroy(&self->series);
    for (size_t i = 0; i < TABLES; i++)
        csv_file_clear(&self->files[i]);
    if (self->made_directory)
        rmdir(self->directory);
    free(self->directory);
    free(self);
    *sink = NULL;
}

static char *make_directory(report_csv_t *self)
{
    if (mkdir(self->directory, 0777) == 0) {
        self->made_directory = true;
        return NULL;
    }
    struct stat status;
    const int error = errno;
    if (error == EEXIST && stat(self->directory, &status) == 0)
        return S_ISDIR(status.st_mode)
                   ? NULL
                   : memory_format("%s: it is no directory for tables", self->directory);
    return memory_format("%s: can't make the directory for tables: %s", self->directory,
                         strerror(error));
}

sink_t *report_csv_new(const char *directory, report_t *report, const filter_t *filter,
                       char **error)
{
    static const sink_methods_t methods = {
        .show = show, .end = end, .finish = finish, .abandon = abandon, .destroy = destroy};
    report_csv_t *self = memory_new(1, sizeof *self);
    self->sink = (sink_t){.methods = &methods, .compares = true};
    self->report = report;
    self->directory = memory_string(directory);
    *error = make_directory(self);
    if (!*error && !csv_file_open(&self->files[SERIES], directory, tables[SERIES].name))
        *error = cannot_write(self, SERIES, errno);
    sink_t *sink = &self->sink;
    if (*error)
        destroy(&sink);
    else
        self->series = csv_series_new(&self->files[SERIES], filter);
    return sink;
}
