/* What P10 is measured against: libcurl's multi interface by itself, posting one file again and again over a number of
 * connections that are kept.
 *
 *     taxii-bench-loop URL CERTIFICATE KEY TRUST FILE POSTS CONNECTIONS
 *
 * Prints the seconds from the first connection to the last answer. Every answer must be 200 and say SUCCESS.
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS_MAX 64

struct slot {
    CURL *easy;
    char answer[4096];
    size_t size;
};

static struct slot slots[CONNECTIONS_MAX];
static long begun, done, posts;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "taxii-bench-loop: %s failed\n", what);
    exit(1);
}

static char *read_file(const char *path, long *size)
{
    FILE *file = fopen(path, "rb");
    need(file && !fseek(file, 0, SEEK_END), path);
    *size = ftell(file);
    rewind(file);
    char *bytes = malloc((size_t)*size);
    need(bytes && fread(bytes, 1, (size_t)*size, file) == (size_t)*size, path);
    fclose(file);
    return bytes;
}

static size_t keep(char *bytes, size_t one, size_t count, void *arg)
{
    struct slot *slot = arg;
    size_t room = sizeof slot->answer - 1 - slot->size, size = one * count < room ? one * count : room;
    memcpy(slot->answer + slot->size, bytes, size);
    slot->size += size;
    return one * count;
}

static struct curl_slist *headers(void)
{
    static const char *const lines[] = {"Content-Type: application/xml",
                                        "Accept: application/xml",
                                        "Expect:",
                                        "X-TAXII-Content-Type: urn:taxii.mitre.org:message:xml:1.1",
                                        "X-TAXII-Accept: urn:taxii.mitre.org:message:xml:1.1",
                                        "X-TAXII-Protocol: urn:taxii.mitre.org:protocol:https:1.0",
                                        "X-TAXII-Services: urn:taxii.mitre.org:services:1.1"};
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        list = curl_slist_append(list, lines[i]);
    return list;
}

static void set_up(struct slot *slot, char **argv, const char *body, long size, struct curl_slist *list)
{
    CURL *easy = slot->easy = curl_easy_init();
    need(easy != NULL, "curl_easy_init");
    curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
    curl_easy_setopt(easy, CURLOPT_SSLCERT, argv[2]);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, argv[3]);
    curl_easy_setopt(easy, CURLOPT_CAINFO, argv[4]);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, size);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
}

static void begin(CURLM *multi, struct slot *slot)
{
    if (begun == posts)
        return;
    begun++;
    slot->size = 0;
    need(curl_multi_add_handle(multi, slot->easy) == CURLM_OK, "curl_multi_add_handle");
}

static void finish(CURLM *multi)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi, &left))) {
        struct slot *slot;
        long status = 0;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        slot->answer[slot->size] = 0;
        need(message->data.result == CURLE_OK && status == 200 && strstr(slot->answer, "SUCCESS"), "a post");
        curl_multi_remove_handle(multi, slot->easy);
        done++;
        begin(multi, slot);
    }
}

int main(int argc, char **argv)
{
    long size;
    need(argc == 8, "usage: URL CERTIFICATE KEY TRUST FILE POSTS CONNECTIONS;");
    int connections = atoi(argv[7]), running;
    need(connections > 0 && connections <= CONNECTIONS_MAX, "a number of connections");
    curl_global_init(CURL_GLOBAL_ALL);
    char *body = read_file(argv[5], &size);
    CURLM *multi = curl_multi_init();
    struct curl_slist *list = headers();
    posts = atol(argv[6]);
    double began = now();
    for (int i = 0; i < connections; i++) {
        set_up(&slots[i], argv, body, size, list);
        begin(multi, &slots[i]);
    }
    while (done < posts) {
        need(curl_multi_perform(multi, &running) == CURLM_OK, "curl_multi_perform");
        finish(multi);
        if (done < posts)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    printf("%.4f\n", now() - began);
    for (int i = 0; i < connections; i++)
        curl_easy_cleanup(slots[i].easy);
    curl_multi_cleanup(multi);
    curl_slist_free_all(list);
    free(body);
    return 0;
}
