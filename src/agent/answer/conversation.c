#include "agent/answer/conversation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void conversation_begin(conversation_t *self, int connection, pid_t client)
{
    *self = (conversation_t){.connection = connection, .client = client};
}

void conversation_end(conversation_t *self, bool close_it)
{
    if (close_it && self->connection >= 0)
        close(self->connection);
    free(self->answer);
    *self = (conversation_t){.connection = -1};
}

bool conversation_is_sending(const conversation_t *self)
{
    return self->head_size > 0;
}

/* Where the first request ends; NULL if it isn't complete. */
static char *end_of_request(const conversation_t *self)
{
    return memchr(self->read, '\n', self->length);
}

bool conversation_is_asked(const conversation_t *self)
{
    return !self->closing && !conversation_is_sending(self) &&
           (self->length == sizeof self->read || end_of_request(self));
}

bool conversation_read(conversation_t *self)
{
    if (self->length == sizeof self->read)
        return true;
    ssize_t got = recv(self->connection, self->read + self->length,
                       sizeof self->read - self->length, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    self->length += (size_t)got;
    return got > 0;
}

/* ---- the reply ---- */

static void reply(conversation_t *self, const char *error, char *answer)
{
    self->answer = answer;
    self->answer_size = answer ? strlen(answer) : 0;
    if (answer)
        snprintf(self->head, sizeof self->head, "ok %zu\n", self->answer_size);
    else
        snprintf(self->head, sizeof self->head, "error %.200s\n", error);
    self->head_size = strlen(self->head);
    self->sent = 0;
}

/* Nothing more will be read. */
static void refuse(conversation_t *self, const char *error)
{
    self->closing = true;
    self->length = 0;
    reply(self, error, NULL);
}

/* A NUL would end the text early, and what has other control characters was made by no client. */
static bool is_text(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ')
            return false;
    return true;
}

void conversation_answer(conversation_t *self, socket_handler_t *handler)
{
    char line[sizeof self->read];
    const char *end = end_of_request(self);
    if (!end) {
        refuse(self, "the request is too long");
        return;
    }
    const size_t length = (size_t)(end - self->read);
    memcpy(line, self->read, length);
    line[length] = '\0';
    self->length -= length + 1;
    memmove(self->read, end + 1, self->length);
    if (!is_text(line, length)) {
        refuse(self, "the request is no text");
        return;
    }
    char *argument = strchr(line, ' ');
    if (argument)
        *argument++ = '\0';
    const char *error = "out of memory";
    char *answer = handler(line, argument ? argument : "", &error);
    reply(self, error, answer);
}

bool conversation_send(conversation_t *self)
{
    struct iovec parts[2];
    size_t count = 0;
    size_t after_head = self->sent > self->head_size ? self->sent - self->head_size : 0;
    if (self->sent < self->head_size)
        parts[count++] = (struct iovec){self->head + self->sent, self->head_size - self->sent};
    if (after_head < self->answer_size)
        parts[count++] = (struct iovec){self->answer + after_head, self->answer_size - after_head};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(self->connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    self->sent += (size_t)sent;
    if (self->sent < self->head_size + self->answer_size)
        return true;
    free(self->answer);
    self->answer = NULL;
    self->head_size = self->answer_size = self->sent = 0;
    return !self->closing;
}
