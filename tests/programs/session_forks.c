/* Makes a child as its first argument says, which ends at once or becomes the program of the second one. */
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int result;

/* Here rather than in the C library, so that the place has the same name with every library; and inline,
 * since a child of vfork must not return from the function that made it. */
static inline __attribute__((always_inline)) long make_child(long number)
{
    long child;

    __asm__ volatile("syscall" : "=a"(child) : "a"(number) : "rcx", "r11", "memory");
    return child;
}

void in_child(void)
{
    result = 5;
}

void in_parent(int status)
{
    result = WEXITSTATUS(status) + 10;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "fork";
    long child;
    int status;

    if (strcmp(how, "exec") == 0) {
        execl(argv[2], argv[2], (char *) 0);
        return 99;
    }
    if (strcmp(how, "vfork") == 0)
        child = make_child(SYS_vfork);
    else
        child = make_child(SYS_fork);
    if (child == 0) {
        in_child();
        if (argc > 2)
            execl(argv[2], argv[2], (char *) 0);
        _exit(result);
    }
    waitpid(child, &status, 0);
    in_parent(status);
    return result;
}
