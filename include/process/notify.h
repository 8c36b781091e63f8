#ifndef PROCESS_NOTIFY_H
#define PROCESS_NOTIFY_H

/*
 * What the master tells the service manager that started it, by datagrams as of sd_notify(3).
 * Without one (NOTIFY_SOCKET is not set) nothing is told.
 */

/**
 * notify_send(format, ...):
 * Tell it the assignments that ${format} gives as printf's, one a line: "READY=1".
 */
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * notify_reloading(void):
 * Tell it that a reload begins, which is over with the next "READY=1".
 */
void notify_reloading(void);

/**
 * notify_watchdog(void):
 * How often, in milliseconds, it wants to hear "WATCHDOG=1" from this process; 0: never.
 */
unsigned notify_watchdog(void);

#endif
