/* Writes and reads its variables, first here, then in a thread, in a child and, when it has got a line, again. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

volatile uint64_t written[2] __attribute__((aligned(16)));
volatile uint64_t read_only __attribute__((aligned(8))) = 5;

__attribute__((noinline)) void touch(void)
{
    written[0]++;
    written[1] += read_only;
}

static void *thread(void *argument)
{
    touch();
    return argument;
}

int main(int argc, char **argv)
{
    touch();
    touch();

    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);

    pid_t child = fork();
    if (child == 0) {
        touch();
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);

    if (argc > 1) {
        char line;
        write(1, "ready\n", 6);
        read(0, &line, 1);
        touch();
    }
    dprintf(1, "%ld %ld %d\n", (long)written[0], (long)written[1], status);
    return 0;
}
