/* A parent that tells what it sees of its child, which is this program with the argument "child".
 *
 * It writes the child's pid and then each of its status changes; SIGCHLDs are counted, too. The child reads
 * letters from the standard input: e: exit with 3, s: stop itself, w: write to the watched word, p: say that
 * it lives.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

volatile long watched;
static volatile int signals, codes[16];

static void on_child(int number, siginfo_t *info, void *context)
{
    if (signals < 16)
        codes[signals] = info->si_code;
    signals++;
}

static void child(void)
{
    char letter;

    while (read(0, &letter, 1) == 1) {
        if (letter == 'e')
            _exit(3);
        if (letter == 's')
            raise(SIGSTOP);
        if (letter == 'w')
            watched++;
        if (letter == 'p' || letter == 'w')
            dprintf(1, "alive %ld\n", watched);
    }
    _exit(0);
}

int main(int count, char **arguments)
{
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigset_t none;
    int status;
    pid_t pid;

    if (count > 1 && !strcmp(arguments[1], "child"))
        child();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* Whoever started it may have blocked SIGCHLD. */
    sigaction(SIGCHLD, &action, NULL);
    pid = fork();
    if (pid == 0)
        execl("/proc/self/exe", arguments[0], "child", NULL);
    dprintf(1, "pid %d\n", pid);
    for (;;) {
        if (waitpid(pid, &status, WUNTRACED | WCONTINUED) != pid)
            return 1;
        if (WIFSTOPPED(status))
            dprintf(1, "stopped %d\n", WSTOPSIG(status));
        else if (WIFCONTINUED(status))
            dprintf(1, "continued\n");
        else
            break;
    }
    if (WIFEXITED(status))
        dprintf(1, "exited %d\n", WEXITSTATUS(status));
    else
        dprintf(1, "killed %d\n", WTERMSIG(status));
    dprintf(1, "%d signals:", signals);
    for (int i = 0; i < signals; i++)
        dprintf(1, " %d", codes[i]);
    dprintf(1, "\n");
    return 0;
}
