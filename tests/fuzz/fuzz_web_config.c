/*
 * The exporter's configuration file: whatever it contains, it is read, with nothing in it that
 * couldn't be used, or refused with one printable line.
 */
#include "base/printable.h"
#include "exporter/web/web_config.h"
#include "fuzz.h"

static void check_printable(const char *text)
{
    char *shown = printable_copy(text, true);
    REQUIRE(strcmp(shown, text) == 0);
    free(shown);
}

static void check_hash(const char *hash)
{
    REQUIRE(strlen(hash) == 60 && hash[0] == '$' && hash[1] == '2' && hash[6] == '$');
    REQUIRE(atoi(hash + 4) >= 4 && atoi(hash + 4) <= 14);
}

static void check(const web_config_t *config)
{
    REQUIRE(!config->has_tls || (config->cert_file && *config->cert_file));
    REQUIRE(!config->has_tls || (config->key_file && *config->key_file));
    REQUIRE(config->client_auth < CLIENT_AUTH_VERIFY_IF_GIVEN || config->client_ca_file);
    REQUIRE(config->min_version <= config->max_version && config->max_version <= TLS_1_3);
    for (size_t i = 0; i < config->headers.count; i++) {
        check_printable(config->headers.items[i].name);
        check_printable(config->headers.items[i].value);
    }
    for (size_t i = 0; i < config->users.count; i++) {
        REQUIRE(*config->users.items[i].name && !strchr(config->users.items[i].name, ':'));
        check_hash(config->users.items[i].value);
    }
    REQUIRE(!config->no_user == !config->users.count);
    if (config->no_user)
        check_hash(config->no_user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    exact_t text = exact_copy(data, size);
    char *error = NULL;
    web_config_t *config = web_config_parse(text.data, text.size, "web.yml", &error);
    REQUIRE(!config == !!error);
    if (config)
        check(config);
    else
        check_printable(error);
    web_config_destroy(&config);
    free(error);
    free(text.block);
    return 0;
}
