/*
 * listen: addresses to listen on, and sockets that do.
 */
#ifndef STEM_LISTEN_H
#define STEM_LISTEN_H

/* What is wrong with the form of an address ("127.0.0.1:9751", "[::1]:9751", ":9751"), as the end
 * of a line; NULL: nothing. The caller frees it. */
char *listen_check(const char *address);

/*
 * Listens on an address that listen_check() has passed. Without a host that is all interfaces, IPv6
 * and IPv4; of a name that has several addresses it is the first IPv4 one. Returns the socket,
 * which the caller closes; -1 on failure, and then *error is one line, which the caller frees.
 */
int listen_open(const char *address, char **error);

/* Where it listens, as in a URL: "127.0.0.1:9751"; the caller frees it. */
char *listen_name(int fd);

#endif
