"""A RabbitMQ of our own, from build/servers-rabbitmq (tests/tools/servers rabbitmq): loopback ports that are free, every
file in one folder, ended by process id."""
import os
import pathlib
import signal
import socket
import subprocess
import time


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class RabbitMQ:
    """`root`: where Debian's packages were unpacked. `folder`: for its files; on the disk that is to be measured."""

    def __init__(self, root, folder, plugins=()):
        self.root, self.folder = pathlib.Path(root).resolve(), pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, dist, self.epmd = free_ports(3)
        home = next((self.root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
        config = self.folder / "rabbitmq.conf"
        config.write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = false\n")
        enabled = self.folder / "enabled_plugins"
        enabled.write_text(f"[{','.join(plugins)}].\n")
        erlang = self.root / "usr/lib/erlang"
        libraries = [str(path) for path in (self.root / "usr/lib").glob("*-linux-gnu*")]
        self.environment = {
            **os.environ, "HOME": str(self.folder), "PATH": f"{erlang}/bin:{home}/sbin:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": ":".join(libraries), "RABBITMQ_HOME": str(home),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"), "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"), "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(enabled), "RABBITMQ_NODENAME": f"accord{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(dist), "ERL_EPMD_PORT": str(self.epmd), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}
        self.log = self.folder / "output"
        with self.log.open("w") as output:
            self.process = subprocess.Popen([home / "sbin/rabbitmq-server"], env=self.environment, cwd=self.folder,
                                            stdout=output, stderr=output, start_new_session=True)
        self.wait()

    def wait(self, seconds=60):
        """Until it accepts connections."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
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
            if fields[3] == session:
                found.append(int(stat.parent.name))
        return found

    def close(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        subprocess.run(["epmd", "-port", str(self.epmd), "-kill"], env=self.environment, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
