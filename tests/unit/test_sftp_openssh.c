/* The SFTP connector against OpenSSH's own server. */
#include "sftp_fixture.h"

#include <stdio.h>

int main(void)
{
    const char *missing = server_missing(SERVER_OPENSSH);
    if (missing) {
        printf("not run: %s\n", missing);
        return 77;
    }
    return run_shared_cases(SERVER_OPENSSH);
}
