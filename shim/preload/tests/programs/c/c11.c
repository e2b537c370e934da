/* Threads of C11. */
#include "check.h"
#include <threads.h>

static mtx_t mutex;
static cnd_t changed;
static tss_t key;
static int turn, destroyed;

static void destroy(void *value) {
    CHECK(!strcmp(value, "value"));
    mtx_lock(&mutex);
    destroyed++;
    mtx_unlock(&mutex);
}

static int in_turn(void *number) {
    CHECK(!thrd_equal(thrd_current(), *(thrd_t *)number));
    CHECK(!tss_get(key));
    CHECK(tss_set(key, "value") == thrd_success);
    CHECK(mtx_lock(&mutex) == thrd_success);
    int mine = turn++;
    CHECK(cnd_broadcast(&changed) == thrd_success);
    while (turn < 10) CHECK(cnd_wait(&changed, &mutex) == thrd_success);
    CHECK(mtx_unlock(&mutex) == thrd_success);
    CHECK(!strcmp(tss_get(key), "value"));
    if (mine % 2) thrd_exit(-1);
    return -1;
}

int main(void) {
    alarm(60);
    thrd_t threads[10], self = thrd_current();
    CHECK(mtx_init(&mutex, mtx_plain) == thrd_success && cnd_init(&changed) == thrd_success);
    CHECK(tss_create(&key, destroy) == thrd_success);
    CHECK(mtx_lock(&mutex) == thrd_success);
    for (int i = 0; i < 10; i++) CHECK(thrd_create(&threads[i], in_turn, &self) == thrd_success);
    print_colour();
    CHECK(mtx_unlock(&mutex) == thrd_success);
    for (int i = 0; i < 9; i++) {
        int result = 0;
        CHECK(thrd_join(threads[i], &result) == thrd_success);
        CHECK(result == -1);
    }
    CHECK(thrd_detach(threads[9]) == thrd_success);
    CHECK(mtx_lock(&mutex) == thrd_success);
    while (destroyed < 10) {
        mtx_unlock(&mutex);
        thrd_yield();
        mtx_lock(&mutex);
    }
    return 0;
}
