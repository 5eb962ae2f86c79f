/* Works in as many threads as its argument says, and does what the bytes on its standard input say:
 * f: makes a child that ends with status 3; e: executes itself again, with one thread; the end of input: ends.
 * What it writes depends on nothing else but the signals that it gets and on `value`.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

volatile long value = 5;
volatile int first_caught, second_caught;
static volatile int finish;
static atomic_long visits, sum;

__attribute__((noinline)) void visit(void)
{
    visits++;
}

__attribute__((noinline)) void other(void)
{
    __asm__ volatile("nop\n nop\n nop\n nop");
}

__attribute__((noinline)) void in_child(void)
{
    __asm__ volatile("nop");
}

static void caught(int number)
{
    if (number == SIGUSR1)
        first_caught++;
    else
        second_caught++;
}

static void *work(void *argument)
{
    while (!finish) {
        visit();
        usleep(1000);
    }
    for (int i = 0; i < 1000; i++) {
        visit();
        sum += i;
    }
    return argument;
}

static void make_child(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        in_child();
        _exit(3);
    }
    waitpid(child, &status, 0);
    dprintf(1, "child %d %d\n", WIFEXITED(status), WEXITSTATUS(status));
}

int main(int count, char **arguments)
{
    int threads = atoi(arguments[1]);
    pthread_t others[threads];
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char byte;

    signal(SIGUSR1, caught);
    signal(SIGUSR2, caught);
    for (int i = 1; i < threads; i++)
        pthread_create(&others[i], NULL, work, NULL);
    dprintf(1, "ready %d\n", threads);
    for (;;) {
        visit();
        other();
        if (poll(&input, 1, 1) <= 0)
            continue;
        if (read(0, &byte, 1) != 1)
            break;
        if (byte == 'f')
            make_child();
        if (byte == 'e')
            execl("/proc/self/exe", arguments[0], "1", (char *)0);
    }
    finish = 1;
    for (int i = 1; i < threads; i++)
        pthread_join(others[i], NULL);
    dprintf(1, "sum %ld, value %ld, caught %d and %d\n", sum, value, first_caught, second_caught);
    return 7;
}
