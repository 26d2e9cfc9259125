/* A folder with made-up files, as below /proc; see proc(5). */
#ifndef STEM_MADE_UP_PROC_H
#define STEM_MADE_UP_PROC_H

#include <stddef.h>

typedef struct {
    char folder[64];
} made_up_proc_t;

void made_up_proc_begin(made_up_proc_t *self);

/* Writes a file, and makes the folders that it needs; data may have NULs. */
void made_up_proc_write(const made_up_proc_t *self, const char *path, const char *data,
                        size_t size);
void made_up_proc_text(const made_up_proc_t *self, const char *path, const char *text);

/* Removes all. */
void made_up_proc_end(made_up_proc_t *self);

#endif
