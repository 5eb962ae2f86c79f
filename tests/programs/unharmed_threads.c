/* Some threads, and then what the argument names:
 * exec: one of them executes this program again, which says so.
 * leader: the leader exits; the others go on until a byte comes, the last one says how often they ran.
 * leader_exec: the leader exits, and one of the others executes this program again.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS = 4 };

static pthread_barrier_t all_there;
static pthread_t leader;
static const char *what;
static volatile int stop;
static int left = THREADS;

static void execute(void)
{
    char *next[] = {"again", "done", NULL};

    execv("/proc/thread-self/exe", next);
    abort();
}

static void *thread(void *argument)
{
    long index = (long)argument;
    char byte;

    pthread_barrier_wait(&all_there);
    if (strcmp(what, "exec") && index == 0)
        pthread_join(leader, NULL);
    if (index == 0 && strstr(what, "exec"))
        execute();
    if (index == 0) {
        dprintf(1, "leader gone\n");
        read(0, &byte, 1);
        stop = 1;
    }
    while (!stop)
        usleep(1000);
    if (__sync_sub_and_fetch(&left, 1) == 0) {
        dprintf(1, "last thread\n");
        exit(5);
    }
    return NULL;
}

int main(int count, char **arguments)
{
    pthread_t id;

    what = arguments[1];
    if (!strcmp(what, "done")) {
        dprintf(1, "executed by %d\n", getpid() == gettid());
        return 0;
    }
    leader = pthread_self();
    pthread_barrier_init(&all_there, NULL, THREADS + 1);
    for (long index = 0; index < THREADS; index++)
        pthread_create(&id, NULL, thread, (void *)index);
    dprintf(1, "ready\n");
    pthread_barrier_wait(&all_there);
    if (!strcmp(what, "exec"))
        for (;;)
            pause();
    pthread_exit(NULL);
}
