/* Sends itself signals that it handles, then one that it does not survive unless a debugger helps. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
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
    handled += number;
    _exit(reported == (void *) 0x1234 ? 34 : 35);
}

int read_it(void)
{
    return *pointer; /* faults */
}

void send(int process, int signal)
{
    long result;

    /* Here rather than in the C library, so that the place has the same name with every library. */
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_kill), "D"(process), "S"(signal)
                     : "rcx", "r11", "memory");
}

int main(int argc, char **argv)
{
    int self = getpid();

    signal(SIGUSR1, handler);
    signal(SIGUSR2, handler);
    if (argc > 1 && strcmp(argv[1], "handle") == 0) {
        struct sigaction action = {.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO};
        sigaction(SIGSEGV, &action, NULL);
    }
    send(self, SIGUSR1);
    send(self, SIGUSR2);
    printf("handled %d\n", handled);
    fflush(stdout);
    return read_it();
}
