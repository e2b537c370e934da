/* What the programs of these tests share: a check that ends the process, and a look at its OS threads. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                        \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);     \
            _exit(99);                                                          \
        }                                                                       \
    } while (0)

/* Prints whether the caller's threads are green: then it has one OS thread, while others of its threads wait. */
static void print_colour(void) {
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks);
    for (struct dirent *task; (task = readdir(tasks));) count += task->d_name[0] != '.';
    closedir(tasks);
    puts(count == 1 ? "green" : "plain");
    fflush(stdout);
}
