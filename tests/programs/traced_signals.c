/* Catches SIGUSR1 and SIGHUP, ignores SIGUSR2, and writes each signal that it gets, with who sent it. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)context;
    dprintf(1, "%d from %d\n", signal, info->si_pid);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGUSR2, SIG_IGN);
    write(1, "ready\n", 6);
    for (;;)
        pause();
}
