#include "agent/answer/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/platform/clocks.h"

enum {
    BACKLOG = 64,
    CONVERSATIONS = 32,
    REOPENINGS = 16,
    PROGRESS_S = 10, /* within which a client has to take some more of a reply */
    REPLY_S = 60,    /* and all of it */
    PAUSE_S = 1 /* until a connection is accepted, when there is no descriptor or memory for it */
};
/* Of answers that are being sent, beyond which no further one is made: one more may be 92 MiB. */
static const size_t answers_max = (size_t)128 << 20;

#define SECOND_NS INT64_C(1000000000)

/* Only the serving thread uses them; and a child after a fork, in which there is no such thread. */
static struct sockaddr_un address;
static socklen_t address_size;
static int listening = -1;
/* What to wait for is registered there, by the socket: a number that was given to somebody else's
 * file is nothing to it, while poll() would look the number up again, and would keep the socket
 * alive. */
static int waiting = -1;
static uint32_t registered[CONVERSATIONS + 1]; /* the events; the listening socket's are the last */
static conversation_t conversations[CONVERSATIONS];
static bool conversations_made;
static uint64_t uses;
static int64_t paused_until_ns;

/* ---- the descriptors ---- */

/* The listening socket and the connections to it have the same address, which is nobody else's. */
static bool is_ours(int descriptor)
{
    struct sockaddr_un its = {0};
    socklen_t size = sizeof its;
    return descriptor >= 0 && getsockname(descriptor, (struct sockaddr *)&its, &size) == 0 &&
           its.sun_family == AF_UNIX && size == address_size && size > 0 &&
           memcmp(&its, &address, size) == 0;
}

/* Whether `waiting` is ours: there, the listening socket is registered. */
static bool waiting_is_ours(void)
{
    struct epoll_event none = {0};
    if (waiting < 0 || !is_ours(listening))
        return false;
    if (epoll_ctl(waiting, EPOLL_CTL_ADD, listening, &none) == 0) { /* it was somebody else's */
        epoll_ctl(waiting, EPOLL_CTL_DEL, listening, NULL);
        return false;
    }
    return errno == EEXIST;
}

static bool add_waiting(int descriptor, size_t place)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)place};
    registered[place] = event.events;
    return epoll_ctl(waiting, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

static void set_waiting(int descriptor, size_t place, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)place};
    if (registered[place] != events)
        epoll_ctl(waiting, EPOLL_CTL_MOD, descriptor, &event);
    registered[place] = events;
}

static void close_listening(void)
{
    if (waiting_is_ours())
        close(waiting);
    if (is_ours(listening))
        close(listening);
    listening = waiting = -1;
}

static bool begin_listening(void)
{
    if (bind(listening, (struct sockaddr *)&address, address_size) != 0 ||
        listen(listening, BACKLOG) != 0)
        return false;
    waiting = epoll_create1(EPOLL_CLOEXEC);
    return waiting >= 0 && add_waiting(listening, CONVERSATIONS);
}

bool socket_open(void)
{
    uint64_t number = 0;
    /* By its number: the function is newer than the oldest glibc that the agent runs with. */
    if (syscall(SYS_getrandom, &number, sizeof number, 0) != sizeof number)
        return false;
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                          "ska-tango-event-agent/%ld/%016" PRIx64, (long)getpid(), number);
    address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listening < 0)
        return false;
    if (begin_listening())
        return true;
    int why = errno;
    if (waiting >= 0)
        close(waiting);
    close(listening);
    listening = waiting = -1;
    errno = why;
    return false;
}

/* In a child, what it closes stays registered: that is its parent's. */
void socket_forget(void)
{
    for (size_t i = 0; conversations_made && i < CONVERSATIONS; i++) {
        /* An answer isn't freed: the allocator may be in whatever state. */
        if (is_ours(conversations[i].connection))
            close(conversations[i].connection);
        conversations[i] = (conversation_t){.connection = -1};
    }
    close_listening();
}

/* A bare clone() may have the connection, too; it would be reported again and again. */
static void end(conversation_t *self)
{
    bool close_it = is_ours(self->connection);
    if (close_it)
        epoll_ctl(waiting, EPOLL_CTL_DEL, self->connection, NULL);
    conversation_end(self, close_it);
}

/* ---- who may ask ---- */

/* Whether all users have a number here of their own: this isn't a user namespace. */
static bool sees_all_users(void)
{
    unsigned long inside = 1;
    unsigned long count = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");
    if (!map)
        return false;
    bool read = fscanf(map, "%lu %*u %lu", &inside, &count) == 2;
    fclose(map);
    return read && inside == 0 && count == UINT32_MAX;
}

static bool may_ask(uid_t user)
{
    enum { NOBODY = 65534 }; /* the kernel's default, which nobody changes */
    uid_t real, effective, saved;
    if (user == 0)
        return true;
    return getresuid(&real, &effective, &saved) == 0 && user == real && user == effective &&
           user == saved && (user != NOBODY || sees_all_users());
}

static bool find_client(int connection, struct ucred *client)
{
    socklen_t size = sizeof *client;
    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, client, &size) == 0;
}

/* ---- connections ---- */

static size_t count_of_client(pid_t client)
{
    size_t count = 0;
    for (size_t i = 0; i < CONVERSATIONS; i++)
        count += conversations[i].connection >= 0 && conversations[i].client == client;
    return count;
}

/* Of the client that has most of them, the one that has been idle for longest; NULL if none is. */
static conversation_t *dispensable(void)
{
    conversation_t *found = NULL;
    size_t most = 0;
    for (size_t i = 0; i < CONVERSATIONS; i++) {
        conversation_t *one = &conversations[i];
        if (one->connection < 0 || conversation_is_sending(one) || conversation_is_asked(one))
            continue;
        size_t count = count_of_client(one->client);
        if (!found || count > most || (count == most && one->used < found->used)) {
            found = one;
            most = count;
        }
    }
    return found;
}

static conversation_t *free_place(void)
{
    for (size_t i = 0; i < CONVERSATIONS; i++)
        if (conversations[i].connection < 0)
            return &conversations[i];
    return NULL;
}

static bool can_accept(int64_t now_ns)
{
    return paused_until_ns <= now_ns && (free_place() || dispensable());
}

/* Without this, it would be woken up at once again and again. What is idle gives its descriptor
 * back: the process may be in need of it, too. */
static void pause_accepting(int64_t now_ns)
{
    conversation_t *idle = dispensable();
    if (idle)
        end(idle);
    paused_until_ns = now_ns + PAUSE_S * SECOND_NS;
}

static void accept_client(int64_t now_ns)
{
    struct ucred client;
    int connection = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0 && errno == EINVAL) /* somebody has shut it down */
        close_listening();
    else if (connection < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        pause_accepting(now_ns);
    if (connection < 0)
        return;
    if (!find_client(connection, &client) || !may_ask(client.uid)) {
        close(connection);
        return;
    }
    conversation_t *place = free_place();
    if (!place) {
        place = dispensable();
        if (!place) { /* can't be: it was looked for before */
            close(connection);
            return;
        }
        end(place);
    }
    conversation_begin(place, connection, client.pid);
    place->used = ++uses;
    if (!add_waiting(connection, (size_t)(place - conversations)))
        end(place);
}

/* ---- the loop ---- */

static size_t answers_size(void)
{
    size_t size = 0;
    for (size_t i = 0; i < CONVERSATIONS; i++)
        size += conversations[i].answer_size;
    return size;
}

static bool send_more(conversation_t *self, int64_t now_ns)
{
    const size_t before = self->sent;
    if (!conversation_send(self))
        return false;
    if (before == 0 || self->sent > before)
        self->deadline_ns = now_ns + PROGRESS_S * SECOND_NS;
    if (self->deadline_ns > self->last_deadline_ns)
        self->deadline_ns = self->last_deadline_ns;
    return true;
}

/* Answers what was asked, and sends at once what the client takes. False if it is over. */
static bool answer(conversation_t *self, socket_handler_t *handler)
{
    struct ucred client;
    if (!conversation_is_asked(self) || answers_size() > answers_max)
        return true;
    if (!find_client(self->connection, &client) || !may_ask(client.uid))
        return false;
    self->used = ++uses;
    conversation_answer(self, handler);
    const int64_t now_ns = clock_monotonic_ns();
    self->last_deadline_ns = now_ns + REPLY_S * SECOND_NS;
    return !is_ours(self->connection) || send_more(self, now_ns);
}

/* Another's answer may have taken seconds: what was looked up before that may not hold any more. */
static bool go_on(conversation_t *self, uint32_t events, int64_t now_ns, socket_handler_t *handler)
{
    if (!is_ours(self->connection))
        return false;
    if (conversation_is_sending(self)) {
        if (self->deadline_ns <= now_ns || (events & EPOLLHUP))
            return false;
        if ((events & (EPOLLOUT | EPOLLERR)) && !send_more(self, now_ns))
            return false;
    } else if ((events & EPOLLIN) && !conversation_is_asked(self)) {
        if (!conversation_read(self))
            return false;
    } else if (events & (EPOLLERR | EPOLLHUP)) {
        return false;
    }
    return answer(self, handler);
}

/* What to wait for. A request that waits for others' answers to be sent needs nothing. */
static uint32_t events_of(const conversation_t *self)
{
    if (conversation_is_sending(self))
        return EPOLLOUT;
    return conversation_is_asked(self) ? 0 : EPOLLIN;
}

/* How long to wait, in milliseconds; -1: for ever. */
static int patience_ms(int64_t now_ns)
{
    const bool full = answers_size() > answers_max;
    int64_t until_ns = paused_until_ns > now_ns ? paused_until_ns : 0;
    for (size_t i = 0; i < CONVERSATIONS; i++) {
        const conversation_t *one = &conversations[i];
        if (one->connection >= 0 && conversation_is_asked(one) && !full)
            return 0; /* it was read together with the one before */
        if (one->connection >= 0 && conversation_is_sending(one) &&
            (until_ns == 0 || one->deadline_ns < until_ns))
            until_ns = one->deadline_ns;
    }
    if (until_ns == 0)
        return -1;
    return until_ns > now_ns ? (int)((until_ns - now_ns) / 1000000) + 1 : 0;
}

/* Into events, by place. False if it can't wait. */
static bool wait_for_events(uint32_t events[CONVERSATIONS + 1])
{
    struct epoll_event happened[CONVERSATIONS + 1];
    const int64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < CONVERSATIONS; i++)
        if (conversations[i].connection >= 0)
            set_waiting(conversations[i].connection, i, events_of(&conversations[i]));
    set_waiting(listening, CONVERSATIONS, can_accept(now_ns) ? EPOLLIN : 0);
    int count = epoll_wait(waiting, happened, CONVERSATIONS + 1, patience_ms(now_ns));
    memset(events, 0, (CONVERSATIONS + 1) * sizeof *events);
    for (int i = 0; i < count; i++)
        if (happened[i].data.u32 <= CONVERSATIONS)
            events[happened[i].data.u32] = happened[i].events;
    return count >= 0 || errno == EINTR;
}

/* Whether nobody has closed what is ours: then the other descriptors are gone, too. */
static bool all_is_ours(void)
{
    for (size_t i = 0; i < CONVERSATIONS; i++)
        if (conversations[i].connection >= 0 && !is_ours(conversations[i].connection))
            return false;
    return waiting_is_ours();
}

static bool keep_listening(void)
{
    static int reopened;
    if (all_is_ours())
        return true;
    for (size_t i = 0; i < CONVERSATIONS; i++)
        end(&conversations[i]);
    close_listening();
    return reopened++ < REOPENINGS && socket_open();
}

static void serve_once(socket_handler_t *handler)
{
    uint32_t events[CONVERSATIONS + 1];
    if (!wait_for_events(events)) {
        nanosleep(&(struct timespec){.tv_sec = PAUSE_S}, NULL);
        return;
    }
    const int64_t now_ns = clock_monotonic_ns();
    if (!all_is_ours())
        return;
    for (size_t i = 0; i < CONVERSATIONS; i++)
        if (conversations[i].connection >= 0 &&
            !go_on(&conversations[i], events[i], now_ns, handler))
            end(&conversations[i]);
    if (events[CONVERSATIONS] && can_accept(now_ns) && is_ours(listening))
        accept_client(now_ns);
}

void socket_serve(socket_handler_t *handler)
{
    for (size_t i = 0; i < CONVERSATIONS; i++)
        conversations[i] = (conversation_t){.connection = -1};
    conversations_made = true;
    paused_until_ns = 0;
    while (keep_listening())
        serve_once(handler);
    close_listening();
}
