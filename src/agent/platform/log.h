/*
 * log: the agent's messages, on standard error, one write(2) per line.
 *
 * The agent is a guest in somebody's server: by default it only reports that it can't do its work.
 */
#ifndef STEM_AGENT_LOG_H
#define STEM_AGENT_LOG_H

typedef enum { LOG_OFF, LOG_ERROR, LOG_INFO, LOG_DEBUG } log_level_t;

/*
 * Sets the level by its name: off, error, info, debug. NULL or "" leaves the default, error.
 * An unknown name leaves the default too and is reported.
 */
void log_set_level(const char *name);

/* Whether a line of that level would be written. */
int log_enabled(log_level_t level);

/* Writes one line of at most 500 characters, with the agent's name in front. Keeps errno. */
void log_line(log_level_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
