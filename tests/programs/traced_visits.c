/* Calls visit() as often as its second argument says, here and in as many threads as its first says. Writes how often
   that was, and fails if the callers have counted otherwise. Setting `times` to zero ends it early. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_long visits, calls;
volatile long times;

__attribute__((noinline)) void visit(void)
{
    visits++;
}

static void *thread(void *argument)
{
    long made = 0;
    for (; made < times; made++)
        visit();
    calls += made;
    return argument;
}

int main(int argc, char **argv)
{
    int threads = atoi(argv[1]);
    times = atol(argv[2]);
    pthread_t others[threads];
    for (int i = 0; i < threads; i++)
        pthread_create(&others[i], NULL, thread, NULL);
    thread(NULL);
    for (int i = 0; i < threads; i++)
        pthread_join(others[i], NULL);
    printf("%ld\n", visits);
    return visits != calls;
}
