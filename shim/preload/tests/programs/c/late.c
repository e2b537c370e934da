/* A join with a limit waits inside libc, where nobody can suspend a green thread. */
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <time.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *waits(void *unused) {
    CHECK(!pthread_mutex_lock(&gate));
    return unused;
}

int main(void) {
    alarm(60);
    pthread_t thread;
    struct timespec past = { .tv_sec = 1 };
    CHECK(!pthread_mutex_lock(&gate));
    CHECK(!pthread_create(&thread, 0, waits, 0));
    print_colour();
    CHECK(pthread_timedjoin_np(thread, 0, &past) == ETIMEDOUT);
    CHECK(!pthread_mutex_unlock(&gate));
    CHECK(!pthread_join(thread, 0));
    return 0;
}
