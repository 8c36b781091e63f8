#ifndef SYSTEM_LISTEN_H
#define SYSTEM_LISTEN_H

#include <stddef.h>

/*
 * Listening sockets from addresses as text: "127.0.0.1:8080", "localhost:8080", "[::1]:8080",
 * "*:8080" (every IPv4 address), "[::]:8080" (every IPv6 address), "unix:/run/tickd.sock". Port
 * 0 lets the kernel choose.
 */

/* Room for an address as listen_name writes it. */
#define LISTEN_NAME 128

/**
 * listen_check(address, problem, size):
 * Whether ${address} is one, and its host's name known. Returns 0, or -1 with one line about
 * what is wrong in the ${size} bytes of ${problem}.
 */
int listen_check(const char *address, char *problem, size_t size);

/**
 * listen_open(address, backlog, problem, size):
 * Bind and listen, non-blocking and closed on exec, with up to ${backlog} connections waiting.
 * The socket file of a dead server is replaced. Returns the socket, which is the caller's, or
 * -1 with one line about what is wrong in the
 * ${size} bytes of ${problem}.
 */
int listen_open(const char *address, int backlog, char *problem, size_t size);

/**
 * listen_name(fd, name):
 * Write where the socket ${fd} really listens, in the same form, to ${name}; returns ${name}.
 */
const char *listen_name(int fd, char name[LISTEN_NAME]);

/**
 * listen_close(fd):
 * Close a socket of listen_open for good: that of "unix:" takes its file along. For the process
 * that opened it.
 */
void listen_close(int fd);

#endif
