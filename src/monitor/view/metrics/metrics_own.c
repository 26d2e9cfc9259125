#include "monitor/view/metrics/metrics_own.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "version.h"

/* ---- the process, by the names that Prometheus' own libraries give it ---- */

/* What /proc/self/stat says, in its own units. */
typedef struct {
    uint64_t ticks_of_user;
    uint64_t ticks_of_system;
    uint64_t started_ticks; /* since the computer's start */
    uint64_t virtual_bytes;
    uint64_t resident_pages;
} stat_t;

static bool read_stat(stat_t *self)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    const size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[size] = '\0';
    /* The program's name is in brackets, and may have some in it. */
    const char *rest = strrchr(text, ')');
    return rest && sscanf(rest + 1,
                          " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64
                          " %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64 " %" SCNu64,
                          &self->ticks_of_user, &self->ticks_of_system, &self->started_ticks,
                          &self->virtual_bytes, &self->resident_pages) == 5;
}

static int64_t nanos_of_ticks(uint64_t ticks)
{
    const uint64_t a_second = (uint64_t)sysconf(_SC_CLK_TCK);
    return (int64_t)(ticks * (uint64_t)NS_PER_SECOND / a_second);
}

/* When the computer started, in seconds since 1970; 0: not known. */
static uint64_t boot_seconds(void)
{
    char line[256];
    uint64_t seconds = 0;
    FILE *file = fopen("/proc/stat", "re");
    while (file && seconds == 0 && fgets(line, sizeof line, file))
        (void)sscanf(line, "btime %" SCNu64, &seconds);
    if (file)
        fclose(file);
    return seconds;
}

static int64_t count_open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t count = 0;
    if (!folder)
        return RESPONSE_UNKNOWN;
    for (const struct dirent *entry = NULL; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count - 1; /* the folder's own */
}

/* ---- series ---- */

static const metrics_kept_t no_labels = {.size = 0};

/* One series, if it is known. */
static void put(metrics_model_t *model, const char *name, metrics_type_t type, bool is_nanos,
                const char *help, int64_t value)
{
    const metrics_family_t family = {name, type, is_nanos, help};
    if (value == RESPONSE_UNKNOWN)
        return;
    metrics_model_begin(model, &family, 1);
    metrics_model_add(model, &no_labels, NULL, value);
}

static void put_process(metrics_model_t *model)
{
    stat_t stat;
    struct rlimit files;
    const uint64_t boot = boot_seconds();
    if (read_stat(&stat)) {
        put(model, "process_cpu_seconds_total", METRICS_COUNTER, true,
            "Total user and system CPU time spent in seconds.",
            nanos_of_ticks(stat.ticks_of_user + stat.ticks_of_system));
        put(model, "process_resident_memory_bytes", METRICS_GAUGE, false,
            "Resident memory size in bytes.",
            (int64_t)(stat.resident_pages * (uint64_t)sysconf(_SC_PAGESIZE)));
        put(model, "process_virtual_memory_bytes", METRICS_GAUGE, false,
            "Virtual memory size in bytes.", (int64_t)stat.virtual_bytes);
        if (boot > 0)
            put(model, "process_start_time_seconds", METRICS_GAUGE, true,
                "Start time of the process since unix epoch in seconds.",
                (int64_t)boot * NS_PER_SECOND + nanos_of_ticks(stat.started_ticks));
    }
    put(model, "process_open_fds", METRICS_GAUGE, false, "Number of open file descriptors.",
        count_open_files());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        put(model, "process_max_fds", METRICS_GAUGE, false,
            "Maximum number of open file descriptors.", (int64_t)files.rlim_cur);
}

static void put_build(metrics_model_t *model)
{
    static const metrics_family_t family = {"tango_event_exporter_build_info", METRICS_INFO, false,
                                            "The exporter's version."};
    metrics_labels_t labels = {.size = 0};
    metrics_labels_add(&labels, "version", STEM_VERSION);
    metrics_model_begin(model, &family, 1);
    metrics_model_add(model, metrics_model_keep(model, &labels), NULL, 1);
}

static void put_observation(metrics_model_t *model, const metrics_own_t *self)
{
    const double age = self->asked > 0 ? monotonic_seconds() - self->asked : -1;
    put(model, "tango_event_servers", METRICS_GAUGE, false, "Servers that are watched.",
        self->servers);
    put(model, "tango_event_servers_failed", METRICS_GAUGE, false,
        "Servers that did not answer the last poll.", self->failed);
    put(model, "tango_event_exporter_last_observation_timestamp_seconds", METRICS_GAUGE, true,
        "When the servers were asked for what this page says.", metrics_nanos_of_time(&self->time));
    put(model, "tango_event_exporter_last_observation_age_seconds", METRICS_GAUGE, true,
        "How long ago that was when the page was made.",
        age >= 0 ? (int64_t)(age * (double)NS_PER_SECOND) : RESPONSE_UNKNOWN);
    put(model, "tango_event_exporter_stream_series", METRICS_GAUGE, false,
        "Series of streams and channels, which the limit is for.", self->series);
    put(model, "tango_event_exporter_summed_streams", METRICS_GAUGE, false,
        "Streams without series of their own, because there are too many.", self->summed_streams);
}

metrics_model_t *metrics_own_now(const metrics_own_t *self)
{
    metrics_model_t *model = metrics_model_new();
    if (self->is_ready)
        put_observation(model, self);
    put(model, "tango_event_exporter_polls_total", METRICS_COUNTER, false,
        "Polls so far, each of all servers.", self->polls);
    put(model, "tango_event_exporter_poll_period_seconds", METRICS_GAUGE, true,
        "Time from one poll to the next.", (int64_t)(self->poll_period * (double)NS_PER_SECOND));
    put(model, "tango_event_exporter_series_limit", METRICS_GAUGE, false,
        "How many series streams and channels may have in all.", self->series_limit);
    put_build(model);
    put_process(model);
    metrics_model_seal(model);
    return model;
}
