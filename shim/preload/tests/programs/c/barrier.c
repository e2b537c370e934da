/* Rounds between barriers. */
#include "check.h"

static pthread_barrier_t barrier;
static int rounds;

static void *meets(void *unused) {
    for (int i = 0; i < 100; i++) {
        int met = pthread_barrier_wait(&barrier);
        CHECK(met == 0 || met == PTHREAD_BARRIER_SERIAL_THREAD);
        rounds += met == PTHREAD_BARRIER_SERIAL_THREAD;
    }
    return unused;
}

int main(void) {
    alarm(60);
    pthread_t threads[10];
    CHECK(!pthread_barrier_init(&barrier, 0, 11));
    for (int i = 0; i < 10; i++) CHECK(!pthread_create(&threads[i], 0, meets, 0));
    print_colour();
    meets(0);
    for (int i = 0; i < 10; i++) CHECK(!pthread_join(threads[i], 0));
    CHECK(rounds == 100);
    return 0;
}
