/* Writes to the hub itself while it is loaded, and not what a describing child may say. */
#define FAULT_NAME "forger"
#include "good.h"
#include <sys/socket.h>

__attribute__((constructor)) static void forge(void)
{
    static const char words[] = "\x06\0\0\0\xff\xff"
                                "back";
    send(3, words, sizeof words - 1, 0);
}
