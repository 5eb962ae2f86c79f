/* Calls visit() as often as its second argument says, in as many threads as its first says; writes how often. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_int visits;
static int times;

__attribute__((noinline)) void visit(void)
{
    visits++;
}

static void *thread(void *argument)
{
    for (int i = 0; i < times; i++)
        visit();
    return argument;
}

int main(int argc, char **argv)
{
    int threads = atoi(argv[1]);
    times = atoi(argv[2]);
    pthread_t others[threads];
    for (int i = 0; i < threads; i++)
        pthread_create(&others[i], NULL, thread, NULL);
    for (int i = 0; i < threads; i++)
        pthread_join(others[i], NULL);
    thread(NULL);
    printf("%d\n", visits);
    return 0;
}
