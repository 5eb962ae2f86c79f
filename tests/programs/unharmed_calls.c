/* Makes the system call that its argument names by one labelled instruction, and says what has come of it. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The number comes last, so that the arguments lie as the kernel wants them. */
long call(long first, long second, long third, long fourth, long fifth, long number);
__asm__(".text\n.globl call, at_call, at_syscall, at_return\n.type call, @function\n"
        "call:\n"
        "at_call: mov %r9, %rax\n"
        "mov %rcx, %r10\n"
        "pop %r9\n" /* A vfork child that returns would leave nothing on the stack for its parent. */
        "at_syscall: syscall\n"
        "at_return: push %r9\n"
        "ret\n");

static volatile int handled;

void handler(int number)
{
    handled++;
}

__attribute__((noinline)) void shared_function(void)
{
    __asm__ volatile("nop");
}

static int collect(long child)
{
    int status;

    if (waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void fork_and_wait(long number, long flags)
{
    static volatile int written_by_child;
    long child = call(flags, 0, 0, 0, 0, number);

    if (child == 0) {
        written_by_child = 1;
        shared_function();
        _exit(3);
    }
    shared_function();
    dprintf(1, "child exited %d, memory %d\n", collect(child), written_by_child);
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "nothing";
    char byte = 0;

    if (!strcmp(what, "read")) {
        dprintf(1, "%ld\n", call(0, (long)&byte, 1, 0, 0, SYS_read));
    } else if (!strcmp(what, "epoll_wait")) {
        struct epoll_event in = {.events = EPOLLIN}, event;
        int epoll = epoll_create1(0);

        epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &in);
        dprintf(1, "%ld\n", call(epoll, (long)&event, 1, 300000, 0, SYS_epoll_wait));
    } else if (!strcmp(what, "fork")) {
        fork_and_wait(SYS_fork, 0);
    } else if (!strcmp(what, "vfork")) {
        fork_and_wait(SYS_vfork, 0);
    } else if (!strcmp(what, "clone")) {
        fork_and_wait(SYS_clone, SIGCHLD);
    } else if (!strcmp(what, "exec")) {
        char *next[] = {arguments[0], "executed", NULL};
        call((long)"/proc/self/exe", (long)next, (long)environ, 0, 0, SYS_execve);
    } else if (!strcmp(what, "kill")) {
        signal(SIGUSR1, handler);
        long result = call(getpid(), SIGUSR1, 0, 0, 0, SYS_kill);
        dprintf(1, "%ld, handled %d\n", result, handled);
    } else if (!strcmp(what, "getpid")) {
        dprintf(1, "%d\n", call(0, 0, 0, 0, 0, SYS_getpid) == getpid());
    } else {
        dprintf(1, "%s\n", what);
    }
    return 0;
}
