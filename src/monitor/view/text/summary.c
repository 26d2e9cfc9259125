#include "monitor/view/text/summary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"
#include "base/memory.h"
#include "monitor/view/agent_since.h"
#include "monitor/view/text/findings_text.h"
#include "monitor/view/text/stream_cells.h"
#include "monitor/view/text/summary_parts.h"
#include "monitor/view/text/top.h"

/* If more servers than this have no change, they share a line. */
enum { QUIET_SERVERS = 8 };

static void begin_color(const summary_t *self, color_t color)
{
    fputs(terminal_color(color, self->options->style.color), self->out);
}

static void end_color(const summary_t *self)
{
    begin_color(self, COLOR_NONE);
}

/* ---- servers --------------------------------------------------------------------------------- */

/* What was before isn't known. */
static void print_since(const summary_t *self, const response_t *response)
{
    char *since = agent_since_text(response);
    if (since)
        fprintf(self->out, ", attached %s", since + strlen("since "));
    free(since);
}

/* Says once what answers, since that decides what can be known. */
static void print_source(const summary_t *self, const response_t *response)
{
    switch (response->dialect) {
    case RESPONSE_AGENT:
        fputs("agent", self->out);
        if (response->agent_version) {
            fputc(' ', self->out);
            summary_print_text(self, response->agent_version);
        }
        if (response->tango_version) {
            fputs(", Tango ", self->out);
            summary_print_text(self, response->tango_version);
        }
        if (response->agent_pid != RESPONSE_UNKNOWN)
            fprintf(self->out, ", process %" PRId64, response->agent_pid);
        print_since(self, response);
        break;
    case RESPONSE_VERSION_1:
        fputs("built-in command; lost events are derived from its counters", self->out);
        break;
    case RESPONSE_LEGACY:
        fputs("patched server; lost events are derived from its counters", self->out);
        break;
    }
}

/* The rest of the server's own line, after its name. */
static void print_server_heading(const summary_t *self, const shown_server_t *server)
{
    const server_part_t *part = server->part;
    const response_t *response = part->reply->response;
    const changes_t *changes = part->changes;
    if (changes->server_restarted) {
        fputs(": restarted, its counters started again; ", self->out);
        print_source(self, response);
    } else if (changes->attached_again) {
        fputs(": the agent was attached again, its counters started again; ", self->out);
        print_source(self, response);
    } else if (changes->counters_restarted) {
        fputs(": its answers have another source now, so its counters can't be compared; ",
              self->out);
        print_source(self, response);
    } else if (changes->first) {
        fputs(": ", self->out);
        print_source(self, response);
        if (!changes_any(changes))
            fputs("; no event streams", self->out);
        else if (!server->any)
            fputs("; no stream of it matches --only", self->out);
    } else if (!server->any) {
        fputs(": no change", self->out);
        if (response->not_connected_count > 0)
            fprintf(self->out, ", %zu still not connected", response->not_connected_count);
    }
    fputc('\n', self->out);
}

static void print_failure(const summary_t *self, const server_part_t *part, const char *error)
{
    begin_color(self, COLOR_ALARM);
    summary_print_text(self, part->reply->server ? part->reply->server : "?");
    fputs(": FAILED: ", self->out);
    summary_print_text(self, error);
    end_color(self);
    fputc('\n', self->out);
}

/* Nothing to report. */
static bool is_quiet(const summary_t *self, const shown_server_t *server)
{
    const server_part_t *part = server->part;
    const response_t *response = part->reply->response;
    return part->changes && !part->failed && !part->changes->first && !self->options->perf &&
           !server->any && response->not_connected_count == 0;
}

static void print_server(const summary_t *self, const shown_server_t *server)
{
    const server_part_t *part = server->part;
    const char *error = part->reply->error ? part->reply->error : "no answer";
    if (!part->changes && part->failed && strcmp(error, part->failed) == 0)
        return; /* it was reported when it began */
    if (!part->changes) {
        print_failure(self, part, error);
        return;
    }
    const bool told = part->failed || part->changes->counts_anew || !self->options->top;
    if (!told)
        return;
    begin_color(self, part->changes->counters_restarted ? COLOR_WARNING
                      : part->failed                    ? COLOR_GOOD
                                                        : COLOR_HEADING);
    summary_print_text(self, part->reply->server ? part->reply->server : "?");
    end_color(self);
    if (part->failed)
        fputs(": answers again", self->out);
    print_server_heading(self, server);
    if (self->options->top)
        return;
    if (server->any) {
        summary_print_publishers(self, server);
        summary_print_subscriptions(self, server);
        summary_print_channels(self, part);
        summary_print_not_connected(self, server);
    }
    if (self->options->perf)
        summary_print_perf(self, part->reply->response);
}

/* ---- the snapshot ---------------------------------------------------------------------------- */

static void print_heading(const summary_t *self, const snapshot_t *current)
{
    const size_t count = self->shown->count;
    const size_t failed = self->shown->failed;
    char *time = local_time_text(current->time.tv_sec);
    begin_color(self, COLOR_HEADING);
    fprintf(self->out, "%s  %zu of %zu %s answered", time, count - failed, count,
            count == 1 ? "server" : "servers");
    end_color(self);
    if (failed > 0) {
        fputs(", ", self->out);
        begin_color(self, COLOR_ALARM);
        fprintf(self->out, "%zu FAILED", failed);
        end_color(self);
    }
    fputc('\n', self->out);
    if (self->prefix) {
        fputs("(names without ", self->out);
        summary_print_text(self, self->prefix);
        fputs(")\n", self->out);
    }
    free(time);
}

void summary_print(FILE *out, const shown_t *shown, const snapshot_t *current,
                   const summary_options_t *options)
{
    summary_t self = {
        .out = out,
        .options = options,
        .prefix = stream_cells_prefix(shown),
        .shown = shown,
    };
    size_t quiet = 0;
    for (size_t i = 0; i < shown->count; i++)
        quiet += is_quiet(&self, &shown->servers[i]);
    print_heading(&self, current);
    if (shown->findings)
        findings_text_print_now(out, shown->findings, &options->filter, self.prefix,
                                &options->style);
    if (options->top > 0)
        top_print(out, shown, self.prefix, options);
    for (size_t i = 0; i < shown->count; i++)
        if (quiet <= QUIET_SERVERS || !is_quiet(&self, &shown->servers[i]))
            print_server(&self, &shown->servers[i]);
    if (quiet > QUIET_SERVERS && !options->top)
        fprintf(out, "%zu servers: no change\n", quiet);
    fputc('\n', out);
    free(self.prefix);
}
