#include "tls_papers.h"

#include <stdio.h>
#include <stdlib.h>

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
