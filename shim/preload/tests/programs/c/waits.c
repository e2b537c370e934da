/* Sleeps and polls of many threads at once. */
#include "check.h"
#include <poll.h>

static _Atomic int inside, most;

static void enter(void) {
    inside++;
    most = inside > most ? inside : most;
}

static void *sleeps(void *unused) {
    enter();
    usleep(100 * 1000);
    inside--;
    return unused;
}

static int ends[2];

static void *polls(void *unused) {
    struct pollfd one = { .fd = ends[0], .events = POLLIN };
    enter();
    CHECK(poll(&one, 1, 60 * 1000) == 1);
    inside--;
    char byte;
    CHECK(read(ends[0], &byte, 1) == 1);
    return unused;
}

static void crowd(void *(*start)(void *)) {
    pthread_t threads[100];
    most = 0;
    for (int i = 0; i < 100; i++) CHECK(!pthread_create(&threads[i], 0, start, 0));
    if (start == polls) {
        while (inside < 100) usleep(1000);
        print_colour();
        for (int i = 0; i < 100; i++) CHECK(write(ends[1], "x", 1) == 1);
    }
    for (int i = 0; i < 100; i++) CHECK(!pthread_join(threads[i], 0));
    CHECK(most > 1);
}

int main(void) {
    alarm(60);
    CHECK(!pipe(ends));
    crowd(sleeps);
    crowd(polls);
    return 0;
}
