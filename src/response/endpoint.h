/*
 * endpoint: takes the endpoints of event channels apart: "tcp://10.0.0.1:38057".
 */
#ifndef STEM_ENDPOINT_H
#define STEM_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

/* A name of DNS is at most 253 bytes long. */
enum { ENDPOINT_HOST_SIZE = 256 };

typedef struct {
    char host[ENDPOINT_HOST_SIZE]; /* a name or a number; of IPv6 without its brackets */
    uint16_t port;
} endpoint_t;

typedef enum {
    ADDRESS_PUBLIC,
    ADDRESS_NAME,       /* a host name: it can't be known without asking */
    ADDRESS_PRIVATE,    /* 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7 */
    ADDRESS_LINK_LOCAL, /* 169.254.0.0/16, fe80::/10 */
    ADDRESS_LOOPBACK,   /* 127.0.0.0/8, ::1, "localhost" */
    ADDRESS_WILDCARD    /* 0.0.0.0, ::, *: all addresses of a host, but none to connect to */
} address_kind_t;

/* False if it isn't "tcp://HOST:PORT" with a port from 1 to 65535. */
bool endpoint_parse(const char *text, endpoint_t *endpoint);

address_kind_t endpoint_address_kind(const endpoint_t *self);

/* "loopback", "private", ...; NULL for those that there is nothing to say of. */
const char *address_kind_name(address_kind_t kind);

#endif
