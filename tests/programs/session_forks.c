/* Makes a child as its first argument says, which ends at once or becomes the program of the second one. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int result;

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
    pid_t child;
    int status;

    if (strcmp(how, "exec") == 0) {
        execl(argv[2], argv[2], (char *) 0);
        return 99;
    }
    child = strcmp(how, "vfork") == 0 ? vfork() : fork();
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
