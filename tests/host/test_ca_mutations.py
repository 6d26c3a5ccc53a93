"""Requests of every kind with wrong octets in the body and yet the right MAC: the lab CA refuses or answers, always."""

import logging
import random

import pytest
from cryptography import x509

from certlet_host.ca import der, mac
from certlet_host.ca.cmp_codec import decode, parse_message
from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.cmp_schema import MESSAGE
from certlet_host.ca.provoke import parse
from certlet_host.ca.state import open_state
from host.cmp_peer import FAILURES, Answer, Ask, old_cert_id, utf8

SECRET = b"0123456789abcdef0123456789abcdef"
CONTROLS, REG_INFO = "1.3.6.1.5.5.7.5.1.", "1.3.6.1.5.5.7.5.2.1"
OCTETS = (0, 1, 0x30, 0x80, 0xA0, 0xFF)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    state = open_state(tmp_path_factory.mktemp("ca"))
    state.store.add_secret("dev1", SECRET, reusable=True)
    return state


def ask(**fields):
    return Ask(**{"secret": SECRET, "iterations": 100, **fields})


def kur(state):
    mine = Answer(Responder(state).respond(ask(implicit=True).message())).certificate
    controls = (old_cert_id(mine), (CONTROLS + "1", utf8("token")), (CONTROLS + "3", bytes.fromhex("3003020101")))
    return lambda: ask(kind="kur", controls=controls, reg_info=((REG_INFO, utf8("a?b%")),), sans=(x509.DNSName("a"),),
                       not_after="20991225000000Z").message()


def rr(state):
    mine = Answer(Responder(state).respond(ask(implicit=True).message())).certificate
    return lambda: ask().revoke(mine, 6)


def cert_conf(state):
    wish = ask()
    answer = Answer(Responder(state).respond(wish.message()))
    return lambda: wish.confirm(answer, hash_alg="2.16.840.1.101.3.4.2.1", pvno=3)


def poll_req(state):
    wish = ask()
    answer = Answer(Responder(state, provoke=parse(["wait=forever"])).respond(wish.message()))
    return lambda: wish.poll(answer)


KINDS = {
    "kur": kur, "rr": rr, "certConf": cert_conf, "pollReq": poll_req,
    "p10cr": lambda state: ask(kind="p10cr").message,
    "key generation": lambda state: lambda: ask(public_key=False, popo="").message(),
    "key encipherment": lambda state: lambda: ask(popo="keyEncipherment").message(),
    "genm": lambda state: lambda: ask().inquire((22, bytes.fromhex("30083006a104a4023000")), (20, None), (19, None)),
}


def protected_anew(request, body):
    """The message with another body, under the MAC that its header tells of."""
    header = bytes(decode(request, MESSAGE)["header"])
    protector = mac.MacProtector(mac.parse(parse_message(request).algorithm), SECRET)
    part = der.sequence(header, body)
    return der.sequence(header, body, der.explicit(0, der.bits(protector.protect(part))))


@pytest.mark.parametrize("kind", KINDS)
def test_mutations(state, caplog, kind):
    numbers, make, responder = random.Random(kind), KINDS[kind](state), Responder(state)
    outcomes = set()
    with caplog.at_level(logging.ERROR, "certlet.ca"):
        for _ in range(60):
            request = make()
            body = bytearray(parse_message(request).body)
            for _ in range(numbers.choice((1, 1, 2, 3))):
                body[numbers.randrange(2, len(body))] = numbers.choice((*OCTETS, numbers.randrange(256)))
            outcomes.add(Answer(responder.respond(protected_anew(request, bytes(body)))).outcome)
    assert any(outcome.split()[-1] in FAILURES for outcome in outcomes)
    assert not caplog.records, caplog.text
