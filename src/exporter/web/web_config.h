/*
 * web_config: the file of --web.config.file, as other exporters for Prometheus have it:
 *
 *     tls_server_config:
 *       cert_file: exporter.crt
 *       key_file: exporter.key
 *     basic_auth_users:
 *       prometheus: $2y$10$...
 *
 * docs/exporter.md has every key. What isn't known or can't be done is an error, never ignored.
 */
#ifndef STEM_WEB_CONFIG_H
#define STEM_WEB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
    CLIENT_AUTH_NONE,              /* NoClientCert */
    CLIENT_AUTH_REQUEST,           /* RequestClientCert: asked for, and not looked at */
    CLIENT_AUTH_REQUIRE,           /* RequireClientCert, RequireAnyClientCert: any one will do */
    CLIENT_AUTH_VERIFY_IF_GIVEN,   /* VerifyClientCertIfGiven */
    CLIENT_AUTH_REQUIRE_AND_VERIFY /* RequireAndVerifyClientCert */
} client_auth_t;

typedef enum { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, TLS_VERSIONS } tls_version_t;

/* A user with the bcrypt hash of the password, or a header with its value. Both owned. */
typedef struct {
    char *name;
    char *value;
} web_pair_t;

typedef struct {
    web_pair_t *items;
    size_t count;
} web_pairs_t;

/* All owned. */
typedef struct {
    bool has_tls;
    char *cert_file; /* these three with the folder of the configuration before them if relative */
    char *key_file;
    char *client_ca_file; /* or NULL */
    client_auth_t client_auth;
    tls_version_t min_version;
    tls_version_t max_version;
    bool prefers_own_order; /* of ciphers, over the client's */
    web_pairs_t headers;    /* of every answer */
    web_pairs_t users;
    char *no_user; /* a hash that takes as long to check as the slowest user's; NULL: no users */
} web_config_t;

/* Larger files are none that a user has written. */
enum { WEB_CONFIG_MAXIMUM = 1 << 20 };

/* Without a file: neither TLS nor users. Never NULL. */
web_config_t *web_config_none(void);

/* Reads a file. NULL on failure: then *error is one line with its name, and the number of a line in
 * it, which the caller frees. */
web_config_t *web_config_read(const char *path, char **error);

/* The same for the content of the file of that name. */
web_config_t *web_config_parse(const char *text, size_t size, const char *path, char **error);

/* Frees it and sets *self to NULL; *self may be NULL. */
void web_config_destroy(web_config_t **self);

#endif
