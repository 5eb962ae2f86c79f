/* Writes where its time is, and sleeps until it comes, in a hundred years. */
#include <stdio.h>
#include <time.h>

int main(void)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += 100L * 365 * 86400;
    dprintf(1, "%ld\n", (long)&end);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
    return 0;
}
