/* Every kind of event once or more. With an argument it is the program that it runs in the end: exits 7. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int handled;

static void handler(int signal)
{
    handled = signal;
}

static void *thread(void *argument)
{
    return argument;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return 7;

    pid_t child = fork();
    if (child == 0)
        _exit(3);
    waitpid(child, NULL, 0);

    child = vfork();
    if (child == 0)
        _exit(4);
    waitpid(child, NULL, 0);

    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);

    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    raise(SIGSTOP);

    execl(argv[0], argv[0], "again", NULL);
    return 1;
}
