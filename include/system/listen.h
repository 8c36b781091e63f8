#ifndef SYSTEM_LISTEN_H
#define SYSTEM_LISTEN_H

#include <stdbool.h>
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
 * The socket file of a dead server is replaced; while that is found out the file's directory is
 * locked (flock(2)), so that of those who start at once one has the address. Returns the
 * socket, which is the caller's, or -1 with errno and one line about what is wrong in the
 * ${size} bytes of ${problem}.
 */
int listen_open(const char *address, int backlog, char *problem, size_t size);

/**
 * listen_adopt(fd, problem, size):
 * Make the inherited descriptor ${fd} what listen_open gives. Returns 0, or -1 with a line in
 * ${problem} if it is no listening stream socket.
 */
int listen_adopt(int fd, char *problem, size_t size);

/**
 * listen_is_at(fd, address):
 * Whether the socket ${fd} is bound to just what ${address} names.
 */
bool listen_is_at(int fd, const char *address);

/* Room for a place as listen_place writes it. */
#define LISTEN_PLACE 128

/**
 * listen_place(address, place):
 * Write how the kernel's tables of sockets (proc(5)) name ${address} to ${place}; returns which
 * of those in /proc/net it is: "tcp", "tcp6" or "unix". NULL if ${address} is none.
 */
const char *listen_place(const char *address, char place[LISTEN_PLACE]);

/**
 * listen_name(fd, name):
 * Write where the socket ${fd} really listens, in the same form, to ${name}; returns ${name}.
 */
const char *listen_name(int fd, char name[LISTEN_NAME]);

/**
 * listen_stop(fd):
 * Let no more connections come to ${fd}, in all processes that have it and for good, while
 * those that wait can still be accepted: so that whoever accepts until there are none left may
 * close it without losing one. The file of "unix:" goes. (A handshake that waits for a far
 * client's last packet at this moment is never finished: that client finds its connection
 * reset, without an answer.)
 */
void listen_stop(int fd);

/**
 * listen_close(fd):
 * Close a socket of listen_open for good: that of "unix:" takes its file along. For the process
 * that opened it.
 */
void listen_close(int fd);

#endif
