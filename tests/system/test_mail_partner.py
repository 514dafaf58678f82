"""The rehearsal mail server, by Python's own client: what the tests and the demonstration rely on."""
import email.message
import smtplib
import ssl

import pytest

from mail_partner import MailPartner


@pytest.fixture(name="server", params=["starttls", "implicit"])
def mail_partner(request):
    with MailPartner(implicit=request.param == "implicit") as one:
        yield one
        assert not one.told("broken"), one.told("broken")


def connect(server, password="open sesame"):
    context = ssl.create_default_context(cadata=server.authority.trust.decode())
    if server.implicit:
        client = smtplib.SMTP_SSL("localhost", server.port, context=context, timeout=20)
    else:
        client = smtplib.SMTP("localhost", server.port, timeout=20)
        if server.starttls:
            client.starttls(context=context)
    client.login("acme", password)
    return client


def letter():
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "us@acme.example", "stow@cbp.example", "a plan"
    message.set_content("see the attachment")
    message.add_attachment(b"UNB+UNOA'", maintype="application", subtype="EDIFACT", filename="plan.edi")
    return message


def test_it_takes_mail_from_who_logs_in(server):
    connect(server).send_message(letter())
    mail = server.mails[0]
    assert mail.user == "acme" and mail.secure and mail.recipients == ["stow@cbp.example"]
    assert [(part.get_filename(), part.get_content()) for part in mail.attachments()] == [("plan.edi", b"UNB+UNOA'")]
    with pytest.raises(smtplib.SMTPAuthenticationError):
        connect(server, "wrong")
    assert [one["ok"] for one in server.told("login")] == [True, False]


def test_it_does_wrong_as_asked_for(server):
    server.refused.add("stow@cbp.example")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        connect(server).send_message(letter())
    server.refused.clear()
    for fault, command, error in (("greylist", "MAIL", smtplib.SMTPSenderRefused), ("busy", "DATA", smtplib.SMTPDataError),
                                  ("policy", "BODY", smtplib.SMTPDataError), ("cut", "RCPT", OSError),
                                  ("take-and-cut", "BODY", OSError), ("busy", "CONNECT", OSError)):
        server.faults.play(fault, command, times=1)
        with pytest.raises(error):
            connect(server).send_message(letter())
    assert len(server.mails) == 1
    connect(server).send_message(letter())
    assert len(server.mails) == 2
    server.starttls = False
    if not server.implicit:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            connect(server)
