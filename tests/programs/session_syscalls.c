/* A few system calls, one of which fails. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int mask;
int opened;

int main(void)
{
    mask = umask(022);
    opened = open("/nowhere", O_RDONLY);
    umask(mask);
    _exit(opened == -1 ? 3 : 4);
}
