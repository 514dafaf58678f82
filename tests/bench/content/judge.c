/* judge TYPE FILE SECONDS [OPTION=VALUE...]: how fast the content policy's validator reads one payload, again and again, each
 * time by a validator of its own, in pieces as the hub sends them. Prints MB a second; a payload that is refused ends it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/value.h"
#include "policies/content/validator.h"

#define OPTIONS_MAX  32
#define PAYLOAD_MAX  (256 << 20)
#define NOW          1769947200000000 /* 2026-02-01 */
#define ROUND_NUMBER 64               /* payloads between two looks at the clock */

static uint8_t *payload;
static size_t payload_size;

static bool load(const char *path)
{
    FILE *file = fopen(path, "rbe");
    payload = file ? malloc(PAYLOAD_MAX) : NULL;
    payload_size = payload ? fread(payload, 1, PAYLOAD_MAX, file) : 0;
    if (file)
        fclose(file);
    return payload_size > 0;
}

static const struct validator_options *options_of(char **written, size_t count)
{
    static const struct accord_options table = {validator_option_table, sizeof(struct validator_options)};
    struct accord_pair pairs[OPTIONS_MAX];
    struct conf_options *made;
    struct reason why = {""};
    for (size_t i = 0; i < count; i++) {
        char *value = strchr(written[i], '=');
        if (!value)
            return NULL;
        *value = 0;
        pairs[i] = (struct accord_pair){written[i], value + 1};
    }
    if (!conf_options_fill(&table, pairs, count, &made, &why))
        return conf_options_struct(made);
    fprintf(stderr, "%s\n", why.text);
    return NULL;
}

static bool judge(const char *type, const struct validator_options *options)
{
    struct validator *v = validator_new(&(struct validator_case){.type = type, .now = NOW}, options);
    int result = v ? 0 : ACCORD_ENOMEM;
    for (size_t at = 0; !result && at < payload_size; at += ACCORD_PIECE_MAX) {
        size_t rest = payload_size - at;
        result = validator_feed(v, payload + at, rest < ACCORD_PIECE_MAX ? rest : ACCORD_PIECE_MAX);
    }
    if (!result)
        result = validator_finish(v);
    if (v && result)
        fprintf(stderr, "%s: %s\n", validator_verdict(v)->rule, validator_verdict(v)->reason);
    validator_free(v);
    return !result;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char **words)
{
    if (count < 4 || count - 4 > OPTIONS_MAX || !load(words[2])) {
        fprintf(stderr, "judge TYPE FILE SECONDS [OPTION=VALUE...]; SECONDS 0: once\n");
        return 2;
    }
    const struct validator_options *options = options_of(words + 4, (size_t)(count - 4));
    double seconds = strtod(words[3], NULL), began = now(), took = 0;
    int64_t judged = 0;
    do {
        int round = seconds > 0 ? ROUND_NUMBER : 1;
        for (int i = 0; i < round; i++, judged++)
            if (!options || !judge(words[1], options))
                return 1;
        took = now() - began;
    } while (took < seconds);
    printf("%.1f\n", (double)judged * (double)payload_size / took / 1e6);
    free(payload);
    return 0;
}
