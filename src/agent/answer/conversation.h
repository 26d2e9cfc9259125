/*
 * conversation: one client's connection to the agent's socket (socket.h): reads its requests, has
 * them answered and sends the replies, as far as that can be done without waiting. It never blocks
 * on its client.
 */
#ifndef STEM_AGENT_CONVERSATION_H
#define STEM_AGENT_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Answers a request. Returns the answer's text, NUL-terminated, which is freed; or NULL with the
 * reason in *error, one line that lives as long as the process.
 */
typedef char *socket_handler_t(const char *command, const char *argument, const char **error);

enum {
    CONVERSATION_REQUEST_MAX = 255, /* bytes, without the end of the line */
    CONVERSATION_HEAD_SIZE = 256
};

typedef struct {
    int connection; /* -1: none */
    pid_t client;   /* by which a client with too many of them is recognised */
    uint64_t used;  /* when it began, and was last asked: the higher, the later */
    size_t length;  /* of what was read and isn't answered yet */
    char read[CONVERSATION_REQUEST_MAX + 1];
    bool closing; /* once the reply is sent */

    /* The reply that is being sent. */
    char head[CONVERSATION_HEAD_SIZE];
    char *answer; /* NULL: none */
    size_t head_size;
    size_t answer_size;
    size_t sent; /* of both together */
    /* CLOCK_MONOTONIC: by when the client must have taken some more of it, and all of it. */
    int64_t deadline_ns;
    int64_t last_deadline_ns;
} conversation_t;

/* With a client; takes over the connection, which must not block. */
void conversation_begin(conversation_t *self, int connection, pid_t client);

/* Frees what it has and closes the connection, or forgets it if it isn't ours any more. */
void conversation_end(conversation_t *self, bool close_it);

/* Whether there is a reply that the client hasn't got yet. */
bool conversation_is_sending(const conversation_t *self);

/* Whether there is a request to be answered. */
bool conversation_is_asked(const conversation_t *self);

/* Reads what is there, if there is no request yet. False if the client has gone. */
bool conversation_read(conversation_t *self);

/* Answers the first request that was read; then there is a reply to be sent. The caller sets the
 * deadlines. */
void conversation_answer(conversation_t *self, socket_handler_t *handler);

/* Sends of the reply what the client takes at once. False if the conversation is over. */
bool conversation_send(conversation_t *self);

#endif
