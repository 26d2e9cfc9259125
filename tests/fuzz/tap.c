/*
 * tap: a library to preload that logs what a process sends and receives through ZeroMQ, whole
 * messages, byte for byte. capture_sessions.py makes the fuzzers' seeds from it.
 *
 * A line for each message, in the file that TAP_FILE names: "S" or "R" (sent, received), and its
 * frames in hexadecimal, "-" for an empty one.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { LINE_SIZE = 1 << 20 };

/* The message that a thread is sending or receiving; it does one after the other. */
typedef struct {
    char *text;
    size_t size;
} line_t;

static _Thread_local line_t sent;
static _Thread_local line_t received;
static pthread_mutex_t file_mutex = PTHREAD_MUTEX_INITIALIZER;

/* libtango's libzmq: Python loads it where RTLD_NEXT doesn't look. */
static void *original(const char *name)
{
    static void *libzmq;
    if (!libzmq)
        libzmq = dlopen("libzmq.so.5", RTLD_NOW);
    void *function = libzmq ? dlsym(libzmq, name) : NULL;
    if (!function) {
        fprintf(stderr, "tap: no %s in libzmq.so.5\n", name);
        abort();
    }
    return function;
}

static void line_add(line_t *self, zmq_msg_t *message)
{
    if (!self->text)
        self->text = malloc(LINE_SIZE);
    const unsigned char *data = zmq_msg_data(message);
    size_t size = zmq_msg_size(message);
    if (!self->text || self->size + 2 * size + 4 > LINE_SIZE) {
        fputs("tap: a message is too long\n", stderr);
        abort();
    }
    self->text[self->size++] = ' ';
    for (size_t i = 0; i < size; i++)
        self->size += (size_t)sprintf(self->text + self->size, "%02x", data[i]);
    if (size == 0)
        self->text[self->size++] = '-';
}

static void line_end(line_t *self, char direction)
{
    const char *name = getenv("TAP_FILE");
    pthread_mutex_lock(&file_mutex);
    FILE *file = name ? fopen(name, "a") : NULL;
    if (file) {
        fprintf(file, "%c%.*s\n", direction, (int)self->size, self->text);
        fclose(file);
    }
    pthread_mutex_unlock(&file_mutex);
    self->size = 0;
}

__attribute__((visibility("default"))) int zmq_msg_send(zmq_msg_t *message, void *socket, int flags)
{
    static int (*send)(zmq_msg_t *, void *, int);
    if (!send)
        send = (int (*)(zmq_msg_t *, void *, int))original("zmq_msg_send");
    line_add(&sent, message); /* before: afterwards the content is ZeroMQ's */
    if (!(flags & ZMQ_SNDMORE))
        line_end(&sent, 'S');
    return send(message, socket, flags);
}

__attribute__((visibility("default"))) int zmq_msg_recv(zmq_msg_t *message, void *socket, int flags)
{
    static int (*recv)(zmq_msg_t *, void *, int);
    if (!recv)
        recv = (int (*)(zmq_msg_t *, void *, int))original("zmq_msg_recv");
    int rc = recv(message, socket, flags);
    if (rc < 0)
        return rc;
    line_add(&received, message);
    if (!zmq_msg_more(message))
        line_end(&received, 'R');
    return rc;
}
