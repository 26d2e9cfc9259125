#include "exporter/web/web_tls.h"

#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "exporter/web/web_file.h"

/* Larger files are no certificates. */
enum { PEM_MAXIMUM = 1 << 22 };

/* The content of a file; NULL after failure. */
static char *read_file(const char *path, char **error)
{
    static const char not_pem[] = "not a file in PEM format";
    size_t size = 0;
    char *text = web_file_read(path, PEM_MAXIMUM, not_pem, &size, error);
    if (!text || strlen(text) == size)
        return text;
    *error = memory_format("%s: %s", path, not_pem);
    explicit_bzero(text, size); /* it may be a key */
    free(text);
    return NULL;
}

static gnutls_datum_t datum_of(char *text)
{
    return (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)strlen(text)};
}

static bool read_certificate(web_tls_t *self, const web_config_t *config, char **error)
{
    self->certificate = read_file(config->cert_file, error);
    self->key = *error ? NULL : read_file(config->key_file, error);
    if (*error)
        return false;
    const gnutls_datum_t certificate = datum_of(self->certificate);
    const gnutls_datum_t key = datum_of(self->key);
    const int result = gnutls_certificate_set_x509_key_mem(self->credentials, &certificate, &key,
                                                           GNUTLS_X509_FMT_PEM);
    if (result >= 0)
        return true;
    if (result == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        *error = memory_format("%s: isn't the certificate of the key in %s", config->cert_file,
                               config->key_file);
    else
        *error = memory_format("%s, %s: not a certificate and its key, without a passphrase: %s",
                               config->cert_file, config->key_file, gnutls_strerror(result));
    return false;
}

static bool read_client_ca(web_tls_t *self, const web_config_t *config, char **error)
{
    if (!config->client_ca_file)
        return true;
    char *text = read_file(config->client_ca_file, error);
    if (!text)
        return false;
    const gnutls_datum_t authorities = datum_of(text);
    const int result =
        gnutls_certificate_set_x509_trust_mem(self->credentials, &authorities, GNUTLS_X509_FMT_PEM);
    free(text);
    if (result <= 0)
        *error = memory_format("%s: no certificates that can be read: %s", config->client_ca_file,
                               result < 0 ? gnutls_strerror(result) : "there are none");
    return result > 0;
}

static bool choose_versions(web_tls_t *self, const web_config_t *config, char **error)
{
    static const char *const names[TLS_VERSIONS] = {"1.0", "1.1", "1.2", "1.3"};
    char *text = memory_string("NORMAL:-VERS-ALL");
    for (tls_version_t i = config->min_version; i <= config->max_version; i++) {
        char *longer = memory_format("%s:+VERS-TLS%s", text, names[i]);
        free(text);
        text = longer;
    }
    char *whole =
        memory_format("%s%s", text, config->prefers_own_order ? ":%SERVER_PRECEDENCE" : "");
    const int result = gnutls_priority_init(&self->priority, whole, NULL);
    if (result < 0)
        *error = memory_format("GnuTLS refuses %s: %s", whole, gnutls_strerror(result));
    free(text);
    free(whole);
    return result >= 0;
}

web_tls_t *web_tls_new(const web_config_t *config, char **error)
{
    web_tls_t *self = memory_new(1, sizeof *self);
    *error = NULL;
    self->client_auth = config->client_auth;
    if (gnutls_certificate_allocate_credentials(&self->credentials) < 0)
        abort(); /* no memory */
    if (!read_certificate(self, config, error) || !read_client_ca(self, config, error) ||
        !choose_versions(self, config, error))
        web_tls_destroy(&self);
    return self;
}

/* Whether a client that has given a certificate may go on: 0, or an error. */
static int verify(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned count = 0;
    unsigned status = 0;
    if (!gnutls_certificate_get_peers(session, &count) || count == 0)
        return 0; /* whether it may do without is decided by what it was asked for */
    const int result = gnutls_certificate_verify_peers(session, &purpose, 1, &status);
    return result == 0 && status == 0 ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

void web_tls_apply(web_tls_t *self, gnutls_session_t session)
{
    static const gnutls_certificate_request_t requests[] = {
        [CLIENT_AUTH_NONE] = GNUTLS_CERT_IGNORE,
        [CLIENT_AUTH_REQUEST] = GNUTLS_CERT_REQUEST,
        [CLIENT_AUTH_REQUIRE] = GNUTLS_CERT_REQUIRE,
        [CLIENT_AUTH_VERIFY_IF_GIVEN] = GNUTLS_CERT_REQUEST,
        [CLIENT_AUTH_REQUIRE_AND_VERIFY] = GNUTLS_CERT_REQUIRE,
    };
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, self->credentials);
    gnutls_priority_set(session, self->priority);
    gnutls_certificate_server_set_request(session, requests[self->client_auth]);
    if (self->client_auth >= CLIENT_AUTH_VERIFY_IF_GIVEN)
        gnutls_session_set_verify_function(session, verify);
}

void web_tls_destroy(web_tls_t **pointer)
{
    web_tls_t *self = *pointer;
    *pointer = NULL;
    if (!self)
        return;
    if (self->credentials)
        gnutls_certificate_free_credentials(self->credentials);
    if (self->priority)
        gnutls_priority_deinit(self->priority);
    if (self->key)
        explicit_bzero(self->key, strlen(self->key));
    free(self->key);
    free(self->certificate);
    free(self);
}
