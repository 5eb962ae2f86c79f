/* Sends itself signals that it handles, then one that it does not survive unless a debugger helps. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int handled;
int valid = 7;
int *pointer;
void *reported;

void handler(int number)
{
    handled += number;
}

void fault_handler(int number, siginfo_t *info, void *context)
{
    (void) context;
    reported = info->si_addr;
    pointer = &valid;
    handled += number;
    _exit(reported == (void *) 0x1234 ? 34 : 35);
}

int read_it(void)
{
    return *pointer; /* faults */
}

int main(int argc, char **argv)
{
    signal(SIGUSR1, handler);
    signal(SIGUSR2, handler);
    if (argc > 1 && strcmp(argv[1], "handle") == 0) {
        struct sigaction action = {.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO};
        sigaction(SIGSEGV, &action, NULL);
    }
    kill(getpid(), SIGUSR1); /* first */
    kill(getpid(), SIGUSR2); /* second */
    printf("handled %d\n", handled);
    fflush(stdout);
    return read_it();
}
