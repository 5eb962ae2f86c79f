/* What people look at in a debugger: calls, recursion, data, threads, a loop that can be interrupted. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct point {
    int x, y;
    const char *name;
};

struct point origin = {3, 4, "origin"};
int counter;
volatile int go_on = 1;

int add(int a, int b)
{
    int sum = a + b;
    return sum;
}

int factorial(int n)
{
    if (n < 2)
        return 1;
    return n * factorial(n - 1);
}

void *worker(void *argument)
{
    int number = *(int *) argument;
    counter += number; /* worker line */
    return NULL;
}

void spin(void)
{
    while (go_on)
        usleep(1000);
}

int main(void)
{
    pthread_t threads[2];
    int numbers[2] = {10, 20};
    int total = add(origin.x, origin.y); /* first line */

    counter = total;
    counter = factorial(5);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, worker, &numbers[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    spin();
    printf("counter %d\n", counter);
    return 42;
}
