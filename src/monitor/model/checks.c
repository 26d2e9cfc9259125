#include "monitor/model/checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "response/names.h"

static const char *const kinds[CHECK_KINDS] = {
    [CHECK_ENDPOINT] = "endpoint", [CHECK_DEVICE] = "device", [CHECK_ATTRIBUTE] = "attribute"};

static const char *const outcomes[CHECK_OUTCOMES] = {[CHECK_UNDONE] = "undone",
                                                     [CHECK_GOOD] = "good",
                                                     [CHECK_REFUSED] = "refused",
                                                     [CHECK_UNREACHABLE] = "unreachable",
                                                     [CHECK_TIMED_OUT] = "timed_out",
                                                     [CHECK_NO_NAME] = "no_name",
                                                     [CHECK_NO_ADDRESS] = "no_address",
                                                     [CHECK_NOT_RUNNING] = "not_running",
                                                     [CHECK_NO_ATTRIBUTE] = "no_attribute",
                                                     [CHECK_NO_EVENTS] = "no_events"};

check_kind_t check_kind_of(const char *name)
{
    size_t i = 0;
    while (i < CHECK_KINDS && strcmp(kinds[i], name) != 0)
        i++;
    return (check_kind_t)i;
}

check_outcome_t check_outcome_of(const char *name)
{
    size_t i = 0;
    while (i < CHECK_OUTCOMES && strcmp(outcomes[i], name) != 0)
        i++;
    return (check_outcome_t)i;
}

char *checks_attribute_subject(const char *server, const response_not_connected_t *subscription)
{
    const char *device = subscription->device;
    const size_t length = strcspn(device, "#"); /* what follows is "#dbase=no" */
    const char *host = subscription->tango_host;
    char *prefix = NULL;
    if (names_prefix_length(device) > 0)
        prefix = memory_string("");
    else if (host && *host)
        prefix = memory_format("tango://%s/", host);
    else if (!server || strchr(server, '#'))
        return NULL;
    else
        prefix = memory_copy(server, names_prefix_length(server));
    char *subject =
        memory_format("%s%.*s/%s%s.%s", prefix, (int)length, device, subscription->attribute,
                      device + length, subscription->event_type);
    free(prefix);
    return subject;
}

void checks_add(checks_t *self, const check_t *check)
{
    self->list = memory_resize(self->list, self->count + 1, sizeof *self->list);
    self->list[self->count] = *check;
    self->list[self->count].subject = memory_string(check->subject);
    self->list[self->count].text = memory_string(check->text);
    self->count++;
}

static int compare_checks(const void *a, const void *b)
{
    const check_t *left = a;
    const check_t *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return strcmp(left->subject, right->subject);
}

void checks_sort(checks_t *self)
{
    if (self->count > 1)
        qsort(self->list, self->count, sizeof *self->list, compare_checks);
}

const check_t *checks_find(const checks_t *self, check_kind_t kind, const char *subject)
{
    if (!subject || self->count == 0)
        return NULL;
    const check_t wanted = {.kind = kind, .subject = (char *)subject};
    return bsearch(&wanted, self->list, self->count, sizeof wanted, compare_checks);
}

void check_clear(check_t *self)
{
    free(self->subject);
    free(self->text);
    *self = (check_t){0};
}

void checks_clear(checks_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        check_clear(&self->list[i]);
    free(self->list);
    *self = (checks_t){0};
}

void checks_write(const checks_t *self, json_output_t *json, const char *key)
{
    json_output_open(json, key, '{');
    for (size_t i = 0; i < self->count; i++) {
        const check_t *check = &self->list[i];
        if (i == 0 || check->kind != self->list[i - 1].kind)
            json_output_open(json, kinds[check->kind], '{');
        json_output_open(json, check->subject, '{');
        json_output_string(json, "outcome", outcomes[check->outcome]);
        json_output_string(json, "text", check->text);
        json_output_time(json, "time", &check->time);
        json_output_close(json, '}');
        if (i + 1 == self->count || check->kind != self->list[i + 1].kind)
            json_output_close(json, '}');
    }
    json_output_close(json, '}');
}
