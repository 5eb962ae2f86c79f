/* Traps of its own: an int3, a SIGTRAP sent to itself, and a step of its own making. The handler leaves SIGTRAP
   unblocked: the kernel takes the handler away from a program that is stepped while it is blocked. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>

static void handler(int signal, siginfo_t *info, void *context)
{
    ucontext_t *here = context;
    here->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
    dprintf(1, "%d\n", info->si_code);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGTRAP, &action, NULL);
    __asm__ volatile(".globl own_int3\nown_int3: int3");
    kill(getpid(), SIGTRAP);
    __asm__ volatile("pushfq\n orl $0x100, (%rsp)\n popfq\n nop");
    __asm__ volatile(".globl own_int3_again\nown_int3_again: int3");
    return 0;
}
