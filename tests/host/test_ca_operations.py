"""The lab CA in memory: kur, rr, genm, delayed answers."""

import dataclasses
import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID
from pyasn1.codec.der import decoder, encoder
from pyasn1.type import univ
from pyasn1_alt_modules import rfc9480

from certlet_host.ca import crl
from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.provoke import parse
from certlet_host.ca.state import open_state
from host.cmp_peer import Answer, Ask, certificate, name, old_cert_id, p256

SECRET = b"0123456789abcdef0123456789abcdef"
TEMPLATE, ROOT, CRLS = 19, 20, 22


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("ca"))


def opened(folder):
    state = open_state(folder)
    for reference in ("dev1", "dev2"):
        state.store.add_secret(reference, SECRET, reusable=True)
    return state


def ask(**fields):
    return Ask(**{"secret": SECRET, **fields})


def exchange(state, request, *provoke, **options):
    return Answer(Responder(state, provoke=parse(provoke), **options).respond(request))


def identity(state, **fields):
    """A key and its confirmed certificate."""
    wish = ask(implicit=True, **fields)
    return wish.key, exchange(state, wish.message()).certificate


def signed_by(signer, certificate, **fields):
    return ask(signer=signer, certs=(certificate,), reference=None, **fields)


def status(state, certificate):
    serial = f"{certificate.serial_number:x}"
    row = next(row for row in state.store.certificates() if row["serial"] == serial)
    return f"{row['status']} {row['reason']}".strip()


# kur


def test_update(state):
    """New key, same key, without a subject; the old certificate is superseded when the new one is confirmed."""
    key, old = identity(state, sans=(x509.DNSName("a.example"),))
    for fields in ({}, {"key": key}, {"subject": None}, {"controls": (old_cert_id(old),)}):
        wish = signed_by(key, old, kind="kur", **fields)
        answer = exchange(state, wish.message())
        assert answer.outcome == "kup 0"
        assert answer.certificate.public_key() == wish.key.public_key()
        assert answer.certificate.subject == old.subject
        if "subject" in fields:
            names = answer.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    assert status(state, old) == "confirmed"
    assert exchange(state, wish.confirm(answer)).outcome == "pkiconf"
    assert (status(state, old), status(state, answer.certificate)) == ("superseded", "confirmed")
    assert exchange(state, wish.confirm(answer)).outcome == "pkiconf"


def test_update_that_is_rejected_leaves_the_old_certificate(state):
    key, old = identity(state)
    wish = signed_by(key, old, kind="kur")
    answer = exchange(state, wish.message())
    assert exchange(state, wish.confirm(answer, accept=False)).outcome == "pkiconf"
    assert (status(state, old), status(state, answer.certificate)) == ("confirmed", "rejected")


def test_updates_that_are_refused(state):
    key, mine = identity(state)
    _, others = identity(state, reference=b"dev2")
    gone_key, gone = identity(state)
    exchange(state, signed_by(gone_key, gone).revoke(gone))
    unknown = x509.CertificateBuilder(
        mine.issuer, mine.subject, key.public_key(), 77, mine.not_valid_before_utc, mine.not_valid_after_utc
    ).sign(key, hashes.SHA256())
    foreign = x509.CertificateBuilder(
        mine.subject, mine.subject, key.public_key(), mine.serial_number, mine.not_valid_before_utc,
        mine.not_valid_after_utc,
    ).sign(key, hashes.SHA256())
    rows = (
        ("kup badCertId", signed_by(key, mine, controls=(old_cert_id(unknown),))),
        ("kup badCertId", signed_by(key, mine, controls=(old_cert_id(foreign),))),
        ("kup notAuthorized", signed_by(key, mine, controls=(old_cert_id(others),))),
        ("kup badCertId", ask()),
        ("kup certRevoked", ask(controls=(old_cert_id(gone),))),
        ("kup notAuthorized", ask(controls=(old_cert_id(others),))),
        ("kup 0", ask(controls=(old_cert_id(mine),))),
        ("error certRevoked", signed_by(gone_key, gone)),
    )
    for outcome, wish in rows:
        assert exchange(state, dataclasses.replace(wish, kind="kur").message()).outcome == outcome, wish.controls


# rr

REASONS = {
    None: "", 0: "unspecified", 1: "keyCompromise", 2: "cACompromise", 3: "affiliationChanged", 4: "superseded",
    5: "cessationOfOperation", 6: "certificateHold", 9: "privilegeWithdrawn", 10: "aACompromise",
}


@pytest.mark.parametrize("reason", REASONS)
def test_revocation(state, reason):
    key, mine = identity(state)
    answer = exchange(state, signed_by(key, mine).revoke(mine, reason))
    assert answer.outcome == "rp 0"
    assert answer.is_signed()
    assert int(answer.body["revCerts"][0]["serialNumber"]) == mine.serial_number
    assert status(state, mine) == f"revoked {REASONS[reason]}".strip()
    found = crl.make(state.authority, *state.store.revoked())
    assert found.is_signature_valid(state.authority.issuing.key.public_key())
    entry = found.get_revoked_certificate_by_serial_number(mine.serial_number)
    extensions = [extension.value.reason.value for extension in entry.extensions]
    assert extensions == ([REASONS[reason]] if reason else [])
    again = exchange(state, signed_by(key, mine).revoke(mine, 1))
    assert again.outcome == ("rp 0" if reason == 6 else "rp certRevoked")
    assert exchange(state, signed_by(key, mine).message()).outcome == "error certRevoked"


def test_hold_and_release(state):
    key, mine = identity(state)
    assert exchange(state, signed_by(key, mine).revoke(mine, 8)).outcome == "rp badRequest"
    assert exchange(state, signed_by(key, mine).revoke(mine, 6)).outcome == "rp 0"
    assert exchange(state, signed_by(key, mine).revoke(mine, 8)).outcome == "rp 0"
    assert status(state, mine) == "confirmed"
    found = crl.make(state.authority, *state.store.revoked())
    assert found.get_revoked_certificate_by_serial_number(mine.serial_number) is None


def test_who_may_revoke(state):
    key, mine = identity(state)
    other_key, others = identity(state, reference=b"dev2")
    update = signed_by(key, mine, kind="kur", implicit=True)
    updated_key, updated = update.key, exchange(state, update.message()).certificate
    ra_key = p256()
    ra_name = x509.Name.from_rfc4514_string("CN=RA")
    now = datetime.now(UTC)
    ra = x509.CertificateBuilder(ra_name, ra_name, ra_key.public_key(), 5, now, now + timedelta(days=1)).add_extension(
        x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")]), False
    ).sign(ra_key, hashes.SHA256())
    state.trust(ra.public_bytes(Encoding.PEM))
    rows = (
        ("rp notAuthorized", signed_by(other_key, others), {}),
        ("rp notAuthorized", ask(reference=b"dev2"), {}),
        ("rp badCertId", signed_by(key, mine), {"serial": 12345}),
        ("rp badCertId", signed_by(key, mine), {"serial": -5}),
        ("rp badCertId", signed_by(key, mine), {"issuer": ra_name}),
        ("rp badRequest", signed_by(key, mine), {"reason": 7}),
        ("rp notAuthorized", signed_by(updated_key, updated), {}),
        ("rp 0", ask(), {"reason": 6}),
        ("rp 0", signed_by(ra_key, ra), {}),
    )
    for outcome, wish, fields in rows:
        assert exchange(state, wish.revoke(mine, **fields)).outcome == outcome, fields
    # The secret of the first enrolment also owns what came of it by kur.
    assert exchange(state, ask(reference=b"dev2").revoke(updated)).outcome == "rp notAuthorized"
    assert exchange(state, ask().revoke(updated)).outcome == "rp 0"


# genm


def told(state, *infos, provoke=(), **fields):
    answer = exchange(state, ask(**fields).inquire(*infos), *provoke)
    assert answer.outcome == "genp"
    assert answer.is_maced(SECRET)
    return answer.infos


def certificates(value):
    return [certificate(item) for item in decoder.decode(value, asn1Spec=rfc9480.CaCertsValue())[0]]


def test_plain_answers(state):
    authority = state.authority
    found = told(state, (17, None))
    assert certificates(found[17]) == [authority.issuing.certificate, authority.root.certificate]
    kinds = {2: rfc9480.SignKeyPairTypesValue(), 3: rfc9480.EncKeyPairTypesValue(), 4: rfc9480.PreferredSymmAlgValue()}
    found = told(state, *((number, None) for number in kinds))
    assert list(found) == list(kinds)
    for number, kind in kinds.items():
        assert not decoder.decode(found[number], asn1Spec=kind)[1]
    assert set(told(state)) == {2, 3, 4, 6}


def test_unknown_questions(state):
    found = told(state, ("1.2.3.4", b"\x05\x00"), (17, None), (99, None))
    assert set(found) == {17, 7}
    unknown = decoder.decode(found[7], asn1Spec=rfc9480.UnsupportedOIDsValue())[0]
    assert [str(oid) for oid in unknown] == ["1.2.3.4", "1.3.6.1.5.5.7.4.99"]
    answer = exchange(state, ask().inquire((17, None)), "unknown-info")
    assert [str(item["infoType"]) for item in answer.body][1:] == ["1.2.3.4.5.6"]
    assert [str(item["infoType"]) for item in answer.header["generalInfo"]] == ["1.2.3.4.5.6"]


def crl_status(issuer, this_update=None):
    value = rfc9480.CRLStatusListValue()
    value[0]["source"]["issuer"][0]["directoryName"]["rdnSequence"] = decoder.decode(
        issuer, asn1Spec=rfc9480.Name())[0]["rdnSequence"]  # fmt: skip
    if this_update:
        value[0]["thisUpdate"]["utcTime"] = this_update.strftime("%y%m%d%H%M%SZ")
    return encoder.encode(value)


def test_crls(state):
    key, mine = identity(state)
    exchange(state, signed_by(key, mine).revoke(mine))
    current = x509.load_der_x509_crl(told(state, (6, None))[6])
    assert current.get_revoked_certificate_by_serial_number(mine.serial_number)
    issuer = state.authority.issuing.subject
    day = timedelta(days=1)
    for value, due in (
        (crl_status(issuer), True), (crl_status(issuer, current.last_update_utc - day), True),
        (crl_status(issuer, current.last_update_utc), False), (crl_status(name("other CA")), False),
    ):
        found = told(state, (CRLS, value))[23]
        assert (found is not None) == due
        if found:
            lists = decoder.decode(found, asn1Spec=rfc9480.CRLsValue())[0]
            found = x509.load_der_x509_crl(encoder.encode(lists[0]))
            assert found.tbs_certlist_bytes == current.tbs_certlist_bytes


def test_template(state):
    assert told(state, (TEMPLATE, None)) == {TEMPLATE: None}
    for label, fields in (("", {"profile": "template"}), ("template", {})):
        request = ask(**fields).inquire((TEMPLATE, None))
        found = Answer(Responder(state).exchange(request, label)[1]).infos[TEMPLATE]
        value = decoder.decode(found, asn1Spec=rfc9480.CertReqTemplateValue())[0]
        pairs = [pair for rdn in value["certTemplate"]["subject"]["rdnSequence"] for pair in rdn]
        assert [bytes(pair["value"]) for pair in pairs] == [b"\x0c\x00", b"\x0c\x0bcertlet lab"]
        specs = {str(item["type"])[-2:]: bytes(item["value"]) for item in value["keySpec"]}
        assert int(decoder.decode(specs["12"], asn1Spec=univ.Integer())[0]) == 2048
        assert specs["11"].hex() == "301306072a8648ce3d020106082a8648ce3d030107"


def test_template_of_the_operator(tmp_path):
    state = opened(tmp_path)
    profiles = tmp_path / "profiles.json"
    profiles.write_text(json.dumps({"default": {"keys": ["rsa3072"], "subject": [["country_name", "NL"]]}}))
    assert told(state, (TEMPLATE, None))[TEMPLATE]
    for wrong in ('{"x": {"keys": ["dsa"]}}', '{"x": {"colour": 1}}', "[]", "{"):
        profiles.write_text(wrong)
        assert exchange(state, ask().inquire((TEMPLATE, None))).outcome == "error systemFailure"


def test_profile_without_purposes(tmp_path):
    """ExtendedKeyUsage must not be empty, so there is none; such a certificate signs requests too."""
    state = opened(tmp_path)
    (tmp_path / "profiles.json").write_text(json.dumps({"default": {"purposes": []}}))
    key, mine = identity(state)
    assert ExtensionOID.EXTENDED_KEY_USAGE not in [extension.oid for extension in mine.extensions]
    assert exchange(state, signed_by(key, mine).message()).outcome == "ip 0"


def test_rollover(tmp_path):
    state = opened(tmp_path)
    key, mine = identity(state)
    old = state.authority.root.certificate
    old_der = old.public_bytes(Encoding.DER)
    assert told(state, (ROOT, old_der), (5, None)) == {18: None, 5: None}
    state.authority.roll_over()
    state.store.close()
    state = open_state(tmp_path)
    new = state.authority.root.certificate
    assert new.public_key() != old.public_key()
    for value in (old_der, None):
        update = decoder.decode(told(state, (ROOT, value))[18], asn1Spec=rfc9480.RootCaKeyUpdateValue())[0]
        new_with_new, new_with_old, old_with_new = (
            certificate(update[part]) for part in ("newWithNew", "newWithOld", "oldWithNew")
        )
        assert new_with_new == new
        assert new_with_old.public_key() == new.public_key()
        new_with_old.verify_directly_issued_by(old)
        old_with_new.verify_directly_issued_by(new)
        assert old_with_new.public_key() == old.public_key()
    assert told(state, (ROOT, new.public_bytes(Encoding.DER))) == {18: None}
    assert told(state, (5, None))[5]
    # Whoever holds the old root or the new one finds a chain to it; certificates from before still serve.
    answer = exchange(state, signed_by(key, mine, kind="kur").message())
    assert answer.outcome == "kup 0"
    assert exchange(state, ask().message()).extra_certs == answer.extra_certs[1:]
    _, issuing, older = answer.extra_certs
    issuing.verify_directly_issued_by(new)
    older.verify_directly_issued_by(old)
    answer.certificate.verify_directly_issued_by(older)


@pytest.mark.parametrize("cut", [1, 2])
def test_rollover_that_is_cut(tmp_path, cut):
    """After root.key, or after root.pem: the folder opens with a whole chain under the new key."""
    state = opened(tmp_path)
    old, kept = state.authority.root.certificate, [tmp_path / "root.pem", tmp_path / "issuing.pem"][cut - 1 :]
    before = [file.read_bytes() for file in kept]
    state.authority.roll_over()
    key = state.authority.root.key.public_key()
    for file, data in zip(kept, before, strict=True):
        file.write_bytes(data)
    authority = open_state(tmp_path).authority
    assert authority.root.certificate.public_key() == key
    authority.issuing.certificate.verify_directly_issued_by(authority.root.certificate)
    authority.update.new_with_old.verify_directly_issued_by(old)
    assert authority.update.new_with_old.public_key() == key


FORGED = {
    "bad-new": lambda new, link: not verifies(new, new), "bad-link": lambda new, link: link == new,
    "other-key": lambda new, link: link.public_key() != new.public_key(), "no-link": lambda new, link: link is None,
}


def verifies(subject, issuer):
    try:
        subject.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def test_forged_root_updates(tmp_path):
    state = opened(tmp_path)
    state.authority.roll_over()
    old = state.authority.update.old
    for word, holds in FORGED.items():
        value = told(state, (ROOT, None), provoke=[f"root-update={word}"])[18]
        update = decoder.decode(value, asn1Spec=rfc9480.RootCaKeyUpdateValue())[0]
        link = certificate(update["newWithOld"]) if update["newWithOld"].hasValue() else None
        new = certificate(update["newWithNew"])
        if word == "bad-link":
            assert not verifies(link, old)
        else:
            assert holds(new, link), word


# Delayed delivery


def delayed(state):
    key, mine = identity(state)
    by_key = signed_by(key, mine)
    return [
        ("ip 3", "ip 0", 0, wish := ask(), wish.message()),
        ("cp 3", "cp 0", 0, wish := ask(kind="cr"), wish.message()),
        ("cp 3", "cp 0", -1, wish := ask(kind="p10cr"), wish.message()),
        ("kup 3", "kup 0", 0, wish := dataclasses.replace(by_key, kind="kur", transaction_id=os.urandom(16)),
         wish.message()),
        ("error 3", "genp", -1, wish := ask(), wish.inquire((17, None))),
        ("error 3", "rp 0", -1, wish := dataclasses.replace(by_key, transaction_id=os.urandom(16)),
         wish.revoke(mine, 1)),
    ]


def test_delayed_answers(state):
    for first, last, req_id, wish, request in delayed(state):
        answer = exchange(state, request, "wait=2:7")
        assert answer.outcome == first
        nonces = [wish.sender_nonce]
        for outcome in ("pollRep 7", "pollRep 7", last):
            assert bytes(answer.header["recipNonce"]) == nonces[-1]
            poll = wish.poll(answer, req_id)
            nonces.append(nonce_of(poll))
            answer = exchange(state, poll)
            assert answer.outcome == outcome
            if outcome.startswith("pollRep"):
                assert int(answer.body[0]["certReqId"]) == req_id
        assert bytes(answer.header["recipNonce"]) == nonces[-1]
        assert exchange(state, poll).nonce == answer.nonce
        if last.endswith("p 0") and wish.kind in ("ir", "cr", "p10cr", "kur") and last != "rp 0":
            assert exchange(state, wish.confirm(answer)).outcome == "pkiconf"


def nonce_of(request):
    message = decoder.decode(request, asn1Spec=rfc9480.PKIMessage())[0]
    return bytes(message["header"]["senderNonce"])


def test_delayed_confirmation(state):
    wish = ask()
    answer = exchange(state, wish.message())
    serial = answer.certificate
    answer = exchange(state, wish.confirm(answer), "wait=1", "only=pkiconf")
    assert (answer.outcome, status(state, serial)) == ("error 3", "pending")
    answer = exchange(state, wish.poll(answer, -1))
    assert (answer.outcome, status(state, serial)) == ("pollRep 1", "pending")
    answer = exchange(state, wish.poll(answer, -1))
    assert (answer.outcome, status(state, serial)) == ("pkiconf", "confirmed")


def test_polls_that_are_refused(state):
    wish = ask()
    answer = exchange(state, wish.message(), "wait=1")
    rows = (
        ("error badRequest", wish.poll(answer, 1)),
        ("error badRequest", wish.poll(answer, -1)),
        ("error badRecipientNonce", wish.poll(answer, recip_nonce=b"x" * 16)),
        ("error badRequest", wish.poll(answer, transaction_id=b"x" * 16)),
        ("error badRequest", wish.poll(answer, reference=b"dev2")),
        ("error badMessageCheck", wish.poll(answer, secret=b"x" * 32)),
        ("pollRep 1", wish.poll(answer)),
    )
    for outcome, request in rows:
        assert exchange(state, request).outcome == outcome
    done = exchange(state, ask().message())
    assert exchange(state, ask().poll(done)).outcome == "error badRequest"


def test_waiting_survives_a_restart_and_lost_replies(state):
    """A board that lost a pollRep polls again with the nonce before it."""
    wish = ask()
    first = exchange(state, wish.message(), "wait=3")
    exchange(open_state(state.folder), wish.poll(first))
    answer = exchange(open_state(state.folder), wish.poll(first))
    assert answer.outcome == "pollRep 1"


def test_approval(state):
    for word in (lambda wish: wish.transaction_id.hex(), lambda wish: "dev2"):
        wish = ask(reference=b"dev2")
        answer = exchange(state, wish.message(), manual=True)
        for _ in range(3):
            assert answer.outcome in ("ip 3", "pollRep 10")
            answer = exchange(state, wish.poll(answer), manual=True)
        assert (wish.transaction_id.hex(), "reference dev2") in state.store.delayed()
        assert wish.transaction_id.hex() in state.store.approve(word(wish))
        assert exchange(state, wish.poll(answer), manual=True).outcome == "ip 0"
    assert state.store.approve("nobody") == []


def test_other_waits(state):
    wish = ask()
    answer = exchange(state, wish.message(), "wait=forever", "check-after=-1")
    assert exchange(state, wish.poll(answer)).outcome == "pollRep -1"
    wish = ask()
    answer = exchange(state, wish.message(), "wait=1")
    answer = exchange(state, wish.poll(answer), "wrong-req-id")
    assert int(answer.body[0]["certReqId"]) == 1
    answer = exchange(state, wish.poll(answer), "original-nonce")
    assert bytes(answer.header["recipNonce"]) == wish.sender_nonce


def test_waiting_as_error(state):
    wish = ask()
    answer = exchange(state, wish.message(), "wait=1", "wait-as-error")
    assert answer.outcome == "error 3"
    assert exchange(state, wish.poll(answer, 0)).outcome == "error badRequest"
    answer = exchange(state, wish.poll(answer, -1))
    assert answer.outcome == "pollRep 1"
    assert exchange(state, wish.poll(answer, -1)).outcome == "ip 0"


def test_client_that_gives_up_while_waiting(state):
    wish = ask()
    answer = exchange(state, wish.message(), "wait=1")
    content = rfc9480.ErrorMsgContent()
    content["pKIStatusInfo"]["status"] = 2
    answer = exchange(state, wish.follow(answer, "error", content))
    assert answer.outcome == "pkiconf"
