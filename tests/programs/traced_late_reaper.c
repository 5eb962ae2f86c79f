/* Has a child that waits for ever, and writes its pid; collects it only after it has got a line. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    dprintf(1, "%d\n", child);

    char line;
    int status;
    read(0, &line, 1);
    waitpid(child, &status, 0);
    dprintf(1, "%#x\n", status);
    return 0;
}
