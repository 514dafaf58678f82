/* The third wall: files. What is not below a named folder or on the short list of system files cannot be
 * opened. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/walls.h"

/* Newer than Debian 12's header; the kernel is asked which it knows. */
#define FS_REFER     (1ULL << 13) /* ABI 2 */
#define FS_TRUNCATE  (1ULL << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define NET_ALL      (3ULL)       /* ABI 4: bind and connect TCP */
#define SCOPE_ALL    (3ULL)       /* ABI 6: abstract Unix sockets, signals */
#define FS_ABI_1     ((1ULL << 13) - 1)

struct ruleset {
    uint64_t fs, net, scope;
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                             \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |        \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | FS_REFER | FS_TRUNCATE)
/* The rights that a rule on a plain file may carry. */
#define FS_OF_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

static const struct sandbox_folder system_files[] = {
    {"/lib", false},
    {"/lib64", false},
    {"/usr/lib", false},
    {"/usr/lib64", false},
    {"/usr/local/lib", false},
    {"/etc/ld.so.cache", false},
    {"/etc/localtime", false},
    {"/usr/share/zoneinfo", false},
    {"/usr/share/locale", false},
    {"/etc/ssl/certs", false}, /* not all of /etc/ssl: it has a folder of private keys */
    {"/etc/ssl/openssl.cnf", false},
    {"/usr/share/ca-certificates", false},
    {"/usr/local/share/ca-certificates", false},
    {"/etc/pki/tls/certs", false},
    {"/etc/pki/ca-trust", false},
    {"/dev/urandom", false},
    {"/dev/random", false},
    {"/dev/null", true},
};

static uint64_t known_fs(int abi)
{
    return FS_ABI_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
           (abi >= 5 ? FS_IOCTL_DEV : 0);
}

static int make_ruleset(int abi)
{
    struct ruleset ruleset = {known_fs(abi), abi >= 4 ? NET_ALL : 0, abi >= 6 ? SCOPE_ALL : 0};
    size_t size = abi >= 6 ? sizeof ruleset : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    return (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
}

/* A path that is not there needs no rule. */
static int add_rule(int ruleset, int abi, const struct sandbox_folder *folder, struct reason *why)
{
    int fd = open(folder->path, O_PATH | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
        return 0;
    struct stat st;
    int result = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        result =
            fail(why, error_from_errno(errno), "Landlock: cannot open %s: %s", folder->path, strerror(errno));
        goto out;
    }
    uint64_t access = (FS_READ | (folder->write ? FS_WRITE : 0)) & known_fs(abi);
    if (!S_ISDIR(st.st_mode))
        access &= FS_OF_FILE;
    struct landlock_path_beneath_attr rule = {access, fd};
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        result =
            fail(why, error_from_errno(errno), "Landlock: cannot name %s: %s", folder->path, strerror(errno));
out:
    if (fd >= 0)
        close(fd);
    return result;
}

/* Stack traces name their lines from these. */
static int add_sanitizer_rules(int ruleset, int abi, struct reason *why)
{
    int result = add_rule(ruleset, abi, &(struct sandbox_folder){"/proc/self", false}, why);
    char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (!result && n > 0) {
        path[n] = 0;
        result = add_rule(ruleset, abi, &(struct sandbox_folder){path, false}, why);
    }
    return result;
}

static int add_rules(int ruleset, int abi, const struct sandbox_folder *folders, size_t count,
                     struct reason *why)
{
    int result = 0;
    for (size_t i = 0; i < sizeof system_files / sizeof *system_files && !result; i++)
        result = add_rule(ruleset, abi, &system_files[i], why);
    for (size_t i = 0; i < count && !result; i++)
        result = add_rule(ruleset, abi, &folders[i], why);
    if (!result && SANDBOX_SANITIZED)
        result = add_sanitizer_rules(ruleset, abi, why);
    return result;
}

int wall_landlock(enum sandbox_role role, const struct sandbox_folder *folders, size_t count, int *abi,
                  struct reason *why)
{
    (void)role; /* who may write is decided by the folders given, and by seccomp */
    *abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (*abi < 1) {
        int number = errno;
        *abi = 0;
        return fail(why, ACCORD_ENOTSUP, "this kernel has no Landlock (%s); add landlock to the lsm= list",
                    strerror(number));
    }
    int ruleset = make_ruleset(*abi);
    if (ruleset < 0)
        return fail(why, error_from_errno(errno), "Landlock refuses its rule set: %s", strerror(errno));
    int result = add_rules(ruleset, *abi, folders, count, why);
    if (!result && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        result = fail(why, error_from_errno(errno), "Landlock cannot be closed: %s", strerror(errno));
    close(ruleset);
    return result;
}
