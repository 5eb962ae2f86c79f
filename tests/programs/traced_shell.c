/* A shell with one job, on the terminal that its argument names: runs it in the foreground, says what becomes of it,
   and continues it in the foreground for each line that it gets while it has the terminal. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    setsid();
    int terminal = open(argv[1], O_RDWR);
    ioctl(terminal, TIOCSCTTY, 0);
    signal(SIGTTOU, SIG_IGN);

    pid_t job = fork();
    if (job == 0) {
        setpgid(0, 0);
        signal(SIGTTOU, SIG_DFL);
        execl(argv[2], argv[2], argv[3], NULL);
        _exit(127);
    }
    setpgid(job, job);
    tcsetpgrp(terminal, job);
    dprintf(1, "%d\n", job);

    for (;;) {
        siginfo_t info;
        waitid(P_PID, job, &info, WSTOPPED | WCONTINUED | WEXITED);
        dprintf(1, "%d %d\n", info.si_code, info.si_status);
        if (info.si_code != CLD_STOPPED && info.si_code != CLD_CONTINUED)
            return 0;
        if (info.si_code == CLD_STOPPED) {
            char line[16];
            tcsetpgrp(terminal, getpgrp());
            read(terminal, line, sizeof line);
            tcsetpgrp(terminal, job);
            kill(-job, SIGCONT);
        }
    }
}
