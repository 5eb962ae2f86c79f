/* Starts as many threads as its argument says, writes "ready", and waits for ever. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_barrier_t all_run;

static void *thread(void *argument)
{
    pthread_barrier_wait(&all_run);
    for (;;)
        pause();
    return argument;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 0;
    pthread_barrier_init(&all_run, NULL, count + 1);
    for (int i = 0; i < count; i++) {
        pthread_t other;
        pthread_create(&other, NULL, thread, NULL);
    }
    pthread_barrier_wait(&all_run);
    write(1, "ready\n", 6);
    for (;;)
        pause();
}
