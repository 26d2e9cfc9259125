#include "answers.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

char *answers_text(const char *file, const char *side)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, file);
    assert_in_range(size, 1, sizeof path - 1);
    json_error_t error;
    json_t *both = json_load_file(path, 0, &error);
    if (!both)
        fail_msg("%s: %s", path, error.text);
    char *text = json_dumps(json_object_get(both, side), JSON_ENCODE_ANY);
    assert_non_null(text);
    json_decref(both);
    return text;
}

static response_t *parse(const char *text)
{
    char *error = NULL;
    response_t *response = response_parse(text, strlen(text), &error);
    if (!response)
        fail_msg("%s", error);
    assert_null(error);
    return response;
}

response_t *answers_response(const char *file, const char *side)
{
    char *text = answers_text(file, side);
    response_t *response = parse(text);
    free(text);
    return response;
}

response_t *answers_parse(const char *text)
{
    char *json = strdup(text);
    assert_non_null(json);
    for (char *at = json; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    response_t *response = parse(json);
    free(json);
    return response;
}
