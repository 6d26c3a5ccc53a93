"""Test vectors of the crypto layer, from the files of the package cryptography_vectors. Octets are written in hex."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import cryptography_vectors
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HASHES = ("sha1", "sha256", "sha384", "sha512")
FIPS = "asymmetric/ECDSA/FIPS_186-3/"
RSA = "asymmetric/RSA/"
CURVES = {"p256": "P-256", "p384": "P-384"}
DIGITS = {"p256": 64, "p384": 96}  # of a number, in hex


def records(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (section heading, fields) for each record of a NIST response file, a run of `name = value` lines."""
    section, fields = "", {}
    with cryptography_vectors.open_vector_file(name, "r") as file:
        for line in [*map(str.strip, file), ""]:
            name, equals, value = line.partition("=")
            if equals and not line.startswith(("[", "#")):
                fields[name.strip()] = value.strip()
            elif not line.startswith("#"):
                if fields:
                    yield section, fields
                    fields = {}
                if line.startswith("["):
                    section = line.strip("[]")


def numbers(curve: str, fields: dict[str, str], *names: str) -> list[str]:
    """Numbers with as many digits as the curve has, or more when one is out of range on purpose."""
    return [fields[name].zfill(DIGITS[curve]) for name in names]


def point(curve: str, fields: dict[str, str], prefix: str = "Q") -> str:
    """The coordinates of a point behind one another."""
    return "".join(numbers(curve, fields, prefix + "x", prefix + "y"))


def digests(alg: str) -> list:
    """Rows message, digest: every short message and every eighth long one, of SHA-384 and SHA-512 every sixteenth."""
    name = f"hashes/{alg[:3].upper()}{'1' if alg == 'sha1' else '2'}/{alg.upper()}"
    short = [r for _, r in records(name + "ShortMsg.rsp") if "Msg" in r]
    long = [r for _, r in records(name + "LongMsg.rsp") if "Msg" in r][:: 8 if alg in HASHES[:2] else 16]
    return [["" if r["Len"] == "0" else r["Msg"], r["MD"]] for r in short + long]


def hmacs() -> list:
    """Rows algorithm, key, message, tag."""
    files = {alg: f"HMAC/rfc-{'2202' if alg == 'sha1' else '4231'}-{alg}.txt" for alg in HASHES}
    return [[alg, r["Key"], r["Msg"], r["MD"]] for alg in HASHES for _, r in records(files[alg]) if "MD" in r]


def aes(bits: int) -> list:
    """Rows key, IV, plain text, cipher text, "encrypt" or "decrypt"."""
    return [
        [r["KEY"], r["IV"], r["PLAINTEXT"], r["CIPHERTEXT"], section.lower()]
        for kind in ("GFSbox", "KeySbox", "VarKey", "VarTxt", "MMT")
        for section, r in records(f"ciphers/AES/CBC/CBC{kind}{bits}.rsp")
        if "KEY" in r
    ]


def pbkdf2() -> list:
    """Rows password, salt, iterations, length, key; without the one of 16777216 iterations."""
    rows = []
    for _, r in records("KDF/rfc-6070-PBKDF2-SHA1.txt"):
        if int(r["ITERATIONS"]) < 100_000:
            text = [r[name].replace("\\0", "\0").encode().hex() for name in ("PASSWORD", "SALT")]
            rows.append([*text, int(r["ITERATIONS"]), int(r["LENGTH"]), r["DERIVED_KEY"]])
    return rows


def sections(curve: str, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (hash, fields) of the curve's records of a FIPS 186-3 file, for the hashes that the device has."""
    for section, fields in records(FIPS + name):
        alg = section.partition(",")[2].replace("-", "").lower()
        if section.startswith(CURVES[curve]) and alg in HASHES:
            yield alg, fields


def signatures(curve: str) -> list:
    """Rows hash, message, d, point, k, r, s (SigGen)."""
    return [
        [alg, r["Msg"], r["d"].zfill(DIGITS[curve]), point(curve, r), *numbers(curve, r, "k", "R", "S")]
        for alg, r in sections(curve, "SigGen.txt")
    ]


def verifications(curve: str) -> list:
    """Rows hash, message, point, signature, result "P" or "F" (SigVer)."""
    return [
        [alg, r["Msg"], point(curve, r), "".join(numbers(curve, r, "R", "S")), r["Result"][0]]
        for alg, r in sections(curve, "SigVer.rsp")
    ]


def points(curve: str) -> list:
    """Rows x, y, result "P" or "F" (PKV); an x or y out of range may have more digits."""
    return [
        [*numbers(curve, r, "Qx", "Qy"), r["Result"][0]]
        for section, r in records(FIPS + "PKV.rsp")
        if section == CURVES[curve]
    ]


def pairs(curve: str) -> list:
    """Rows d, point (KeyPair). The curve's heading is hidden by a second one; the number of digits tells it as well."""
    return [
        [r["d"], r["Qx"] + r["Qy"]]
        for _, r in records(FIPS + "KeyPair.rsp")
        if len(r.get("d", "")) == DIGITS[curve]
    ]


def deterministic(curve: str) -> list:
    """Rows hash, message, signature, for the key of RFC 6979, A.2.5 or A.2.6."""
    rows = []
    for _, r in records("asymmetric/ECDSA/RFC6979/evppkey_ecdsa_rfc6979.txt"):
        alg = r.get("DigestSign", "").lower()
        if r.get("Key") == CURVES[curve] + "_PRIV" and alg in HASHES:
            signature = decode_dss_signature(bytes.fromhex(r["Output"]))
            text = "".join(format(n, f"0{DIGITS[curve]}x") for n in signature)
            rows.append([alg, r["Input"].strip('"').encode().hex(), text])
    return rows


def agreements(curve: str) -> list:
    """Rows d, the other's point, one's own point, secret, reason: 0 and 13 are correct, others name the fault."""
    heading = {"p256": "EC ", "p384": "ED "}[curve]
    rows = []
    for role in ("init", "resp"):
        for section, r in records(f"asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_{role}.fax"):
            if section.startswith(heading) and "Z" in r:
                own, other = (point(curve, r, f"Qs{who}") for who in ("IUT", "CAVS"))
                d, secret = numbers(curve, r, "dsIUT", "Z")
                rows.append([d, other, own, secret, int(re.search(r"\d+", r["Result"])[0])])
    return rows


def ed25519() -> list:
    """Rows seed, public key, message, signature: every 16th of the file, which has messages of 0 to 1023 octets."""
    with cryptography_vectors.open_vector_file("asymmetric/Ed25519/sign.input", "r") as file:
        rows = [line.split(":") for line in file]
    return [[seed[:64], public, message, signed[:128]] for seed, public, message, signed, *_ in rows[::16] + rows[-1:]]


def public(n: str, e: str) -> str:
    """An RSA public key as the device writes it: exponent in 4 octets, modulus."""
    return format(int(e, 16), "08x") + n


def rsa_records(name: str) -> Iterator[list]:
    """Yield hash, public key, digest, fields of the records with the device's hashes; n and e may stand alone before."""
    n = e = ""
    for _, r in records(RSA + name):
        n, e = r.get("n", n), r.get("e", e)
        alg = r.get("SHAAlg", "").lower()
        if alg in HASHES:
            digest = hashlib.new(alg, bytes.fromhex(r["Msg"])).hexdigest()
            yield [alg, public(n, e), digest, r]


def rsa_verifications() -> list:
    """Rows hash, public key, digest, signature, result: "P", "F", or "K" where the key is too short. Of these a few."""
    rows = []
    for name, step in (("FIPS_186-2/SigVer15_186-3.rsp", 2), ("SigVer15EMTest.txt", 2), ("FIPS_186-2/SigGen15_186-3.rsp", 4)):
        for alg, key, digest, r in [*rsa_records(name)][::step]:
            short = len(key) < 520
            if not short or len(rows) % 8 == 0:
                rows.append([alg, key, digest, r["S"], "K" if short else r.get("Result", "P")[0]])
    return rows


def pss_verifications() -> list:
    """Rows as of `rsa_verifications`; the salts of these files have 20 or 10 octets, so that few pass."""
    rows = []
    for name, salt, step in (("SigGenPSS_186-2.txt", 20, 2), ("SigVerPSS_186-3.rsp", 10, 8)):
        for alg, key, digest, r in [*rsa_records("FIPS_186-2/" + name)][::step]:
            if len(key) >= 520:
                rows.append([alg, key, digest, r["S"], "P" if alg == "sha1" and salt == 20 else "F"])
    return rows


def rsa_examples(name: str) -> tuple[list[str], list[list[str]]]:
    """The last key (n, e, d, p, q) of RSA Laboratories' files, and its examples (message and what became of it)."""
    with cryptography_vectors.open_vector_file(RSA + name, "r") as file:
        text = file.read()
    text = text[text.rindex("A 2048-bit RSA key pair") :]
    fields = re.findall(r"# ([^\n:]+): *\n((?:[0-9a-f ]+\n)+)", text)
    values = [(title, "".join(value.split())) for title, value in fields]
    key = [next(value for title, value in values if title == wanted) for wanted in
           ("Modulus", "Exponent", "Prime 1", "Prime 2")]  # fmt: skip
    kept = [value for title, value in values if title.startswith(("Message", "Encryption", "Signature"))]
    return key, [list(pair) for pair in zip(kept[::2], kept[1::2], strict=True)]


def rsa_private() -> dict:
    """The key of the 2048-bit examples, messages with their PKCS#1 v1.5 signatures by SHA-1, with their encryptions."""
    (n, e, p, q), signed = rsa_examples("pkcs1v15sign-vectors.txt")
    (n2, e2, p2, q2), encrypted = rsa_examples("pkcs1v15crypt-vectors.txt")
    return {
        "sign": {"public": public(n, e), "secret": public(p + q, e), "rows": signed[:4]},
        "decrypt": {"public": public(n2, e2), "secret": public(p2 + q2, e2), "rows": encrypted[:6]},
    }


def rsa_keys() -> Iterator[rsa.RSAPrivateKey]:
    """Yield keys with moduli of 2048, 2049, 2058 and 3072 bits, the first with the exponent 3."""
    yield rsa.generate_private_key(3, 2048)
    # OpenSSL makes no moduli of an odd length: here the primes of two keys meet.
    p = rsa.generate_private_key(65537, 2050).private_numbers().p
    q = rsa.generate_private_key(65537, 2048).private_numbers().q
    d = pow(65537, -1, (p - 1) * (q - 1))
    known = rsa.RSAPublicNumbers(65537, p * q)
    parts = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    yield rsa.RSAPrivateNumbers(p, q, d, *parts, known).private_key()
    yield rsa.generate_private_key(65537, 2058)
    yield rsa.generate_private_key(65537, 3072)


def rsa_made() -> list:
    """Rows scheme, hash, public key, digest, signature, by `cryptography`: moduli of odd lengths, PSS with SHA-2."""
    rows = []
    for key in rsa_keys():
        known = key.public_key().public_numbers()
        text = known.e.to_bytes(4, "big").hex() + known.n.to_bytes((known.n.bit_length() + 7) // 8, "big").hex()
        for alg in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
            digest = hashlib.new(alg.name, b"made").hexdigest()
            pss = padding.PSS(padding.MGF1(alg), padding.PSS.DIGEST_LENGTH)
            for scheme, pad in (("rsa", padding.PKCS1v15()), ("rsa-pss", pss)):
                rows.append([scheme, alg.name, text, digest, key.sign(b"made", pad, alg).hex()])
    return rows


def key_wraps() -> list:
    """Rows key-encryption key, plain text or null, cipher text: every tenth; null where the check has to fail."""
    rows = []
    for bits in (128, 256):
        found = []
        with cryptography_vectors.open_vector_file(f"keywrap/kwtestvectors/KW_AD_{bits}.txt", "r") as file:
            for block in file.read().split("COUNT")[1:]:
                fields = dict(re.findall(r"^(\w) = (\w+)$", block, re.M))
                found.append([fields["K"], fields.get("P"), fields["C"]])
        rows += [*[row for row in found if len(row[2]) <= 100][::10], found[-1]]
    return rows


def generate(folder: Path) -> None:
    """Write crypto_*.json."""
    files = {f"crypto_{alg}": digests(alg) for alg in HASHES}
    files |= {f"crypto_aes{bits}": aes(bits) for bits in (128, 256)}
    files |= {
        "crypto_hmac": hmacs(),
        "crypto_pbkdf2_sha1": pbkdf2(),
        "crypto_ed25519": ed25519(),
        "crypto_rsa_verify": rsa_verifications(),
        "crypto_rsa_pss": pss_verifications(),
        "crypto_rsa_private": rsa_private(),
        "crypto_rsa_made": rsa_made(),
        "crypto_keywrap": key_wraps(),
    }
    for curve in CURVES:
        files |= {
            f"crypto_{curve}_siggen": signatures(curve),
            f"crypto_{curve}_sigver": verifications(curve),
            f"crypto_{curve}_pkv": points(curve),
            f"crypto_{curve}_keypair": pairs(curve),
            f"crypto_{curve}_rfc6979": deterministic(curve),
            f"crypto_{curve}_ecdh": agreements(curve),
        }
    for name, rows in files.items():
        Path(folder, name + ".json").write_text(json.dumps(rows))


def main() -> None:
    """Write them where the device tests look."""
    folder = Path(__file__).resolve().parents[3] / "build" / "vectors"
    folder.mkdir(parents=True, exist_ok=True)
    generate(folder)


if __name__ == "__main__":
    main()
