/* Two threads that make a child each; a child says so and ends. The process ends when both have. */
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The C library's fork() lets threads do so one after the other only. */
static void *make_child(void *unused)
{
    long child = syscall(SYS_fork);

    if (child == 0) {
        syscall(SYS_write, 1, "child\n", 6);
        syscall(SYS_exit_group, 0);
    }
    syscall(SYS_wait4, child, NULL, __WALL, NULL);
    return unused;
}

int main(void)
{
    pthread_t other;

    pthread_create(&other, NULL, make_child, NULL);
    make_child(NULL);
    pthread_join(other, NULL);
    return 0;
}
