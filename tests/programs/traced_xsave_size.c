/* Writes the size of the XSAVE area for the state that the kernel uses (CPUID leaf 0xD). */
#include <cpuid.h>
#include <stdio.h>

int main(void)
{
    unsigned eax, ebx, ecx, edx;
    __cpuid_count(0xd, 0, eax, ebx, ecx, edx);
    printf("%u\n", ebx);
    return 0;
}
