/* Calls, a recursion, a loop, data: what a first look with a debugger goes through. Exits with 42. */
#include <stdio.h>

struct point {
    int x, y;
    const char *name;
};

struct point origin = {3, 4, "origin"};
int counter;
int table[8] = {1, 2, 3, 5, 8, 13, 21, 34};
double ratio = 0.5;
const char motto[] = "what is constant is in the file";

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

int loop(int times)
{
    int total = 0;

    for (int i = 0; i < times; i++) {
        total += table[i % 8];
        counter++;
    }
    return total;
}

int main(void)
{
    int total = add(origin.x, origin.y); /* first line */

    counter = total;
    total += factorial(5);
    total += loop(6);
    printf("total %d counter %d %s\n", total, counter, motto);
    return 42;
}
