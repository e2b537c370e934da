/* Mutexes, conditions, joining, detaching, values of keys, names and handles. */
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <signal.h>
#include <stdint.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn, done;

/* Threads take turns: each waits for its own number. */
static void *in_turn(void *number) {
    for (int round = 0; round < 10; round++) {
        CHECK(!pthread_mutex_lock(&mutex));
        while (turn % 10 != (int)(intptr_t)number) CHECK(!pthread_cond_wait(&changed, &mutex));
        usleep(100);
        turn++;
        CHECK(!pthread_cond_broadcast(&changed));
        CHECK(!pthread_mutex_unlock(&mutex));
    }
    return (char *)number + 100;
}

static void take_turns(void) {
    pthread_t threads[10];
    CHECK(!pthread_mutex_lock(&mutex));
    for (intptr_t i = 0; i < 10; i++) CHECK(!pthread_create(&threads[i], 0, in_turn, (void *)i));
    print_colour();
    CHECK(!pthread_mutex_unlock(&mutex));
    for (intptr_t i = 0; i < 10; i++) {
        void *value;
        CHECK(!pthread_join(threads[i], &value));
        CHECK((intptr_t)value == i + 100);
    }
    CHECK(turn == 100);
}

static pthread_key_t key;
static _Atomic int destroyed;

static void destroy(void *value) {
    /* A value that is set again is destroyed again. */
    if ((intptr_t)value > 1000) CHECK(!pthread_setspecific(key, (char *)value - 1000));
    destroyed++;
}

static void leave(void) { pthread_exit((void *)7); }

static void *with_values(void *value) {
    CHECK(!pthread_getspecific(key));
    CHECK(!pthread_setspecific(key, value));
    usleep(1000);
    CHECK(pthread_getspecific(key) == value);
    leave();
    return 0;
}

static void keep_values(void) {
    pthread_t threads[20];
    CHECK(!pthread_key_create(&key, destroy));
    CHECK(!pthread_setspecific(key, "main"));
    for (intptr_t i = 0; i < 20; i++) {
        CHECK(!pthread_create(&threads[i], 0, with_values, (void *)(i == 0 ? 1001 : i)));
    }
    for (int i = 0; i < 20; i++) {
        void *value;
        CHECK(!pthread_join(threads[i], &value));
        CHECK(value == (void *)7);
    }
    CHECK(destroyed == 21);
    CHECK(!strcmp(pthread_getspecific(key), "main"));
    CHECK(!pthread_key_delete(key));
}

static void *who(void *handle) {
    *(pthread_t *)handle = pthread_self();
    CHECK(pthread_equal(pthread_self(), *(pthread_t *)handle));
    CHECK(!pthread_setname_np(pthread_self(), "worker"));
    char name[16];
    CHECK(!pthread_getname_np(pthread_self(), name, sizeof name));
    CHECK(!strcmp(name, "worker"));
    CHECK(pthread_setname_np(pthread_self(), "a name that is too long") == ERANGE);
    CHECK(pthread_join(pthread_self(), 0) == EDEADLK);
    CHECK(!pthread_kill(pthread_self(), 0));
    CHECK(!pthread_mutex_lock(&mutex));
    CHECK(!pthread_mutex_unlock(&mutex));
    return 0;
}

static void know_handles(void) {
    pthread_t thread, seen;
    CHECK(!pthread_mutex_lock(&mutex));
    CHECK(!pthread_create(&thread, 0, who, &seen));
    CHECK(pthread_tryjoin_np(thread, 0) == EBUSY);
    CHECK(!pthread_equal(thread, pthread_self()));
    CHECK(!pthread_mutex_unlock(&mutex));
    CHECK(!pthread_join(thread, 0));
    CHECK(pthread_equal(thread, seen));
}

static void *count(void *unused) {
    CHECK(!pthread_mutex_lock(&mutex));
    done++;
    CHECK(!pthread_cond_signal(&changed));
    CHECK(!pthread_mutex_unlock(&mutex));
    return unused;
}

static void detach(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(!pthread_attr_init(&attributes));
    CHECK(!pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
    CHECK(!pthread_attr_setstacksize(&attributes, 64 * 1024));
    CHECK(!pthread_mutex_lock(&mutex));
    CHECK(!pthread_create(&thread, &attributes, count, 0));
    CHECK(pthread_join(thread, 0) == EINVAL);
    CHECK(!pthread_create(&thread, 0, count, 0));
    CHECK(!pthread_detach(thread));
    CHECK(pthread_detach(thread) == EINVAL);
    while (done < 2) CHECK(!pthread_cond_wait(&changed, &mutex));
    CHECK(!pthread_mutex_unlock(&mutex));
    CHECK(!pthread_attr_destroy(&attributes));
}

/* As much stack as a thread of C has. */
static void *deep(void *unused) {
    volatile char room[6 << 20];
    for (size_t i = 0; i < sizeof room; i += 4096) room[i] = 1;
    return unused;
}

int main(void) {
    alarm(60);
    take_turns();
    keep_values();
    know_handles();
    detach();
    pthread_t thread;
    CHECK(!pthread_create(&thread, 0, deep, 0));
    CHECK(!pthread_join(thread, 0));
    deep(0);
    return 3;
}
