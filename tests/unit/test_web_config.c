/* The configuration file of the exporter's web server. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "exporter/web/web_config.h"

#define HASH "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

static web_config_t *parse(const char *text, char **error)
{
    return web_config_parse(text, strlen(text), "etc/web.yml", error);
}

static web_config_t *good(const char *text)
{
    char *error = NULL;
    web_config_t *config = parse(text, &error);
    if (!config)
        fail_msg("%s", error);
    return config;
}

static void bad(const char *expected, const char *text)
{
    char *error = NULL;
    assert_null(parse(text, &error));
    if (!strstr(error, expected))
        fail_msg("\"%s\" is not in: %s", expected, error);
    assert_null(strchr(error, '\n'));
    free(error);
}

static void test_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "# nothing\n",
        "---\n...\n",
        "{}",
        "tls_server_config:\nbasic_auth_users:\n",
        "tls_server_config: {}\nhttp_server_config: {http2: false}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        web_config_t *config = good(texts[i]);
        assert_false(config->has_tls);
        assert_true(config->users.count == 0 && config->headers.count == 0 && !config->no_user);
        web_config_destroy(&config);
    }
}

static void test_everything(void **state)
{
    (void)state;
    web_config_t *config =
        good("tls_server_config:\n"
             "  cert_file: exporter.crt\n"
             "  key_file: /run/exporter.key\n"
             "  client_ca_file: ca/clients.pem\n"
             "  client_auth_type: RequireAndVerifyClientCert\n"
             "  min_version: TLS13\n"
             "  max_version: TLS13\n"
             "  prefer_server_cipher_suites: false\n"
             "http_server_config:\n"
             "  http2: false\n"
             "  headers:\n"
             "    x-frame-options: deny\n"
             "    Strict-Transport-Security: max-age=31536000\n"
             "basic_auth_users:\n"
             "  anna: " HASH "\n"
             "  'Bert B.': '$2b$12$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u'\n");
    assert_true(config->has_tls);
    assert_string_equal(config->cert_file, "etc/exporter.crt");
    assert_string_equal(config->key_file, "/run/exporter.key");
    assert_string_equal(config->client_ca_file, "etc/ca/clients.pem");
    assert_int_equal(config->client_auth, CLIENT_AUTH_REQUIRE_AND_VERIFY);
    assert_int_equal(config->min_version, TLS_1_3);
    assert_false(config->prefers_own_order);
    assert_int_equal(config->headers.count, 2);
    assert_string_equal(config->headers.items[0].name, "X-Frame-Options");
    assert_string_equal(config->headers.items[0].value, "deny");
    assert_int_equal(config->users.count, 2);
    assert_string_equal(config->users.items[0].value, HASH);
    assert_string_equal(config->users.items[1].name, "Bert B.");
    /* It takes as long as the slowest one. */
    assert_int_equal(strlen(config->no_user), 60);
    assert_memory_equal(config->no_user, "$2b$12$", 7);
    web_config_destroy(&config);
    assert_null(config);
}

static void test_defaults(void **state)
{
    (void)state;
    web_config_t *config = good("tls_server_config: {cert_file: a, key_file: b}");
    assert_int_equal(config->min_version, TLS_1_2);
    assert_int_equal(config->max_version, TLS_1_3);
    assert_int_equal(config->client_auth, CLIENT_AUTH_NONE);
    assert_true(config->prefers_own_order);
    web_config_destroy(&config);
}

static void test_syntax(void **state)
{
    (void)state;
    bad("etc/web.yml: line 2: not YAML: ", "a: b\n\tc: d\n");
    bad("etc/web.yml: line 2: not YAML: ", "basic_auth_users: {");
    bad("line 1: not YAML: ", "\xff\xff");
    bad("line 1: the file: needs keys and values below it", "just a text");
    bad("line 1: the file: needs keys and values below it", "[1, 2]");
    bad("line 1: the file: a key has to be a text", "{[a]: b}");
    bad("line 1: the file: a key has to be a text", "{\"a\\0b\": c}");
    bad("line 3: basic_auth_users: stands there twice", "basic_auth_users:\n\nbasic_auth_users:\n");
    bad("line 2: a second document", "---\n--- {}\n");
    /* An anchor that contains itself. */
    bad("needs a text", "tls_server_config: &a {cert_file: *a}");
}

static void test_unknown_keys(void **state)
{
    (void)state;
    bad("line 1: tls_config: no such key", "tls_config: {}");
    bad("line 2: certfile: no such key", "tls_server_config:\n  certfile: a\n");
    bad("line 2: http3: no such key", "http_server_config:\n  http3: true\n");
    bad("line 1: rate_limit: other exporters have it, but not this one", "rate_limit: {}");
    bad("cipher_suites: other exporters have it",
        "tls_server_config: {cert_file: a, key_file: b, cipher_suites: [a]}");
    bad("http2: this program speaks HTTP/1.1 only", "http_server_config: {http2: true}");
    bad("Server: not a header that may be set", "http_server_config: {headers: {Server: a}}");
}

static void test_wrong_tls(void **state)
{
    (void)state;
    bad("line 1: tls_server_config: needs cert_file and key_file",
        "tls_server_config: {cert_file: a}");
    bad("cert_file: needs a text", "tls_server_config: {cert_file: , key_file: b}");
    bad("client_auth_type: not one of its values",
        "tls_server_config: {cert_file: a, key_file: b, client_auth_type: Maybe}");
    bad("that client_auth_type needs client_ca_file",
        "tls_server_config: {cert_file: a, key_file: b, client_auth_type: "
        "VerifyClientCertIfGiven}");
    bad("client_ca_file needs a client_auth_type that verifies",
        "tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}");
    bad("min_version is above max_version",
        "tls_server_config: {cert_file: a, key_file: b, min_version: TLS13, max_version: TLS12}");
    bad("min_version: not one of its values",
        "tls_server_config: {cert_file: a, key_file: b, min_version: SSL30}");
    bad("must be true or false",
        "tls_server_config: {cert_file: a, key_file: b, prefer_server_cipher_suites: yes}");
}

static void test_wrong_users(void **state)
{
    (void)state;
    bad("line 2: anna: not a bcrypt hash", "basic_auth_users:\n  anna: secret\n");
    bad("anna: not a bcrypt hash", "basic_auth_users: {anna: }");
    bad("anna: not a bcrypt hash", "basic_auth_users: {anna: [a]}");
    bad("anna: not a bcrypt hash", "basic_auth_users: {anna: " HASH "x}");
    bad("anna: not a bcrypt hash", "basic_auth_users: {anna: '$1$" HASH "'}");
    bad("cost of 31: must be 4 to 14",
        "basic_auth_users: {anna: '$2y$31$QOauhQNbBCuQDKes6eFzPeMqBSjb"
        "7Mr5DUmpZ/VcEd00UAV/LDeSi'}");
    bad("a user's name can't be empty, nor have a colon in it",
        "basic_auth_users: {'a:b': " HASH "}");
    bad("a user's name can't be empty", "basic_auth_users: {'': " HASH "}");
    /* The wrong password isn't repeated in what everybody may read. */
    char *error = NULL;
    assert_null(parse("basic_auth_users: {anna: hunter2}", &error));
    assert_null(strstr(error, "hunter2"));
    free(error);
}

static void test_headers(void **state)
{
    (void)state;
    bad("X-Frame-Options: has a character that a header can't have",
        "http_server_config: {headers: {X-Frame-Options: \"a\\r\\nSet-Cookie: b\"}}");
    bad("needs a text", "http_server_config: {headers: {X-Frame-Options: }}");
}

static void test_files(void **state)
{
    (void)state;
    char *error = NULL;
    assert_null(web_config_read("/nowhere/web.yml", &error));
    assert_string_equal(error, "/nowhere/web.yml: can't read it: No such file or directory");
    free(error);
    assert_null(web_config_read("/dev/zero", &error));
    assert_string_equal(error, "/dev/zero: can't read it: not a regular file, which could be read "
                               "again");
    free(error);
    assert_null(web_config_read("/", &error));
    assert_string_equal(error, "/: can't read it: Is a directory");
    free(error);
}

/* What would take minutes to read is refused at once. */
static void test_depth(void **state)
{
    (void)state;
    static const char *const parts[] = {"[", "{", "- ", "? ", "- &a x\n"};
    alarm(20);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const size_t size = strlen(parts[i]);
        char *text = memory_new(WEB_CONFIG_MAXIMUM + 1, 1);
        for (size_t at = 0; at + size <= WEB_CONFIG_MAXIMUM; at += size)
            memcpy(text + at, parts[i], size);
        bad("too deep, or too many anchors", text);
        free(text);
    }
    alarm(0);
    web_config_t *config = good("basic_auth_users: {a: &hash " HASH ", b: *hash}");
    assert_int_equal(config->users.count, 2);
    web_config_destroy(&config);
}

static void test_a_file_that_is_too_long(void **state)
{
    (void)state;
    char path[] = "/tmp/test_web_config-XXXXXX";
    char *error = NULL;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, WEB_CONFIG_MAXIMUM + 1), 0);
    assert_null(web_config_read(path, &error));
    assert_non_null(strstr(error, ": too long for a configuration"));
    free(error);
    close(fd);
    unlink(path);
}

/* Nobody writes into it, and reading must not wait for somebody. */
static void test_a_fifo(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_web_config-XXXXXX";
    char *error = NULL;
    assert_non_null(mkdtemp(folder));
    char *path = memory_format("%s/web.yml", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(20);
    assert_null(web_config_read(path, &error));
    alarm(0);
    assert_non_null(strstr(error, "web.yml: can't read it: not a regular file"));
    free(error);
    unlink(path);
    rmdir(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_wrong_tls),
        cmocka_unit_test(test_wrong_users),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_a_file_that_is_too_long),
        cmocka_unit_test(test_a_fifo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
