/* Children of a thread. What they call is libc's, as it is without the library. */
#include "check.h"
#include <sys/wait.h>

static pthread_key_t key;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

/* The child of a thread ends when that thread does. */
static void *forks(void *unused) {
    int ends[2];
    CHECK(!pthread_mutex_lock(&gate) && !pthread_mutex_unlock(&gate));
    CHECK(!pipe(ends));
    CHECK(!pthread_setspecific(key, "mine"));
    pthread_t self = pthread_self();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        char byte;
        close(ends[1]);
        CHECK(read(ends[0], &byte, 1) == 1);
        CHECK(usleep(1000) == 0);
        CHECK(pthread_equal(self, pthread_self()));
        CHECK(!strcmp(pthread_getspecific(key), "mine"));
        return 0;
    }
    CHECK(write(ends[1], "x", 1) == 1);
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return unused;
}

static void *starts(void *unused) { return unused; }

int main(void) {
    alarm(60);
    CHECK(!pthread_key_create(&key, 0));
    pthread_t threads[5];
    CHECK(!pthread_mutex_lock(&gate));
    for (int i = 0; i < 5; i++) CHECK(!pthread_create(&threads[i], 0, forks, 0));
    print_colour();
    CHECK(!pthread_mutex_unlock(&gate));
    for (int i = 0; i < 5; i++) CHECK(!pthread_join(threads[i], 0));
    /* A child of the main thread may start threads. */
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        CHECK(!pthread_create(&threads[0], 0, starts, 0));
        CHECK(!pthread_join(threads[0], 0));
        exit(6);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 6);
    return 0;
}
