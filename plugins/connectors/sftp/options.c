/* The SFTP connector's options, and the rules that no single one can state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "poll.h"
#include "sftp.h"

#define FIELD(type, name) offsetof(struct type, name)

static const char *const auth_choices[] = {"publickey", "password", "keyboard-interactive", NULL};

const struct accord_option sftp_link_table[] = {
    {.name = "user",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(link_options, user),
     .help = "The name that the partner knows us by."},
    {.name = "auth",
     .kind = ACCORD_LIST,
     .offset = FIELD(link_options, auth),
     .fallback = "publickey",
     .choices = auth_choices,
     .help = "How we prove who we are, in this order, each way once; what the partner does not take is "
             "passed over, and a "
             "partner that wants several in turn gets them. Others than publickey must be allowed in [policy "
             "encryption] "
             "ssh-auth."},
    {.name = "key",
     .kind = ACCORD_SECRET,
     .offset = FIELD(link_options, key),
     .help = "The private key, an OpenSSH or PEM file. Required when `auth` names publickey."},
    {.name = "key-passphrase",
     .kind = ACCORD_SECRET,
     .offset = FIELD(link_options, key_passphrase),
     .help = "The private key's passphrase, when it has one."},
    {.name = "certificate",
     .kind = ACCORD_SECRET,
     .offset = FIELD(link_options, certificate),
     .help = "The certificate of that key, as ssh-keygen -s writes it (KEY-cert.pub). Out of its dates it "
             "parks the link "
             "before it is sent."},
    {.name = "password",
     .kind = ACCORD_SECRET,
     .offset = FIELD(link_options, password),
     .help = "The password, for `auth` with password or keyboard-interactive: of the latter a single "
             "question for it is "
             "answered."},
    {.name = "host-key",
     .kind = ACCORD_LIST,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(link_options, host_keys),
     .help =
         "The partner's host keys, as ssh-keygen -l prints them (SHA256:...). Any other key ends the session "
         "before anything is sent, and parks the link."},
    {.name = "connections",
     .kind = ACCORD_INTEGER,
     .offset = FIELD(link_options, connections),
     .fallback = "4",
     .min = 1,
     .max = 16,
     .help = "How many sessions may be open at the same time. A further one is opened for each file of more "
             "than 1 MiB and "
             "for every eight others. Where the partner refuses it, the link goes on with those it has."},
    {.name = "files",
     .kind = ACCORD_INTEGER,
     .offset = FIELD(link_options, files),
     .fallback = "64",
     .min = 1,
     .max = 256,
     .help = "How many files may be on their way at the same time in each direction, in one session."},
    {.name = "timeout",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, timeout),
     .fallback = "30 s",
     .min = 1000,
     .max = 600000,
     .help = "Longest silence of the partner while an answer is due."},
    {.name = "keep-alive",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, keep_alive),
     .fallback = "30 s",
     .min = 0,
     .max = 3600000,
     .help = "How long a session in use may be silent before the partner is asked whether it is still there; "
             "0: for ever."},
    {.name = "idle-close",
     .kind = ACCORD_DURATION,
     .offset = FIELD(link_options, idle_close),
     .fallback = "10 s",
     .min = 0,
     .max = 600000,
     .help =
         "How long a session stays open when there is nothing to send. Agreements want no idle connections."},
    {0},
};

static const char *const after_choices[] = {"delete", "move", "keep", NULL};
static const char *const exists_choices[] = {"fail", "same-content-is-delivered", "replace",
                                             "replace-by-removing", NULL};
static const char *const resume_choices[] = {"yes", "verified", "no", NULL};
static const char *const taken_choices[] = {"uncertain", "delivered", NULL};
static const char *const fsync_choices[] = {"when-offered", "require", "never", NULL};

const struct accord_option sftp_service_table[] = {
    {.name = "directory",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_REQUIRED,
     .offset = FIELD(service_options, directory),
     .help = "The partner's folder. Relative: below the folder where the partner lets us begin."},
    {.name = "temporary",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, temporary),
     .fallback = ".accord-",
     .help = "What the name of an unfinished file begins with; the message id and .tmp follow."},
    {.name = "if-exists",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, if_exists),
     .fallback = "fail",
     .choices = exists_choices,
     .help =
         "What to do when the partner has a file of this name: refuse the message; read that file, and count "
         "the "
         "message as delivered when it is the same; replace it in one step (posix-rename@openssh.com, which "
         "the "
         "partner must offer); or remove it and rename after that, which leaves a moment without any file."},
    {.name = "permissions",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, permissions),
     .max = 4,
     .help = "The permissions of new files, octal as in 0640. Not set: the partner's own."},
    {.name = "resume",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, resume),
     .fallback = "yes",
     .choices = resume_choices,
     .help =
         "Whether a large file whose sending was interrupted goes on 16 MiB before the place where it "
         "stopped. The "
         "last 1 MiB before that is read back and compared (yes), or all of it (verified: for partners whose "
         "machine may have lost what it had taken)."},
    {.name = "taken-early",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, taken_early),
     .fallback = "uncertain",
     .choices = taken_choices,
     .help = "What it means when the complete temporary file is gone before it could be renamed."},
    {.name = "fsync",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, fsync),
     .fallback = "when-offered",
     .choices = fsync_choices,
     .help = "Whether the partner must write the file to its disk (fsync@openssh.com) before it counts."},
    {.name = "stale-after",
     .kind = ACCORD_DURATION,
     .flags = ACCORD_WHEN_SENDING,
     .offset = FIELD(service_options, stale_after),
     .fallback = "1 day",
     .min = 60000,
     .max = INT64_C(365) * 86400000,
     .help = "Unfinished files of ours that are older are removed."},
    {.name = "poll",
     .kind = ACCORD_DURATION,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, poll),
     .fallback = "1 min",
     .min = 100,
     .max = 86400000,
     .help = "How long after a listing of the folder it is listed again."},
    {.name = "settle",
     .kind = ACCORD_DURATION,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, settle),
     .fallback = "10 s",
     .min = 0,
     .max = 86400000,
     .help = "A file is taken when its size and its time have stayed the same for so long."},
    {.name = "pattern",
     .kind = ACCORD_LIST,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, pattern),
     .help = "Names of files that are taken, as in a shell (*.xml). Not set: all but those that "
             "begin with "
             "a dot."},
    {.name = "recursive",
     .kind = ACCORD_BOOL,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, recursive),
     .fallback = "no",
     .help = "Also from the folders below, but for hidden ones. Symbolic links are never followed."},
    {.name = "depth",
     .kind = ACCORD_INTEGER,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, depth),
     .fallback = "8",
     .min = 1,
     .max = 32,
     .help = "With recursive = yes: how many folders deep."},
    {.name = "after",
     .kind = ACCORD_CHOICE,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, after),
     .fallback = "delete",
     .choices = after_choices,
     .help = "What becomes of a file at the partner when we have it. With keep each file is taken "
             "once as "
             "long as its time is not more than look-back older than the newest one that was taken."},
    {.name = "move-to",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, move_to),
     .max = 1024,
     .help = "With after = move: the partner's folder for what was taken; relative: below directory."},
    {.name = "rejected",
     .kind = ACCORD_TEXT,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, rejected),
     .max = 1024,
     .help = "The partner's folder for files that are not taken and never will be; relative: below "
             "directory. Not set: they are left where they are."},
    {.name = "look-back",
     .kind = ACCORD_DURATION,
     .flags = ACCORD_WHEN_RECEIVING,
     .offset = FIELD(service_options, look_back),
     .fallback = "1 day",
     .min = 0,
     .max = INT64_C(365) * 86400000,
     .help = "With after = keep: how much older than the newest one that was taken a new file may "
             "be. Must "
             "be shorter than the agent's duplicate-horizon."},
    {0},
};

/* ---- rules ---- */

static bool is_pin(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return strncmp(text, "SHA256:", 7) == 0 && strlen(text + 7) == 43 && strspn(text + 7, digits) == 43;
}

int32_t service_mode(const struct service_options *service)
{
    return service->permissions ? (int32_t)strtol(service->permissions, NULL, 8) : -1;
}

/* No set-user-id and the like. */
static bool is_mode(const char *text)
{
    size_t size = strlen(text);
    return strspn(text, "01234567") == size && (size == 3 || (size == 4 && text[0] == '0'));
}

static bool is_folder(const char *path)
{
    const char *dots = strstr(path, "..");
    return *path && !(dots && (dots == path || dots[-1] == '/') && (dots[2] == '/' || !dots[2]));
}

static int check_receive(const struct accord_service *service, char *why, size_t why_size)
{
    const struct service_options *options = service->options;
    if (options->after == AFTER_MOVE && !options->move_to)
        snprintf(why, why_size, "service %s: after = move needs move-to = FOLDER", service->name);
    else if (options->move_to && !is_folder(options->move_to))
        snprintf(why, why_size, "service %s: move-to must be a folder, without ..", service->name);
    else if (options->rejected && !is_folder(options->rejected))
        snprintf(why, why_size, "service %s: rejected must be a folder, without ..", service->name);
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

static int check_service(const struct accord_service *service, char *why, size_t why_size)
{
    const struct service_options *options = service->options;
    if (!options->directory[0] || strlen(options->directory) > 1024)
        snprintf(why, why_size, "service %s: directory must be a path of at most 1024 characters",
                 service->name);
    else if (!options->temporary[0] || strchr(options->temporary, '/') || strlen(options->temporary) > 64)
        snprintf(
            why, why_size,
            "service %s: temporary must be the beginning of a file name, at most 64 characters and without /",
            service->name);
    else if (options->permissions && !is_mode(options->permissions))
        snprintf(why, why_size, "service %s: permissions \"%s\" must be octal, 0000 to 0777", service->name,
                 options->permissions);
    else
        return service->direction == ACCORD_RECEIVE ? check_receive(service, why, why_size) : ACCORD_OK;
    return ACCORD_EINVAL;
}

static bool names(const struct accord_list *list, const char *item)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], item) == 0)
            return true;
    return false;
}

/* Each way has its secret, and each secret its way. */
static int check_auth(const struct link_options *options, char *why, size_t why_size)
{
    bool key = names(&options->auth, "publickey");
    bool password = names(&options->auth, "password") || names(&options->auth, "keyboard-interactive");
    if (!options->auth.count)
        snprintf(why, why_size,
                 "auth must name at least one way: publickey, password or keyboard-interactive");
    else if (key && !options->key)
        snprintf(why, why_size, "auth names publickey, and key is missing: a file in the credentials folder");
    else if (password && !options->password)
        snprintf(why, why_size,
                 "auth names a way with a password, and password is missing: a file in the credentials "
                 "folder");
    else if (!password && options->password)
        snprintf(why, why_size, "password is set, and auth names neither password nor keyboard-interactive");
    else if (!key && (options->key || options->key_passphrase || options->certificate))
        snprintf(why, why_size,
                 "key, key-passphrase or certificate is set, and auth does not name publickey");
    else
        return ACCORD_OK;
    return ACCORD_EINVAL;
}

int sftp_check(const struct accord_link_setup *setup, char *why, size_t why_size)
{
    const struct link_options *options = setup->options;
    int checked = check_auth(options, why, why_size);
    if (checked < 0)
        return checked;
    if (options->host_keys.count == 0) {
        snprintf(why, why_size, "host-key must name at least one key");
        return ACCORD_EINVAL;
    }
    for (size_t i = 0; i < options->host_keys.count; i++)
        if (!is_pin(options->host_keys.items[i])) {
            snprintf(
                why, why_size,
                "host-key \"%.80s\" is not a fingerprint: SHA256: and 43 characters, as ssh-keygen -l -f "
                "KEY.pub prints it",
                options->host_keys.items[i]);
            return ACCORD_EINVAL;
        }
    for (size_t i = 0; i < setup->service_count; i++) {
        int result = check_service(setup->services[i], why, why_size);
        if (result < 0)
            return result;
    }
    return ACCORD_OK;
}
