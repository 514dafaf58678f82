/* The contract suite on the policy encryption. */
#include <accord/testkit/suite.h>

#include <stdlib.h>

#define PIN "SHA256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct accord_pair options[] = {{"host-key", PIN}, {"user", "acme"}};
static const struct accord_policy_link far = {.name = "sftp",
                                              .connector = "sftp",
                                              .endpoint_host = "sftp.cbp.example",
                                              .endpoint_port = 22,
                                              .tunnel = "none",
                                              .options = options,
                                              .option_count = 2};
static const struct accord_policy_link taxii = {.name = "ais",
                                                .connector = "taxii",
                                                .endpoint_host = "taxii.dhs.example",
                                                .endpoint_port = 8443,
                                                .tunnel = "none"};
static const struct accord_policy_link mq = {.name = "mq",
                                             .connector = "mq",
                                             .endpoint_host = "mq.cbp.example",
                                             .endpoint_port = 5671,
                                             .tunnel = "none"};
static const struct accord_policy_link *const links[] = {&far, &taxii, &mq};
static const struct accord_policy_setup setup = {.agreement = "cbp-isa",
                                                 .module = "encryption",
                                                 .in_force_until = INT64_MAX,
                                                 .links = links,
                                                 .link_count = 3};
static const struct accord_pair strong[] = {{"ssh.kex", "ecdh-sha2-nistp384"},
                                            {"ssh.cipher.out", "aes256-ctr"},
                                            {"ssh.cipher.in", "aes256-gcm@openssh.com"},
                                            {"ssh.mac.out", "hmac-sha2-256-etm@openssh.com"},
                                            {"ssh.mac.in", "aead-gcm"},
                                            {"ssh.strict-kex", "yes"},
                                            {"ssh.host-key.type", "ecdsa-sha2-nistp256"},
                                            {"ssh.host-key.bits", "256"},
                                            {"ssh.host-key.sha256", PIN},
                                            {NULL, NULL}};
static const struct accord_pair weak[] = {{"ssh.kex", "diffie-hellman-group1-sha1"}, {NULL, NULL}};
static const struct accord_pair user[] = {{"ssh.user", "acme"},
                                          {"ssh.auth", "publickey"},
                                          {"ssh.user-key.type", "ecdsa-sha2-nistp256"},
                                          {"ssh.user-key.bits", "256"},
                                          {NULL, NULL}};
static const struct accord_pair root[] = {{"ssh.user", "root"},
                                          {"ssh.auth", "publickey"},
                                          {"ssh.user-key.type", "ecdsa-sha2-nistp256"},
                                          {"ssh.user-key.bits", "256"},
                                          {NULL, NULL}};
static const struct accord_pair tls[] = {{"tls.version", "1.3"},
                                         {"tls.cipher", "TLS_AES_256_GCM_SHA384"},
                                         {"tls.group", "P-384"},
                                         {"tls.signature", "ECDSA+SHA384"},
                                         {"tls.peer.subject", ""},
                                         {"tls.peer.issuer", "CN=Middle"},
                                         {"tls.peer.serial", "02"},
                                         {"tls.peer.names", "taxii.dhs.example"},
                                         {"tls.peer.sha256", "D3Sxj3wS0h2HPy+bjyfpcF8t2xyosbyxw87Ik5KRZ/Y="},
                                         {"tls.peer.key", "EC 384"},
                                         {"tls.peer.until", "32503680000"},
                                         {"tls.chain", "2"},
                                         {"tls.chain.keys", "EC 384,EC 384"},
                                         {"tls.chain.signatures", "ECDSA+SHA384"},
                                         {"tls.chain.until", "32503680000"},
                                         {"tls.verified", "yes"},
                                         {"tls.identity", "taxii.dhs.example"},
                                         {NULL, NULL}};
static const struct accord_pair old[] = {{"tls.version", "1.1"}, {NULL, NULL}};
static const struct accord_pair unasked[] = {{"tls.client.subject", ""},
                                             {"tls.client.issuer", ""},
                                             {"tls.client.key", ""},
                                             {"tls.client.until", ""},
                                             {NULL, NULL}};
static const struct accord_pair plain[] = {{"tls.client.subject", ""},
                                           {"tls.client.issuer", ""},
                                           {"tls.client.key", ""},
                                           {"tls.client.until", ""},
                                           {"sasl.mechanism", "PLAIN"},
                                           {"sasl.offered", "PLAIN"},
                                           {NULL, NULL}};
static const struct testsuite_question questions[] = {
    {.name = "strong", .question = ACCORD_ASK_HANDSHAKE, .facts = strong},
    {.name = "weak", .question = ACCORD_ASK_HANDSHAKE, .facts = weak, .answer = ACCORD_DENY},
    {.name = "user", .question = ACCORD_ASK_AUTHENTICATED, .facts = user},
    {.name = "root",
     .question = ACCORD_ASK_AUTHENTICATED,
     .facts = root,
     .answer = ACCORD_DENY,
     .rule = "encryption.ssh-user"},
    {.name = "tls", .question = ACCORD_ASK_HANDSHAKE, .link = 1, .facts = tls},
    {.name = "unasked", .question = ACCORD_ASK_AUTHENTICATED, .link = 1, .facts = unasked},
    {.name = "plain", .question = ACCORD_ASK_AUTHENTICATED, .link = 2, .facts = plain},
    {.name = "silent",
     .question = ACCORD_ASK_AUTHENTICATED,
     .link = 2,
     .facts = unasked,
     .answer = ACCORD_DENY,
     .rule = "encryption.fact-missing"},
    {.name = "old",
     .question = ACCORD_ASK_HANDSHAKE,
     .link = 1,
     .facts = old,
     .answer = ACCORD_DENY,
     .rule = "encryption.tls-version"},
};

int main(void)
{
    const struct accord_policy_suite suite = {.plugin = &accord_plugin,
                                              .setup = &setup,
                                              .questions = questions,
                                              .question_count = sizeof questions / sizeof *questions};
    return accord_policy_suite(&suite) ? 1 : 0;
}
