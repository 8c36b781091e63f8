#ifndef BASE_WAKER_H
#define BASE_WAKER_H

/* How somebody who had to wait is told that it is worth another try: ${wake}(${arg}), which
 * does nothing but have that done later. */
struct waker {
    void (*wake)(void *arg);
    void *arg;
};

#endif
