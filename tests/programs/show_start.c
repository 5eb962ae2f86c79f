/* Shows how it was started: its arguments, a variable, its input; exits with its number of arguments. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char line[100];

    for (int i = 1; i < argc; i++)
        printf("argument [%s]\n", argv[i]);
    printf("variable [%s]\n", getenv("SHOWN") ? getenv("SHOWN") : "unset");
    printf("input [%s]\n", fgets(line, sizeof line, stdin) ? line : "none");
    printf("foreground %d\n", tcgetpgrp(0) == getpgrp());
    printf("address %p\n", (void *) &line);
    return argc - 1;
}
