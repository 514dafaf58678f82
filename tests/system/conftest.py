"""Fixtures of the system tests; what they give is in harness.py."""
import pytest

from harness import Agent, Partner, Sshd, install


@pytest.fixture(scope="session")
def installation():
    installed = install()
    yield installed
    installed.remove()


@pytest.fixture
def agent(installation):
    """An agent that is not started yet: write its conf.d, then agent.start()."""
    one = Agent(installation)
    yield one
    one.close()


@pytest.fixture
def agents(installation):
    """A function that makes agents."""
    made = []

    def make():
        made.append(Agent(installation))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def sshd(installation):
    """OpenSSH's server, running."""
    if Sshd.binary() is None:
        pytest.skip("OpenSSH's server could not be fetched (see build/logs/servers.log)")
    server = Sshd(installation.folder())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def partner(installation):
    """A function that makes SFTP servers in this process: partner(server=..., **options of asyncssh.listen)."""
    made = []

    def make(**how):
        made.append(Partner(installation.folder(), **how))
        return made[-1]
    yield make
    for one in made:
        one.stop()


@pytest.fixture
def not_run(record_property):
    """Says that a part of a test could not run here: not_run("probe-x", "this kernel forbids it")."""
    return lambda name, why: record_property("not-run", f"{name}: {why}")
