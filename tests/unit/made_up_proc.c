#include "made_up_proc.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"

void made_up_proc_begin(made_up_proc_t *self)
{
    snprintf(self->folder, sizeof self->folder, "/tmp/made-up-proc-XXXXXX");
    assert_non_null(mkdtemp(self->folder));
}

void made_up_proc_write(const made_up_proc_t *self, const char *path, const char *data, size_t size)
{
    char whole[256];
    snprintf(whole, sizeof whole, "%s/%s", self->folder, path);
    for (char *slash = whole + strlen(self->folder) + 1; (slash = strchr(slash, '/')) != NULL;
         slash++) {
        *slash = '\0';
        mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *file = fopen(whole, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

void made_up_proc_text(const made_up_proc_t *self, const char *path, const char *text)
{
    made_up_proc_write(self, path, text, strlen(text));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

void made_up_proc_end(made_up_proc_t *self)
{
    nftw(self->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
