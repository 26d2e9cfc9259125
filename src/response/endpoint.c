#include "response/endpoint.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool endpoint_parse(const char *text, endpoint_t *endpoint)
{
    static const char scheme[] = "tcp://";
    if (!text || strncmp(text, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *host = text + sizeof scheme - 1;
    const char *colon = strrchr(host, ':');
    if (!colon || colon[1] < '0' || colon[1] > '9')
        return false;
    char *end = NULL;
    const unsigned long port = strtoul(colon + 1, &end, 10);
    size_t length = (size_t)(colon - host);
    if (*end || port < 1 || port > UINT16_MAX)
        return false;
    if (length > 1 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length == 0 || length >= ENDPOINT_HOST_SIZE)
        return false;
    memcpy(endpoint->host, host, length);
    endpoint->host[length] = '\0';
    endpoint->port = (uint16_t)port;
    return true;
}

typedef struct {
    uint32_t network;
    unsigned bits;
    address_kind_t kind;
} range_t;

static address_kind_t kind_of_ipv4(uint32_t address)
{
    static const range_t ranges[] = {
        {0x00000000, 8, ADDRESS_WILDCARD},    {0x7f000000, 8, ADDRESS_LOOPBACK},
        {0x0a000000, 8, ADDRESS_PRIVATE},     {0xac100000, 12, ADDRESS_PRIVATE},
        {0xc0a80000, 16, ADDRESS_PRIVATE},    {0x64400000, 10, ADDRESS_PRIVATE},
        {0xa9fe0000, 16, ADDRESS_LINK_LOCAL},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if ((address ^ ranges[i].network) >> (32 - ranges[i].bits) == 0)
            return ranges[i].kind;
    return ADDRESS_PUBLIC;
}

static address_kind_t kind_of_ipv6(const struct in6_addr *address)
{
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        uint32_t ipv4 = 0;
        memcpy(&ipv4, &address->s6_addr[12], sizeof ipv4);
        return kind_of_ipv4(ntohl(ipv4));
    }
    if (IN6_IS_ADDR_UNSPECIFIED(address))
        return ADDRESS_WILDCARD;
    if (IN6_IS_ADDR_LOOPBACK(address))
        return ADDRESS_LOOPBACK;
    if (IN6_IS_ADDR_LINKLOCAL(address))
        return ADDRESS_LINK_LOCAL;
    return (address->s6_addr[0] & 0xfe) == 0xfc ? ADDRESS_PRIVATE : ADDRESS_PUBLIC;
}

address_kind_t endpoint_address_kind(const endpoint_t *self)
{
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (inet_pton(AF_INET, self->host, &ipv4) == 1)
        return kind_of_ipv4(ntohl(ipv4.s_addr));
    if (inet_pton(AF_INET6, self->host, &ipv6) == 1)
        return kind_of_ipv6(&ipv6);
    if (strcmp(self->host, "*") == 0)
        return ADDRESS_WILDCARD;
    return strcasecmp(self->host, "localhost") == 0 ? ADDRESS_LOOPBACK : ADDRESS_NAME;
}

const char *address_kind_name(address_kind_t kind)
{
    static const char *const names[] = {
        [ADDRESS_PUBLIC] = NULL,         [ADDRESS_NAME] = NULL,
        [ADDRESS_PRIVATE] = "private",   [ADDRESS_LINK_LOCAL] = "link-local",
        [ADDRESS_LOOPBACK] = "loopback", [ADDRESS_WILDCARD] = "the wildcard",
    };
    return names[kind];
}
