#include "monitor/recording/compression.h"

#include <lzma.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/memory.h"

/* zlib's way to select gzip's header: the largest window, plus 16. */
#define GZIP_WINDOW (MAX_WBITS + 16)

#define ZSTD_LEVEL 3

/* The largest window that is read is 2 to the power of this. */
#define ZSTD_WINDOW_LOG 31

#define XZ_PRESET 6

static const struct {
    const char *name;
    const char *ending;
    unsigned char magic[COMPRESSION_MAGIC_SIZE];
    size_t magic_size;
} formats[] = {
    [COMPRESSION_GZIP] = {"gzip", ".gz", {0x1f, 0x8b}, 2},
    [COMPRESSION_ZSTD] = {"zstd", ".zst", {0x28, 0xb5, 0x2f, 0xfd}, 4},
    [COMPRESSION_XZ] = {"xz", ".xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6},
};

/* For calls that can only fail for lack of memory. */
static void require(bool good)
{
    if (good)
        return;
    fputs("out of memory\n", stderr);
    abort();
}

compression_t compression_of_name(const char *name)
{
    const size_t length = strlen(name);
    for (compression_t kind = COMPRESSION_GZIP; kind <= COMPRESSION_XZ; kind++) {
        const size_t ending = strlen(formats[kind].ending);
        if (length > ending && strcmp(name + length - ending, formats[kind].ending) == 0)
            return kind;
    }
    return COMPRESSION_NONE;
}

compression_t compression_of_data(const void *data, size_t size)
{
    for (compression_t kind = COMPRESSION_GZIP; kind <= COMPRESSION_XZ; kind++)
        if (size >= formats[kind].magic_size &&
            memcmp(data, formats[kind].magic, formats[kind].magic_size) == 0)
            return kind;
    const unsigned char *bytes = data;
    const bool skippable =
        size >= 4 && (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0;
    return skippable ? COMPRESSION_ZSTD : COMPRESSION_NONE;
}

const char *compression_name(compression_t kind)
{
    return formats[kind].name;
}

const char *compression_ending(compression_t kind)
{
    return formats[kind].ending;
}

static void *gzip_block(const void *data, size_t size, size_t *block_size)
{
    z_stream stream = {0};
    require(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL,
                         Z_DEFAULT_STRATEGY) == Z_OK);
    const size_t capacity = deflateBound(&stream, size);
    unsigned char *block = memory_new(capacity, 1);
    /* zlib's size counters have 32 bits. */
    stream.next_in = (unsigned char *)(uintptr_t)data;
    stream.next_out = block;
    size_t left = size;
    int result = Z_OK;
    while (result == Z_OK) {
        const size_t most = UINT32_MAX;
        const size_t done_out = (size_t)(stream.next_out - block);
        const size_t in = left < most ? left : most;
        const size_t out = capacity - done_out < most ? capacity - done_out : most;
        stream.avail_in = (uInt)in;
        stream.avail_out = (uInt)out;
        result = deflate(&stream, left == in ? Z_FINISH : Z_NO_FLUSH);
        left -= in - stream.avail_in;
    }
    require(result == Z_STREAM_END);
    *block_size = (size_t)(stream.next_out - block);
    deflateEnd(&stream);
    return block;
}

static void *zstd_block(const void *data, size_t size, size_t *block_size)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    require(context);
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    const size_t capacity = ZSTD_compressBound(size);
    void *block = memory_new(capacity, 1);
    *block_size = ZSTD_compress2(context, block, capacity, data, size);
    require(!ZSTD_isError(*block_size));
    ZSTD_freeCCtx(context);
    return block;
}

static void *xz_block(const void *data, size_t size, size_t *block_size)
{
    lzma_options_lzma options;
    require(!lzma_lzma_preset(&options, XZ_PRESET));
    /* What it searches is allocated for the whole dictionary. */
    if (size < options.dict_size)
        options.dict_size = size < LZMA_DICT_SIZE_MIN ? LZMA_DICT_SIZE_MIN : (uint32_t)size;
    lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    const size_t capacity = lzma_stream_buffer_bound(size);
    uint8_t *block = memory_new(capacity, 1);
    *block_size = 0;
    require(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC64, NULL, data, size, block,
                                      block_size, capacity) == LZMA_OK);
    return block;
}

void *compression_block(compression_t kind, const void *data, size_t size, size_t *block_size)
{
    void *block = NULL;
    switch (kind) {
    case COMPRESSION_GZIP:
        block = gzip_block(data, size, block_size);
        break;
    case COMPRESSION_ZSTD:
        block = zstd_block(data, size, block_size);
        break;
    case COMPRESSION_XZ:
        block = xz_block(data, size, block_size);
        break;
    case COMPRESSION_NONE:
        block = memory_new(size, 1);
        memcpy(block, data, size);
        *block_size = size;
        break;
    }
    return memory_resize(block, *block_size, 1);
}

struct decompressor {
    compression_t kind;
    z_stream gzip;
    ZSTD_DCtx *zstd;
    lzma_stream xz;
    bool ended; /* a block ended: the next call begins another one */
};

static void begin_xz(decompressor_t *self)
{
    require(lzma_stream_decoder(&self->xz, DECOMPRESSOR_MEMORY_MAX, 0) == LZMA_OK);
}

decompressor_t *decompressor_new(compression_t kind)
{
    decompressor_t *self = memory_new(1, sizeof *self);
    self->kind = kind;
    self->xz = (lzma_stream)LZMA_STREAM_INIT;
    if (kind == COMPRESSION_GZIP)
        require(inflateInit2(&self->gzip, GZIP_WINDOW) == Z_OK);
    else if (kind == COMPRESSION_ZSTD)
        require((self->zstd = ZSTD_createDCtx()) != NULL &&
                !ZSTD_isError(
                    ZSTD_DCtx_setParameter(self->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG)));
    else
        begin_xz(self);
    return self;
}

void decompressor_destroy(decompressor_t **self)
{
    decompressor_t *decompressor = *self;
    if (!decompressor)
        return;
    if (decompressor->kind == COMPRESSION_GZIP)
        inflateEnd(&decompressor->gzip);
    ZSTD_freeDCtx(decompressor->zstd);
    lzma_end(&decompressor->xz);
    free(decompressor);
    *self = NULL;
}

static decompressor_state_t run_gzip(z_stream *stream, const void **data, size_t *size, void *out,
                                     size_t capacity, size_t *written)
{
    const size_t in = *size < UINT32_MAX ? *size : UINT32_MAX;
    const size_t most = capacity < UINT32_MAX ? capacity : UINT32_MAX;
    stream->next_in = (unsigned char *)(uintptr_t)*data;
    stream->avail_in = (uInt)in;
    stream->next_out = out;
    stream->avail_out = (uInt)most;
    const int result = inflate(stream, Z_NO_FLUSH);
    *data = stream->next_in;
    *size -= in - stream->avail_in;
    *written = most - stream->avail_out;
    if (result == Z_STREAM_END)
        return DECOMPRESSOR_END;
    if (result == Z_MEM_ERROR)
        return DECOMPRESSOR_TOO_LARGE;
    return result == Z_OK || result == Z_BUF_ERROR ? DECOMPRESSOR_MORE : DECOMPRESSOR_BROKEN;
}

static decompressor_state_t run_zstd(ZSTD_DCtx *context, const void **data, size_t *size, void *out,
                                     size_t capacity, size_t *written)
{
    ZSTD_inBuffer in = {*data, *size, 0};
    ZSTD_outBuffer result = {out, capacity, 0};
    const size_t left = ZSTD_decompressStream(context, &result, &in);
    *data = (const char *)*data + in.pos;
    *size -= in.pos;
    *written = result.pos;
    const ZSTD_ErrorCode error = ZSTD_getErrorCode(left);
    if (error == ZSTD_error_frameParameter_windowTooLarge || error == ZSTD_error_memory_allocation)
        return DECOMPRESSOR_TOO_LARGE;
    if (ZSTD_isError(left))
        return DECOMPRESSOR_BROKEN;
    return left == 0 ? DECOMPRESSOR_END : DECOMPRESSOR_MORE;
}

static decompressor_state_t run_xz(lzma_stream *stream, const void **data, size_t *size, void *out,
                                   size_t capacity, size_t *written)
{
    stream->next_in = *data;
    stream->avail_in = *size;
    stream->next_out = out;
    stream->avail_out = capacity;
    const lzma_ret result = lzma_code(stream, LZMA_RUN);
    *data = stream->next_in;
    *size = stream->avail_in;
    *written = capacity - stream->avail_out;
    if (result == LZMA_STREAM_END)
        return DECOMPRESSOR_END;
    if (result == LZMA_MEMLIMIT_ERROR || result == LZMA_MEM_ERROR)
        return DECOMPRESSOR_TOO_LARGE;
    return result == LZMA_OK || result == LZMA_BUF_ERROR ? DECOMPRESSOR_MORE : DECOMPRESSOR_BROKEN;
}

/*
 * Skips zeros between blocks: the padding of xz streams (section 2.2 of the format's description),
 * and what tapes and some disks append to a gzip file, which gzip also ignores.
 */
static void skip_zeros(const void **data, size_t *size)
{
    const char *next = *data;
    while (*size > 0 && *next == '\0') {
        next++;
        (*size)--;
    }
    *data = next;
}

decompressor_state_t decompressor_run(decompressor_t *self, const void **data, size_t *size,
                                      void *out, size_t capacity, size_t *written)
{
    if (self->ended && self->kind != COMPRESSION_ZSTD) {
        const size_t before = *size;
        skip_zeros(data, size);
        *written = 0;
        if (*size == 0)
            return before > 0 ? DECOMPRESSOR_PADDING : DECOMPRESSOR_END;
        if (self->kind == COMPRESSION_GZIP)
            inflateReset(&self->gzip);
        else
            begin_xz(self);
    }
    decompressor_state_t state = DECOMPRESSOR_BROKEN;
    switch (self->kind) {
    case COMPRESSION_GZIP:
        state = run_gzip(&self->gzip, data, size, out, capacity, written);
        break;
    case COMPRESSION_ZSTD:
        state = run_zstd(self->zstd, data, size, out, capacity, written);
        break;
    case COMPRESSION_XZ:
        state = run_xz(&self->xz, data, size, out, capacity, written);
        break;
    case COMPRESSION_NONE:
        break;
    }
    self->ended = state == DECOMPRESSOR_END;
    return state;
}
