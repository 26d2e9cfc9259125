/*
 * poller_follow: adds the servers that watched ones receive events from.
 *
 * A subscriber's answer names its event channels, each after its publisher's admin device. A name
 * that is new is wanted; its worker connects while polls go on without it, and becomes one of all
 * once it has. Of a database whose servers are named in more than one way (its host has an alias,
 * say), one server is connected to first: how that is identified tells which of the other names are
 * watched already.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "base/name_set.h"
#include "base/plural.h"
#include "base/vector.h"
#include "monitor/poll/poller_parts.h"
#include "response/names.h"
#include "tango/tango_client.h"

/* Longer names are none: Tango's own limit for a device is 255 characters, and for a host's 253. */
enum { NAME_MAXIMUM = 640 };

/* How many servers are named in one line. */
enum { NAMES_IN_LINE = 5 };

/* How many times the patience for connecting the search at the start may take in all. */
#define ROUNDS_OF_PATIENCE 3

static const char no_database[] = "#dbase=no";

typedef struct {
    char *prefix;     /* "tango://host:port/", as channels have it */
    char *identity;   /* what the identities of its servers begin with; NULL: not known yet */
    bool asked;       /* one of its servers is being connected to, to learn that */
    bool unreachable; /* from here */
} database_t;

struct followed {
    const selection_options_t *exclusions;
    size_t maximum;
    size_t tried;       /* servers that a worker was made for */
    bool full;          /* and it was said */
    name_set_t names;   /* of channels, that were taken or are watched */
    vector_t wanted;    /* of char *: names that have no worker yet */
    vector_t databases; /* of database_t */
};

void poller_follow(poller_t *self, const selection_options_t *exclusions, size_t maximum)
{
    self->followed = memory_new(1, sizeof *self->followed);
    self->followed->exclusions = exclusions;
    self->followed->maximum = maximum;
    self->followed->wanted.item_size = sizeof(char *);
    self->followed->databases.item_size = sizeof(database_t);
}

void poller_followed_destroy(followed_t **self)
{
    followed_t *followed = *self;
    *self = NULL;
    if (!followed)
        return;
    char **wanted = followed->wanted.items;
    for (size_t i = 0; i < followed->wanted.count; i++)
        free(wanted[i]);
    database_t *databases = followed->databases.items;
    for (size_t i = 0; i < followed->databases.count; i++) {
        free(databases[i].prefix);
        free(databases[i].identity);
    }
    free(followed->wanted.items);
    free(followed->databases.items);
    free(followed->names.hashes);
    free(followed);
}

/* ---- which names are wanted ---- */

static bool is_admin(const char *name)
{
    static const char start[] = "dserver/";
    return strncasecmp(names_without_prefix(name), start, sizeof start - 1) == 0 &&
           strlen(name) <= NAME_MAXIMUM;
}

/* The name in a copy, without "#dbase=no". */
static char *without_modifier(const char *name)
{
    const char *hash = strchr(name, '#');
    return memory_copy(name, hash ? (size_t)(hash - name) : strlen(name));
}

static bool is_excluded(const followed_t *self, const char *name)
{
    char *plain = without_modifier(name);
    const bool excluded =
        selection_excludes(self->exclusions, name) || selection_excludes(self->exclusions, plain);
    free(plain);
    return excluded;
}

/* The device of a topic, "tango://host:port/a/b/c" of "tango://host:port/a/b/c/attr.idl5_change".
 */
static char *device_of_topic(const char *topic)
{
    const char *end = names_without_prefix(topic);
    for (int slashes = 0; end && slashes < 3; slashes++) {
        end = strchr(end, '/');
        end = end && slashes < 2 ? end + 1 : end;
    }
    char *device = memory_copy(topic, end ? (size_t)(end - topic) : strlen(topic));
    if (!end) /* an event of the whole device */
        (void)names_cut_event_type(device);
    return device;
}

/* Whether all streams that arrive on a channel are those of excluded devices. */
static bool has_excluded_devices_only(const followed_t *self, const response_t *response,
                                      const char *channel)
{
    bool any = false;
    for (size_t i = 0; i < response->subscription_count; i++) {
        const response_subscription_t *one = &response->subscriptions[i];
        if (!one->channel_name || strcmp(one->channel_name, channel) != 0)
            continue;
        char *device = device_of_topic(one->topic);
        any = is_excluded(self, device);
        free(device);
        if (!any)
            return false;
    }
    return any;
}

/* channel: as the answer has it; name: in full. */
static bool is_excluded_channel(const followed_t *self, const response_t *response,
                                const char *channel, const char *name)
{
    return self->exclusions->excluded_count > 0 &&
           (is_excluded(self, name) || has_excluded_devices_only(self, response, channel));
}

/* A server of this machine without a database listens at its port, whatever its host is called. */
static bool is_same_without_database(const worker_t *worker, const char *name)
{
    return worker->process > 0 && strstr(worker->name, no_database) &&
           names_are_same_but_host(worker->name, name) && names_have_same_port(worker->name, name);
}

static bool is_watched_as(const poller_t *self, const char *name)
{
    for (size_t i = 0; i < self->workers.count; i++)
        if (strcasecmp(self->workers.all[i]->name, name) == 0 ||
            is_same_without_database(self->workers.all[i], name))
            return true;
    return false;
}

/* The name is that of a server to be watched, too. False if there are enough, which is said once.
 */
static bool want(poller_t *self, const char *name)
{
    followed_t *followed = self->followed;
    if (followed->tried + followed->wanted.count < followed->maximum) {
        *(char **)vector_add(&followed->wanted) = memory_string(name);
        return true;
    }
    if (!followed->full)
        poller_say(self, POLLER_WARNING,
                   memory_format("--follow has added as many servers as it may, %zu: further ones "
                                 "have to be named",
                                 followed->maximum));
    followed->full = true;
    return false;
}

/* Whether no more can be wanted, and that was said: so hostile names, however many, cost nothing.
 */
static bool has_enough(const followed_t *self)
{
    return self->full && self->tried + self->wanted.count >= self->maximum;
}

/* server: whose answer it is. */
static void want_channels_of(poller_t *self, const response_t *response, const char *server)
{
    for (size_t i = 0; i < response->channel_count && !has_enough(self->followed); i++) {
        const char *channel = response->channels[i].name;
        const size_t length = names_prefix_length(channel) > 0 ? 0 : names_prefix_length(server);
        if (!is_admin(channel))
            continue;
        /* One without a host is in the database of whoever named it. */
        char *full = length > 0 ? memory_format("%.*s%s", (int)length, server, channel) : NULL;
        const char *name = full ? full : channel;
        const uint64_t hash = name_set_hash(0, name);
        if (!name_set_has(&self->followed->names, hash) &&
            !is_excluded_channel(self->followed, response, channel, name) &&
            (is_watched_as(self, name) || want(self, name)))
            name_set_add(&self->followed->names, hash);
        free(full);
    }
}

/* ---- from a name to a worker ---- */

/* The database of a name; NULL: of a server without one. */
static database_t *database_of(followed_t *self, const char *name)
{
    if (strstr(name, no_database))
        return NULL;
    const size_t length = names_prefix_length(name);
    database_t *databases = self->databases.items;
    for (size_t i = 0; i < self->databases.count; i++)
        if (strlen(databases[i].prefix) == length &&
            strncasecmp(databases[i].prefix, name, length) == 0)
            return &databases[i];
    database_t *new = vector_add(&self->databases);
    new->prefix = memory_copy(name, length);
    return new;
}

static bool is_watched(const poller_t *self, const char *identity)
{
    for (size_t i = 0; i < self->workers.count; i++)
        if (self->workers.all[i]->found &&
            strcmp(self->workers.all[i]->admin.identity, identity) == 0)
            return true;
    return false;
}

/* Whether a server is watched under another name, as far as that is known by now. */
static bool is_watched_by_now(const poller_t *self, const database_t *database, const char *name)
{
    if (!database || !database->identity)
        return false;
    char *identity = memory_format("%s%s", database->identity, names_without_prefix(name));
    for (char *c = identity + strlen(database->identity); *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    const bool watched = is_watched(self, identity);
    free(identity);
    return watched;
}

static void connect_to(poller_t *self, const char *name)
{
    char *error = NULL;
    const target_t target = {.name = (char *)name, .optional = true};
    self->followed->tried++;
    if (workers_connect(&self->workers, &target, &error))
        return;
    poller_say_no_thread(self, name, error);
    free(error);
}

/* Lets a worker connect to what is wanted, but to one server at a time of a database that isn't
 * known yet. */
static void connect_to_wanted(poller_t *self)
{
    followed_t *followed = self->followed;
    char **wanted = followed->wanted.items;
    size_t kept = 0;
    for (size_t i = 0; i < followed->wanted.count; i++) {
        char *name = wanted[i];
        database_t *database = database_of(followed, name);
        if (database && !database->identity && !database->unreachable && database->asked) {
            wanted[kept++] = name;
            continue;
        }
        if (!(database && database->unreachable) && !is_watched_by_now(self, database, name)) {
            if (database)
                database->asked = true;
            connect_to(self, name);
        }
        free(name);
    }
    followed->wanted.count = kept;
}

/* ---- from a worker to a watched server ---- */

/* Names of servers, for a line; at most some of them. */
typedef struct {
    char *text; /* NULL: none */
    size_t count;
} names_t;

static void names_add(names_t *self, const char *name)
{
    if (self->count++ >= NAMES_IN_LINE)
        return;
    char *longer =
        memory_format("%s%s%s", self->text ? self->text : "", self->text ? ", " : "", name);
    free(self->text);
    self->text = longer;
}

/* Says a line with them, if there are any, and empties them. */
static void names_say(names_t *self, poller_t *poller, const char *start)
{
    if (self->text)
        poller_say(poller, POLLER_NOTE,
                   memory_format("%s: %s%s", start, self->text,
                                 self->count > NAMES_IN_LINE ? ", ..." : ""));
    free(self->text);
    *self = (names_t){0};
}

static void say_followed(poller_t *self, names_t *names)
{
    char *start =
        memory_format("%zu more server%s watched, since events are received from %s", names->count,
                      names->count == 1 ? " is" : "s are", names->count == 1 ? "it" : "them");
    names_say(names, self, start);
    free(start);
}

static void say_unsupported(poller_t *self, names_t *names)
{
    char *start = memory_format("%zu server%s that events are received from can't be watched, for "
                                "lack of a command to ask",
                                names->count, PLURAL(names->count));
    names_say(names, self, start);
    free(start);
}

/* How much of an identity is the same for all servers of a database. */
static size_t database_length(const char *identity)
{
    const char *slash = strchr(identity, '/');
    return slash ? (size_t)(slash - identity) + 1 : 0;
}

/* Its name, with "tango://host:port/" before it as the other servers of its database have it. */
static char *name_like_others(const poller_t *self, const tango_admin_t *admin)
{
    const size_t length = database_length(admin->identity);
    for (size_t i = 0; i < self->workers.count; i++) {
        const worker_t *other = self->workers.all[i];
        if (other->found && strncmp(other->admin.identity, admin->identity, length) == 0)
            return memory_format("%.*s%s", (int)names_prefix_length(other->name), other->name,
                                 names_without_prefix(admin->name));
    }
    return memory_string(admin->name);
}

static void learn_database(followed_t *self, const worker_t *worker, tango_error_kind_t kind)
{
    database_t *database = database_of(self, worker->given);
    if (!database)
        return;
    database->asked = false;
    database->unreachable = kind == TANGO_ERROR_DATABASE || kind == TANGO_ERROR_TANGO_HOST;
    if (!database->identity && worker->admin.identity)
        database->identity =
            memory_copy(worker->admin.identity, database_length(worker->admin.identity));
}

/* Whether what a worker has connected to is to be watched; names: of those to be told about. */
static bool is_to_be_watched(poller_t *self, worker_t *worker, const worker_result_t *result,
                             names_t *unsupported)
{
    const tango_error_kind_t kind = result->error.kind;
    if (worker->found &&
        (is_watched(self, worker->admin.identity) || is_excluded(self->followed, worker->name)))
        return false;
    if (kind == TANGO_ERROR_NONE) {
        poller_check_commands(self, worker);
        if (worker->passed_over)
            names_add(unsupported, worker->name);
        return !worker->passed_over;
    }
    worker->failed = true;
    worker->state = poller_state_of_failure(kind);
    if (poller_may_come_up(kind)) {
        worker->complaint = memory_format("%s: %s", worker->name, worker_result_error(result));
        return true;
    }
    poller_say(self, POLLER_NOTE,
               memory_format("%s: can't be watched, though events are received from it: %s%s",
                             worker->name, worker_result_error(result), tango_error_advice(kind)));
    return false;
}

void poller_add_followed(poller_t *self)
{
    names_t added = {0};
    names_t unsupported = {0};
    const size_t before = self->workers.count;
    for (size_t i = 0; i < self->workers.connecting_count;) {
        worker_t *worker = self->workers.connecting[i];
        worker_result_t result;
        if (worker->is_local || !worker_take_result(worker, &result)) {
            i++;
            continue;
        }
        worker_note_hanging(worker, &result, self->timeout);
        if (worker->admin.name) {
            worker->found = true;
            free(worker->name);
            worker->name = name_like_others(self, &worker->admin);
        }
        learn_database(self->followed, worker, result.error.kind);
        if (is_to_be_watched(self, worker, &result, &unsupported)) {
            worker->is_unproven = true;
            if (self->perf)
                worker_want_perf(worker);
            workers_add_connecting(&self->workers, i);
            names_add(&added, worker->name);
        } else {
            workers_end_connecting(&self->workers, i);
        }
        worker_result_clear(&result);
    }
    say_followed(self, &added);
    for (size_t i = before; i < self->workers.count; i++)
        poller_say_complaint(self, self->workers.all[i], true);
    say_unsupported(self, &unsupported);
    connect_to_wanted(self);
}

void poller_follow_snapshot(poller_t *self, snapshot_t *snapshot)
{
    names_t unsupported = {0};
    for (size_t i = self->workers.count; i-- > 0;) {
        worker_t *worker = self->workers.all[i];
        worker->is_unproven &= !snapshot->replies[i].response;
        if (!worker->is_unproven || !worker->passed_over)
            continue;
        names_add(&unsupported, worker->name);
        workers_remove(&self->workers, i);
        snapshot_remove(snapshot, i);
    }
    say_unsupported(self, &unsupported);
    for (size_t i = 0; i < snapshot->reply_count; i++)
        if (snapshot->replies[i].response)
            want_channels_of(self, snapshot->replies[i].response, snapshot->replies[i].server);
    connect_to_wanted(self);
}

/* ---- at the start ---- */

/* Whether an answer can be had of worker i. */
static bool can_be_asked(const poller_t *self, size_t i)
{
    const worker_t *worker = self->workers.all[i];
    return worker->found && !worker->failed && !worker->passed_over && !worker->hangs &&
           workers_first_of_server(&self->workers, i) == i;
}

/* Asks the workers from the one at that index on. False: interrupted. */
static bool ask_whom_they_receive_from(poller_t *self, size_t first, int stop_fd)
{
    const size_t count = self->workers.count;
    for (size_t i = first; i < count; i++)
        if (can_be_asked(self, i))
            (void)worker_ask(self->workers.all[i], TASK_POLL);
    if (!workers_await(&self->workers, self->timeout + POLLER_SLACK_SECONDS, stop_fd))
        return false;
    for (size_t i = first; i < count; i++) {
        worker_t *worker = self->workers.all[i];
        worker_result_t result;
        if (!can_be_asked(self, i))
            continue;
        if (worker_take_result(worker, &result)) {
            worker_note_hanging(worker, &result, self->timeout);
            worker->is_unproven &= !result.response;
            if (result.response)
                want_channels_of(self, result.response, worker->name);
        } else {
            worker->hangs = true;
            worker->hangs_since = time(NULL) - (time_t)self->timeout;
        }
        worker_result_clear(&result);
    }
    return true;
}

/* Connects to what is wanted, and waits for it. Returns whether that was in time; *stopped: it was
 * interrupted. */
static bool connect_to_others(poller_t *self, double deadline, int stop_fd, bool *stopped)
{
    const double patience = poller_patience(self);
    const size_t count = self->workers.count;
    for (size_t tried = SIZE_MAX; self->workers.count == count && tried != self->followed->tried;) {
        const double left = deadline - monotonic_seconds();
        if (left <= 0)
            return false;
        tried = self->followed->tried;
        connect_to_wanted(self);
        *stopped =
            !workers_await_connecting(&self->workers, left < patience ? left : patience, stop_fd);
        if (*stopped)
            return false;
        poller_add_followed(self);
    }
    return true;
}

bool poller_find_others(poller_t *self, int stop_fd)
{
    const double deadline = monotonic_seconds() + ROUNDS_OF_PATIENCE * poller_patience(self);
    bool stopped = false;
    bool in_time = true;
    size_t asked = 0;
    while (self->followed && in_time && !stopped && asked < self->workers.count) {
        const size_t first = asked;
        asked = self->workers.count;
        stopped = !ask_whom_they_receive_from(self, first, stop_fd);
        if (!stopped)
            in_time = connect_to_others(self, deadline, stop_fd, &stopped);
    }
    return !stopped; /* what isn't connected by now goes on between the polls */
}
