#include "tls_bench.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const struct accord_pair bench_profile[] = {
    {"tls.versions", "1.3,1.2"},
    {"tls.ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384"},
    {"tls.suites", "TLS_AES_256_GCM_SHA384"},
    {"tls.groups", "P-384,P-256,P-521,X25519"},
    {"tls.signatures",
     "ECDSA+SHA384,ECDSA+SHA256,ECDSA+SHA512,RSA-PSS+SHA384,RSA-PSS+SHA256,RSA-PSS+SHA512,RSA+SHA384,"
     "RSA+SHA256,RSA+SHA512"},
    {"tls.rsa-bits", "2048"},
    {"tls.ec-bits", "256"},
    {"tls.client-certificate", "allowed"},
    {NULL, NULL},
};

struct bench_world world;

int bench_set_up(void **state)
{
    (void)state;
    world.root =
        pki_make(&(struct pki_wish){.name = "Root", .role = PKI_CA, .key = "EC P-384", .digest = "SHA384"});
    world.middle = pki_make(
        &(struct pki_wish){.name = "Middle", .role = PKI_CA, .issuer = &world.root, .digest = "SHA384"});
    world.server = pki_make(&(struct pki_wish){
        .name = "server", .hosts = "DNS:taxii.example,IP:192.0.2.7", .issuer = &world.middle});
    world.trust = pki_pem(&world.root);
    return 0;
}

int bench_tear_down(void **state)
{
    (void)state;
    pki_sweep();
    free(world.trust);
    return 0;
}

static const char *find(const struct accord_pair *pairs, const char *name, bool *is)
{
    for (; pairs && pairs->name; pairs++)
        if (!strcmp(pairs->name, name)) {
            *is = true;
            return pairs->value;
        }
    return NULL;
}

static const char *profile(void *arg, const char *name)
{
    bool is = false;
    const char *value = find(arg, name, &is);
    return is ? value : find(bench_profile, name, &is);
}

static struct tls_bytes bytes(const char *text)
{
    return (struct tls_bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static void make_client(struct bench *b, const struct bench_client *c)
{
    struct tls_setup setup = {.host = c->host ? c->host : "taxii.example",
                              .pins = &c->pin,
                              .pin_count = c->pin ? 1 : 0,
                              .trust = bytes(c->trust),
                              .certificate = bytes(c->certificate),
                              .key = bytes(c->key),
                              .passphrase = bytes(c->passphrase),
                              .now = (c->now ? c->now : PKI_NOW) * 1000000,
                              .profile = profile,
                              .profile_arg = (void *)c->profile};
    b->tls = tls_new(&setup, &b->problem);
    if (!b->tls)
        return;
    b->context = SSL_CTX_new(TLS_client_method());
    if (tls_configure(b->tls, b->context, &b->problem))
        return;
    b->client = SSL_new(b->context);
    SSL_set_connect_state(b->client);
    b->made = true;
}

static void make_server(struct bench *b, const struct bench_peer *p)
{
    SSL_CTX *context = b->server_context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_security_level(context, 0);
    assert_true(SSL_CTX_set_min_proto_version(context, p->version ? p->version : TLS1_2_VERSION));
    assert_true(SSL_CTX_set_max_proto_version(context, p->version ? p->version : TLS1_3_VERSION));
    assert_true(SSL_CTX_set_cipher_list(context, p->ciphers ? p->ciphers : "ALL:COMPLEMENTOFALL"));
    if (p->suites)
        assert_true(SSL_CTX_set_ciphersuites(context, p->suites));
    if (p->groups)
        assert_true(SSL_CTX_set1_groups_list(context, p->groups));
    if (p->signatures)
        assert_true(SSL_CTX_set1_sigalgs_list(context, p->signatures));
    if (p->own) {
        assert_true(SSL_CTX_use_certificate(context, p->own->certificate));
        assert_true(SSL_CTX_use_PrivateKey(context, p->own->key));
    }
    for (size_t i = 0; i < 4 && p->issuers[i]; i++)
        assert_true(SSL_CTX_add1_chain_cert(context, p->issuers[i]->certificate));
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_dh_auto(context, 1);
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(context), PKI_NOW);
    if (p->trusts)
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), p->trusts->certificate);
    if (p->asks || p->insists)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (p->insists ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                           NULL);
    b->server = SSL_new(context);
    SSL_set_accept_state(b->server);
}

/* Is anything to be done still? */
static bool failed(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);
    return error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
}

static void step_client(struct bench *b)
{
    char dropped[64];
    int result;
    ERR_clear_error();
    if (!b->done) {
        result = SSL_do_handshake(b->client);
        if (result == 1) {
            b->done = true;
            assert_int_equal(SSL_write(b->client, "hello", 5), 5);
        }
    } else
        result = SSL_read(b->client, dropped, sizeof dropped);
    if (result <= 0 && failed(b->client, result) && !b->words[0] && ERR_peek_error())
        ERR_error_string_n(ERR_peek_error(), b->words, sizeof b->words);
}

static void step_server(struct bench *b, const struct bench_peer *p)
{
    char all[4096];
    BIO *wire = SSL_get_wbio(b->server);
    ERR_clear_error();
    if (p->says) {
        if (BIO_read(wire, all, sizeof all) > 0)
            BIO_write(wire, p->says, (int)p->says_size);
        return;
    }
    int size = SSL_read(b->server, b->got + strlen(b->got), (int)(sizeof b->got - 1 - strlen(b->got)));
    (void)size;
}

void bench_run(struct bench *b, const struct bench_client *c, const struct bench_peer *p)
{
    BIO *near, *far;
    *b = (struct bench){0};
    make_client(b, c);
    if (!b->made)
        return;
    make_server(b, p);
    assert_true(BIO_new_bio_pair(&near, 65536, &far, 65536));
    SSL_set_bio(b->client, near, near);
    SSL_set_bio(b->server, far, far);
    for (int i = 0; i < 12; i++) {
        step_client(b);
        step_server(b, p);
    }
    ERR_clear_error();
}

void bench_free(struct bench *b)
{
    SSL_free(b->client);
    SSL_free(b->server);
    SSL_CTX_free(b->context);
    SSL_CTX_free(b->server_context);
    tls_free(b->tls);
    *b = (struct bench){0};
}

const char *bench_fact(const struct tls_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->count; i++)
        if (!strcmp(facts->pairs[i].name, name))
            return facts->pairs[i].value;
    return NULL;
}
