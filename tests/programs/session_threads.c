/* Threads that work one after the other, and then all wait in a system call until they are interrupted.
 * System calls are made here rather than in the C library, so that the places where threads wait have the same
 * names with every library.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>

__thread int own = 100;
int order[3];
volatile int done;
volatile int release;

void sleep_for_ever(void)
{
    while (!release)
        __asm__ volatile("syscall" : : "a"(SYS_pause) : "rcx", "r11", "memory");
}

void work(int number)
{
    own += number;
    order[done] = number; /* work line */
    done++;
}

long futex(int operation, int value)
{
    register long no_timeout __asm__("r10") = 0;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_futex), "D"(&done), "S"(operation), "d"(value), "r"(no_timeout)
                     : "rcx", "r11", "memory");
    return result;
}

void *worker(void *argument)
{
    int number = *(int *) argument;

    pthread_setname_np(pthread_self(), number == 1 ? "first" : "second");
    work(number);
    futex(FUTEX_WAKE, 1);
    sleep_for_ever();
    return NULL;
}

void wait_for(int count)
{
    int seen;

    while ((seen = done) < count)
        futex(FUTEX_WAIT, seen);
}

void go_to_sleep(void)
{
    sleep_for_ever();
}

int main(void)
{
    pthread_t threads[2];
    int numbers[2] = {1, 2};

    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, worker, &numbers[i]);
        wait_for(i + 1);
    }
    work(3 - 3);
    go_to_sleep();
    return order[0];
}
