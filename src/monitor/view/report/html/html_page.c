#include "monitor/view/report/html/html_page.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/printable.h"
#include "base/xml_text.h"
#include "monitor/view/text/value_text.h"
#include "response/names.h"
#include "response/response.h"

#define DASH     "\xe2\x80\x93"
#define ELLIPSIS "\xe2\x80\xa6"
#define AT_LEAST "\xe2\x89\xa5"

/* ---- text ---- */

/* A copy of the beginning, at most so many bytes, which ends between two characters. */
static char *beginning(const char *text, size_t size)
{
    enum { CONTINUATION_MASK = 0xc0, CONTINUATION = 0x80 };
    if (strnlen(text, size + 1) <= size)
        return memory_string(text);
    while (size > 0 && ((unsigned char)text[size] & CONTINUATION_MASK) == CONTINUATION)
        size--;
    return memory_format("%.*s" ELLIPSIS, (int)size, text);
}

/* A copy without the prefix that all streams have. */
static char *without_prefix(const html_page_t *page, const char *text)
{
    if (page->prefix_size == 0)
        return memory_string(text);
    char *copy = memory_new(strlen(text) + 1, 1);
    size_t used = 0;
    while (*text)
        if (strncmp(text, page->prefix, page->prefix_size) == 0)
            text += page->prefix_size;
        else
            copy[used++] = *text++;
    return copy;
}

static char *plain_of(const html_page_t *page, const char *text, size_t size)
{
    char *rest = without_prefix(page, text ? text : "");
    char *shown = beginning(rest, size);
    char *plain = printable_copy(shown, true);
    free(shown);
    free(rest);
    return plain;
}

char *html_plain(const html_page_t *page, const char *name)
{
    return plain_of(page, name, page->limits->name_size);
}

void html_text(html_page_t *page, const char *text)
{
    char *plain = plain_of(page, text, page->limits->text_size);
    xml_text_write(page->out, plain);
    free(plain);
}

void html_name(html_page_t *page, const char *name)
{
    char *plain = html_plain(page, name);
    xml_text_write(page->out, plain);
    free(plain);
}

void html_value(html_page_t *page, const char *text)
{
    char *plain = plain_of(page, text, page->limits->text_size);
    xml_text_write_value(page->out, plain);
    free(plain);
}

const char *html_server(const html_page_t *page, size_t server)
{
    return server < page->report->server_count
               ? html_server_name(page, page->report->servers[server].name)
               : "not watched";
}

const char *html_server_name(const html_page_t *page, const char *name)
{
    static const char admin[] = "dserver/";
    const char *shown = page->has_hosts ? name : names_without_prefix(name);
    return strncmp(shown, admin, sizeof admin - 1) == 0 ? shown + sizeof admin - 1 : shown;
}

/* ---- numbers ---- */

static void write_grouped(FILE *out, uint64_t count)
{
    enum { GROUP = 1000 };
    if (count >= GROUP) {
        write_grouped(out, count / GROUP);
        fprintf(out, ",%03" PRIu64, count % GROUP);
    } else {
        fprintf(out, "%" PRIu64, count);
    }
}

void html_count(html_page_t *page, int64_t count)
{
    if (count < 0)
        fputs(DASH, page->out);
    else
        write_grouped(page->out, (uint64_t)count);
}

void html_lost(html_page_t *page, int64_t lost, bool is_minimum, bool is_derived)
{
    if (is_minimum && lost >= 0)
        fputs(AT_LEAST, page->out);
    html_count(page, lost);
    if (is_derived && lost > 0)
        fputs(VALUE_TEXT_MARK, page->out);
}

void html_duration(html_page_t *page, double seconds)
{
    fputs(isfinite(seconds) ? value_text_duration(seconds).text : DASH, page->out);
}

void html_rate(html_page_t *page, double rate)
{
    enum { WHOLE = 100 };
    if (!isfinite(rate) || rate < 0) {
        fputs(DASH, page->out);
    } else if (rate >= WHOLE && rate < (double)INT64_MAX) {
        html_count(page, (int64_t)(rate + 0.5));
        fputs("/s", page->out);
    } else {
        fprintf(page->out, "%.3g/s", rate);
    }
}

/* ---- times ---- */

static bool fields_of(const html_page_t *page, const struct timespec *time, struct tm *fields)
{
    const time_t shifted = time->tv_sec + page->offset;
    return time->tv_sec != 0 && gmtime_r(&shifted, fields);
}

static void write_time(const html_page_t *page, const struct timespec *time, const char *format)
{
    struct tm fields;
    char text[64] = DASH;
    if (fields_of(page, time, &fields) && strftime(text, sizeof text, format, &fields) == 0)
        strcpy(text, DASH);
    fputs(text, page->out);
}

static bool is_same_day(const html_page_t *page, const struct timespec *a, const struct timespec *b)
{
    struct tm one, other;
    return fields_of(page, a, &one) && fields_of(page, b, &other) && one.tm_year == other.tm_year &&
           one.tm_yday == other.tm_yday;
}

void html_time(html_page_t *page, const struct timespec *time)
{
    const report_t *report = page->report;
    const bool is_one_day =
        is_same_day(page, &report->first, &report->last) && is_same_day(page, &report->first, time);
    write_time(page, time, is_one_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S");
}

void html_date(html_page_t *page, const struct timespec *time)
{
    write_time(page, time, "%Y-%m-%d %H:%M:%S");
}

void html_offset(html_page_t *page)
{
    enum { MINUTE = 60, HOUR = 60 };
    const long minutes = labs(page->offset) / MINUTE;
    fprintf(page->out, "UTC%c%02ld:%02ld", page->offset < 0 ? '-' : '+', minutes / HOUR,
            minutes % HOUR);
}

/* ---- structure ---- */

void html_section_open(html_page_t *page, const char *id, const char *heading)
{
    fprintf(page->out, "<section id=\"%s\" data-part aria-labelledby=\"h-%s\">\n", id, id);
    fprintf(page->out, "<h2 id=\"h-%s\">%s</h2>\n", id, heading);
    fprintf(page->nav, "<a href=\"#%s\">%s</a>\n", id, heading);
}

void html_section_close(html_page_t *page)
{
    fputs("</section>\n", page->out);
}

void html_left_out(html_page_t *page, size_t count, const char *what)
{
    if (count == 0)
        return;
    fputs("<p class=\"note left-out\">", page->out);
    html_count(page, (int64_t)count);
    fprintf(page->out, " more %s%s not shown.</p>\n", what, count == 1 ? " is" : "s are");
}
