/* Blocks in the system call that its argument names and says how the call has ended.
 *
 * Its child does what ends the call: it reads letters from the standard input. d: make the data come that
 * the call waits for, s: send SIGUSR1 (caught), i: send SIGUSR2 (ignored). Without them, some calls have a
 * time-out. A second argument "restart" sets SA_RESTART for SIGUSR1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int data[2], sockets[2], epoll, notify, semaphore, queue;
static char folder[] = "/tmp/blocked-XXXXXX";
static aio_context_t aio;
static const struct timespec nap = {0, 500000000};
static const struct timespec ages = {300, 0};

static void caught(int signal)
{
    write(1, "caught\n", 7);
}

static void make_data_come(pid_t parent)
{
    struct sembuf up = {0, 1, 0};
    struct { long type; char text[1]; } message = {1, "x"};
    char file[64];

    write(data[1], "x", 1);
    send(sockets[1], "x", 1, 0);
    semop(semaphore, &up, 1);
    msgsnd(queue, &message, 1, 0);
    snprintf(file, sizeof file, "%s/file", folder);
    fclose(fopen(file, "w"));
    unlink(file);
    kill(parent, SIGWINCH);
}

static void child(pid_t parent)
{
    char letter;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(0, &letter, 1) == 1) {
        if (letter == 'd') {
            make_data_come(parent);
            _exit(7);
        }
        kill(parent, letter == 's' ? SIGUSR1 : SIGUSR2);
    }
    for (;;)
        pause();
}

static void prepare(void)
{
    struct epoll_event in = {.events = EPOLLIN};
    struct iocb poll_data = {.aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN}, *all[] = {&poll_data};

    pipe(data);
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, data[0], &in);
    notify = inotify_init();
    inotify_add_watch(notify, mkdtemp(folder), IN_CREATE);
    semaphore = semget(IPC_PRIVATE, 1, 0600);
    queue = msgget(IPC_PRIVATE, 0600);
    syscall(SYS_io_setup, 1, &aio);
    poll_data.aio_fildes = data[0];
    syscall(SYS_io_submit, aio, 1, all);
}

static long block(const char *call)
{
    struct pollfd descriptor = {data[0], POLLIN};
    struct sembuf down = {0, -1, 0};
    struct epoll_event event;
    struct io_event done;
    struct timeval interval = {300, 0};
    char buffer[512];
    sigset_t none, window;
    fd_set set;
    int word = 0, status;

    sigemptyset(&none);
    sigemptyset(&window);
    sigaddset(&window, SIGWINCH);
    FD_ZERO(&set);
    FD_SET(data[0], &set);
    if (!strcmp(call, "read"))
        return read(data[0], buffer, 1);
    if (!strcmp(call, "nanosleep"))
        return syscall(SYS_nanosleep, &nap, NULL);
    if (!strcmp(call, "clock_nanosleep"))
        return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &nap, NULL);
    if (!strcmp(call, "poll"))
        return poll(&descriptor, 1, -1);
    if (!strcmp(call, "ppoll"))
        return ppoll(&descriptor, 1, &ages, &none);
    if (!strcmp(call, "select"))
        return syscall(SYS_select, data[0] + 1, &set, NULL, NULL, &interval);
    if (!strcmp(call, "futex"))
        return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &nap, NULL, 0);
    if (!strcmp(call, "recv"))
        return recv(sockets[0], buffer, 1, 0);
    if (!strcmp(call, "recv_timeout") || !strcmp(call, "recv_timing_out")) {
        if (!strcmp(call, "recv_timing_out"))
            interval = (struct timeval){0, 500000};
        setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &interval, sizeof interval);
        return recv(sockets[0], buffer, 1, 0);
    }
    if (!strcmp(call, "msgrcv"))
        return msgrcv(queue, buffer, 1, 0, 0);
    if (!strcmp(call, "pause"))
        return pause();
    if (!strcmp(call, "sigsuspend")) {
        /* As sigsuspend is meant: the signal comes nowhere else. */
        sigaddset(&window, SIGUSR1);
        sigprocmask(SIG_BLOCK, &window, NULL);
        return sigsuspend(&none);
    }
    if (!strcmp(call, "inotify"))
        return read(notify, buffer, sizeof buffer) > 0;
    if (!strcmp(call, "wait4"))
        return wait4(-1, &status, 0, NULL) > 0 ? WEXITSTATUS(status) : -1;
    if (!strcmp(call, "epoll_wait"))
        return epoll_wait(epoll, &event, 1, 300000);
    if (!strcmp(call, "epoll_timing_out")) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, data[0], NULL);
        return epoll_wait(epoll, &event, 1, 500);
    }
    if (!strcmp(call, "semop"))
        return syscall(SYS_semop, semaphore, &down, 1);
    if (!strcmp(call, "sigtimedwait")) {
        sigprocmask(SIG_BLOCK, &window, NULL);
        return sigtimedwait(&window, NULL, &ages);
    }
    if (!strcmp(call, "io_getevents"))
        return syscall(SYS_io_getevents, aio, 1, 1, &done, &ages);
    abort();
}

int call_me(int number)
{
    return number + 1;
}

int main(int count, char **arguments)
{
    int restart = count > 2 && !strcmp(arguments[2], "restart");
    struct sigaction action = {.sa_handler = caught, .sa_flags = restart ? SA_RESTART : 0};
    struct timespec before, after;
    pid_t parent = getpid();
    char file[64];
    long result;
    int error;

    sigaction(SIGUSR1, &action, NULL);
    signal(SIGUSR2, SIG_IGN);
    prepare();
    pid_t other = fork();
    if (other == 0)
        child(parent);
    clock_gettime(CLOCK_MONOTONIC, &before);
    result = block(arguments[1]);
    error = result < 0 ? errno : 0;
    clock_gettime(CLOCK_MONOTONIC, &after);
    long milliseconds = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    dprintf(1, "%ld %s%s\n", result, error ? strerrorname_np(error) : "", milliseconds >= 499 ? " late" : "");
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    snprintf(file, sizeof file, "%s/file", folder);
    unlink(file);
    semctl(semaphore, 0, IPC_RMID);
    msgctl(queue, IPC_RMID, NULL);
    rmdir(folder);
    return 0;
}
