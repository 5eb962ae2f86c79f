/* What the benchmarks debug: a loop to step, a function to break in, memory to read, threads to attach to. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK (64 << 20)
char *block;
volatile long counter;

__attribute__((noinline)) void hit(void) { counter++; }

static void *sleeper(void *unused) {
    for (;;) pause();
    return unused;
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "threads") == 0) {
        pthread_attr_t small;
        pthread_t thread;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 65536);
        for (int i = 1; i < atoi(argv[2]); i++) pthread_create(&thread, &small, sleeper, NULL);
        puts("ready");
        fflush(stdout);
        for (;;) pause();
    }
    block = malloc(BLOCK);
    for (long i = 0; i < BLOCK; i++) block[i] = (char)(i * 2654435761u >> 13);
    for (;;) hit();
}
