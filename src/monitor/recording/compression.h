/*
 * compression: blocks of gzip, zstd and xz.
 *
 * A file that is written block by block is a sequence of gzip members, zstd frames or xz streams,
 * which all of their tools read as one file. Each block can be read without the others, so only an
 * incomplete block is lost when its writer is killed.
 */
#ifndef STEM_COMPRESSION_H
#define STEM_COMPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_XZ } compression_t;

/* The compression that a file's name asks for by its suffix: ".gz", ".zst" or ".xz". */
compression_t compression_of_name(const char *name);

/* How many bytes at its beginning show what a file contains. */
#define COMPRESSION_MAGIC_SIZE 6

/*
 * The compression of a file, from its first bytes. A skippable frame, with which pzstd begins, is
 * zstd's (RFC 8878, section 3.1.2).
 */
compression_t compression_of_data(const void *data, size_t size);

/* "gzip", "zstd" or "xz". */
const char *compression_name(compression_t kind);

/* ".gz", ".zst" or ".xz". */
const char *compression_ending(compression_t kind);

/* One block with all of the data; its size in *block_size. The caller frees it. */
void *compression_block(compression_t kind, const void *data, size_t size, size_t *block_size);

typedef struct decompressor decompressor_t;

typedef enum {
    DECOMPRESSOR_MORE,    /* in the middle of a block: it needs more input, or more capacity */
    DECOMPRESSOR_END,     /* at the end of a block; the next call begins another one */
    DECOMPRESSOR_PADDING, /* the same, and zeros followed that block */
    DECOMPRESSOR_BROKEN,
    DECOMPRESSOR_TOO_LARGE /* it takes more than DECOMPRESSOR_MEMORY_MAX, or than there is */
} decompressor_state_t;

/* In bytes: as much as "zstd --long=31" needs, and more than xz's own tool ever does. */
#define DECOMPRESSOR_MEMORY_MAX (UINT64_C(1) << 31)

/* Ready for the first block; kind must not be COMPRESSION_NONE. Never NULL. */
decompressor_t *decompressor_new(compression_t kind);

/* Frees it and sets *self to NULL; *self may be NULL. */
void decompressor_destroy(decompressor_t **self);

/*
 * Reads input from *data, and writes at most capacity bytes; advances *data and *size by what it
 * read, and sets *written to the bytes written. Stops at the end of each block. Skips zeros between
 * blocks and after the last one, which gzip and xz accept, too.
 */
decompressor_state_t decompressor_run(decompressor_t *self, const void **data, size_t *size,
                                      void *out, size_t capacity, size_t *written);

#endif
