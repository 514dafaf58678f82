"""The CBP agreement's services over SFTP beside stow plans: container status messages and AES commodity data, and nothing else."""
import configparser

import make_records
import pytest
from harness import ROOT
from traffic import Traffic, receiving

SERVICES = {name: {"type": name, "direction": "send", "link": "sftp", "directory": "in", "from": f"site/{name}",
                   "retry-first": "300 ms"} for name in ("container-status", "aes-commodity")}
SITE = {key: value for name in SERVICES for key, value in receiving(name, name).items()}


@pytest.fixture
def cbp(agent, sshd):
    for name in SERVICES:
        agent.site_folder(name)
    return Traffic(agent, sshd, {f"service {name}": keys for name, keys in SERVICES.items()}, site=SITE).start()


def test_container_status_and_aes_commodity_data_go_by_sftp(cbp):
    """CBP-1a.2, CBP-1a.3: whole, under their names; the password in an 80-column record is nobody's to see."""
    for name, make in (("container-status", make_records.container_status), ("aes-commodity", make_records.aes_commodity)):
        content = cbp.send(f"{name}.txt", make(1), folder=name)
        row = cbp.delivered(f"{name}.txt", content)
        assert row["type"] == name
    said = cbp.agent.log() + str(cbp.agent.audit_records()) + str(cbp.agent.ask("explain", row["id"]).tables)
    assert make_records.PASSWORD not in said


def test_what_is_not_in_order_or_not_listed_does_not_go(cbp):
    """CBP-1b: a miscounted message, a file of another kind, records of another width; each stands in quarantine with its
    rule, and nothing of it at the partner."""
    wrong = {"counted.edi": ("container-status", make_records.container_status(2, break_="count")),
             "plan-not-status.edi": ("container-status", b"UNB+UNOA:2+ACME+USCBP+260115:1030+1'UNZ+0+1'"),
             "answer-not-data.txt": ("aes-commodity", make_records.cbp_response()),
             "width.txt": ("aes-commodity", make_records.aes_commodity().replace(b" \n", b"\n", 1))}
    for name, (folder, content) in wrong.items():
        cbp.send(name, content, folder=folder)
    for name, (folder, content) in wrong.items():
        row = cbp.wait(name, "quarantined")
        assert row["rule"].startswith(f"{folder}."), row
        reason = cbp.rejected(name, content, folder)
        assert row["rule"] in reason and make_records.PASSWORD not in reason
    assert not list(cbp.inbox.iterdir())


def test_the_agreement_as_it_is_shipped_has_these_services_and_no_other(agent):
    """Clause by clause, switched off; `accord check` finds no mistake in it."""
    parser = configparser.ConfigParser(inline_comment_prefixes=(";",), interpolation=None)
    parser.read(ROOT / "conf.d/cbp-isa.conf")
    assert parser["agreement"]["enabled"] == "no"
    found = {(keys["type"], keys["direction"], parser[f"link {keys['link']}"]["connector"])
             for name, keys in parser.items() if name.startswith("service ")}
    assert found == {("ace-transaction", "send", "mq"), ("cbp-response", "receive", "mq"),  # CBP-1a.1
                     ("stow-plan", "send", "sftp"), ("stow-plan", "send", "smtp"),          # CBP-1a.2
                     ("container-status", "send", "sftp"),
                     ("aes-commodity", "send", "sftp")}                                     # CBP-1a.3
    assert all(keys["tunnel"] == "ipsec" for name, keys in parser.items() if name.startswith("endpoint "))
    answer = agent.ask("check", conf=ROOT / "conf.d")
    assert answer.code in (0, 5), answer
