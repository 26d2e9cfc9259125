#include "exporter/web/passwords.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <nettle/blowfish.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/monotonic.h"

/* How many may wait, in all and of one client; and how many results are kept. */
enum { QUEUE = 64, QUEUE_OF_CLIENT = 4, KEPT = 256 };

/* After a wrong password the thread rests for so many times what it took. */
#define REST 3

enum { KEY_SIZE = 32 };

/* Of user, password and hash, with a key that only this process knows. */
typedef struct {
    unsigned char bytes[32];
} digest_t;

/* The newest results of one kind. */
typedef struct {
    digest_t digests[KEPT];
    size_t count;
    size_t next;
} kept_t;

/* A question that waits. All owned. */
typedef struct {
    char *password;
    char *hash;
    bool is_known;
    digest_t digest;
    client_t client;
    void *context;
    void (*done)(void *context, bool good);
} job_t;

struct passwords {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool has_thread;
    bool stopped;
    const job_t *running; /* what is being decided; NULL: nothing */
    bool is_left;         /* the thread goes on alone: its question has been answered for it, and
                             whoever is the last one, it or passwords_destroy(), frees all */
    bool is_last;
    unsigned char key[KEY_SIZE];
    kept_t right;
    kept_t wrong;
    job_t queue[QUEUE];
    size_t count;
};

/* ---- what is known ---- */

static digest_t digest_of(const passwords_t *self, const password_question_t *question)
{
    const char *texts[] = {question->user, question->password, question->hash};
    digest_t digest = {{0}};
    gnutls_hmac_hd_t hmac;
    if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, self->key, sizeof self->key) < 0)
        abort();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        gnutls_hmac(hmac, texts[i], strlen(texts[i]) + 1); /* the NUL parts them */
    gnutls_hmac_deinit(hmac, digest.bytes);
    return digest;
}

static bool keeps(const kept_t *self, const digest_t *digest)
{
    bool found = false;
    for (size_t i = 0; i < self->count; i++)
        found |= gnutls_memcmp(&self->digests[i], digest, sizeof *digest) == 0;
    return found;
}

static void keep(kept_t *self, const digest_t *digest)
{
    if (keeps(self, digest))
        return;
    self->digests[self->next] = *digest;
    self->next = (self->next + 1) % KEPT;
    self->count = self->count < KEPT ? self->count + 1 : KEPT;
}

/* ---- the thread ---- */

static void clear_job(job_t *job)
{
    explicit_bzero(job->password, strlen(job->password));
    free(job->password);
    free(job->hash);
    *job = (job_t){0};
}

/* Waits for ns, or until it is stopped. With the lock. */
static void rest(passwords_t *self, int64_t ns)
{
    const struct timespec until = monotonic_timespec(monotonic_ns() + ns);
    while (!self->stopped &&
           pthread_cond_timedwait(&self->wake, &self->lock, &until) != ETIMEDOUT) {
        /* a new question: not yet */
    }
}

static bool is_right(const job_t *job)
{
    return blowfish_bcrypt_verify(strlen(job->password), (const uint8_t *)job->password,
                                  strlen(job->hash), (const uint8_t *)job->hash) == 1 &&
           job->is_known;
}

/* Takes the first one of the queue. With the lock. */
static job_t take(passwords_t *self)
{
    const job_t job = self->queue[0];
    self->count--;
    memmove(self->queue, self->queue + 1, self->count * sizeof *self->queue);
    return job;
}

/* Decides one. With the lock, which it leaves meanwhile. */
static void decide(passwords_t *self)
{
    job_t job = take(self);
    const int64_t begun_ns = monotonic_ns();
    bool right = keeps(&self->right, &job.digest);
    const bool is_kept = right || keeps(&self->wrong, &job.digest);
    if (!is_kept) {
        self->running = &job;
        pthread_mutex_unlock(&self->lock);
        right = is_right(&job);
        pthread_mutex_lock(&self->lock);
        self->running = NULL;
    }
    if (!self->is_left) {
        job.done(job.context, right);
        keep(right ? &self->right : &self->wrong, &job.digest);
    }
    clear_job(&job);
    if (!right && !is_kept)
        rest(self, REST * (monotonic_ns() - begun_ns));
}

static void destroy(passwords_t *self)
{
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    explicit_bzero(self->key, sizeof self->key);
    free(self);
}

/* Whether the other one of the two has gone. With the lock, which it unlocks. */
static bool is_last(passwords_t *self)
{
    const bool last = self->is_last;
    self->is_last = true;
    pthread_mutex_unlock(&self->lock);
    return last;
}

static void *run(void *argument)
{
    passwords_t *self = argument;
    pthread_mutex_lock(&self->lock);
    while (!self->stopped)
        if (self->count > 0)
            decide(self);
        else
            pthread_cond_wait(&self->wake, &self->lock);
    if (!self->is_left)
        pthread_mutex_unlock(&self->lock);
    else if (is_last(self))
        destroy(self);
    return NULL;
}

/* ---- for others ---- */

passwords_t *passwords_new(char **error)
{
    passwords_t *self = memory_new(1, sizeof *self);
    *error = NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    const int result = gnutls_rnd(GNUTLS_RND_KEY, self->key, sizeof self->key) < 0
                           ? EIO
                           : pthread_create(&self->thread, NULL, run, self);
    self->has_thread = result == 0;
    if (!self->has_thread) {
        *error = memory_string(strerror(result));
        passwords_destroy(&self);
    }
    return self;
}

static size_t count_of(const passwords_t *self, const client_t *client)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += memcmp(&self->queue[i].client, client, sizeof *client) == 0;
    return count;
}

static password_result_t check(passwords_t *self, const password_question_t *question,
                               const digest_t *digest)
{
    if (keeps(&self->right, digest))
        return PASSWORD_RIGHT;
    if (self->stopped || keeps(&self->wrong, digest))
        return PASSWORD_WRONG;
    if (self->count == QUEUE || count_of(self, question->client) == QUEUE_OF_CLIENT)
        return PASSWORD_BUSY;
    self->queue[self->count++] = (job_t){
        .password = memory_string(question->password),
        .hash = memory_string(question->hash),
        .is_known = question->is_known,
        .digest = *digest,
        .client = *question->client,
        .context = question->context,
        .done = question->done,
    };
    question->wait(question->context);
    pthread_cond_signal(&self->wake);
    return PASSWORD_WAIT;
}

password_result_t passwords_check(passwords_t *self, const password_question_t *question)
{
    const digest_t digest = digest_of(self, question);
    pthread_mutex_lock(&self->lock);
    const password_result_t result = check(self, question, &digest);
    pthread_mutex_unlock(&self->lock);
    return result;
}

/* Answers all who wait. With the lock. */
static void refuse_all(passwords_t *self)
{
    if (self->running)
        self->running->done(self->running->context, false);
    while (self->count > 0) {
        job_t job = take(self);
        job.done(job.context, false);
        clear_job(&job);
    }
}

void passwords_stop(passwords_t *self)
{
    if (!self->has_thread)
        return;
    pthread_mutex_lock(&self->lock);
    self->stopped = true;
    refuse_all(self);
    const bool leaves = self->is_left = self->running;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    if (leaves)
        pthread_detach(self->thread);
    else
        pthread_join(self->thread, NULL);
    self->has_thread = false;
}

void passwords_destroy(passwords_t **pointer)
{
    passwords_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return;
    passwords_stop(self);
    pthread_mutex_lock(&self->lock);
    const bool is_left = self->is_left;
    if (is_last(self) || !is_left)
        destroy(self);
}
