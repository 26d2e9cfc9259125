#include "cmocka_all.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "monitor/recording/delta.h"

/* A literal in which ' stands for ". */
static char *json(const char *text)
{
    char *copy = memory_string(text);
    for (char *at = copy; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    return copy;
}

static char *member(const char *delta, const char *key)
{
    char *object = memory_format("{%s}", delta);
    json_t *value = json_loads(object, 0, NULL);
    assert_non_null(value);
    json_t *found = json_object_get(value, key);
    char *text = found ? json_dumps(found, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(value);
    free(object);
    return text;
}

/* What a delta makes of a text. */
static char *apply(const char *before, const char *delta)
{
    char *changes = member(delta, "changes");
    char *removed = member(delta, "removed");
    size_t size = 0;
    char *made = delta_apply(before, strlen(before), changes, strlen(changes), removed,
                             removed ? strlen(removed) : 0, &size);
    assert_non_null(made);
    assert_int_equal(size, strlen(made));
    free(changes);
    free(removed);
    return made;
}

/* Both ways: the delta is as expected, and turns the one into the other. */
static void becomes(const char *before_text, const char *after_text, const char *expected_text)
{
    char *before = json(before_text);
    char *after = json(after_text);
    char *expected = json(expected_text);
    char *delta = delta_make(before, strlen(before), after, strlen(after));
    assert_non_null(delta);
    assert_string_equal(delta, expected);
    char *made = apply(before, delta);
    json_t *left = json_loads(made, 0, NULL);
    json_t *right = json_loads(after, 0, NULL);
    assert_true(json_equal(left, right));
    json_decref(left);
    json_decref(right);
    free(made);
    free(delta);
    free(expected);
    free(after);
    free(before);
}

static void test_both_ways(void **state)
{
    (void)state;
    becomes("{}", "{}", "'changes':{}");
    becomes("{'a':1}", "{'a':1}", "'changes':{}");
    becomes("{'a':1}", "{'a':2}", "'changes':{'a':2}");
    becomes("{'a':1}", "{}", "'changes':{},'removed':{'a':true}");
    becomes("{}", "{'a':null}", "'changes':{'a':null}");
    becomes("{'a':null}", "{'a':{}}", "'changes':{'a':{}}");
    becomes("{'a':{}}", "{'a':null}", "'changes':{'a':null}");
    becomes("{'a':[1,2]}", "{'a':[1,3]}", "'changes':{'a':[1,3]}");
    becomes("{'a':{'b':{'c':1,'d':2}}}", "{'a':{'b':{'c':1,'d':3}}}",
            "'changes':{'a':{'b':{'d':3}}}");
    becomes("{'a':{'b':1,'c':2},'z':0}", "{'z':0,'a':{'b':1}}",
            "'changes':{},'removed':{'a':{'c':true}}");
    becomes("{'a':{'b':1,'c':2}}", "{'a':{'b':5,'d':6}}",
            "'changes':{'a':{'b':5,'d':6}},'removed':{'a':{'c':true}}");
    becomes("{'a\\'{':'}','b':1}", "{'a\\'{':'}}','b':1}", "'changes':{'a\\'{':'}}'}");
    /* In another order. */
    becomes("{'a':1,'b':2,'c':3}", "{'c':3,'b':4,'a':1}", "'changes':{'b':4}");
    /* Gone, and another one of that name as its value. */
    becomes("{'a':{'x':true}}", "{'b':{'a':true}}",
            "'changes':{'b':{'a':true}},'removed':{'a':true}");
}

static void has_no_delta(const char *before_text, const char *after_text)
{
    char *before = json(before_text);
    char *after = json(after_text);
    assert_null(delta_make(before, strlen(before), after, strlen(after)));
    free(before);
    free(after);
}

static void test_no_delta(void **state)
{
    (void)state;
    has_no_delta("[]", "{}");
    has_no_delta("{}", "1");
    has_no_delta("{'a':1}", "{'a':2,'a':3}");
    has_no_delta("{'a':1,'a':2}", "{'a':1}");
    has_no_delta("{'x':{'a':1}}", "{'x':{'a':2,'a':3}}");
    size_t size = 0;
    assert_null(delta_apply("[]", 2, "{}", 2, NULL, 0, &size));
}

/* Random objects, changed at random. */
static json_t *random_value(int depth)
{
    json_t *value = NULL;
    switch (rand() % (depth > 0 ? 7 : 5)) {
    case 0:
        return json_integer(rand() % 4);
    case 1:
        return json_null();
    case 2:
        return json_string(rand() % 2 ? "}{\"" : "tango://h:1/a/b");
    case 3:
        return json_true();
    case 4:
        value = json_array();
        json_array_append_new(value, json_integer(rand() % 3));
        return value;
    default:
        break;
    }
    value = json_object();
    for (int i = rand() % 5; i > 0; i--) {
        char key[] = {(char)('a' + rand() % 6), '\0'};
        json_object_set_new(value, key, random_value(depth - 1));
    }
    return value;
}

static json_t *random_object(void)
{
    json_t *object = json_object();
    for (int i = rand() % 5; i > 0; i--) {
        char key[] = {(char)('a' + rand() % 6), '\0'};
        json_object_set_new(object, key, random_value(3));
    }
    return object;
}

static void test_random_objects(void **state)
{
    (void)state;
    srand(7);
    for (int i = 0; i < 20000; i++) {
        json_t *left = random_object();
        json_t *right = random_object();
        char *before = json_dumps(left, JSON_COMPACT);
        char *after = json_dumps(right, JSON_COMPACT);
        char *delta = delta_make(before, strlen(before), after, strlen(after));
        assert_non_null(delta);
        char *made = apply(before, delta);
        json_t *again = json_loads(made, 0, NULL);
        if (!json_equal(again, right))
            fail_msg("%s to %s by %s: %s", before, after, delta, made);
        json_decref(again);
        json_decref(left);
        json_decref(right);
        free(made);
        free(delta);
        free(before);
        free(after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_no_delta),
        cmocka_unit_test(test_random_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
