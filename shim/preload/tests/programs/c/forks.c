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

static void *reads(void *end) {
    char byte;
    CHECK(read(*(int *)end, &byte, 1) == 1 && byte == 'y');
    return 0;
}

/* What a child of `vfork` closes is still open in its parent, whose memory it has. */
static void closes_in_child(void) {
    int ends[2], status;
    pthread_t thread;
    CHECK(!pipe(ends));
    CHECK(!pthread_create(&thread, 0, reads, &ends[0]));
    usleep(1000);
    pid_t child = vfork();
    if (child == 0) {
        close(ends[0]);
        execl("/bin/true", "true", (char *)0);
        _exit(1);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(write(ends[1], "y", 1) == 1);
    CHECK(!pthread_join(thread, 0));
}

int main(void) {
    alarm(60);
    CHECK(!pthread_key_create(&key, 0));
    pthread_t threads[5];
    CHECK(!pthread_mutex_lock(&gate));
    for (int i = 0; i < 5; i++) CHECK(!pthread_create(&threads[i], 0, forks, 0));
    print_colour();
    CHECK(!pthread_mutex_unlock(&gate));
    for (int i = 0; i < 5; i++) CHECK(!pthread_join(threads[i], 0));
    closes_in_child();
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
