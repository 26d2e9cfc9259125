/* The head of the page, and the findings. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "monitor/analysis/findings/rules.h"
#include "monitor/view/diagnosis/diagnosis.h"
#include "monitor/view/report/html/html_page.h"
#include "monitor/view/text/duration_text.h"
#include "response/response.h"

/* ---- head ---- */

/* Without the slash at the end. */
static void write_prefix(html_page_t *page)
{
    char *prefix = memory_copy(page->prefix, page->prefix_size - 1);
    html_text(page, prefix);
    free(prefix);
}

static void write_span(html_page_t *page)
{
    const report_t *report = page->report;
    if (report->polls == 0) {
        fputs("<p class=\"period\">Nothing was recorded.</p>\n", page->out);
        return;
    }
    char *lasted = duration_text(difftime(report->last.tv_sec, report->first.tv_sec), 0);
    fputs("<p class=\"period\">", page->out);
    html_date(page, &report->first);
    fputs(" to ", page->out);
    html_date(page, &report->last);
    fprintf(page->out, " (%s). All times are ", lasted);
    html_offset(page);
    putc('.', page->out);
    if (page->prefix_size > 0) {
        fputs(" All names are of ", page->out);
        write_prefix(page);
        putc('.', page->out);
    }
    fputs("</p>\n", page->out);
    free(lasted);
}

static void tile_open(html_page_t *page, const char *css)
{
    fprintf(page->out, "<li class=\"%s\"><b>", css);
}

static void tile_close(html_page_t *page, const char *name, const char *ending)
{
    fprintf(page->out, "</b> %s%s</li>", name, ending);
}

static void write_severities(html_page_t *page)
{
    const report_t *report = page->report;
    size_t counts[SEVERITY_FAULT + 1] = {0};
    for (size_t i = 0; i < report->finding_count; i++)
        counts[report->findings[i]->severity]++;
    for (int severity = SEVERITY_FAULT; severity >= SEVERITY_WARNING; severity--) {
        const char *name = severity_name((severity_t)severity);
        tile_open(page, counts[severity] > 0 ? name : "good");
        html_lost(page, (int64_t)counts[severity], report->findings_left_out > 0, false);
        tile_close(page, name, PLURAL(counts[severity]));
    }
}

static void write_count_tile(html_page_t *page, int64_t count, const char *name, const char *ending)
{
    tile_open(page, "plain");
    html_count(page, count);
    tile_close(page, name, ending);
}

static void write_tiles(html_page_t *page)
{
    const report_t *report = page->report;
    fputs("<ul class=\"tiles\">", page->out);
    write_severities(page);
    tile_open(page, report->received.lost > 0 ? "fault" : report->knows_lost ? "good" : "plain");
    html_lost(page, report->knows_lost ? report->received.lost : RESPONSE_UNKNOWN,
              report->lost_is_minimum, report->lost_is_derived);
    tile_close(page, "lost", "");
    write_count_tile(page, report->pushed.events, "pushed", "");
    write_count_tile(page, report->received.events, "received", "");
    write_count_tile(page, (int64_t)report->server_count, "server", PLURAL(report->server_count));
    write_count_tile(page, (int64_t)report->stream_count, "stream", PLURAL(report->stream_count));
    write_count_tile(page, report->restarts, "restart", PLURAL(report->restarts));
    fputs("</ul>\n", page->out);
}

static void write_remark(html_page_t *page, int64_t count, const char *what)
{
    if (count <= 0)
        return;
    fputs(" ", page->out);
    html_count(page, count);
    fprintf(page->out, " %s.", what);
}

/* What the recording itself lacks. */
static void write_lacking(html_page_t *page)
{
    const report_t *report = page->report;
    fputs("<p class=\"note\">", page->out);
    html_count(page, report->polls);
    fprintf(page->out, " poll%s", PLURAL(report->polls));
    if (report->period > 0) {
        fputs(", one every ", page->out);
        html_duration(page, report->period);
    }
    putc('.', page->out);
    if (report->gap_seconds > 0) {
        char *gap = duration_text(report->gap_seconds, 0);
        fprintf(page->out, " Nothing was recorded for %s of this time.", gap);
        free(gap);
    }
    write_remark(page, report->lost_polls,
                 report->lost_polls == 1 ? "poll could not be recorded"
                                         : "polls could not be recorded");
    write_remark(page, report->broken_lines,
                 report->broken_lines == 1 ? "broken line was passed over"
                                           : "broken lines were passed over");
    if (report->lost_is_derived)
        fputs(" A * marks losses that servers don't count themselves.", page->out);
    fputs("</p>\n", page->out);
}

void html_summary(html_page_t *page)
{
    fputs("<header id=\"summary\" data-part>\n<h1>", page->out);
    html_text(page, page->options->title);
    fputs("</h1>\n", page->out);
    write_span(page);
    write_tiles(page);
    write_lacking(page);
    fputs("</header>\n", page->out);
}

/* ---- findings ---- */

static void write_fact(html_page_t *page, const char *name, const char *value)
{
    if (!value)
        return;
    fprintf(page->out, "<dt>%s<dd>", name);
    html_text(page, value);
}

static void write_numbers(html_page_t *page, const finding_t *finding)
{
    fputs("<dt>From<dd>", page->out);
    html_time(page, &finding->first);
    fputs("<dt>To<dd>", page->out);
    html_time(page, &finding->seen);
    if (finding->state <= FINDING_LASTS)
        fputs(", and it lasted at the end", page->out);
    if (finding->times > 1) {
        char *lasted = duration_text(finding->seconds_in_all, 0);
        fprintf(page->out, "<dt>How often<dd>%zu times, %s in all", finding->times, lasted);
        free(lasted);
    }
    if (finding->events_in_all == RESPONSE_UNKNOWN)
        return;
    fputs("<dt>Events<dd>", page->out);
    html_lost(page, finding->events_in_all, finding->events_is_minimum, false);
    if (finding->among != RESPONSE_UNKNOWN && finding->times <= 1) {
        fputs(" of ", page->out);
        html_count(page, finding->among);
    }
}

static void write_evidence(html_page_t *page, const finding_t *finding)
{
    const size_t count = finding->evidence_count < page->limits->evidence ? finding->evidence_count
                                                                          : page->limits->evidence;
    if (count > 0)
        fputs("<h4>Evidence</h4><ul>", page->out);
    for (size_t i = 0; i < count; i++) {
        fputs("<li>", page->out);
        html_text(page, finding->evidence[i]);
    }
    if (count > 0)
        fputs("</ul>", page->out);
    html_left_out(page, finding->evidence_count - count, "line");
}

/* Paragraphs have an empty line between them. */
static void write_advice(html_page_t *page, const finding_t *finding)
{
    char *advice = diagnosis_advice(finding);
    const char *at = advice;
    advice[0] = (char)toupper((unsigned char)advice[0]); /* it stands alone here */
    fputs("<h4>What to do</h4>", page->out);
    while (*at) {
        size_t size = 0;
        while (at[size] && !(at[size] == '\n' && at[size + 1] == '\n'))
            size++;
        char *paragraph = memory_copy(at, size);
        for (char *c = paragraph; *c; c++)
            if (*c == '\n')
                *c = ' ';
        fputs("<p>", page->out);
        html_text(page, paragraph);
        free(paragraph);
        at += size;
        while (*at == '\n')
            at++;
    }
    free(advice);
}

static bool is_same(const char *name, const char *other)
{
    return name && other && strcmp(name, other) == 0;
}

static void write_finding(html_page_t *page, const finding_t *finding)
{
    const finding_about_t *about = &finding->about;
    const char *severity = severity_name(finding->severity);
    fprintf(page->out,
            "<details class=\"finding %s\" id=\"f-%s\"><summary>"
            "<span class=\"severity\"><i class=\"sign %s\"></i>%s</span> <span class=\"what\">",
            severity, finding->identity, severity, severity);
    html_text(page, finding->text);
    fputs("</span> <span class=\"when\">", page->out);
    html_time(page, &finding->first);
    if (finding->seen.tv_sec != finding->first.tv_sec) {
        fputs(" \xe2\x80\x93 ", page->out);
        html_time(page, &finding->seen);
    }
    fputs("</span></summary>\n<dl>", page->out);
    write_fact(page, "Rule", finding->rule->name);
    write_numbers(page, finding);
    write_fact(page, "Stream", about->stream);
    write_fact(page, "Publisher", about->publisher);
    write_fact(page, "Subscriber", about->subscriber);
    if (!is_same(about->server, about->subscriber) && !is_same(about->server, about->publisher))
        write_fact(page, "Server", about->server);
    write_fact(page, "About", about->object);
    fputs("</dl>", page->out);
    write_evidence(page, finding);
    write_advice(page, finding);
    fputs("</details>\n", page->out);
}

void html_findings(html_page_t *page)
{
    enum { AT_ONCE = 8 }; /* the others are folded up */
    const report_t *report = page->report;
    const size_t count = report->finding_count < page->limits->findings ? report->finding_count
                                                                        : page->limits->findings;
    html_section_open(page, "findings", "Findings");
    if (report->finding_count == 0)
        fputs("<p class=\"good\">Nothing was found.</p>\n", page->out);
    for (size_t i = 0; i < count; i++) {
        if (i == AT_ONCE)
            fprintf(page->out, "<details id=\"more-findings\"><summary>%zu more</summary>\n",
                    count - AT_ONCE);
        write_finding(page, report->findings[i]);
    }
    if (count > AT_ONCE)
        fputs("</details>\n", page->out);
    html_left_out(page, report->finding_count - count + report->findings_left_out, "finding");
    html_section_close(page);
}
