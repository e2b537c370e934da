/* A thread-local of the program's own. Each thread has one, so the library must leave the threads alone. */
#include "check.h"
#include <stdint.h>

static __thread int own;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *counts(void *unused) {
    own++;
    CHECK(!pthread_mutex_lock(&gate) && !pthread_mutex_unlock(&gate));
    CHECK(own == 1);
    pthread_exit(unused);
}

int main(void) {
    alarm(60);
    pthread_t threads[10];
    CHECK(!pthread_mutex_lock(&gate));
    for (int i = 0; i < 10; i++) CHECK(!pthread_create(&threads[i], 0, counts, (void *)(intptr_t)i));
    print_colour();
    CHECK(!pthread_mutex_unlock(&gate));
    for (int i = 0; i < 10; i++) {
        void *value;
        CHECK(!pthread_join(threads[i], &value));
        CHECK(value == (void *)(intptr_t)i);
    }
    return 0;
}
