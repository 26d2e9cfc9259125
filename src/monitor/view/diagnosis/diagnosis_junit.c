#include "monitor/view/diagnosis/diagnosis_junit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/plural.h"
#include "base/printable.h"
#include "base/wrap.h"
#include "base/xml_text.h"
#include "monitor/view/text/duration_text.h"

enum { WIDTH = 100, HOST_NAME_SIZE = 256 };

static void write_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    xml_text_write_value(out, value);
    putc('"', out);
}

/* Frees the value. */
static void write_property(FILE *out, const char *name, char *value)
{
    fputs("      <property", out);
    write_attribute(out, "name", name);
    write_attribute(out, "value", value);
    fputs("/>\n", out);
    free(value);
}

static void write_properties(FILE *out, const diagnosis_result_t *result)
{
    fputs("    <properties>\n", out);
    write_property(out, "verdict", memory_string(verdict_name(result->verdict)));
    write_property(out, "seconds", memory_format("%.3f", result->seconds));
    write_property(out, "polls", memory_format("%zu", result->polls));
    write_property(out, "streams", memory_format("%zu", result->streams));
    write_property(out, "subscriptions", memory_format("%zu", result->subscriptions));
    write_property(out, "events pushed", memory_format("%" PRId64, result->pushed));
    write_property(out, "events received", memory_format("%" PRId64, result->received));
    for (size_t i = 0; i < result->server_count; i++) {
        const diagnosis_server_t *server = &result->servers[i];
        const char *source =
            server->answers > 0 ? response_dialect_name(server->dialect) : "never answered";
        write_property(out, "server",
                       memory_format("%s: %s; %zu of %zu polls answered%s%s", server->server,
                                     source, server->answers, server->polls,
                                     server->error ? "; " : "",
                                     server->error ? server->error : ""));
    }
    fputs("    </properties>\n", out);
}

/* ---- test cases ---- */

/* On one line, whatever names are in it. */
static void print_line(FILE *out, const char *begin, const char *text)
{
    char *printable = printable_copy(text, true);
    fprintf(out, "%s%s\n", begin, printable);
    free(printable);
}

/* A finding with all that is known of it. */
static void print_finding(FILE *out, const finding_t *finding)
{
    char *duration = duration_text(finding->seconds_in_all, 0);
    fprintf(out, "%s: ", severity_name(finding->severity));
    print_line(out, "", finding->text ? finding->text : finding->rule->title);
    fprintf(out, "  %zu time%s, %s in all, %s\n", finding->times, PLURAL(finding->times), duration,
            finding->state < FINDING_ENDED ? "it lasts" : "it is over");
    free(duration);
    for (size_t i = 0; i < finding->evidence_count; i++)
        print_line(out, "  - ", finding->evidence[i]);
    char *advice = diagnosis_advice(finding);
    char *printable = printable_copy(advice, true);
    fputs("  What to do: ", out);
    wrap_text(out, printable, WIDTH, strlen("  What to do: "), 4);
    free(printable);
    free(advice);
}

/* The findings of a rule that count, or those that don't; the caller frees the text. "" if there
 * are none. */
static char *text_of(const diagnosis_result_t *result, const fail_on_t *fail_on, const rule_t *rule,
                     bool counting, const finding_t **first, size_t *count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream_open(&text, &size);
    *count = 0;
    for (size_t i = 0; i < result->finding_count; i++) {
        const finding_t *finding = result->findings[i];
        if (finding->rule != rule || fail_on_counts(fail_on, finding) != counting)
            continue;
        if ((*count)++ == 0)
            *first = finding;
        print_finding(out, finding);
    }
    memory_stream_close(out);
    return text;
}

/* Whether nothing can be said of a rule; of servers that never answered, that is said once. */
static bool is_unanswered(const diagnosis_result_t *result, const rule_t *rule)
{
    return result->verdict == VERDICT_UNKNOWN ||
           (result->verdict == VERDICT_INCOMPLETE && rule->failed);
}

/* Whether nobody could be asked for this rule. */
static bool is_skipped(const diagnosis_result_t *result, const rule_t *rule)
{
    return result->answered > 0 && diagnosis_untold(result, rule) == result->answered;
}

static void write_failure(FILE *out, const char *type, const char *message, const char *text)
{
    fputs("\n      <failure", out);
    write_attribute(out, "type", type);
    write_attribute(out, "message", message);
    putc('>', out);
    xml_text_write(out, text);
    fputs("</failure>\n    ", out);
}

static void write_findings(FILE *out, const finding_t *first, size_t count, const char *text)
{
    const char *line = first->text ? first->text : first->rule->title;
    char *message =
        count > 1 ? memory_format("%s (and %zu more)", line, count - 1) : memory_string(line);
    write_failure(out, severity_name(first->severity), message, text);
    free(message);
}

static void write_skipped(FILE *out, const char *message)
{
    fputs("\n      <skipped", out);
    write_attribute(out, "message", message);
    fputs("/>\n    ", out);
}

/* A schema allows one child, so findings that don't count are in the suite's output. */
static void write_case(FILE *out, const diagnosis_result_t *result, const fail_on_t *fail_on,
                       const rule_t *rule)
{
    const finding_t *first = NULL;
    size_t count = 0;
    char *class_name = memory_format("events.%s", rule->group);
    char *name = memory_format("%s: %s", rule->name, rule->title);
    char *text = text_of(result, fail_on, rule, true, &first, &count);
    fputs("    <testcase", out);
    write_attribute(out, "classname", class_name);
    write_attribute(out, "name", name);
    fputs(" time=\"0\">", out);
    if (is_unanswered(result, rule))
        write_failure(out, "unanswered",
                      result->answered == 0 ? "no server answered" : "not every server answered",
                      "");
    else if (count > 0)
        write_findings(out, first, count, text);
    else if (is_skipped(result, rule))
        write_skipped(out, "no server has the agent, which this needs");
    fputs("</testcase>\n", out);
    free(text);
    free(name);
    free(class_name);
}

/* ---- the suite ---- */

typedef struct {
    size_t failures;
    size_t skipped;
} sums_t;

static sums_t sum_up(const diagnosis_result_t *result, const fail_on_t *fail_on)
{
    sums_t sums = {0};
    for (size_t i = 0; i < rules_count; i++) {
        bool failed = is_unanswered(result, &rules[i]);
        for (size_t j = 0; j < result->finding_count; j++)
            failed |= result->findings[j]->rule == &rules[i] &&
                      fail_on_counts(fail_on, result->findings[j]);
        sums.failures += failed;
        sums.skipped += !failed && is_skipped(result, &rules[i]);
    }
    return sums;
}

/* UTC, since a schema allows no offset. */
static void write_timestamp(FILE *out, const struct timespec *time)
{
    struct tm utc;
    char text[40] = "1970-01-01T00:00:00";
    if (gmtime_r(&time->tv_sec, &utc))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    write_attribute(out, "timestamp", text);
}

static void write_host(FILE *out)
{
    char name[HOST_NAME_SIZE] = "localhost";
    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
        memcpy(name, "localhost", sizeof "localhost");
    write_attribute(out, "hostname", name);
}

/* What makes no test case fail. */
static void write_output(FILE *out, const diagnosis_result_t *result, const fail_on_t *fail_on)
{
    fputs("    <system-out>", out);
    for (size_t i = 0; i < rules_count; i++) {
        const finding_t *first = NULL;
        size_t count = 0;
        char *text = text_of(result, fail_on, &rules[i], false, &first, &count);
        xml_text_write(out, text);
        free(text);
        if (diagnosis_untold(result, &rules[i]) > 0)
            fprintf(out, "%s: not looked for in %zu of %zu servers, which have no agent\n",
                    rules[i].name, diagnosis_untold(result, &rules[i]), result->answered);
    }
    fputs("</system-out>\n", out);
}

void diagnosis_junit_write(FILE *out, const diagnosis_result_t *result, const fail_on_t *fail_on)
{
    const sums_t sums = sum_up(result, fail_on);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
    fprintf(out,
            "  <testsuite id=\"0\" package=\"events\" name=\"Tango events\" tests=\"%zu\""
            " failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\"",
            rules_count, sums.failures, sums.skipped, result->seconds);
    write_timestamp(out, &result->last);
    write_host(out);
    fputs(">\n", out);
    write_properties(out, result);
    for (size_t i = 0; i < rules_count; i++)
        write_case(out, result, fail_on, &rules[i]);
    write_output(out, result, fail_on);
    fputs("    <system-err></system-err>\n  </testsuite>\n</testsuites>\n", out);
}
