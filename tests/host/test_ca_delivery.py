"""The lab CA in memory: proofs of possession, certificates and keys that come encrypted, controls and profiles."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding

from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.provoke import parse
from certlet_host.ca.state import open_state
from host.cmp_peer import Answer, Ask, p256, utf8
from host.cms_reader import open_enveloped, open_under_secret, verified_key

SECRET = b"0123456789abcdef0123456789abcdef"
RSA = rsa.generate_private_key(65537, 2048)
P384 = ec.generate_private_key(ec.SECP384R1())
REG_TOKEN, AUTHENTICATOR, PUBLICATION = (f"1.3.6.1.5.5.7.5.1.{number}" for number in (1, 2, 3))
UTF8_PAIRS = "1.3.6.1.5.5.7.5.2.1"


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    state = open_state(tmp_path_factory.mktemp("ca"))
    state.store.add_secret("dev1", SECRET, reusable=True)
    return state


def ask(**fields):
    return Ask(**{"secret": SECRET, **fields})


def exchange(state, request, *provoke, label=""):
    return Answer(Responder(state, provoke=parse(provoke)).exchange(request, label)[1])


def identity(state, **fields):
    wish = ask(implicit=True, **fields)
    return wish.key, exchange(state, wish.message()).certificate


# Proof of possession


@pytest.mark.parametrize(("key", "popo"), [(RSA, "keyEncipherment"), (p256(), "keyAgreement"), (P384, "keyAgreement")],
                         ids=["RSA", "P-256", "P-384"])
def test_encrypted_certificate(state, tmp_path, key, popo):
    wish = ask(key=key, popo=popo, pvno=3)
    answer = exchange(state, wish.message())
    assert (answer.outcome, int(answer.header["pvno"])) == ("ip 0", 3)
    der = open_enveloped(tmp_path, answer.encrypted_certificate, key)
    found = x509.load_der_x509_certificate(der)
    assert found.public_key() == key.public_key()
    assert exchange(state, wish.confirm(answer, cert_hash=hashlib.sha256(der).digest())).outcome == "pkiconf"


def test_encrypted_value(state):
    """pvno 2 has no EnvelopedData: EncryptedValue of RFC 4211."""
    answer = exchange(state, ask(key=RSA, popo="keyEncipherment").message())
    assert int(answer.header["pvno"]) == 2
    value = answer.encrypted_certificate["encryptedValue"]
    key = RSA.decrypt(value["encSymmKey"].asOctets(), rsa_padding.PKCS1v15())
    iv = bytes(value["symmAlg"]["parameters"])[2:]
    decryptor, unpadder = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor(), padding.PKCS7(128).unpadder()
    der = unpadder.update(decryptor.update(value["encValue"].asOctets())) + unpadder.finalize()
    assert x509.load_der_x509_certificate(der).public_key() == RSA.public_key()


def registration_authority(state):
    key, name, now = p256(), x509.Name.from_rfc4514_string("CN=RA"), datetime.now(UTC)
    purposes = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")])
    found = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
    ).add_extension(purposes, False).sign(key, hashes.SHA256())
    state.trust(found.public_bytes(Encoding.PEM))
    return key, found


def test_proofs(state):
    ra_key, ra = registration_authority(state)
    key, mine = identity(state)
    by_ra = {"signer": ra_key, "certs": (ra,), "reference": None}
    rows = (
        ("ip 0", {"popo": "raVerified", **by_ra}),
        ("ip badPOP", {"popo": "raVerified"}),
        ("ip badPOP", {"popo": "raVerified", "signer": key, "certs": (mine,), "reference": None}),
        ("ip badPOP", {"popo": "", **by_ra}),
        ("ip badPOP", {"popo": "keyEncipherment"}),
        ("ip badPOP", {"popo": "keyAgreement", "key": RSA}),
        ("ip badPOP", {"popo": "keyAgreement", "key": ed25519.Ed25519PrivateKey.generate()}),
        ("ip badAlg", {"popo": "keyAgreement", "pvno": 2}),
    )
    for outcome, fields in rows:
        assert exchange(state, ask(**fields).message()).outcome == outcome, fields


# Central key generation


def generated(state, tmp_path, signer, *provoke, **fields):
    """The reply to a request without a key, and the key in it."""
    key, certificate = signer or (None, None)
    by = {"signer": key, "certs": (certificate,), "reference": None} if key else {}
    answer = exchange(state, ask(public_key=False, popo="", pvno=3, **by, **fields).message(), *provoke)
    assert (answer.outcome, int(answer.header["pvno"])) == ("ip 0", 3)
    if key:
        signed = open_enveloped(tmp_path, answer.private_key, key, certificate)
    elif "pwri-kek" in provoke:
        signed = open_enveloped(tmp_path, answer.private_key, password=SECRET)
    else:
        signed = open_under_secret(answer.private_key, SECRET)
    return answer, signed


@pytest.mark.parametrize("kind", ["KTRI", "KARI P-256", "KARI P-384", "PWRI", "PWRI of RFC 3211"])
def test_generated_key(state, tmp_path, kind):
    keys = {"KTRI": RSA, "KARI P-256": p256(), "KARI P-384": P384}
    signer = identity(state, key=keys[kind]) if kind in keys else None
    words = ["pwri-kek"] if "3211" in kind else []
    answer, signed = generated(state, tmp_path, signer, *words)
    key = verified_key(tmp_path, signed, state.authority.root.certificate)
    assert answer.certificate.public_key() == key.public_key()
    answer, signed = generated(state, tmp_path, signer, *words, "keygen=other-key")
    other = verified_key(tmp_path, signed, state.authority.root.certificate)
    assert answer.certificate.public_key() != other.public_key()
    for word in ("bad-signature", "other-signer"):
        _, signed = generated(state, tmp_path, signer, *words, f"keygen={word}")
        if word == "bad-signature":
            with pytest.raises(AssertionError, match="CMS"):
                verified_key(tmp_path, signed, state.authority.root.certificate)
        else:
            assert state.authority.signer.der in signed and state.authority.generator.der not in signed


def test_key_for_whom_nothing_can_be_encrypted(state):
    key, mine = identity(state, key=ed25519.Ed25519PrivateKey.generate())
    wish = ask(public_key=False, popo="", pvno=3, signer=key, certs=(mine,), reference=None)
    assert exchange(state, wish.message()).outcome == "ip badAlg"


# Controls and profiles


@pytest.fixture
def profiles(state):
    file = state.folder / "profiles.json"
    yield lambda **table: file.write_text(json.dumps(table))
    file.unlink(missing_ok=True)


def test_tokens(state, profiles):
    profiles(gate={"reg_token": "open sesame", "authenticator": "mother's name"})
    token, proof = (REG_TOKEN, utf8("open sesame")), (AUTHENTICATOR, utf8("mother's name"))
    rows = (
        ("ip 0", (token, proof)), ("ip notAuthorized", ()), ("ip notAuthorized", (token,)),
        ("ip notAuthorized", (proof,)), ("ip notAuthorized", ((REG_TOKEN, utf8("open")), proof)),
    )
    for outcome, controls in rows:
        assert exchange(state, ask(controls=controls, profile="gate").message()).outcome == outcome, controls
    assert exchange(state, ask().message(), label="gate").outcome == "ip notAuthorized"
    answer = exchange(state, ask(controls=rows[0][1]).message(), label="gate")
    assert answer.outcome == "ip 0"
    listed = json.dumps(state.store.certificates())
    assert "sesame" not in listed and "mother" not in listed


def test_what_is_kept(state):
    publication = (PUBLICATION, bytes.fromhex("3003020101"))
    wish = ask(controls=(publication,), reg_info=((UTF8_PAIRS, utf8("serial?4711%site?7%")),), profile="server")
    answer = exchange(state, wish.message())
    serial = f"{answer.certificate.serial_number:x}"
    details = next(row["details"] for row in state.store.certificates() if row["serial"] == serial)
    assert details == {"profile": "server", "regInfo": "serial?4711%site?7%", "publication": "pleasePublish"}
    purposes = answer.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]


CUSTOM = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x0c\x02hi")
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.9"), None)])
USAGE = x509.KeyUsage(True, False, True, False, True, False, False, False, False)
PURPOSES = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier("1.2.3.7")])
WANTED = ((CUSTOM, True), (POLICIES, False), (USAGE, True), (PURPOSES, True))


def test_permissive_profile(state):
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    times = {"not_before": start.strftime("%Y%m%d%H%M%SZ"),
             "not_after": (start + timedelta(days=10)).strftime("%Y%m%d%H%M%SZ")}
    answer = exchange(state, ask(extensions=WANTED, profile="open", **times).message())
    assert answer.outcome == "ip 0"
    certificate = answer.certificate
    assert certificate.not_valid_before_utc == start
    assert certificate.not_valid_after_utc == start + timedelta(days=10)
    found = {extension.oid: extension for extension in certificate.extensions}
    for wanted, critical in WANTED:
        assert (found[wanted.oid].value, found[wanted.oid].critical) == (wanted, critical)
    assert exchange(state, ask(extensions=WANTED).message()).outcome == "ip 1"


def test_permissive_profile_grants_no_office(state):
    """Nobody becomes a CA, a registration authority or a key generation authority by asking."""
    rows = (
        x509.BasicConstraints(True, None),
        x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")]),
        x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH, x509.ObjectIdentifier("1.3.6.1.5.5.7.3.32")]),
        x509.KeyUsage(True, False, False, False, False, True, True, False, False),
    )
    for wanted in rows:
        answer = exchange(state, ask(extensions=((wanted, True),), profile="open").message())
        assert answer.outcome == "ip 1", wanted
        extensions = answer.certificate.extensions
        assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
        purposes = list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        assert purposes == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]


def test_names_of_profiles(state):
    assert exchange(state, ask(profile="nonsense").message()).outcome == "ip badRequest"
    assert exchange(state, ask().message(), label="nonsense").outcome == "ip 0"
    answer = exchange(state, ask(profile="default").message(), label="server")
    purposes = answer.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]


def test_hardware_module_name(state):
    """otherName hardwareModuleName (RFC 4108, 5)."""
    value = bytes.fromhex("300a06032a030404030a0b0c")
    name = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4"), value)
    certificate = exchange(state, ask(sans=(name,)).message()).certificate
    assert list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == [name]
