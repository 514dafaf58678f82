#include "tls_papers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_pki.h"

struct papers papers_make(const char *host)
{
    char names[300];
    snprintf(names, sizeof names, "DNS:%s", host);
    struct pki root = pki_make(&(struct pki_wish){.name = "Root", PKI_FOR_AGES, .role = PKI_CA});
    struct pki server =
        pki_make(&(struct pki_wish){.name = host, .hosts = names, .issuer = &root, PKI_FOR_AGES});
    struct pki client = pki_make(&(struct pki_wish){.name = "Us", .issuer = &root, PKI_FOR_AGES});
    struct pki other = pki_make(&(struct pki_wish){.name = "Other", PKI_FOR_AGES, .role = PKI_CA});
    struct pki stranger = pki_make(&(struct pki_wish){.name = "Nobody", .issuer = &other, PKI_FOR_AGES});
    struct papers papers = {
        .root = pki_pem(&root),
        .certificate = pki_pem(&server),
        .key = pki_key_pem(&server, NULL),
        .client = pki_pem(&client),
        .client_key = pki_key_pem(&client, NULL),
        .stranger = pki_pem(&stranger),
        .stranger_key = pki_key_pem(&stranger, NULL),
    };
    pki_sweep();
    return papers;
}

void papers_burn(struct papers *papers)
{
    free(papers->root);
    free(papers->certificate);
    free(papers->key);
    free(papers->client);
    free(papers->client_key);
    free(papers->stranger);
    free(papers->stranger_key);
    *papers = (struct papers){0};
}

void papers_serve(const struct papers *papers, struct web_wish *web, bool asks)
{
    web->certificate = papers->certificate;
    web->key = papers->key;
    web->trust = asks || web->insists ? papers->root : NULL;
}

static void secret(struct testhost *host, const char *name, const char *text)
{
    testhost_secret(host, name, text, strlen(text));
}

void papers_tell(const struct papers *papers, struct testhost *host, bool stranger)
{
    testhost_set_wall(host, PKI_NOW * 1000000);
    secret(host, "trust", papers->root);
    secret(host, "certificate", stranger ? papers->stranger : papers->client);
    secret(host, "key", stranger ? papers->stranger_key : papers->client_key);
}
