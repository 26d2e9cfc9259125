/* The parts of a patched wheel: where the statement goes in a module, and the lines of RECORD. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "launcher/python_source.h"
#include "launcher/wheel_record.h"

/* The marker says where the statement has to go. */
static void check_place(const char *marked)
{
    const char *marker = strchr(marked, '@');
    assert_non_null(marker);
    size_t expected = (size_t)(marker - marked);
    /* Memory of its own and no NUL, so that a sanitizer detects a read beyond it. */
    size_t size = strlen(marked) - 1;
    char *text = malloc(size + 1);
    memcpy(text, marked, expected);
    memcpy(text + expected, marker + 1, size - expected);
    text = realloc(text, size > 0 ? size : 1);
    size_t found = python_source_first_statement(text, size);
    if (found != expected)
        fail_msg("in \"%s\": found %zu, expected %zu", marked, found, expected);
    free(text);
}

static void a_statement_stands_behind_docstring_and_futures(void **state)
{
    (void)state;
    const char *const sources[] = {
        "@",
        "@import a\n",
        "# comment\n\n   # another\n@import a\n",
        "#!/usr/bin/python3\n# -*- coding: utf-8 -*-\n@import a\n",
        "\xef\xbb\xbf# mark\n@x = 1\n",
        "\"\"\"One line.\"\"\"\n@import a\n",
        "\"\"\"\nfrom __future__ import x\n\n\"\"\"\n@import a\n",
        "'''Other \"\"\" quotes'''\n@import a\n",
        "'single'\n\n@import a\n",
        "r\"\"\"raw \\\"\"\" end\"\"\"  # said\n@import a\n",
        "\"\"\"a\"\"\" 'b'\n@import a\n",
        "\"\"\"doc\"\"\"\r\n\r\nfrom __future__ import annotations\r\n@import a\r\n",
        "from __future__ import annotations\n@from . import a\n",
        "from  __future__  import (\n    a,  # why)\n    b,\n)\n# then\n@import a\n",
        "from __future__ import a, \\\n    b\nfrom __future__ import c\n@x()\n",
        "'doc\\\r\n more'\r\n@import a\r\n",
        "from __future__ import a, \\\r\n  b\r\n@import a\r\n",
        "from __future__ import (\r\n  a,  # why\r\n)  # so\r\n@import a\r\n",
        "from __future__ import a  # why@",
        "# The coding: = \"plain\"\n@import a\n",
        "# vim: fileencoding=Latin-1\n@import a\n",
        "#!/usr/bin/python3\n# -*- coding: ascii -*-\n@import a\n",
        "@import a\n\n# coding: utf-7\n",
        "# only a comment@",
        "\"\"\"only a docstring\"\"\"@",
        "from __future__ import a@",
        "@__all__ = ['x']\n",
        "@from futures import x\n",
        "@from.a import x\n",
        "@from . import x; y()\n",
        "@from ._tango import \\\n    x\n",
        "@@decorated\ndef f(): pass\n",
        "\"\"\"doc\"\"\"\n@X = {'__future__': 1}\n",
        /* No docstrings. */
        "@f\"\"\"x\"\"\"\nimport a\n",
        "@b'x'\nimport a\n",
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        check_place(sources[i]);
}

static void nothing_is_put_where_it_is_not_known_what_stands_there(void **state)
{
    (void)state;
    const char *const sources[] = {
        "'a' \\\n'b'\nfrom __future__ import a\n",
        "('a'\n'b')\nfrom __future__ import a\n",
        "'a'; from __future__ import a\n",
        "'a';\nfrom __future__ import a\n",
        "from \\\n__future__ import a\n",
        "\f'a'\nfrom __future__ import a\n",
        "'a'\rfrom __future__ import a\r",
        "from __future__ import a; from ._tango import *\n",
        "from __future__ import a; from __future__ import b\n",
        "from __future__ import a, \\ b\n",
        "from __future__ import (a,\n",
        "from __\xef\xbd\x86uture__ import a\n",
        "from \xef\xbc\xbf_future__ import a\n",
        "from\\\n __\xef\xbd\x86uture__ import a\n",
        /* A docstring would be lost. */
        "('doc')\nimport a\n",
        "'a' \\\n'b'\nimport a\n",
        "\\\n'doc'\nimport a\n",
        "\f'doc'\nimport a\n",
        "'doc'; import a\n",
        /* Not one, but who would write that? */
        "'a'.join([])\n",
        "\"a\" + b\n",
        /* Without end. */
        "\"\"\"doc\n",
        "'doc\nimport a\n",
        /* In another encoding these are other characters. */
        "# coding: utf-7\n+ACIAIgAi-doc+ACIAIgAi-\n",
        "#!/usr/bin/python3\n# -*- coding: cp037 -*-\nimport a\n",
        "\xef\xbb\xbf# vim: fileencoding=utf-16-le",
        /* Nothing may be inserted into a string either. */
        "from __future__ import a; x = '''\nb\n'''\n",
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (python_source_first_statement(sources[i], strlen(sources[i])) != PYTHON_SOURCE_NOWHERE)
            fail_msg("a place was found in \"%s\"", sources[i]);
}

static void no_prefix_of_a_source_is_read_beyond_its_end(void **state)
{
    (void)state;
    const char text[] = "# coding: utf-8\nr\"\"\"doc \\\" \"\"\" 'x'\nfrom __future__ import (a, # "
                        "b\n c)\nimport x\n";
    for (size_t size = 0; size < sizeof text; size++) {
        char *copy = malloc(size > 0 ? size : 1);
        memcpy(copy, text, size);
        size_t found = python_source_first_statement(copy, size);
        assert_true(found <= size || found == PYTHON_SOURCE_NOWHERE);
        free(copy);
    }
}

static void a_record_is_updated(void **state)
{
    (void)state;
    const char old[] = "\xef\xbb\xbftango/__init__.py,sha256=old,1\r\n"
                       "tango/server.py,sha256=kept,22\n"
                       "\"tango/a, \"\"b\"\".txt\",sha256=quoted,3\n"
                       "tango/x-1.dist-info/no,,\n"
                       "x-1.dist-info/METADATA,sha256=old,1\n"
                       "x-1.dist-info/LICENSE,sha256=licence,4\n"
                       "x-1.dist-info/RECORD.jws,sha256=old,1\n"
                       "x-1.dist-info/RECORD.p7s,,\n"
                       "tango/RECORD.jws,sha256=kept,1\n"
                       "\n"
                       "x-1.dist-info/RECORD,,";
    const wheel_file_t files[] = {
        {"tango/__init__.py", "hello\n", 6},
        {"tango/new, file", "", 0},
        {"x-1+events.dist-info/METADATA", "abc", 3},
        {"x-1+events.dist-info/RECORD", NULL, 0},
    };
    char *updated = wheel_record_update(old, sizeof old - 1, "x-1.dist-info/",
                                        "x-1+events.dist-info/", files, 4);
    /* The digests are those of sha256sum, as base64 -w0 | tr +/ -_ has them. */
    assert_string_equal(updated,
                        "tango/server.py,sha256=kept,22\n"
                        "\"tango/a, \"\"b\"\".txt\",sha256=quoted,3\n"
                        "tango/x-1.dist-info/no,,\n"
                        "x-1+events.dist-info/LICENSE,sha256=licence,4\n"
                        "tango/RECORD.jws,sha256=kept,1\n"
                        "tango/__init__.py,sha256=WJG1tSLV3whtD_CxEPvZ0hu0_HFjrzTQgoai6Eb2vgM,6\n"
                        "\"tango/new, file\",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
                        "x-1+events.dist-info/METADATA,sha256="
                        "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\n"
                        "x-1+events.dist-info/RECORD,,\n");
    free(updated);
}

static void a_record_with_a_path_that_is_not_plain_is_refused(void **state)
{
    (void)state;
    const char *const records[] = {
        "./tango/__init__.py,sha256=x,1\n",
        "tango//__init__.py,,\n",
        "/tango/__init__.py,,\n",
        "a/../tango/__init__.py,,\n",
        "../x,,\n",
        ",,\n",
        "\"tango/\"__init__.py,,\n",
        "\"tango/__init__.py,,\n",
        "\"a\nb\",,\n",
        "tango/x.py,,\n./tango/y.py,,\n",
    };
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        errno = 0;
        if (wheel_record_update(records[i], strlen(records[i]), "a/", "b/", NULL, 0) != NULL)
            fail_msg("taken: \"%s\"", records[i]);
        assert_int_equal(errno, EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_stands_behind_docstring_and_futures),
        cmocka_unit_test(nothing_is_put_where_it_is_not_known_what_stands_there),
        cmocka_unit_test(no_prefix_of_a_source_is_read_beyond_its_end),
        cmocka_unit_test(a_record_is_updated),
        cmocka_unit_test(a_record_with_a_path_that_is_not_plain_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
