/*
 * web_tls: what connections over TLS agree on: certificates, versions, who may connect.
 */
#ifndef STEM_WEB_TLS_H
#define STEM_WEB_TLS_H

#include <gnutls/gnutls.h>

#include "exporter/web/web_config.h"

typedef struct {
    char *certificate; /* PEM texts; owned */
    char *key;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    client_auth_t client_auth;
} web_tls_t;

/* Reads the files of a configuration that has TLS. NULL on failure: then *error is one line, which
 * the caller frees. */
web_tls_t *web_tls_new(const web_config_t *config, char **error);

/* Lets a session that hasn't begun use it; it has to live as long as the session. */
void web_tls_apply(web_tls_t *self, gnutls_session_t session);

/* Frees it and sets *self to NULL; *self may be NULL. */
void web_tls_destroy(web_tls_t **self);

#endif
