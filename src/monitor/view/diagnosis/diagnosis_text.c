#include "monitor/view/diagnosis/diagnosis_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/printable.h"
#include "base/wrap.h"
#include "monitor/view/text/duration_text.h"
#include "monitor/view/text/finding_line.h"
#include "monitor/view/text/totals_text.h"

enum {
    INDENT = 9,         /* of what is below a finding's line */
    WIDTH = 80,         /* of these lines where nobody says how wide the terminal is */
    MAXIMUM_NAMED = 10, /* servers in a line */
    MAXIMUM_SHOWN = 1000
};

/* "1 fault, 2 warnings"; the caller frees it. */
static char *count_text(const diagnosis_result_t *result)
{
    char *text = memory_string("");
    for (int severity = SEVERITY_FAULT; severity >= SEVERITY_REMARK; severity--) {
        const size_t count = result->severities[severity];
        if (count == 0)
            continue;
        char *longer = memory_format("%s%s%zu %s%s", text, *text ? ", " : "", count,
                                     severity_name((severity_t)severity), PLURAL(count));
        free(text);
        text = longer;
    }
    return text;
}

static char *headline(const diagnosis_result_t *result)
{
    char *counts = count_text(result);
    const bool any = result->finding_count > 0;
    char *text = NULL;
    switch (result->verdict) {
    case VERDICT_UNKNOWN:
        text = memory_string("No verdict: no server answered");
        break;
    case VERDICT_INCOMPLETE:
        text = memory_format("Not every server %s%s%s",
                             result->answered < result->server_count ? "answered"
                                                                     : "went on answering",
                             any ? ", " : "", counts);
        break;
    case VERDICT_HEALTHY:
        text = memory_format("Healthy%s%s", any ? ", not counting " : "", counts);
        break;
    case VERDICT_FOUND:
        text = memory_format("FOUND %s", counts);
        break;
    }
    free(counts);
    return text;
}

static char *losses_text(const diagnosis_result_t *result)
{
    return result->subscriptions > 0 && result->lost == 0 && !result->lost_is_minimum
               ? memory_string("0 lost")
               : totals_text_losses(result->totals);
}

/* Goes on from the verdict with what it is about. */
static void print_verdict(FILE *out, const diagnosis_result_t *result, const text_style_t *style)
{
    static const color_t colors[] = {[VERDICT_UNKNOWN] = COLOR_WARNING,
                                     [VERDICT_INCOMPLETE] = COLOR_WARNING,
                                     [VERDICT_HEALTHY] = COLOR_GOOD,
                                     [VERDICT_FOUND] = COLOR_ALARM};
    char *head = headline(result);
    fprintf(out, "%s%s%s: %zu server%s", terminal_color(colors[result->verdict], style->color),
            head, terminal_color(COLOR_NONE, style->color), result->server_count,
            PLURAL(result->server_count));
    free(head);
    if (result->answered < result->server_count)
        fprintf(out, " (%zu never answered)", result->server_count - result->answered);
    char *duration = duration_text(result->seconds, 0);
    fprintf(out, " watched for %s (%zu poll%s)", duration, result->polls, PLURAL(result->polls));
    free(duration);
    if (result->answered > 0) {
        char *losses = losses_text(result);
        fprintf(out,
                ", %zu stream%s, %zu subscription%s: %" PRId64 " events pushed, %" PRId64
                " received, %s",
                result->streams, PLURAL(result->streams), result->subscriptions,
                PLURAL(result->subscriptions), result->pushed, result->received, losses);
        free(losses);
    }
    putc('\n', out);
}

/* ---- what couldn't be looked at ---- */

static void print_line(FILE *out, char *line, size_t width, size_t indent)
{
    char *printable = printable_copy(line, printable_locale_is_utf8());
    wrap_text(out, printable, width, 0, indent);
    free(printable);
    free(line);
}

static void print_failures(FILE *out, const diagnosis_result_t *result)
{
    size_t failed = 0;
    for (size_t i = 0; i < result->server_count; i++) {
        const diagnosis_server_t *server = &result->servers[i];
        if (!server->error || failed++ >= MAXIMUM_NAMED)
            continue;
        print_line(out,
                   memory_format("%s %s: %s", server->server,
                                 server->answers > 0 ? "stopped answering" : "didn't answer",
                                 server->error),
                   0, 0);
    }
    if (failed > MAXIMUM_NAMED)
        fprintf(out, "and %zu more servers didn't answer\n", failed - MAXIMUM_NAMED);
}

/* The servers that have no agent, and what can't be found there. */
static void print_untold(FILE *out, const diagnosis_result_t *result, size_t width)
{
    char *text = NULL;
    size_t size = 0;
    size_t named = 0;
    if (result->without_agent == 0)
        return;
    FILE *line = memory_stream_open(&text, &size);
    fputs("Not looked for without the agent in ", line);
    for (size_t i = 0; i < result->server_count; i++) {
        const diagnosis_server_t *server = &result->servers[i];
        if (server->answers > 0 && server->dialect != RESPONSE_AGENT && named++ < MAXIMUM_NAMED)
            fprintf(line, "%s%s", named > 1 ? ", " : "", server->server);
    }
    if (named > MAXIMUM_NAMED)
        fprintf(line, " and %zu more", named - MAXIMUM_NAMED);
    bool any = false;
    for (size_t i = 0; i < rules_count; i++) {
        if (diagnosis_untold(result, &rules[i]) > 0) {
            fprintf(line, "%s%s", any ? ", " : ": ", rules[i].name);
            any = true;
        }
    }
    memory_stream_close(line);
    if (any)
        print_line(out, text, width, 2);
    else
        free(text);
}

/* The servers whose agent came late, and what isn't known of them. */
static void print_late(FILE *out, const diagnosis_result_t *result, size_t width)
{
    if (result->late == 0)
        return;
    char *text = NULL;
    size_t size = 0;
    size_t named = 0;
    FILE *line = memory_stream_open(&text, &size);
    fputs("Only known from when the agent was attached: ", line);
    for (size_t i = 0; i < result->server_count; i++) {
        const diagnosis_server_t *server = &result->servers[i];
        if (server->late_since && named++ < MAXIMUM_NAMED)
            fprintf(line, "%s%s %s", named > 1 ? "; " : "", server->server, server->late_since);
    }
    if (named > MAXIMUM_NAMED)
        fprintf(line, "; and %zu more servers", named - MAXIMUM_NAMED);
    fputs(". Not known: what was lost before; subscriptions and channels on which nothing has come "
          "since; a callback that was running already",
          line);
    memory_stream_close(line);
    print_line(out, text, width, 2);
}

/* What would be found if one watched for longer. */
static void print_suspected(FILE *out, const diagnosis_result_t *result, size_t width)
{
    if (result->suspected_count == 0)
        return;
    char *text = NULL;
    size_t size = 0;
    FILE *line = memory_stream_open(&text, &size);
    fprintf(line, "Perhaps, but watch longer to be sure (--diagnose=%.0f): ", result->sure_after);
    for (size_t i = 0; i < result->suspected_count && i < MAXIMUM_NAMED; i++) {
        const finding_t *finding = result->suspected[i];
        fprintf(line, "%s%s [%s]", i > 0 ? "; " : "",
                finding->text ? finding->text : finding->rule->title, finding->rule->name);
    }
    if (result->suspected_count > MAXIMUM_NAMED)
        fprintf(line, "; and %zu more", result->suspected_count - MAXIMUM_NAMED);
    memory_stream_close(line);
    print_line(out, text, width, 2);
}

/* ---- findings ---- */

static void print_below(FILE *out, const char *begin, const char *text, const char *prefix,
                        size_t width)
{
    char *shorter = finding_line_without_prefix(text, prefix);
    char *printable = printable_copy(shorter, printable_locale_is_utf8());
    free(shorter);
    fprintf(out, "%*s%s", INDENT, "", begin);
    wrap_text(out, printable, width, INDENT + strlen(begin), INDENT + 2);
    free(printable);
}

/* says_what_to_do: the rule's own words haven't been printed yet. */
static void print_finding(FILE *out, const finding_t *finding, const char *prefix,
                          bool says_what_to_do, size_t width, const text_style_t *style)
{
    putc('\n', out);
    finding_line_print(out, finding, prefix, "", &(text_style_t){.color = style->color});
    char *time = finding_line_time(finding);
    const bool was_moment = finding->times == 1 && finding->seconds_in_all < 0.5;
    char *whole = memory_format("%s%s", time,
                                was_moment                       ? ""
                                : finding->state < FINDING_ENDED ? "; not over yet"
                                                                 : "; over");
    print_below(out, "", whole, NULL, width);
    free(whole);
    free(time);
    for (size_t i = 0; i < finding->evidence_count; i++)
        print_below(out, "- ", finding->evidence[i], prefix, width);
    char *advice = says_what_to_do || finding->advice ? diagnosis_advice(finding)
                                                      : memory_string("As said above.");
    *advice = (char)toupper((unsigned char)*advice);
    print_below(out, "What to do: ", advice, prefix, width);
    free(advice);
}

static void print_findings(FILE *out, const diagnosis_result_t *result, size_t width,
                           const text_style_t *style)
{
    char *prefix = finding_line_prefix(result->findings, result->finding_count);
    if (prefix)
        print_line(out, memory_format("(names below without %s)", prefix), 0, 0);
    bool *is_said = memory_new(rules_count, sizeof *is_said);
    for (size_t i = 0; i < result->finding_count && i < MAXIMUM_SHOWN; i++) {
        const finding_t *finding = result->findings[i];
        const size_t index = (size_t)(finding->rule - rules);
        print_finding(out, finding, prefix, !is_said[index], width, style);
        is_said[index] |= !finding->advice;
    }
    free(is_said);
    free(prefix);
    if (result->finding_count > MAXIMUM_SHOWN)
        fprintf(out, "\nand %zu more findings\n", result->finding_count - MAXIMUM_SHOWN);
    if (result->left_out > 0)
        fprintf(out, "\nand more than %d findings in all: the rest wasn't kept\n",
                FINDINGS_MAXIMUM);
    if (result->finding_count > 0)
        fputs("\n--explain RULE says more about what is in brackets.\n", out);
}

void diagnosis_text_print(FILE *out, const diagnosis_result_t *result, const text_style_t *style)
{
    const size_t width = style->width > INDENT + 20 ? style->width : WIDTH;
    print_verdict(out, result, style);
    print_failures(out, result);
    print_untold(out, result, width);
    print_late(out, result, width);
    print_suspected(out, result, width);
    print_findings(out, result, width, style);
}
