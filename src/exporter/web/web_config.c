#include "exporter/web/web_config.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/memory.h"
#include "base/printable.h"
#include "exporter/web/web_file.h"

/* More users or headers than anybody has. */
enum { PAIRS_MAXIMUM = 1000 };

/* Of a bcrypt hash, which takes 2^cost steps: from some 10 ms to a second. */
enum { COST_MINIMUM = 4, COST_MAXIMUM = 14 };

typedef struct {
    yaml_document_t document;
    const char *path;
    web_config_t *config;
    char *error; /* the first one; NULL: none so far */
} reader_t;

/* What stands below a key. Returns false after fail(). */
typedef bool (*take_t)(reader_t *self, const yaml_node_t *key, const yaml_node_t *value);

typedef struct {
    const char *key;
    take_t take;
} key_line_t;

/* ---- errors ---- */

static bool fail(reader_t *self, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(reader_t *self, const yaml_node_t *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = memory_vformat(format, arguments);
    va_end(arguments);
    char *shown = printable_copy(text, true); /* it may have keys of the file in it */
    if (!self->error)
        self->error =
            memory_format("%s: line %zu: %s", self->path, node->start_mark.line + 1, shown);
    free(shown);
    free(text);
    return false;
}

/* ---- YAML ---- */

static const yaml_node_t *node_of(reader_t *self, int index)
{
    return yaml_document_get_node(&self->document, index);
}

/* The text of a scalar; NULL if it is none, or has a NUL in it. */
static const char *text_of(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE)
        return NULL;
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

/* The text of a key; each_pair() has made sure that it is one. */
static const char *key_of(const yaml_node_t *key)
{
    return (const char *)key->data.scalar.value;
}

/* The text that a key has to have; NULL after fail(). */
static const char *need_text(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    const char *text = text_of(value);
    if (!text || !*text)
        fail(self, value, "%s: needs a text", key_of(key));
    return text && *text ? text : NULL;
}

static bool is_null(const yaml_node_t *node)
{
    const char *text = text_of(node);
    return text && (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0) &&
           node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* Whether a key stands in its mapping before, too. */
static bool is_repeated(reader_t *self, const yaml_node_t *mapping, const yaml_node_pair_t *pair)
{
    const char *key = key_of(node_of(self, pair->key));
    for (const yaml_node_pair_t *one = mapping->data.mapping.pairs.start; one < pair; one++)
        if (strcmp(key_of(node_of(self, one->key)), key) == 0)
            return true;
    return false;
}

/* Hands each pair of a mapping to a function; what: the mapping's own key, for messages. */
static bool each_pair(reader_t *self, const char *what, const yaml_node_t *mapping, take_t take)
{
    if (is_null(mapping))
        return true;
    if (mapping->type != YAML_MAPPING_NODE)
        return fail(self, mapping, "%s: needs keys and values below it", what);
    if (mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start > PAIRS_MAXIMUM)
        return fail(self, mapping, "%s: more than %d keys", what, PAIRS_MAXIMUM);
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_of(self, pair->key);
        if (!text_of(key))
            return fail(self, key, "%s: a key has to be a text", what);
        if (is_repeated(self, mapping, pair))
            return fail(self, key, "%s: stands there twice", key_of(key));
        if (!take(self, key, node_of(self, pair->value)))
            return false;
    }
    return true;
}

/* Takes a pair by the line of a table that its key has; it ends with an empty one. */
static bool take_by_table(reader_t *self, const key_line_t *table, const yaml_node_t *key,
                          const yaml_node_t *value)
{
    for (const key_line_t *line = table; line->key; line++)
        if (strcmp(line->key, key_of(key)) == 0)
            return line->take(self, key, value);
    return fail(self, key, "%s: no such key, or not one that this program knows", key_of(key));
}

static bool take_bool(reader_t *self, const yaml_node_t *key, const yaml_node_t *value,
                      bool *result)
{
    const char *text = text_of(value);
    const bool is_true = text && strcmp(text, "true") == 0;
    if (!is_true && !(text && strcmp(text, "false") == 0))
        return fail(self, value, "%s: must be true or false", key_of(key));
    *result = is_true;
    return true;
}

/* The index of a text among words, of which the last one is NULL; -1 after fail(). */
static int take_word(reader_t *self, const yaml_node_t *key, const yaml_node_t *value,
                     const char *const *words)
{
    const char *text = text_of(value);
    for (int i = 0; words[i]; i++)
        if (text && strcmp(words[i], text) == 0)
            return i;
    fail(self, value, "%s: not one of its values", key_of(key));
    return -1;
}

/* ---- tls_server_config ---- */

static bool take_path(reader_t *self, const yaml_node_t *key, const yaml_node_t *value, char **path)
{
    const char *text = need_text(self, key, value);
    if (!text)
        return false;
    const char *slash = strrchr(self->path, '/');
    const int folder = text[0] == '/' || !slash ? 0 : (int)(slash + 1 - self->path);
    *path = memory_format("%.*s%s", folder, self->path, text);
    return true;
}

static bool take_cert_file(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    return take_path(self, key, value, &self->config->cert_file);
}

static bool take_key_file(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    return take_path(self, key, value, &self->config->key_file);
}

static bool take_client_ca_file(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    return take_path(self, key, value, &self->config->client_ca_file);
}

static bool take_client_auth(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    static const char *const words[] = {"NoClientCert",
                                        "RequestClientCert",
                                        "RequireClientCert",
                                        "VerifyClientCertIfGiven",
                                        "RequireAndVerifyClientCert",
                                        "RequireAnyClientCert",
                                        NULL};
    const int word = take_word(self, key, value, words);
    self->config->client_auth = word == 5 ? CLIENT_AUTH_REQUIRE : (client_auth_t)word;
    return word >= 0;
}

static bool take_version(reader_t *self, const yaml_node_t *key, const yaml_node_t *value,
                         tls_version_t *version)
{
    static const char *const words[] = {"TLS10", "TLS11", "TLS12", "TLS13", NULL};
    const int word = take_word(self, key, value, words);
    *version = (tls_version_t)word;
    return word >= 0;
}

static bool take_min_version(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    return take_version(self, key, value, &self->config->min_version);
}

static bool take_max_version(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    return take_version(self, key, value, &self->config->max_version);
}

static bool take_own_order(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    return take_bool(self, key, value, &self->config->prefers_own_order);
}

static bool take_unsupported(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    (void)value;
    return fail(self, key, "%s: other exporters have it, but not this one: remove it", key_of(key));
}

static bool take_tls_key(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    static const key_line_t table[] = {
        {"cert_file", take_cert_file},
        {"key_file", take_key_file},
        {"client_ca_file", take_client_ca_file},
        {"client_auth_type", take_client_auth},
        {"min_version", take_min_version},
        {"max_version", take_max_version},
        {"prefer_server_cipher_suites", take_own_order},
        {"cipher_suites", take_unsupported},
        {"curve_preferences", take_unsupported},
        {"client_allowed_sans", take_unsupported},
        {"cert", take_unsupported},
        {"key", take_unsupported},
        {"client_ca", take_unsupported},
        {NULL, NULL},
    };
    return take_by_table(self, table, key, value);
}

static bool take_tls(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    web_config_t *config = self->config;
    if (!each_pair(self, key_of(key), value, take_tls_key))
        return false;
    config->has_tls = value->type == YAML_MAPPING_NODE &&
                      value->data.mapping.pairs.top > value->data.mapping.pairs.start;
    if (!config->has_tls)
        return true;
    if (!config->cert_file || !config->key_file)
        return fail(self, key, "%s: needs cert_file and key_file", key_of(key));
    const bool verifies = config->client_auth >= CLIENT_AUTH_VERIFY_IF_GIVEN;
    if (verifies && !config->client_ca_file)
        return fail(self, key, "%s: that client_auth_type needs client_ca_file", key_of(key));
    if (!verifies && config->client_ca_file)
        return fail(self, key, "%s: client_ca_file needs a client_auth_type that verifies",
                    key_of(key));
    if (config->min_version > config->max_version)
        return fail(self, key, "%s: min_version is above max_version", key_of(key));
    return true;
}

/* ---- http_server_config ---- */

static void add_pair(web_pairs_t *pairs, const char *name, const char *value)
{
    pairs->items = memory_resize(pairs->items, pairs->count + 1, sizeof *pairs->items);
    pairs->items[pairs->count++] =
        (web_pair_t){.name = memory_string(name), .value = memory_string(value)};
}

static bool take_header(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    static const char *const names[] = {"Content-Security-Policy", "Strict-Transport-Security",
                                        "X-Content-Type-Options",  "X-Frame-Options",
                                        "X-XSS-Protection",        NULL};
    int i = 0;
    while (names[i] && strcasecmp(names[i], key_of(key)) != 0)
        i++;
    if (!names[i])
        return fail(self, key, "%s: not a header that may be set", key_of(key));
    const char *text = need_text(self, key, value);
    if (!text)
        return false;
    for (const char *c = text; *c; c++)
        if (!isprint((unsigned char)*c))
            return fail(self, value, "%s: has a character that a header can't have", names[i]);
    add_pair(&self->config->headers, names[i], text);
    return true;
}

static bool take_headers(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    return each_pair(self, key_of(key), value, take_header);
}

static bool take_http2(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    bool wanted = false;
    if (!take_bool(self, key, value, &wanted))
        return false;
    if (wanted)
        return fail(self, value,
                    "http2: this program speaks HTTP/1.1 only: remove it, or set it "
                    "to false");
    return true;
}

static bool take_http_key(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    static const key_line_t table[] = {
        {"headers", take_headers}, {"http2", take_http2}, {NULL, NULL}};
    return take_by_table(self, table, key, value);
}

static bool take_http(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    return each_pair(self, key_of(key), value, take_http_key);
}

/* ---- basic_auth_users ---- */

/* The cost of a bcrypt hash; 0 if it is none. */
static int cost_of(const char *hash)
{
    static const char letters[] =
        "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const bool begins = hash[0] == '$' && hash[1] == '2' && hash[2] && strchr("aby", hash[2]) &&
                        hash[3] == '$' && isdigit((unsigned char)hash[4]) &&
                        isdigit((unsigned char)hash[5]) && hash[6] == '$';
    if (!begins || strlen(hash) != 60 || hash[7 + strspn(hash + 7, letters)] != '\0')
        return 0;
    return 10 * (hash[4] - '0') + hash[5] - '0';
}

static bool take_user(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    const char *name = key_of(key);
    const char *hash = text_of(value);
    const int cost = hash ? cost_of(hash) : 0;
    if (!*name || strchr(name, ':'))
        return fail(self, key, "a user's name can't be empty, nor have a colon in it");
    if (cost == 0)
        return fail(self, value,
                    "%s: not a bcrypt hash ($2y$10$...): make one with "
                    "htpasswd -nBC 10 %s",
                    name, name);
    if (cost < COST_MINIMUM || cost > COST_MAXIMUM)
        return fail(self, value, "%s: a bcrypt hash with a cost of %d: must be %d to %d", name,
                    cost, COST_MINIMUM, COST_MAXIMUM);
    add_pair(&self->config->users, name, hash);
    return true;
}

/* So that an unknown user is found out about no sooner than a wrong password. */
static void make_no_user(web_config_t *config)
{
    int slowest = 0;
    for (size_t i = 0; i < config->users.count; i++) {
        const int cost = cost_of(config->users.items[i].value);
        slowest = cost > slowest ? cost : slowest;
    }
    if (slowest > 0)
        config->no_user = memory_format("$2b$%02d$%.53s", slowest,
                                        "abcdefghijklmnopqrstuu"
                                        "5Lo1g67CiD3M4RpN1BmBb4Crp5w7dbK");
}

static bool take_users(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    if (!each_pair(self, key_of(key), value, take_user))
        return false;
    make_no_user(self->config);
    return true;
}

/* ---- the whole ---- */

static bool take_section(reader_t *self, const yaml_node_t *key, const yaml_node_t *value)
{
    static const key_line_t table[] = {
        {"tls_server_config", take_tls},
        {"http_server_config", take_http},
        {"basic_auth_users", take_users},
        {"rate_limit", take_unsupported},
        {NULL, NULL},
    };
    return take_by_table(self, table, key, value);
}

web_config_t *web_config_none(void)
{
    web_config_t *self = memory_new(1, sizeof *self);
    self->min_version = TLS_1_2;
    self->max_version = TLS_1_3;
    self->prefers_own_order = true;
    return self;
}

static char *syntax_error(const char *path, const yaml_parser_t *parser)
{
    return memory_format("%s: line %zu: not YAML: %s", path, parser->problem_mark.line + 1,
                         parser->problem ? parser->problem : "unknown error");
}

/* Whether there is no second document; else *error says so. */
static bool ends_there(reader_t *self, yaml_parser_t *parser)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next)) {
        self->error = syntax_error(self->path, parser);
        return false;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&next);
    if (root)
        fail(self, root, "a second document: there may be one only");
    yaml_document_delete(&next);
    return !self->error;
}

/* Ours has a depth of three, and no use for anchors. libyaml takes minutes for a page of brackets,
 * and the square of the number of anchors. */
enum { DEPTH_MAXIMUM = 16, ANCHORS_MAXIMUM = 1000 };

static const void *anchor_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

/* Whether it can be read in a moment; errors are left to whoever reads it then. */
static bool is_simple(const char *text, size_t size)
{
    yaml_parser_t parser;
    yaml_event_t event;
    int depth = 0;
    int anchors = 0;
    bool is_end = false;
    if (!yaml_parser_initialize(&parser))
        abort(); /* no memory */
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    while (!is_end && depth <= DEPTH_MAXIMUM && anchors <= ANCHORS_MAXIMUM &&
           yaml_parser_parse(&parser, &event)) {
        depth += event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
        depth -= event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        anchors += anchor_of(&event) != NULL;
        is_end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return depth <= DEPTH_MAXIMUM && anchors <= ANCHORS_MAXIMUM;
}

web_config_t *web_config_parse(const char *text, size_t size, const char *path, char **error)
{
    *error = NULL;
    if (!is_simple(text, size)) {
        *error = memory_format("%s: not a configuration: too deep, or too many anchors", path);
        return NULL;
    }
    reader_t self = {.path = path, .config = web_config_none()};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        abort(); /* no memory */
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (yaml_parser_load(&parser, &self.document)) {
        const yaml_node_t *root = yaml_document_get_root_node(&self.document);
        if (root && each_pair(&self, "the file", root, take_section))
            ends_there(&self, &parser);
        yaml_document_delete(&self.document);
    } else {
        self.error = syntax_error(path, &parser);
    }
    yaml_parser_delete(&parser);
    if (self.error)
        web_config_destroy(&self.config);
    *error = self.error;
    return self.config;
}

web_config_t *web_config_read(const char *path, char **error)
{
    size_t size = 0;
    char *text =
        web_file_read(path, WEB_CONFIG_MAXIMUM, "too long for a configuration", &size, error);
    web_config_t *self = text ? web_config_parse(text, size, path, error) : NULL;
    free(text);
    return self;
}

static void clear_pairs(web_pairs_t *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->items[i].name);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

void web_config_destroy(web_config_t **pointer)
{
    web_config_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return;
    free(self->cert_file);
    free(self->key_file);
    free(self->client_ca_file);
    free(self->no_user);
    clear_pairs(&self->headers);
    clear_pairs(&self->users);
    free(self);
}
