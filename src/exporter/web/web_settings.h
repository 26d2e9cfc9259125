/*
 * web_settings: the configuration in use, and its certificates. Its files are read again when they
 * change, without a restart; whoever uses what was there before goes on with it.
 */
#ifndef STEM_WEB_SETTINGS_H
#define STEM_WEB_SETTINGS_H

#include <stdbool.h>

#include "exporter/web/web_config.h"
#include "exporter/web/web_tls.h"

typedef struct web_settings web_settings_t;

/* What is in use at a time. It doesn't change. */
typedef struct {
    web_config_t *config;
    web_tls_t *tls; /* NULL: none */
    size_t holders; /* how many use it */
} web_setting_t;

/* Reads the configuration at that path (which has to live as long); NULL: none. NULL on failure:
 * then *error is one line, which the caller frees. */
web_settings_t *web_settings_new(const char *path, char **error);

/* Frees it and sets *self to NULL; *self may be NULL. Everything has to be returned by now. */
void web_settings_destroy(web_settings_t **self);

/* What is in use now: never NULL; give it back with web_settings_return(). Any thread. */
web_setting_t *web_settings_take(web_settings_t *self);

/* Sets *setting to NULL, which it may be. Any thread. */
void web_settings_return(web_settings_t *self, web_setting_t **setting);

/*
 * Reads the files again if they have changed, and haven't between this look and the one before; or
 * at once. If they can't be used, what is there stays in use. Returns a line to tell the user,
 * which the caller frees, or NULL. By one thread at a time.
 */
char *web_settings_renew(web_settings_t *self, bool at_once);

#endif
