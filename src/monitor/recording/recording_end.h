/*
 * recording_end: examines the end of a recording that is to be appended to.
 */
#ifndef STEM_RECORDING_END_H
#define STEM_RECORDING_END_H

#include <stdbool.h>
#include <sys/types.h>

#include "monitor/recording/compression.h"

/* Maximum size in bytes of an incomplete end of a file that is kept. */
#define RECORDING_FRAGMENT_MAX ((size_t)1 << 30)

typedef struct {
    bool torn;            /* its last line or block is incomplete */
    bool padded;          /* it ends with a complete block, followed by zeros */
    off_t start;          /* where the incomplete last line or block begins, or the zeros */
    char *fragment;       /* what can be read of it, followed by a NUL; owned by the caller */
    size_t fragment_size; /* without the NUL */
} recording_end_t;

/*
 * How a file of lines ends. False on failure, and then errno; *end owns nothing then. EMSGSIZE if a
 * incomplete line has more than RECORDING_FRAGMENT_MAX.
 */
bool recording_end_of_lines(int fd, off_t file_size, recording_end_t *end);

/*
 * The same for a file of compressed blocks of complete lines: reads the whole file. EILSEQ if it
 * isn't of that kind, or is damaged before its end; ENOMEM if that can't be determined; EMSGSIZE as
 * above. Only an incomplete block is kept in memory.
 */
bool recording_end_of_blocks(int fd, compression_t kind, recording_end_t *end);

/*
 * Lines to replace an incomplete end: its complete lines as they are, and what is left of the last
 * one, if that isn't a line by itself (*cut_off), as a string. The caller frees them.
 */
char *recording_end_mended(const recording_end_t *end, size_t *size, bool *cut_off);

#endif
