"""A RabbitMQ of our own, from build/servers-rabbitmq (tests/tools/servers rabbitmq): loopback ports that are free, every
file in one folder, ended by process id. With AMQP 1.0, TLS and both ways to log in when an identity is given."""
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

from port import Port

AMQP10 = ("rabbitmq_amqp1_0", "rabbitmq_auth_mechanism_ssl")


def hashed(password):
    """As definitions have it: base64 of a salt and SHA-256 of salt and password."""
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(users, queues, vhosts):
    """`users`: name -> password, or None for one whom only a certificate lets in. `queues`: name -> arguments."""
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {"users": [{"name": name, "tags": "", "hashing_algorithm": "rabbit_password_hashing_sha256",
                       "password_hash": hashed(password) if password else ""} for name, password in users.items()],
            "vhosts": [{"name": name} for name in vhosts],
            "permissions": [{"user": user, "vhost": vhost, **everything} for user in users for vhost in vhosts],
            "queues": [{"name": name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": arguments}
                       for name, arguments in queues.items() for vhost in vhosts],
            "exchanges": [], "bindings": [], "policies": [], "parameters": [], "topic_permissions": []}


class RabbitMQ:
    """`root`: where Debian's packages were unpacked. `folder`: for its files; on the disk that is to be measured.
    `identity`: an authority's for its TLS port, `trust`: roots of client certificates, whose common name is a user's
    (SASL EXTERNAL). `users` and `queues`, durable ones, are there from the start, in each of `vhosts`."""

    def __init__(self, root, folder, plugins=(), identity=None, trust=b"", users=None, queues=None, vhosts=("/",),
                 settings=None):
        self.root, self.folder = pathlib.Path(root).resolve(), pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.reserved = [Port() for _ in range(4)]
        self.port, self.tls_port, self.dist, self.names_port = [each.number for each in self.reserved]
        self.home = next((self.root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
        self.settings = {"listeners.tcp.1": f"127.0.0.1:{self.port}", "log.console": "false", "log.file.level": "info"}
        if identity:
            self.settings |= self.tls_settings(identity, trust)
        if users:
            self.settings["load_definitions"] = self.folder / "definitions.json"
            (self.folder / "definitions.json").write_text(json.dumps(definitions(users, queues or {}, vhosts)))
        self.settings |= settings or {}
        config = self.folder / "rabbitmq.conf"
        config.write_text("".join(f"{name} = {value}\n" for name, value in self.settings.items()))
        enabled = self.folder / "enabled_plugins"
        enabled.write_text(f"[{','.join(plugins or (AMQP10 if identity else ()))}].\n")
        self.environment = self.environment_for(config, enabled)
        self.log, self.process = self.folder / "output", None
        self.names = self.child(["epmd"])  # which would be started as a daemon otherwise
        self.start()

    def child(self, command):
        """One that does not outlive us, whatever happens."""
        with self.log.open("a") as output:
            return subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command], env=self.environment, cwd=self.folder,
                                    stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)

    def tls_settings(self, identity, trust):
        identity.write(self.folder, "server")
        (self.folder / "trust.pem").write_bytes(trust)
        return {"listeners.ssl.1": f"127.0.0.1:{self.tls_port}", "ssl_options.cacertfile": self.folder / "trust.pem",
                "ssl_options.certfile": self.folder / "server.pem", "ssl_options.keyfile": self.folder / "server.key",
                "ssl_options.verify": "verify_peer", "ssl_options.fail_if_no_peer_cert": "false",
                "ssl_options.versions.1": "tlsv1.3", "ssl_options.versions.2": "tlsv1.2",
                "ssl_options.depth": "3", "ssl_cert_login_from": "common_name",
                "auth_mechanisms.1": "PLAIN", "auth_mechanisms.2": "EXTERNAL", "amqp1_0.default_user": "none"}

    def environment_for(self, config, enabled):
        erlang = self.root / "usr/lib/erlang"
        libraries = [str(path) for path in (self.root / "usr/lib").glob("*-linux-gnu*")]
        return {**os.environ, "HOME": str(self.folder), "PATH": f"{erlang}/bin:{self.home}/sbin:{os.environ['PATH']}",
                "LD_LIBRARY_PATH": ":".join(libraries), "RABBITMQ_HOME": str(self.home),
                "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"), "RABBITMQ_LOG_BASE": str(self.folder / "log"),
                "RABBITMQ_PID_FILE": str(self.folder / "pid"), "RABBITMQ_CONFIG_FILE": str(config),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(enabled), "RABBITMQ_NODENAME": f"accord{self.port}@localhost",
                "RABBITMQ_DIST_PORT": str(self.dist), "ERL_EPMD_PORT": str(self.names_port),
                "ERL_EPMD_ADDRESS": "127.0.0.1", "detached": "no shell in between",
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}

    def start(self):
        """Again on the same ports, with what its durable queues held."""
        self.process = self.child([self.home / "sbin/rabbitmq-server"])
        try:
            self.wait()
        except BaseException:
            self.close()
            raise

    def wait(self, seconds=120):
        """Until it accepts connections."""
        port = self.tls_port if "listeners.ssl.1" in self.settings else self.port
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"rabbitmq-server did not start: {self.log.read_text()[-2000:]}")

    def pids(self):
        """Of the server and what it started."""
        session = str(self.process.pid)
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[3] == session and fields[0] not in "ZX":
                found.append(int(stat.parent.name))
        return found

    def stop(self):
        """In an orderly way."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        """As a power cut does it to processes."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        while self.pids():  # it has much memory to give back before its ports are free
            time.sleep(0.05)

    def close(self):
        self.stop()
        self.names.terminate()
        self.names.wait()
