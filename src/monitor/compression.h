/*
 * compression: blocks of gzip, zstd and xz.
 *
 * A file that is written block by block is a sequence of gzip members, zstd frames or xz streams,
 * which all of their tools take as one file. Each block can be read without the others, so nothing
 * but a block that was cut off is lost when its writer is killed.
 */
#ifndef STEM_COMPRESSION_H
#define STEM_COMPRESSION_H

#include <stdbool.h>
#include <stddef.h>

typedef enum { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_XZ } compression_t;

/* What a file's name asks for by its ending: ".gz", ".zst" or ".xz". */
compression_t compression_of_name(const char *name);

/* What a file holds, by its first bytes (6 are enough). */
compression_t compression_of_data(const void *data, size_t size);

/* "gzip", "zstd" or "xz". */
const char *compression_name(compression_t kind);

/* One block with all of the data; its size in *block_size. The caller frees it. */
void *compression_block(compression_t kind, const void *data, size_t size, size_t *block_size);

typedef struct decompressor decompressor_t;

typedef enum {
    DECOMPRESSOR_MORE, /* in the middle of a block: it needs more input, or more room */
    DECOMPRESSOR_END,  /* at the end of a block; the next call begins another one */
    DECOMPRESSOR_BROKEN
} decompressor_state_t;

/* Ready for the first block; kind must not be COMPRESSION_NONE. Never NULL. */
decompressor_t *decompressor_new(compression_t kind);

/* Frees it and sets *self to NULL; *self may be NULL. */
void decompressor_destroy(decompressor_t **self);

/*
 * Takes input from *data, and puts out no more than room bytes; moves *data and *size on by what it
 * took, and says in *written what came out. Stops at the end of each block.
 */
decompressor_state_t decompressor_run(decompressor_t *self, const void **data, size_t *size,
                                      void *out, size_t room, size_t *written);

#endif
