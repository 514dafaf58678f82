#!/usr/bin/python3
"""A partner's SFTP server to rehearse against, on this machine only, with faults on request.

Prints one JSON object a line: first {"event": "listening", "port": N, "host_key": "SHA256:..."}, then what
happens: connections, authentication, files opened and renamed, faults played.
"""
import argparse
import asyncio
import json
import os
import sys
import warnings

warnings.filterwarnings("ignore", module="asyncssh")
import asyncssh  # noqa: E402

options = argparse.Namespace()


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


class Faults:
    """The faults that are left to be played; shared by all connections."""

    def __init__(self):
        self.written = 0
        self.cuts = options.cut_times

    def cut_due(self):
        if options.cut_after is None or self.cuts == 0 or self.written < options.cut_after:
            return False
        self.cuts -= 1
        self.written = 0
        return True


class Partner(asyncssh.SSHServer):
    def connection_made(self, conn):
        tell("connected", peer=conn.get_extra_info("peername")[0])

    def connection_lost(self, exc):
        tell("disconnected", reason=str(exc) if exc else "")

    def begin_auth(self, username):
        tell("auth", user=username)
        return True

    def auth_completed(self):
        tell("authenticated")


class Files(asyncssh.SFTPServer):
    def __init__(self, chan):
        super().__init__(chan, chroot=options.root.encode())

    def cut(self, why):
        tell("cut", why=why)
        self.connection.abort()
        raise asyncssh.SFTPFailure("cut")

    def open(self, path, pflags, attrs):
        tell("open", path=path.decode(), write=bool(pflags & asyncssh.FXF_WRITE))
        return super().open(path, pflags, attrs)

    async def write(self, file_obj, offset, data):
        if options.slow:
            await asyncio.sleep(len(data) / options.slow)
        if options.disk_full is not None and offset + len(data) > options.disk_full:
            raise asyncssh.SFTPFailure("no space left on device")
        faults.written += len(data)
        if faults.cut_due():
            self.cut("after %d bytes" % options.cut_after)
        return super().write(file_obj, offset, data)

    def read(self, file_obj, offset, size):
        if options.lose_permission is not None and offset + size > options.lose_permission:
            raise asyncssh.SFTPPermissionDenied("not any more")
        return super().read(file_obj, offset, size)

    def remove(self, path):
        if options.refuse_remove:
            raise asyncssh.SFTPPermissionDenied("removing is not allowed here")
        tell("removed", path=path.decode())
        return super().remove(path)

    def rename(self, oldpath, newpath):
        if options.refuse_rename:
            raise asyncssh.SFTPPermissionDenied("renaming is not allowed here")
        result = super().rename(oldpath, newpath)
        tell("renamed", path=newpath.decode())
        if options.cut_at_rename and faults.cuts > 0:
            faults.cuts -= 1
            self.cut("after the rename, before its answer")
        return result


def host_key():
    if not os.path.exists(options.host_key):
        key = asyncssh.generate_private_key(options.host_key_type)
        descriptor = os.open(options.host_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.export_private_key())
    return asyncssh.read_private_key(options.host_key)


def be_peculiar():
    """What the library gives no choice about."""
    handler = asyncssh.sftp.SFTPServerHandler
    handler._extensions = [pair for pair in handler._extensions if pair[0].decode() not in options.without]
    if options.side_by_side:
        one_at_a_time = handler._process_packet

        async def begin(*packet):
            asyncio.ensure_future(one_at_a_time(*packet))
        handler._process_packet = begin


async def serve():
    be_peculiar()
    key = host_key()
    if options.outbox:
        os.makedirs(os.path.join(options.root, options.outbox), exist_ok=True)
    lists = {name: getattr(options, name).split(",")
             for name in ("kex_algs", "encryption_algs", "mac_algs") if getattr(options, name)}
    server = await asyncssh.create_server(
        Partner, "127.0.0.1", options.port, server_host_keys=[key], authorized_client_keys=options.authorized_keys,
        sftp_factory=Files, reuse_address=True, password_auth=False, kbdint_auth=False, gss_host=None, **lists)
    tell("listening", port=server.sockets[0].getsockname()[1], host_key=key.get_fingerprint())
    await server.wait_closed()


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 (default): any free one")
    parser.add_argument("--root", required=True, help="the folder that visitors see as /")
    parser.add_argument("--outbox", metavar="FOLDER", help="made below root: put files there, to be picked up")
    parser.add_argument("--host-key", required=True, help="private key file; made when it is missing")
    parser.add_argument("--host-key-type", default="ecdsa-sha2-nistp256")
    parser.add_argument("--authorized-keys", required=True, help="public keys that may come in, one a line")
    parser.add_argument("--kex-algs", help="comma-separated; default: the library's")
    parser.add_argument("--encryption-algs")
    parser.add_argument("--mac-algs")
    faulty = parser.add_argument_group("faults")
    faulty.add_argument("--cut-after", type=int, metavar="BYTES", help="drop the connection in mid-file")
    faulty.add_argument("--cut-at-rename", action="store_true", help="rename, then drop it before answering")
    faulty.add_argument("--cut-times", type=int, default=1, help="how often to cut (default: once)")
    faulty.add_argument("--refuse-rename", action="store_true")
    faulty.add_argument("--refuse-remove", action="store_true")
    faulty.add_argument("--lose-permission", type=int, metavar="BYTES", help="reads behind this offset fail")
    faulty.add_argument("--disk-full", type=int, metavar="BYTES", help="writes behind this offset fail")
    faulty.add_argument("--side-by-side", action="store_true", help="work on requests in no order (see --slow)")
    faulty.add_argument("--without", action="append", default=[], metavar="NAME", help="an SFTP extension that is not offered")
    faulty.add_argument("--slow", type=int, metavar="BYTES", help="take this many bytes a second")
    return parser.parse_args(namespace=options)


if __name__ == "__main__":
    parse()
    faults = Faults()
    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        pass
    except (OSError, asyncssh.Error, ValueError) as error:
        sys.exit("sftp_partner: %s" % error)
