/*
 * web_server: answers HTTP requests for metrics, and for the page of the last hour, whoever sends
 * them and however slowly.
 */
#ifndef STEM_WEB_SERVER_H
#define STEM_WEB_SERVER_H

#include <stddef.h>

#include "monitor/view/metrics/metrics_page.h"
#include "monitor/view/report/page/report_page.h"

typedef struct {
    char *const *addresses; /* "127.0.0.1:9751", "[::1]:9751", ":9751" (all interfaces) */
    size_t address_count;
    const char *telemetry_path; /* of the metrics, e.g. "/metrics" */
    report_page_t *page;        /* of the last hour; NULL: there are only links at "/" */
    const char *config_file;    /* with TLS and users; NULL: neither */
    /* Gets a line for the user, also from threads of the server. */
    void (*say)(void *context, const char *line);
    void *say_context;
} web_options_t;

typedef struct web_server web_server_t;

/*
 * Listens, says where, and answers in threads of its own until it is destroyed. Signals must be
 * blocked by now (signals.h). options, their page and store have to live as long. NULL if that
 * fails: then *error is one line, which the caller frees.
 */
web_server_t *web_server_new(const web_options_t *options, metrics_store_t *store, char **error);

/* Reads the configuration file again, and says what came of it. It is also read when it or one of
 * its files has changed. */
void web_server_reload(web_server_t *self);

/* Ends it, also while requests are under way, and sets *self to NULL; *self may be NULL. */
void web_server_destroy(web_server_t **self);

#endif
