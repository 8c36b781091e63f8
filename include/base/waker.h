#ifndef BASE_WAKER_H
#define BASE_WAKER_H

/* Whom to tell that what he waits for is there. */
struct waker {
    void (*wake)(void *arg);
    void *arg;
};

#endif
