/* Starts the program that its arguments name by vfork and exec, writes its pid, and waits for it. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    pid_t child = vfork();
    if (child == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    dprintf(1, "%d\n", child);
    waitpid(child, NULL, 0);
    return 0;
}
