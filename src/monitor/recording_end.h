/*
 * recording_end: how a recording that is to be gone on with ends.
 */
#ifndef STEM_RECORDING_END_H
#define STEM_RECORDING_END_H

#include <stdbool.h>
#include <sys/types.h>

#include "monitor/compression.h"

typedef struct {
    bool torn;            /* it doesn't end with a whole line or block */
    off_t start;          /* where the last, torn one begins */
    char *fragment;       /* what can be read of it, with a NUL behind it; owned by the caller */
    size_t fragment_size; /* without the NUL */
} recording_end_t;

/* How a file of lines ends. False on failure, and then errno; *end owns nothing then. */
bool recording_end_of_lines(int fd, off_t file_size, recording_end_t *end);

/*
 * The same of one of compressed blocks, each of which has whole lines: reads all of the file.
 * EILSEQ if it isn't of that kind, or is damaged before its end.
 */
bool recording_end_of_blocks(int fd, compression_t kind, recording_end_t *end);

#endif
