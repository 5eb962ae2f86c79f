/* Prints how it was started: arguments, a variable, the folder, the stack's place; exits with their number. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char folder[4096];

    for (int i = 1; i < argc; i++)
        printf("argument [%s]\n", argv[i]);
    printf("GREETING [%s]\n", getenv("GREETING") ? getenv("GREETING") : "unset");
    printf("LC_ALL [%s]\n", getenv("LC_ALL") ? getenv("LC_ALL") : "unset");
    printf("folder %s\n", getcwd(folder, sizeof folder));
    printf("randomization %s\n", personality(0xffffffff) & ADDR_NO_RANDOMIZE ? "off" : "on");
    fflush(stdout);
    return argc - 1;
}
