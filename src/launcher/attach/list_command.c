#include "launcher/attach/list_command.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/attach/facts.h"
#include "launcher/attach/json_text.h"
#include "launcher/attach/process_name.h"
#include "launcher/attach/refusal.h"
#include "launcher/console.h"
#include "launcher/options.h"
#include "process/process_list.h"
#include "process/user_name.h"

/* How long each agent may take to say what it is, and all of them. */
static const double patience_s = 1;
static const double patience_with_all_s = 3;

enum { PID, USER, NAME, TANGO, AGENT, ATTACH, COLUMNS };

/* What is shown of a process: each may be shown in a line. */
typedef struct {
    char pid[16], user[64], name[512], tango[32], agent[32], attach[160];
} row_t;

typedef struct {
    facts_t *facts;
    refusal_t *refusals; /* without a reason: it can be attached */
    size_t count;
    size_t unseen;
    bool may_see_all;
} listing_t;

/* ---- what there is ---- */

static bool reserve(listing_t *self, size_t count)
{
    self->facts = calloc(count + 1, sizeof *self->facts);
    self->refusals = calloc(count + 1, sizeof *self->refusals);
    return self->facts != NULL && self->refusals != NULL;
}

static bool read_listing(listing_t *self, char *error, size_t error_size)
{
    process_list_t list;
    bool ok = process_list_read(&list, PROCESS_PROC, error, error_size);
    if (ok && !reserve(self, list.count)) {
        snprintf(error, error_size, "out of memory");
        ok = false;
    }
    facts_t ourselves;
    facts_read(&ourselves, &facts_of_this_machine, getpid());
    self->may_see_all = facts_may_trace_all(&ourselves);
    self->unseen = list.unseen;
    double left = patience_with_all_s;
    for (size_t i = 0; ok && i < list.count; i++) {
        facts_t *facts = &self->facts[self->count];
        facts_read(facts, &facts_of_this_machine, list.processes[i].pid);
        process_ask_within(&facts->process, patience_s, &left);
        /* It may have ended meanwhile. */
        if (facts->result != PROCESS_READ)
            continue;
        refusal_t *refusal = &self->refusals[self->count++];
        if (!refusal_find(facts, refusal))
            refusal_find_filters(facts, refusal);
    }
    process_list_clear(&list);
    return ok;
}

/* ---- as text ---- */

static void fill_row(row_t *row, const facts_t *facts, const refusal_t *refusal)
{
    const process_t *process = &facts->process;
    char user[64];
    user_name(process->user, user, sizeof user);
    snprintf(row->pid, sizeof row->pid, "%ld", (long)process->pid);
    show_text(user, row->user, sizeof row->user);
    process_name(process, row->name, sizeof row->name);
    show_text(process->tango_version[0] != '\0' ? process->tango_version : "unknown", row->tango,
              sizeof row->tango);
    const bool is_plain =
        process->agent == PROCESS_AGENT_NONE || process->state == PROCESS_WATCHING;
    snprintf(row->agent, sizeof row->agent, "%s%s%s", process_agent_name(process->agent),
             is_plain ? "" : ", ", is_plain ? "" : process_state_name(process->state));
    if (refusal->reason[0] == '\0')
        snprintf(row->attach, sizeof row->attach, "yes");
    else
        snprintf(row->attach, sizeof row->attach, "no: %s", refusal->reason);
}

static const char *cell(const row_t *row, size_t column)
{
    const char *const cells[COLUMNS] = {row->pid,   row->user,  row->name,
                                        row->tango, row->agent, row->attach};
    return cells[column];
}

static void print_rows(const row_t *rows, size_t count)
{
    size_t widths[COLUMNS] = {0};
    for (size_t i = 0; i < count; i++) {
        for (size_t column = 0; column < COLUMNS; column++) {
            const size_t width = shown_width(cell(&rows[i], column));
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t column = 0; column < COLUMNS; column++) {
            const char *text = cell(&rows[i], column);
            const int spaces = (int)(widths[column] - shown_width(text));
            if (column == PID)
                printf("%*s%s", spaces, "", text);
            else if (column + 1 < COLUMNS)
                printf("  %s%*s", text, spaces, "");
            else
                printf("  %s\n", text);
        }
    }
}

static bool print_text(const listing_t *self)
{
    row_t *rows = calloc(self->count + 1, sizeof *rows);
    if (rows == NULL)
        return false;
    rows[0] = (row_t){"PID", "USER", "SERVER OR PROGRAM", "TANGO", "AGENT", "ATTACH"};
    for (size_t i = 0; i < self->count; i++)
        fill_row(&rows[i + 1], &self->facts[i], &self->refusals[i]);
    if (self->count > 0)
        print_rows(rows, self->count + 1);
    free(rows);
    fflush(stdout);
    if (self->count == 0)
        complain("no process that uses Tango can be seen");
    if (self->unseen > 0)
        complain("%zu more process%s can't be looked into%s", self->unseen,
                 self->unseen == 1 ? "" : "es",
                 self->may_see_all ? ""
                                   : ": other users'; as root, or with CAP_SYS_PTRACE, they can");
    return true;
}

/* ---- as JSON ---- */

static void print_member(const char *key, const char *text)
{
    printf("\"%s\": ", key);
    if (text[0] != '\0')
        json_text_print(text);
    else
        printf("null");
}

static void print_process(const facts_t *facts, const refusal_t *refusal)
{
    const process_t *process = &facts->process;
    const bool has_agent = process->agent != PROCESS_AGENT_NONE;
    char user[256];
    user_name(process->user, user, sizeof user);
    printf("{\"pid\": %ld, ", (long)process->pid);
    print_member("user", user);
    printf(", \"is_server\": %s, ", process->is_server ? "true" : "false");
    print_member("server", process->server);
    printf(", ");
    print_member("program", process->program);
    printf(", ");
    print_member("tango_version", process->tango_version);
    printf(", ");
    print_member("tango_host", process->tango_host);
    printf(", ");
    print_member("libtango", process->libtango);
    printf(", ");
    print_member("agent", process_agent_name(process->agent));
    printf(", ");
    print_member("state", has_agent ? process_state_name(process->state) : "");
    printf(", \"can_attach\": %s, ", refusal->reason[0] == '\0' ? "true" : "false");
    print_member("reason", refusal->reason);
    printf(", ");
    print_member("advice", refusal->line);
    printf("}");
}

static void print_json(const listing_t *self)
{
    printf("{\"processes\": [");
    for (size_t i = 0; i < self->count; i++) {
        printf("%s\n  ", i > 0 ? "," : "");
        print_process(&self->facts[i], &self->refusals[i]);
    }
    printf("%s], \"unseen\": %zu}\n", self->count > 0 ? "\n" : "", self->unseen);
}

/* ---- the command ---- */

/* An exit status, or -1 to go on. */
static int read_options(bool *as_json, int argc, char **argv)
{
    enum { FORMAT = 1 };
    static const struct option options[] = {
        {"format", required_argument, NULL, FORMAT},
        OPTIONS_HELP,
        {NULL, 0, NULL, 0},
    };
    char shown[128];
    int status = -1;
    while (options_next(argc, argv, OPTIONS_LETTERS, options, &status) == FORMAT) {
        *as_json = strcmp(optarg, "json") == 0;
        if (!*as_json && strcmp(optarg, "text") != 0) {
            show_text(optarg, shown, sizeof shown);
            return complain_of_usage("--format must be text or json, not '%s'", shown);
        }
    }
    if (status >= 0 || optind == argc)
        return status;
    show_text(argv[optind], shown, sizeof shown);
    return complain_of_usage("unknown argument '%s'", shown);
}

int list_command(int argc, char **argv)
{
    char error[ERROR_SIZE] = "out of memory";
    listing_t self = {0};
    bool as_json = false;
    int status = read_options(&as_json, argc, argv);
    if (status < 0) {
        bool ok = read_listing(&self, error, sizeof error);
        if (ok && as_json)
            print_json(&self);
        else if (ok)
            ok = print_text(&self);
        if (!ok)
            complain("%s", error);
        status = ok ? finish_output() : EXIT_FAILURE;
    }
    free(self.facts);
    free(self.refusals);
    return status;
}
