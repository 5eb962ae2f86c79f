/* Threads that work one after the other, and then all wait in a system call until they are interrupted. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>

__thread int own = 100;
int order[3];
int done;
volatile int release;

void sleep_for_ever(void)
{
    /* Here rather than in the C library, so that the place has the same name with every library. */
    while (!release)
        __asm__ volatile("syscall" : : "a"(SYS_pause) : "rcx", "r11", "memory");
}

void work(int number)
{
    own += number;
    order[done] = number; /* work line */
    done++;
}

void *worker(void *argument)
{
    int number = *(int *) argument;

    pthread_setname_np(pthread_self(), number == 1 ? "first" : "second");
    work(number);
    sleep_for_ever();
    return NULL;
}

void wait_for(int count)
{
    while (*(volatile int *) &done < count)
        __asm__ volatile("pause");
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
