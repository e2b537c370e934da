/* The ways in which a program ends: `ends return`, `ends exit`, `ends pthread_exit`. */
#include "check.h"
#include <semaphore.h>

static sem_t never, begun;

static void *waits(void *unused) {
    CHECK(!sem_post(&begun));
    CHECK(!sem_wait(&never));
    return unused;
}

static void *exits(void *unused) {
    (void)unused;
    printf("exits ");
    exit(5);
}

static void *goes_on(void *unused) {
    usleep(20 * 1000);
    printf("went on ");
    return unused;
}

static void *reads(void *end) {
    char byte;
    CHECK(read(*(int *)end, &byte, 1) == 1);
    return 0;
}

static int has_main = 1;

/* Functions of `atexit` may still wait for a thread. */
static void at_exit(void) {
    printf("at exit");
    if (!has_main) return;
    int ends[2];
    pthread_t thread;
    CHECK(!pipe(ends));
    CHECK(!pthread_create(&thread, 0, reads, &ends[0]));
    usleep(1000);
    printf(" ");
    print_colour();
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(!pthread_join(thread, 0));
    printf("joined");
}

int main(int count, char **arguments) {
    pthread_t thread;
    alarm(60);
    CHECK(count == 2);
    CHECK(!sem_init(&never, 0, 0) && !sem_init(&begun, 0, 0));
    CHECK(!atexit(at_exit));
    if (!strcmp(arguments[1], "pthread_exit")) {
        CHECK(!pthread_create(&thread, 0, goes_on, 0));
        has_main = 0;
        pthread_exit(0);
    }
    for (int i = 0; i < 10; i++) CHECK(!pthread_create(&thread, 0, waits, 0));
    for (int i = 0; i < 10; i++) CHECK(!sem_wait(&begun));
    print_colour();
    if (!strcmp(arguments[1], "exit")) {
        CHECK(!pthread_create(&thread, 0, exits, 0));
        CHECK(!sem_wait(&never));
    }
    printf("returns ");
    return 5;
}
