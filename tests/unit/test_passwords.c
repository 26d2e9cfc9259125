/* The thread that checks passwords. */
#include "cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/monotonic.h"
#include "exporter/web/passwords.h"

/* Of "secret", with the least cost. */
#define HASH "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

static const client_t somebody = {{192, 0, 2, 1}};
static const client_t other = {{192, 0, 2, 2}};

/* What is told to one who waits. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool waits;
    bool done;
    bool right;
} waiter_t;

#define WAITER                                                                                     \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER                        \
    }

static void wait(void *context)
{
    ((waiter_t *)context)->waits = true;
}

static void done(void *context, bool right)
{
    waiter_t *waiter = context;
    pthread_mutex_lock(&waiter->lock);
    waiter->right = right;
    waiter->done = true;
    pthread_cond_signal(&waiter->told);
    pthread_mutex_unlock(&waiter->lock);
}

static password_result_t ask(passwords_t *passwords, const char *user, const char *password,
                             bool is_known, const client_t *client, waiter_t *waiter)
{
    const password_question_t question = {
        .user = user,
        .password = password,
        .hash = HASH,
        .is_known = is_known,
        .client = client,
        .context = waiter,
        .wait = wait,
        .done = done,
    };
    return passwords_check(passwords, &question);
}

/* Whether a password is found to be right by waiting for it. */
static bool is_right(passwords_t *passwords, const char *user, const char *password, bool is_known)
{
    waiter_t waiter = WAITER;
    assert_int_equal(ask(passwords, user, password, is_known, &somebody, &waiter), PASSWORD_WAIT);
    assert_true(waiter.waits);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.done)
        pthread_cond_wait(&waiter.told, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    return waiter.right;
}

/* The result that is known once the thread has noted it. */
static password_result_t known(passwords_t *passwords, const char *user, const char *password,
                               bool is_known)
{
    waiter_t waiter = WAITER;
    password_result_t result = PASSWORD_WAIT;
    do {
        waiter = (waiter_t)WAITER;
        result = ask(passwords, user, password, is_known, &somebody, &waiter);
        pthread_mutex_lock(&waiter.lock);
        while (result == PASSWORD_WAIT && !waiter.done)
            pthread_cond_wait(&waiter.told, &waiter.lock);
        pthread_mutex_unlock(&waiter.lock);
    } while (result == PASSWORD_WAIT);
    return result;
}

static passwords_t *made(void)
{
    char *error = NULL;
    passwords_t *passwords = passwords_new(&error);
    assert_null(error);
    return passwords;
}

static void test_right_and_wrong(void **state)
{
    (void)state;
    passwords_t *passwords = made();
    assert_true(is_right(passwords, "anna", "secret", true));
    assert_int_equal(known(passwords, "anna", "secret", true), PASSWORD_RIGHT);
    assert_false(is_right(passwords, "anna", "Secret", true));
    assert_int_equal(known(passwords, "anna", "Secret", true), PASSWORD_WRONG);
    assert_false(is_right(passwords, "anna", "", true));
    /* One who isn't there, with a password that would be right. */
    assert_false(is_right(passwords, "nobody", "secret", false));
    assert_int_equal(known(passwords, "nobody", "secret", false), PASSWORD_WRONG);
    passwords_destroy(&passwords);
    assert_null(passwords);
}

static void test_too_many(void **state)
{
    (void)state;
    passwords_t *passwords = made();
    waiter_t waiters[200];
    char password[32];
    size_t waiting = 0;
    size_t busy = 0;
    for (size_t i = 0; i < 200; i++) {
        waiters[i] = (waiter_t)WAITER;
        (void)snprintf(password, sizeof password, "guess %zu", i);
        const password_result_t result =
            ask(passwords, "anna", password, true, &somebody, &waiters[i]);
        assert_true(result == PASSWORD_WAIT || result == PASSWORD_BUSY);
        waiting += result == PASSWORD_WAIT;
        busy += result == PASSWORD_BUSY;
    }
    assert_true(busy > 0 && waiting >= 4);
    /* There is room for somebody else. */
    waiter_t waiter = WAITER;
    assert_int_equal(ask(passwords, "anna", "secret", true, &other, &waiter), PASSWORD_WAIT);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.done)
        pthread_cond_wait(&waiter.told, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    assert_true(waiter.right);
    passwords_destroy(&passwords);
    for (size_t i = 0; i < 200; i++)
        assert_true(waiters[i].done == waiters[i].waits && !waiters[i].right);
}

static void test_what_was_right_stays_known(void **state)
{
    (void)state;
    passwords_t *passwords = made();
    assert_true(is_right(passwords, "anna", "secret", true));
    char password[32];
    for (size_t i = 0; i < 300; i++) {
        (void)snprintf(password, sizeof password, "guess %zu", i);
        assert_int_equal(known(passwords, "anna", password, true), PASSWORD_WRONG);
        if (i % 100 == 0)
            assert_int_equal(known(passwords, "anna", "secret", true), PASSWORD_RIGHT);
    }
    assert_int_equal(known(passwords, "anna", "secret", true), PASSWORD_RIGHT);
    passwords_destroy(&passwords);
}

static void test_guessing_leaves_the_processor_alone(void **state)
{
    (void)state;
    passwords_t *passwords = made();
    char password[32];
    struct timespec cpu;
    const int64_t begun_ns = monotonic_ns();
    for (size_t i = 0; monotonic_ns() - begun_ns < NS_PER_SECOND; i++) {
        (void)snprintf(password, sizeof password, "guess %zu", i);
        (void)known(passwords, "anna", password, true);
    }
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu), 0);
    /* A quarter, and what this thread takes. */
    assert_true((double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9 < 0.75);
    passwords_destroy(&passwords);
}

static void test_stopped(void **state)
{
    (void)state;
    passwords_t *passwords = made();
    waiter_t waiter = WAITER;
    passwords_stop(passwords);
    assert_int_equal(ask(passwords, "anna", "secret", true, &somebody, &waiter), PASSWORD_WRONG);
    assert_false(waiter.waits);
    passwords_destroy(&passwords);
}

/* Not even for the one that is being checked, which may take seconds. */
static void test_the_end_waits_for_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        passwords_t *passwords = made();
        waiter_t waiters[2] = {WAITER, WAITER};
        for (int i = 0; i < 2; i++) {
            const char hash[] = "$2b$14$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
            const password_question_t question = {.user = "anna",
                                                  .password = i == 0 ? "secret" : "guess",
                                                  .hash = hash,
                                                  .is_known = true,
                                                  .client = &somebody,
                                                  .context = &waiters[i],
                                                  .wait = wait,
                                                  .done = done};
            assert_int_equal(passwords_check(passwords, &question), PASSWORD_WAIT);
        }
        nanosleep(&(struct timespec){.tv_nsec = round * 30000000L}, NULL);
        const int64_t begun_ns = monotonic_ns();
        passwords_destroy(&passwords);
        assert_true(monotonic_ns() - begun_ns < NS_PER_SECOND / 2);
        assert_true(waiters[0].done && !waiters[0].right && waiters[1].done && !waiters[1].right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guessing_leaves_the_processor_alone),
        cmocka_unit_test(test_right_and_wrong),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_what_was_right_stays_known),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_the_end_waits_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
