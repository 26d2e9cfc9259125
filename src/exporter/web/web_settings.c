#include "exporter/web/web_settings.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

enum { FILES = 4 };

/* By which files that have changed are known. All 0: not there. */
typedef struct {
    struct {
        dev_t device;
        ino_t number;
        off_t size;
        struct timespec changed;
    } files[FILES];
} look_t;

struct web_settings {
    const char *path; /* NULL: none */
    pthread_mutex_t lock;
    web_setting_t *setting; /* in use; guarded by the lock, as are all holders */
    look_t loaded;          /* when it was read, or not read because of an error */
    look_t last;            /* and when looked at last */
};

static look_t look_at(const web_settings_t *self)
{
    const web_config_t *config = self->setting ? self->setting->config : NULL;
    const char *paths[FILES] = {self->path, config ? config->cert_file : NULL,
                                config ? config->key_file : NULL,
                                config ? config->client_ca_file : NULL};
    look_t look;
    memset(&look, 0, sizeof look); /* also what is between its members */
    for (int i = 0; i < FILES; i++) {
        struct stat status;
        if (!paths[i] || stat(paths[i], &status) != 0)
            continue;
        look.files[i].device = status.st_dev;
        look.files[i].number = status.st_ino;
        look.files[i].size = status.st_size;
        look.files[i].changed = status.st_mtim;
    }
    return look;
}

static bool is_same(const look_t *a, const look_t *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void destroy_setting(web_setting_t *setting)
{
    web_config_destroy(&setting->config);
    web_tls_destroy(&setting->tls);
    free(setting);
}

static web_setting_t *load(const char *path, char **error)
{
    *error = NULL;
    web_config_t *config = path ? web_config_read(path, error) : web_config_none();
    if (!config)
        return NULL;
    web_setting_t *setting = memory_new(1, sizeof *setting);
    setting->config = config;
    setting->holders = 1;
    setting->tls = config->has_tls ? web_tls_new(config, error) : NULL;
    if (!*error)
        return setting;
    destroy_setting(setting);
    return NULL;
}

web_settings_t *web_settings_new(const char *path, char **error)
{
    web_setting_t *setting = load(path, error);
    if (!setting)
        return NULL;
    web_settings_t *self = memory_new(1, sizeof *self);
    pthread_mutex_init(&self->lock, NULL);
    self->path = path;
    self->setting = setting;
    self->loaded = self->last = look_at(self);
    return self;
}

void web_settings_destroy(web_settings_t **self)
{
    if (!*self)
        return;
    web_settings_return(*self, &(*self)->setting);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

web_setting_t *web_settings_take(web_settings_t *self)
{
    pthread_mutex_lock(&self->lock);
    web_setting_t *setting = self->setting;
    setting->holders++;
    pthread_mutex_unlock(&self->lock);
    return setting;
}

void web_settings_return(web_settings_t *self, web_setting_t **pointer)
{
    web_setting_t *setting = *pointer;
    *pointer = NULL;
    if (!setting)
        return;
    pthread_mutex_lock(&self->lock);
    const bool is_last = --setting->holders == 0;
    pthread_mutex_unlock(&self->lock);
    if (is_last)
        destroy_setting(setting);
}

/* Takes over what was read. */
static void use(web_settings_t *self, web_setting_t *setting)
{
    pthread_mutex_lock(&self->lock);
    web_setting_t *before = self->setting;
    self->setting = setting;
    pthread_mutex_unlock(&self->lock);
    web_settings_return(self, &before);
    self->loaded = self->last = look_at(self); /* its files may be other ones */
}

/*
 * What another configuration can't change; NULL: nothing. A file that is cut off, as it is where
 * the disk is full, may lack its end, and is a good one then: it must not open the doors.
 */
static const char *fixed_by(const web_setting_t *before, const web_setting_t *now)
{
    if (!now->tls != !before->tls)
        return "TLS can be switched on and off only by a restart";
    if (now->config->users.count == 0 && before->config->users.count > 0)
        return "all users can be removed only by a restart";
    return NULL;
}

char *web_settings_renew(web_settings_t *self, bool at_once)
{
    if (!self->path)
        return NULL;
    const look_t now = look_at(self);
    const bool is_settled = is_same(&now, &self->last);
    self->last = now;
    if (!at_once && (!is_settled || is_same(&now, &self->loaded)))
        return NULL;
    self->loaded = now;
    char *why = NULL;
    web_setting_t *setting = load(self->path, &why);
    const char *fixed = setting ? fixed_by(self->setting, setting) : NULL;
    if (fixed) {
        why = memory_format("%s: %s", self->path, fixed);
        destroy_setting(setting);
        setting = NULL;
    }
    if (!setting) {
        char *line = memory_format("%s; what was there before stays in use", why);
        free(why);
        return line;
    }
    use(self, setting);
    return memory_format("%s: read again, with its certificates and users", self->path);
}
