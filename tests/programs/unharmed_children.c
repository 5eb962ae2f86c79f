/* Makes a child in the way that its argument names; both call `shared`, and the child goes on until a byte
 * comes on the standard input (a vfork child ends at once). The parent tells of its end.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int count;

__attribute__((noinline)) void shared(void)
{
    count++;
}

int main(int number, char **arguments)
{
    const char *how = arguments[1];
    int status, fast = !strcmp(how, "vfork") || !strcmp(how, "vfork_exec");
    pid_t child;
    char byte;

    shared();
    if (fast)
        child = vfork();
    else
        child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        if (!strcmp(how, "vfork_exec")) {
            char *next[] = {"cat", NULL};
            execvp("cat", next);
        }
        for (int i = 0; i < 3; i++)
            shared();
        if (!fast) {
            dprintf(1, "child %d\n", getpid());
            read(0, &byte, 1);
        }
        _exit(count);
    }
    shared();
    if (!fast || !strcmp(how, "vfork_exec"))
        dprintf(1, "parent of %d\n", child);
    waitpid(child, &status, 0);
    shared();
    if (WIFSIGNALED(status))
        dprintf(1, "child killed by %d\n", WTERMSIG(status));
    else
        dprintf(1, "child exited %d, count %d\n", WEXITSTATUS(status), count);
    return 0;
}
