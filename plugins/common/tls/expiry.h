/* The last days of our own certificate: a gauge, `certificate_days_left`, and an incident when 90, 30 and 7 days are left
 * and when there are none (AIS 3.4b). For a connector's link: begins when a session has first read the certificate, and
 * looks once an hour. Knows the host alone, nothing of OpenSSL. */
#ifndef TLS_EXPIRY_H
#define TLS_EXPIRY_H

#include <accord/host.h>

struct tls_expiry {
    /* Set by the link before anything else; what they point to stays. */
    const struct accord_host *host;
    struct accord_instance *instance;
    const char *rule;    /* of the incident: "taxii.certificate-expires" */
    const char *partner; /* NULL: not named */
    /* Every hour: let the next session be another one, so that a renewed certificate is taken up however busy the link
     * is; NULL: when it comes. */
    void (*read_anew)(void *arg);
    void *arg;

    int64_t until; /* microseconds since 1970; 0: not known, or no certificate */
    int64_t told;  /* days of the last threshold that people were told of; -1: none */
    struct accord_timer *timer;
};

void tls_expiry_learnt(struct tls_expiry *, int64_t until); /* tells nothing inside of this call */
void tls_expiry_stop(struct tls_expiry *);

#endif
