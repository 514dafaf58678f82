#include "depot.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 256

struct message {
    struct message *next;
    char name[64];
    char *bytes;
    size_t size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct message *given, *taken; /* for the agent, in order; from it */
static int listener = -1;
static uint16_t port;
static pthread_t acceptor, servers[CONNECTIONS];
static int connections[CONNECTIONS];
static size_t count;

/* ---- messages ---- */

static void keep(struct message **list, const char *name, const void *bytes, size_t size)
{
    struct message *message = calloc(1, sizeof *message);
    snprintf(message->name, sizeof message->name, "%s", name);
    message->bytes = malloc(size + 1);
    message->size = size;
    if (size)
        memcpy(message->bytes, bytes, size);
    pthread_mutex_lock(&lock);
    while (*list)
        list = &(*list)->next;
    *list = message;
    pthread_mutex_unlock(&lock);
}

/* With the lock. */
static struct message **find(struct message **list, const char *name)
{
    while (*list && strcmp((*list)->name, name) != 0)
        list = &(*list)->next;
    return list;
}

static void drop(struct message **at)
{
    struct message *message = *at;
    *at = message->next;
    free(message->bytes);
    free(message);
}

void depot_give(const char *name, const void *bytes, size_t size)
{
    keep(&given, name, bytes, size);
}

bool depot_holds(const char *name)
{
    pthread_mutex_lock(&lock);
    bool there = *find(&given, name) != NULL;
    pthread_mutex_unlock(&lock);
    return there;
}

bool depot_got(const char *name, const void *bytes, size_t size)
{
    pthread_mutex_lock(&lock);
    const struct message *message = *find(&taken, name);
    bool same = message && message->size == size && (!size || memcmp(message->bytes, bytes, size) == 0);
    pthread_mutex_unlock(&lock);
    return same;
}

/* ---- the protocol ---- */

static bool receive(FILE *in, const char *name, size_t size)
{
    char *bytes = malloc(size + 1);
    bool whole = fread(bytes, 1, size, in) == size;
    if (whole)
        keep(&taken, name, bytes, size);
    free(bytes);
    return whole;
}

static void list(FILE *out)
{
    pthread_mutex_lock(&lock);
    for (const struct message *at = given; at; at = at->next)
        fprintf(out, "%s %zu\n", at->name, at->size);
    pthread_mutex_unlock(&lock);
    fputs(".\n", out);
}

static void get(FILE *out, const char *name)
{
    pthread_mutex_lock(&lock);
    const struct message *message = *find(&given, name);
    fprintf(out, "%zu\n", message ? message->size : 0);
    if (message)
        fwrite(message->bytes, 1, message->size, out);
    pthread_mutex_unlock(&lock);
}

static void forget(FILE *out, const char *name)
{
    pthread_mutex_lock(&lock);
    struct message **at = find(&given, name);
    if (*at)
        drop(at);
    pthread_mutex_unlock(&lock);
    fputs("OK\n", out);
}

static bool obey(FILE *in, FILE *out, const char *line)
{
    char name[64];
    size_t size;
    if (strcmp(line, "HELLO\n") == 0)
        fputs("WELCOME\n", out);
    else if (strncmp(line, "AUTH ", 5) == 0)
        fputs(strcmp(line + 5, DEPOT_KEY "\n") == 0 ? "OK\n" : "NO\n", out);
    else if (sscanf(line, "PUT %63s %zu", name, &size) == 2) {
        if (!receive(in, name, size))
            return false;
        fputs("OK\n", out);
    } else if (strcmp(line, "LIST\n") == 0)
        list(out);
    else if (sscanf(line, "GET %63s", name) == 1)
        get(out, name);
    else if (sscanf(line, "DELETE %63s", name) == 1)
        forget(out, name);
    else
        return false;
    return fflush(out) == 0;
}

static void *serve(void *arg)
{
    int fd = *(int *)arg;
    FILE *in = fdopen(dup(fd), "r"), *out = fdopen(dup(fd), "w");
    char line[256];
    while (fgets(line, sizeof line, in) && obey(in, out, line))
        ;
    fclose(in);
    fclose(out);
    return NULL;
}

static void *accept_all(void *arg)
{
    (void)arg;
    while (count < CONNECTIONS) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        connections[count] = fd;
        pthread_create(&servers[count], NULL, serve, &connections[count]);
        count++;
    }
    return NULL;
}

/* ---- life ---- */

bool depot_start(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    count = 0;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, size) < 0 || listen(listener, 32) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) < 0)
        return false;
    port = ntohs(at.sin_port);
    return pthread_create(&acceptor, NULL, accept_all, NULL) == 0;
}

uint16_t depot_port(void)
{
    return port;
}

void depot_stop(void)
{
    shutdown(listener, SHUT_RDWR);
    pthread_join(acceptor, NULL);
    close(listener);
    for (size_t i = 0; i < count; i++) {
        shutdown(connections[i], SHUT_RDWR); /* also when the plugin has not ended its session */
        pthread_join(servers[i], NULL);
        close(connections[i]);
    }
    while (given)
        drop(&given);
    while (taken)
        drop(&taken);
}
