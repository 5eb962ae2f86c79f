/* Many threads call `work` all the time, which counts in each thread's own counter, and make a system call.
 *
 * Arguments: threads, and calls of each of them (0: until a byte comes on the standard input); a third one has
 * `work` called with an instruction that cannot be moved to another address. At the end the program
 * compares what `work` has counted with what each thread has counted by itself, and writes the sum.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct counter {
    long value;
    long pad[7];
};

struct counter counters[512];
long own[512];
int tids[512];
static long calls;
static int far;
static volatile int stop;

void work(struct counter *counter);
void work_far(struct counter *counter);
__asm__(".text\n.globl work\n.type work, @function\n"
        "work: incq (%rdi)\n"
        "ret\n"
        ".globl at_far\n"
        "work_far:\n"
        "at_far: lcall *far_pointer(%rip)\n"
        "ret\n"
        "count_far: incq (%rdi)\n"
        "lretl\n"
        ".data\nfar_pointer: .long count_far\n.word 0x33\n.text\n"
        ".size work, . - work\n");

static void *hammer(void *argument)
{
    long index = (long)argument;

    tids[index] = gettid();
    while (calls ? own[index] < calls : !stop) {
        (far ? work_far : work)(&counters[index]);
        own[index]++;
        if (syscall(SYS_getppid) < 0)
            abort();
    }
    return NULL;
}

int main(int count, char **arguments)
{
    long threads = atol(arguments[1]), sum = 0;
    pthread_t ids[512];
    pthread_attr_t small;
    char byte;

    nice(19); /* They leave the processors to whoever looks at them. */
    calls = atol(arguments[2]);
    far = count > 3;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (long index = 0; index < threads; index++)
        if (pthread_create(&ids[index], &small, hammer, (void *)index))
            return 1;
    dprintf(1, "ready\n");
    if (!calls)
        read(0, &byte, 1);
    stop = 1;
    for (long index = 0; index < threads; index++) {
        pthread_join(ids[index], NULL);
        if (counters[index].value != own[index])
            dprintf(1, "thread %ld: %ld calls, %ld counted\n", index, own[index], counters[index].value);
        sum += own[index];
    }
    dprintf(1, "%ld calls\n", sum);
    return 0;
}
