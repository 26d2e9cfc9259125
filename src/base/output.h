/*
 * output: writes blocks of bytes to regular files. Pipes and terminals, whose reader may not read,
 * have an outlet (outlet.h).
 */
#ifndef STEM_OUTPUT_H
#define STEM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes size bytes to fd. False on failure, also after a short write, and then errno. *written is
 * how many bytes were written, also on failure. SIGXFSZ has to be ignored.
 */
bool output_write(int fd, const void *data, size_t size, size_t *written);

#endif
