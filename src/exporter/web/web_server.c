#include "exporter/web/web_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/monotonic.h"
#include "exporter/web/accept.h"
#include "exporter/web/connections.h"
#include "exporter/web/listen.h"
#include "exporter/web/page_writer.h"
#include "exporter/web/pages.h"
#include "exporter/web/passwords.h"
#include "exporter/web/web_settings.h"

/* How many connections there may be: at most so many, and no more than this part of the files that
 * may be open, since each server that is asked needs one. */
enum { CONNECTIONS_MAXIMUM = 256, CONNECTIONS_MINIMUM = 16, CONNECTIONS_PART = 8 };

/* How many may be answered a page of metrics, or that of the last hour, at a time. */
enum { PAGES_MAXIMUM = 128 };

/* libmicrohttpd stops accepting beyond that: those that are dropped are still there for a moment.
 */
enum { CONNECTIONS_SPARE = 64 };

/* The memory of a connection, into which all headers have to fit. */
#define CONNECTION_BYTES ((size_t)32768)

/* How much of a page is copied at a time. */
enum { BLOCK = 65536 };

/* How often to look for slow connections, and for changed files. */
#define LOOK_NS NS_PER_SECOND

#define REALM "Basic realm=\"ska-tango-event-exporter\", charset=\"UTF-8\""

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_HTML "text/html; charset=utf-8"

typedef struct {
    struct MHD_Daemon *daemon;
    int fd; /* libmicrohttpd's; -1: not open, or closed by it */
} listener_t;

struct web_server {
    const web_options_t *options;
    metrics_store_t *store;
    web_settings_t *settings;
    passwords_t *passwords;
    page_writer_t *writer; /* NULL: there is no page of the last hour */
    connections_t *connections;
    size_t maximum; /* of connections */
    listener_t *listeners;
    size_t listener_count;

    /* The thread that looks after them. */
    pthread_t keeper;
    bool has_keeper;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopped; /* these two are guarded by the lock */
    bool reloads;
};

/* What libmicrohttpd keeps for us with a connection. */
typedef struct {
    connection_t *connection;
    web_setting_t *setting; /* whose certificates it uses */
} peer_t;

typedef enum { CHECK_NONE, CHECK_RUNNING, CHECK_RIGHT, CHECK_WRONG } check_t;

/* And with a request. */
typedef struct {
    web_server_t *server;
    struct MHD_Connection *handle;
    connection_t *connection;
    web_setting_t *setting;
    bool has_headers;
    bool closes; /* the connection ends with the answer */
    /* Set by other threads while the request is suspended: that of passwords, and of the page. */
    check_t check;
    bool has_asked;    /* for the page */
    page_text_t *text; /* the page; NULL: there is none */
} request_t;

/* ---- answers ---- */

static bool is_configured(const web_config_t *config, const char *name)
{
    for (size_t i = 0; i < config->headers.count; i++)
        if (strcasecmp(config->headers.items[i].name, name) == 0)
            return true;
    return false;
}

/* Those of every answer, but what it has of its own. */
static void add_headers(const web_config_t *config, struct MHD_Response *response)
{
    static const char *const ours[][2] = {
        {"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; "
                                    "frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Cache-Control", "no-store"},
        {"Referrer-Policy", "no-referrer"},
    };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (!is_configured(config, ours[i][0]) && !MHD_get_response_header(response, ours[i][0]))
            MHD_add_response_header(response, ours[i][0], ours[i][1]);
    for (size_t i = 0; i < config->headers.count; i++)
        MHD_add_response_header(response, config->headers.items[i].name,
                                config->headers.items[i].value);
}

/* Answers with a response, which it frees; more: a further header, or NULL. */
static enum MHD_Result send_response(const request_t *request, unsigned status, const char *type,
                                     const char *more, const char *value,
                                     struct MHD_Response *response)
{
    if (!response)
        return MHD_NO; /* no memory: closes the connection */
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (more)
        MHD_add_response_header(response, more, value);
    if (request->closes)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    add_headers(request->setting->config, response);
    const enum MHD_Result result = MHD_queue_response(request->handle, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Answers with a text, which it frees. */
static enum MHD_Result send_page(const request_t *request, unsigned status, const char *type,
                                 char *text)
{
    connections_enter(request->server->connections, request->connection, PHASE_ANSWER);
    return send_response(
        request, status, type, NULL, NULL,
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE));
}

/* Answers with a line. */
static enum MHD_Result send_line(const request_t *request, unsigned status, const char *more,
                                 const char *value, const char *line)
{
    connections_enter(request->server->connections, request->connection, PHASE_ANSWER);
    return send_response(
        request, status, TYPE_TEXT, more, value,
        MHD_create_response_from_buffer(strlen(line), (void *)line, MHD_RESPMEM_PERSISTENT));
}

/* A page on its way, of either kind; the connection outlives the reading. */
typedef struct {
    metrics_page_t *metrics;
    page_text_t *text;
    const char *bytes; /* of the text */
    size_t size;
    web_server_t *server;
    connection_t *connection;
} reading_t;

static size_t copy_text(const reading_t *reading, uint64_t position, char *buffer, size_t size)
{
    const size_t left = reading->size - (size_t)position;
    const size_t count = left < size ? left : size;
    memcpy(buffer, reading->bytes + position, count);
    return count;
}

/* Called when there is room for more: what was read before is on its way, or was taken. */
static ssize_t read_page(void *context, uint64_t position, char *buffer, size_t size)
{
    const reading_t *reading = context;
    connections_note_progress(reading->server->connections, reading->connection);
    const size_t count = reading->metrics
                             ? metrics_page_read(reading->metrics, position, buffer, size)
                             : copy_text(reading, position, buffer, size);
    return count > 0 ? (ssize_t)count : MHD_CONTENT_READER_END_OF_STREAM;
}

static void free_reading(void *context)
{
    reading_t *reading = context;
    metrics_page_destroy(&reading->metrics);
    if (reading->text)
        page_writer_release(reading->server->writer, &reading->text);
    free(reading);
}

/* A response of what is read, which it takes over. */
static struct MHD_Response *response_of(const request_t *request, const reading_t *what)
{
    reading_t *reading = memory_new(1, sizeof *reading);
    *reading = *what;
    reading->server = request->server;
    reading->connection = request->connection;
    const uint64_t size =
        reading->metrics ? metrics_page_size(reading->metrics) : (uint64_t)reading->size;
    struct MHD_Response *response =
        MHD_create_response_from_callback(size, BLOCK, read_page, reading, free_reading);
    if (!response)
        free_reading(reading);
    return response;
}

static const char *header_of(const request_t *request, const char *name)
{
    return MHD_lookup_connection_value(request->handle, MHD_HEADER_KIND, name);
}

static enum MHD_Result send_metrics(const request_t *request)
{
    const metrics_format_t format = metrics_accepted(header_of(request, MHD_HTTP_HEADER_ACCEPT));
    connections_enter_page(request->server->connections, request->connection);
    const reading_t reading = {.metrics = metrics_store_page(request->server->store, format)};
    return send_response(request, MHD_HTTP_OK, metrics_content_type(format), NULL, NULL,
                         response_of(request, &reading));
}

/* ---- the page of the last hour ---- */

/* The headers of the page that say which one it is, and what it may do. */
static void add_page_headers(struct MHD_Response *response, const page_text_t *text)
{
    char *tag = memory_format("W/%s", text->tag);
    char *policy = memory_format("%s; frame-ancestors 'none'", report_page_policy());
    MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, tag);
    MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    MHD_add_response_header(response, "Content-Security-Policy", policy);
    free(policy);
    free(tag);
}

static enum MHD_Result send_unchanged(const request_t *request)
{
    connections_enter(request->server->connections, request->connection, PHASE_ANSWER);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (response)
        add_page_headers(response, request->text);
    return send_response(request, MHD_HTTP_NOT_MODIFIED, TYPE_HTML, NULL, NULL, response);
}

/* Sends the text of a request, which it takes over. */
static enum MHD_Result send_text(request_t *request)
{
    page_text_t *text = request->text;
    const bool packs =
        text->packed && accept_gzip(header_of(request, MHD_HTTP_HEADER_ACCEPT_ENCODING));
    const reading_t reading = {.text = text,
                               .bytes = packs ? text->packed : text->text,
                               .size = packs ? text->packed_size : text->size};
    if (accept_has_tag(header_of(request, MHD_HTTP_HEADER_IF_NONE_MATCH), text->tag))
        return send_unchanged(request);
    request->text = NULL;
    connections_enter_page(request->server->connections, request->connection);
    struct MHD_Response *response = response_of(request, &reading);
    if (response)
        add_page_headers(response, text);
    return send_response(request, MHD_HTTP_OK, TYPE_HTML,
                         packs ? MHD_HTTP_HEADER_CONTENT_ENCODING : NULL, "gzip", response);
}

static void suspend(void *context)
{
    const request_t *request = context;
    connections_enter(request->server->connections, request->connection, PHASE_WAIT);
    MHD_suspend_connection(request->handle);
}

static void take_text(void *context, page_text_t *text)
{
    request_t *request = context;
    request->text = text;
    MHD_resume_connection(request->handle);
}

static enum MHD_Result send_landing(const request_t *request)
{
    const web_server_t *server = request->server;
    return send_page(request, MHD_HTTP_OK, TYPE_HTML,
                     pages_landing(server->options->telemetry_path,
                                   metrics_store_is_ready(server->store), server->writer));
}

static enum MHD_Result send_live(request_t *request)
{
    page_writer_t *writer = request->server->writer;
    const page_question_t question = {.context = request, .wait = suspend, .done = take_text};
    if (writer && !request->has_asked) {
        request->has_asked = true;
        if (page_writer_ask(writer, &question, &request->text) == PAGE_WAIT)
            return MHD_YES; /* called again when it is written */
    }
    return request->text ? send_text(request) : send_landing(request);
}

static enum MHD_Result send_path(request_t *request, const char *path)
{
    web_server_t *server = request->server;
    if (strcmp(path, server->options->telemetry_path) == 0)
        return send_metrics(request);
    if (strcmp(path, "/-/healthy") == 0)
        return send_line(request, MHD_HTTP_OK, NULL, NULL, "healthy\n");
    if (strcmp(path, "/-/ready") == 0 && metrics_store_is_ready(server->store))
        return send_line(request, MHD_HTTP_OK, NULL, NULL, "ready\n");
    if (strcmp(path, "/-/ready") == 0)
        return send_line(request, MHD_HTTP_SERVICE_UNAVAILABLE, MHD_HTTP_HEADER_RETRY_AFTER, "1",
                         "not ready: no server was asked yet\n");
    if (strcmp(path, "/") == 0)
        return send_live(request);
    return send_line(request, MHD_HTTP_NOT_FOUND, NULL, NULL, "there is no such page\n");
}

/* ---- who may ask ---- */

static void resume(void *context, bool right)
{
    request_t *request = context;
    request->check = right ? CHECK_RIGHT : CHECK_WRONG;
    MHD_resume_connection(request->handle);
}

/* The hash of a user's password; NULL: there is no such user. */
static const char *hash_of(const web_config_t *config, const char *user)
{
    for (size_t i = 0; i < config->users.count; i++)
        if (strcmp(config->users.items[i].name, user) == 0)
            return config->users.items[i].value;
    return NULL;
}

static password_result_t ask(request_t *request, const char *user, const char *password)
{
    const web_config_t *config = request->setting->config;
    const char *hash = hash_of(config, user);
    const password_question_t question = {
        .user = user,
        .password = password,
        .hash = hash ? hash : config->no_user,
        .is_known = hash,
        .client = connection_client(request->connection),
        .context = request,
        .wait = suspend,
        .done = resume,
    };
    request->check = CHECK_RUNNING;
    const password_result_t result = passwords_check(request->server->passwords, &question);
    if (result == PASSWORD_RIGHT)
        request->check = CHECK_RIGHT; /* also when it is asked again */
    return result;
}

/* What is known of the password that a request has. */
static password_result_t check_password(request_t *request)
{
    if (request->check != CHECK_NONE)
        return request->check == CHECK_RIGHT ? PASSWORD_RIGHT : PASSWORD_WRONG;
    char *password = NULL;
    char *user = MHD_basic_auth_get_username_password(request->handle, &password);
    const password_result_t result =
        user && password ? ask(request, user, password) : PASSWORD_WRONG;
    if (password)
        explicit_bzero(password, strlen(password));
    MHD_free(user);
    MHD_free(password);
    return result;
}

/* Whether a request may be answered; else *result is what came of it. */
static bool is_let_in(request_t *request, enum MHD_Result *result)
{
    const web_config_t *config = request->setting->config;
    switch (config->users.count > 0 ? check_password(request) : PASSWORD_RIGHT) {
    case PASSWORD_RIGHT:
        return true;
    case PASSWORD_WAIT:
        *result = MHD_YES;
        break;
    case PASSWORD_BUSY:
        *result = send_line(request, MHD_HTTP_TOO_MANY_REQUESTS, MHD_HTTP_HEADER_RETRY_AFTER, "1",
                            "too many passwords are being checked\n");
        break;
    case PASSWORD_WRONG:
        *result = send_line(request, MHD_HTTP_UNAUTHORIZED, MHD_HTTP_HEADER_WWW_AUTHENTICATE, REALM,
                            "needs the name and the password of a user\n");
        break;
    }
    return false;
}

/* ---- requests ---- */

static bool begins_with(const char *name, const char *beginning)
{
    return strncasecmp(name, beginning, strlen(beginning)) == 0;
}

/* Whether it may be another header, or more than one, to a proxy: RFC 9110, 5.1 and 5.5. */
static bool is_strange(const char *name, const char *value)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "!#$%&'*+-.^_`|~";
    if (name[strspn(name, token)] != '\0')
        return true;
    for (const char *c = value ? value : ""; *c; c++)
        if ((*c > 0 && *c < ' ' && *c != '\t') || *c == 0x7f)
            return true;
    return false;
}

/* Sets *context if a header says that there is a body, or may say so to a proxy before us. Of a
 * header in two lines libmicrohttpd appends the second one to the name: "Content-Length4". */
static enum MHD_Result look_for_body(void *context, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    (void)kind;
    bool *has_body = context;
    const bool is_none =
        strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 && value && strcmp(value, "0") == 0;
    *has_body |= is_strange(name, value) || begins_with(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) ||
                 (begins_with(name, MHD_HTTP_HEADER_CONTENT_LENGTH) && !is_none);
    return MHD_YES;
}

static bool has_body(struct MHD_Connection *handle)
{
    bool has = false;
    MHD_get_connection_values(handle, MHD_HEADER_KIND, look_for_body, &has);
    return has;
}

/* The path of what was asked for, which may be a whole URL. */
static const char *path_of(const char *url)
{
    const size_t scheme = strncasecmp(url, "http://", 7) == 0    ? 7
                          : strncasecmp(url, "https://", 8) == 0 ? 8
                                                                 : 0;
    if (scheme == 0)
        return url;
    const char *slash = strchr(url + scheme, '/');
    return slash ? slash : "/";
}

static bool is_possible(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static enum MHD_Result send_impossible(const request_t *request)
{
    return send_line(request, MHD_HTTP_METHOD_NOT_ALLOWED, MHD_HTTP_HEADER_ALLOW, "GET, HEAD",
                     "only GET and HEAD are possible here\n");
}

/* What follows the headers must not be taken for another request, so it isn't read at all. */
static enum MHD_Result refuse_body(request_t *request, const char *method)
{
    request->closes = true;
    return is_possible(method) ? send_line(request, MHD_HTTP_CONTENT_TOO_LARGE, NULL, NULL,
                                           "a request can't have a body here\n")
                               : send_impossible(request);
}

/* Called once when a request's headers are there, and again when it is to be answered. */
static enum MHD_Result answer(void *context, struct MHD_Connection *handle, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **state)
{
    (void)context, (void)version, (void)data, (void)size;
    request_t *request = *state;
    if (!request->has_headers) {
        request->has_headers = true;
        return has_body(handle) ? refuse_body(request, method) : MHD_YES;
    }
    enum MHD_Result result = MHD_NO;
    if (!is_let_in(request, &result))
        return result;
    return is_possible(method) ? send_path(request, path_of(url)) : send_impossible(request);
}

static const union MHD_ConnectionInfo *info(struct MHD_Connection *handle,
                                            enum MHD_ConnectionInfoType type)
{
    return MHD_get_connection_info(handle, type);
}

/* A request begins: its first line is there. */
static void *begin_request(void *context, const char *uri, struct MHD_Connection *handle)
{
    (void)uri;
    web_server_t *self = context;
    const peer_t *peer = info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    request_t *request = memory_new(1, sizeof *request);
    *request = (request_t){.server = self,
                           .handle = handle,
                           .connection = peer->connection,
                           .setting = web_settings_take(self->settings)};
    connections_enter(self->connections, peer->connection, PHASE_REQUEST);
    return request;
}

static void end_request(void *context, struct MHD_Connection *handle, void **state,
                        enum MHD_RequestTerminationCode code)
{
    (void)handle, (void)code;
    web_server_t *self = context;
    request_t *request = *state;
    *state = NULL;
    if (!request)
        return;
    connections_enter(self->connections, request->connection, PHASE_IDLE);
    web_settings_return(self->settings, &request->setting);
    if (request->text)
        page_writer_release(self->writer, &request->text);
    free(request);
}

static void begin_connection(web_server_t *self, struct MHD_Connection *handle, void **state)
{
    peer_t *peer = memory_new(1, sizeof *peer);
    peer->connection = connections_add(
        self->connections, info(handle, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
        info(handle, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    peer->setting = web_settings_take(self->settings);
    const union MHD_ConnectionInfo *session = info(handle, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (session && peer->setting->tls)
        web_tls_apply(peer->setting->tls, session->tls_session);
    *state = peer;
}

static void end_connection(web_server_t *self, void **state)
{
    peer_t *peer = *state;
    *state = NULL;
    if (!peer)
        return;
    connections_remove(self->connections, &peer->connection);
    web_settings_return(self->settings, &peer->setting);
    free(peer);
}

static void note_connection(void *context, struct MHD_Connection *handle, void **state,
                            enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        begin_connection(context, handle, state);
    else
        end_connection(context, state);
}

/* Paths are compared as they were sent. */
static size_t leave_as_it_is(void *context, struct MHD_Connection *handle, char *text)
{
    (void)context, (void)handle;
    return strlen(text);
}

/* ---- the thread that looks after connections and files ---- */

static void look_after(web_server_t *self, bool reloads)
{
    connections_drop_slow(self->connections);
    char *line = web_settings_renew(self->settings, reloads);
    if (line)
        self->options->say(self->options->say_context, line);
    free(line);
}

static void *keep(void *argument)
{
    web_server_t *self = argument;
    pthread_mutex_lock(&self->lock);
    while (!self->stopped) {
        const struct timespec until = monotonic_timespec(monotonic_ns() + LOOK_NS);
        while (!self->stopped && !self->reloads &&
               pthread_cond_timedwait(&self->wake, &self->lock, &until) != ETIMEDOUT) {
            /* not yet */
        }
        const bool reloads = self->reloads;
        self->reloads = false;
        pthread_mutex_unlock(&self->lock);
        look_after(self, reloads);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static bool start_keeper(web_server_t *self, char **error)
{
    const int result = pthread_create(&self->keeper, NULL, keep, self);
    self->has_keeper = result == 0;
    if (!self->has_keeper)
        *error = memory_format("can't start a thread: %s", strerror(result));
    return self->has_keeper;
}

static void stop_keeper(web_server_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->stopped = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    if (self->has_keeper)
        pthread_join(self->keeper, NULL);
}

void web_server_reload(web_server_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->reloads = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
}

/* ---- start and end ---- */

static size_t maximum_of_connections(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max == RLIM_INFINITY)
        return CONNECTIONS_MAXIMUM;
    const rlim_t part = files.rlim_max / CONNECTIONS_PART;
    return part > CONNECTIONS_MAXIMUM   ? CONNECTIONS_MAXIMUM
           : part < CONNECTIONS_MINIMUM ? CONNECTIONS_MINIMUM
                                        : (size_t)part;
}

/* Answers on a socket that listens. */
static bool start_daemon(web_server_t *self, listener_t *listener)
{
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    const unsigned limit = (unsigned)(self->maximum + CONNECTIONS_SPARE);
    web_setting_t *setting = web_settings_take(self->settings);
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, setting->tls ? setting->tls->certificate : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, setting->tls ? setting->tls->key : NULL},
        {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    listener->daemon = MHD_start_daemon(
        setting->tls ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, answer, self,
        MHD_OPTION_LISTEN_SOCKET, listener->fd, MHD_OPTION_CONNECTION_LIMIT, limit,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_CONNECTION, note_connection, self, MHD_OPTION_URI_LOG_CALLBACK,
        begin_request, self, MHD_OPTION_NOTIFY_COMPLETED, end_request, self,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_as_it_is, self, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_ARRAY, setting->tls ? tls : none, MHD_OPTION_END);
    web_settings_return(self->settings, &setting);
    return listener->daemon;
}

static void say_where(const web_server_t *self, int fd)
{
    web_setting_t *setting = web_settings_take(self->settings);
    char *name = listen_name(fd);
    char *line = memory_format("listening on http%s://%s", setting->tls ? "s" : "", name);
    web_settings_return(self->settings, &setting);
    self->options->say(self->options->say_context, line);
    free(name);
    free(line);
}

static bool listen_on(web_server_t *self, const char *address, char **error)
{
    listener_t *listener = &self->listeners[self->listener_count];
    listener->fd = listen_open(address, error);
    if (listener->fd < 0)
        return false;
    if (!start_daemon(self, listener)) {
        *error = memory_format("can't answer on %s: %s", address, strerror(errno));
        close(listener->fd);
        return false;
    }
    self->listener_count++;
    return true;
}

static bool start_writer(web_server_t *self, char **error)
{
    char *why = NULL;
    self->writer = page_writer_new(self->options->page, &why);
    if (why)
        *error = memory_format("can't write pages: %s", why);
    free(why);
    return self->writer;
}

/* All of them, or none. */
static bool start(web_server_t *self, char **error)
{
    char *why = NULL;
    self->settings = web_settings_new(self->options->config_file, error);
    if (!self->settings)
        return false;
    self->passwords = passwords_new(&why);
    if (why)
        *error = memory_format("can't check passwords: %s", why);
    free(why);
    if (!*error && self->options->page && !start_writer(self, error))
        return false;
    for (size_t i = 0; i < self->options->address_count && !*error; i++)
        (void)listen_on(self, self->options->addresses[i], error);
    return !*error && start_keeper(self, error);
}

static void init_lock(web_server_t *self)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

web_server_t *web_server_new(const web_options_t *options, metrics_store_t *store, char **error)
{
    web_server_t *self = memory_new(1, sizeof *self);
    *error = NULL;
    self->options = options;
    self->store = store;
    self->maximum = maximum_of_connections();
    const connection_limits_t limits = {
        .connections = self->maximum,
        .pages = PAGES_MAXIMUM,
        .phase_ns = {[PHASE_IDLE] = 120 * NS_PER_SECOND,
                     [PHASE_REQUEST] = 10 * NS_PER_SECOND,
                     [PHASE_WAIT] = INT64_MAX,
                     [PHASE_ANSWER] = 60 * NS_PER_SECOND},
    };
    self->connections = connections_new(&limits);
    self->listeners = memory_new(options->address_count, sizeof *self->listeners);
    init_lock(self);
    if (!start(self, error)) {
        web_server_destroy(&self);
        return NULL;
    }
    for (size_t i = 0; i < self->listener_count; i++)
        say_where(self, self->listeners[i].fd);
    return self;
}

void web_server_destroy(web_server_t **pointer)
{
    web_server_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return;
    stop_keeper(self);
    /* Before the daemons end, no request may be suspended any more. */
    if (self->passwords)
        passwords_stop(self->passwords);
    if (self->writer)
        page_writer_stop(self->writer);
    for (size_t i = 0; i < self->listener_count; i++)
        MHD_stop_daemon(self->listeners[i].daemon);
    passwords_destroy(&self->passwords);
    page_writer_destroy(&self->writer);
    connections_destroy(&self->connections);
    web_settings_destroy(&self->settings);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    free(self->listeners);
    free(self);
}
