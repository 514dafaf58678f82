#!/usr/bin/python3
"""A throw-away certificate authority to rehearse mutual TLS with: a root, an intermediate, and what they issue. Nothing of it
is secret or lasts: it is made anew whenever it is needed, and never to be trusted outside of a rehearsal.

    authority.py --folder /tmp/pki      # root.pem, server.pem, client.pem, ... with their keys
"""
import argparse
import datetime
import ipaddress
import os
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = ("localhost", "127.0.0.1")
HASHES = {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256, "SHA384": hashes.SHA384}
CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}


def make_key(kind):
    """"P-384", "RSA-2048": a private key."""
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    return rsa.generate_private_key(65537, int(kind.removeprefix("RSA-")))


def pem_of_key(key, passphrase=None):
    hidden = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


def subject(name):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Rehearsal"),
                      x509.NameAttribute(NameOID.COMMON_NAME, name)])


def alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def now():
    return datetime.datetime.utcnow().replace(microsecond=0)


class Identity:
    """A certificate, its private key, and what a peer needs between it and the root."""

    def __init__(self, certificate, key, between=()):
        self.x509, self.private = certificate, key
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)
        self.chain = self.certificate + b"".join(one.certificate for one in between)
        self.key = pem_of_key(key)

    @property
    def until(self):
        return self.x509.not_valid_after.replace(tzinfo=datetime.timezone.utc)

    def key_with(self, passphrase):
        return pem_of_key(self.private, passphrase)

    def write(self, folder, name):
        """NAME.pem (with its chain) and NAME.key."""
        (folder / f"{name}.pem").write_bytes(self.chain)
        descriptor = os.open(folder / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.key)


class Authority:
    """A root and an intermediate. Leaves are issued by the intermediate unless they say otherwise."""

    def __init__(self, name="Rehearsal", key="P-384", signature="SHA384"):
        self.name, self.signature = name, signature
        self.root = self._sign(f"{name} Root", make_key(key), None, years=10, path=1)
        self.intermediate = self._sign(f"{name} Issuing CA", make_key(key), self.root, years=5, path=0)

    @property
    def trust(self):
        """The bundle that believes in it."""
        return self.root.certificate

    def _sign(self, name, key, issuer, years, path):
        begin = now() - datetime.timedelta(days=1)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = self._builder(name, key, issuer, begin, begin + datetime.timedelta(days=365 * years))
        builder = builder.add_extension(x509.BasicConstraints(True, path), critical=True)
        builder = builder.add_extension(usage, critical=True)
        return Identity(builder.sign(issuer.private if issuer else key, HASHES[self.signature]()), key)

    @staticmethod
    def _builder(name, key, issuer, begin, until):
        builder = x509.CertificateBuilder().subject_name(subject(name)).public_key(key.public_key())
        builder = builder.issuer_name(issuer.x509.subject if issuer else subject(name))
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(until)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        from_key = issuer.private.public_key() if issuer else key.public_key()
        return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(from_key), critical=False)

    def issue(self, name, key="P-384", names=(), use="both", days=365.0, begin_days=-1.0, signature=None, by=None):
        """A leaf. `days`: until it ends, from now; negative: it has ended. `use`: server, client or both. `by`: another
        issuer than the intermediate, such as self.root."""
        private, issuer = make_key(key), by or self.intermediate
        until = now() + datetime.timedelta(days=days)
        begin = min(now() + datetime.timedelta(days=begin_days), until - datetime.timedelta(days=1))
        purposes = {"server": [ExtendedKeyUsageOID.SERVER_AUTH], "client": [ExtendedKeyUsageOID.CLIENT_AUTH]}
        purposes["both"] = purposes["server"] + purposes["client"]
        usage = x509.KeyUsage(True, False, key.startswith("RSA"), False, False, False, False, False, False)
        builder = self._builder(name, private, issuer, begin, until)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        builder = builder.add_extension(usage, critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes[use]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(alternative, names))), critical=False)
        signed = builder.sign(issuer.private, HASHES[signature or self.signature]())
        return Identity(signed, private, [] if issuer is self.root else [issuer])

    def server(self, **how):
        return self.issue("taxii partner", **{"names": HERE, "use": "server", **how})

    def client(self, **how):
        return self.issue("acme", **{"use": "client", **how})


def write_all(folder):
    authority, stranger = Authority(), Authority("Stranger")
    (folder / "root.pem").write_bytes(authority.trust)
    (folder / "stranger-root.pem").write_bytes(stranger.trust)
    authority.server().write(folder, "server")
    authority.server(key="RSA-2048").write(folder, "server-rsa")
    authority.server(days=-1).write(folder, "server-expired")
    authority.server(names=["elsewhere.example"]).write(folder, "server-other-name")
    authority.client().write(folder, "client")
    authority.client(key="RSA-2048").write(folder, "client-rsa")
    authority.client(days=-1).write(folder, "client-expired")
    stranger.client().write(folder, "client-stranger")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True, type=pathlib.Path, help="made when it is missing")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    write_all(options.folder)
    print("\n".join(sorted(path.name for path in options.folder.iterdir())))


if __name__ == "__main__":
    main()
