#include "exporter/web/connections.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/monotonic.h"

struct connection {
    connection_t *next;
    connection_t *before;
    client_t client;
    int fd;
    phase_t phase;
    int64_t since_ns;    /* in this phase */
    int64_t progress_ns; /* the last one was made then */
    bool has_page;
    bool dropped; /* not counted any more */
};

/* How many connections and pages a client has. */
typedef struct {
    client_t client;
    size_t connections;
    size_t pages;
} share_t;

struct connections {
    pthread_mutex_t lock;
    connection_limits_t limits;
    connection_t *first;
    share_t *shares; /* of all who have one */
    size_t share_count;
    size_t count;
    size_t pages;
};

connections_t *connections_new(const connection_limits_t *limits)
{
    connections_t *self = memory_new(1, sizeof *self);
    pthread_mutex_init(&self->lock, NULL);
    self->limits = *limits;
    return self;
}

void connections_destroy(connections_t **self)
{
    if (!*self)
        return;
    pthread_mutex_destroy(&(*self)->lock);
    free((*self)->shares);
    free(*self);
    *self = NULL;
}

/* An IPv6 client has a network of its own, and can take any address in it. */
static client_t client_of(const struct sockaddr *address)
{
    client_t client = {{0}};
    if (address && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        client.bytes[15] = 4;
        memcpy(client.bytes, &v4->sin_addr, 4);
    } else if (address && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        const bool is_v4 = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        client.bytes[15] = is_v4 ? 4 : 6;
        memcpy(client.bytes, v6->sin6_addr.s6_addr + (is_v4 ? 12 : 0), is_v4 ? 4 : 8);
    }
    return client;
}

static bool is_same(const client_t *a, const client_t *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static share_t *share_of(connections_t *self, const client_t *client)
{
    for (size_t i = 0; i < self->share_count; i++)
        if (is_same(&self->shares[i].client, client))
            return &self->shares[i];
    self->shares = memory_resize(self->shares, self->share_count + 1, sizeof *self->shares);
    self->shares[self->share_count] = (share_t){.client = *client};
    return &self->shares[self->share_count++];
}

static void count_page(connections_t *self, connection_t *connection, bool has_page)
{
    if (connection->has_page == has_page || connection->dropped)
        return;
    share_t *share = share_of(self, &connection->client);
    connection->has_page = has_page;
    share->pages += has_page ? 1 : (size_t)-1;
    self->pages += has_page ? 1 : (size_t)-1;
}

/* Counts it no longer. */
static void discount(connections_t *self, connection_t *connection)
{
    if (connection->dropped)
        return;
    count_page(self, connection, false);
    share_t *share = share_of(self, &connection->client);
    share->connections--;
    if (share->connections == 0)
        *share = self->shares[--self->share_count];
    self->count--;
    connection->dropped = true;
}

static void drop(connections_t *self, connection_t *connection)
{
    discount(self, connection);
    (void)shutdown(connection->fd, SHUT_RDWR);
}

/* Drops one, or one that has a page, of the client that has most. */
static void drop_one(connections_t *self, bool of_pages)
{
    const share_t *most = NULL;
    for (size_t i = 0; i < self->share_count; i++) {
        const share_t *share = &self->shares[i];
        if (!most ||
            (of_pages ? share->pages > most->pages : share->connections > most->connections))
            most = share;
    }
    connection_t *longest = NULL;
    for (connection_t *one = self->first; one && most; one = one->next)
        if (!one->dropped && one->phase != PHASE_WAIT && (!of_pages || one->has_page) &&
            is_same(&one->client, &most->client) &&
            (!longest || one->progress_ns < longest->progress_ns))
            longest = one;
    if (longest)
        drop(self, longest);
}

connection_t *connections_add(connections_t *self, int fd, const struct sockaddr *address)
{
    connection_t *connection = memory_new(1, sizeof *connection);
    connection->client = client_of(address);
    connection->fd = fd;
    connection->phase = PHASE_REQUEST;
    connection->since_ns = connection->progress_ns = monotonic_ns();
    pthread_mutex_lock(&self->lock);
    if (self->count >= self->limits.connections)
        drop_one(self, false);
    self->count++;
    share_of(self, &connection->client)->connections++;
    connection->next = self->first;
    if (self->first)
        self->first->before = connection;
    self->first = connection;
    pthread_mutex_unlock(&self->lock);
    return connection;
}

void connections_remove(connections_t *self, connection_t **pointer)
{
    connection_t *connection = *pointer;
    *pointer = NULL;
    if (!connection)
        return;
    pthread_mutex_lock(&self->lock);
    discount(self, connection);
    if (connection->next)
        connection->next->before = connection->before;
    if (connection->before)
        connection->before->next = connection->next;
    else
        self->first = connection->next;
    pthread_mutex_unlock(&self->lock);
    free(connection);
}

static void enter(connections_t *self, connection_t *connection, phase_t phase, bool has_page)
{
    pthread_mutex_lock(&self->lock);
    if (has_page && !connection->has_page && self->pages >= self->limits.pages)
        drop_one(self, true);
    connection->phase = phase;
    connection->since_ns = connection->progress_ns = monotonic_ns();
    count_page(self, connection, has_page);
    pthread_mutex_unlock(&self->lock);
}

void connections_enter(connections_t *self, connection_t *connection, phase_t phase)
{
    enter(self, connection, phase, false);
}

void connections_enter_page(connections_t *self, connection_t *connection)
{
    enter(self, connection, PHASE_ANSWER, true);
}

void connections_note_progress(connections_t *self, connection_t *connection)
{
    pthread_mutex_lock(&self->lock);
    connection->progress_ns = monotonic_ns();
    pthread_mutex_unlock(&self->lock);
}

const client_t *connection_client(const connection_t *self)
{
    return &self->client;
}

void connections_drop_slow(connections_t *self)
{
    const int64_t now_ns = monotonic_ns();
    pthread_mutex_lock(&self->lock);
    for (connection_t *one = self->first; one; one = one->next)
        if (!one->dropped && now_ns - one->since_ns > self->limits.phase_ns[one->phase])
            drop(self, one);
    pthread_mutex_unlock(&self->lock);
}
