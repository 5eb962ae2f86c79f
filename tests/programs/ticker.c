/* Counts for ever, twice: in a file that it maps (its argument), and in a variable to watch. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct shown {
    atomic_long ticks;
};

struct shown *shown;
volatile long watched;

void tick(void)
{
    shown->ticks++;
}

void change(void)
{
    watched++;
}

static void *count(void *unused)
{
    (void) unused;
    for (;;) {
        tick();
        change();
        usleep(1000);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int file = open(argv[argc - 1], O_RDWR | O_CREAT, 0600);

    if (file < 0 || ftruncate(file, sizeof *shown) != 0) {
        perror(argv[argc - 1]);
        return 1;
    }
    shown = mmap(NULL, sizeof *shown, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    pthread_create(&thread, NULL, count, NULL);
    count(NULL);
    return 0;
}
