"""Test vectors of the crypto layer, from the files of the package cryptography_vectors. Octets are written in hex."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import cryptography_vectors
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HASHES = ("sha1", "sha256", "sha384", "sha512")
FIPS = "asymmetric/ECDSA/FIPS_186-3/"


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


def number(text: str) -> str:
    """A P-256 number as 64 digits, or more when it is out of range on purpose."""
    return text.zfill(64)


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


def p256_sections(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (hash, fields) of the P-256 records of a FIPS 186-3 file, for the hashes that the device has."""
    for section, fields in records(FIPS + name):
        alg = section.partition(",")[2].replace("-", "").lower()
        if section.startswith("P-256") and alg in HASHES:
            yield alg, fields


def signatures() -> list:
    """Rows hash, message, d, point, k, r, s (SigGen)."""
    return [
        [alg, r["Msg"], number(r["d"]), number(r["Qx"]) + number(r["Qy"]), *map(number, (r["k"], r["R"], r["S"]))]
        for alg, r in p256_sections("SigGen.txt")
    ]


def verifications() -> list:
    """Rows hash, message, point, signature, result "P" or "F" (SigVer)."""
    return [
        [alg, r["Msg"], number(r["Qx"]) + number(r["Qy"]), number(r["R"]) + number(r["S"]), r["Result"][0]]
        for alg, r in p256_sections("SigVer.rsp")
    ]


def points() -> list:
    """Rows x, y, result "P" or "F" (PKV); an x or y out of range may have more than 64 digits."""
    return [
        [number(r["Qx"]), number(r["Qy"]), r["Result"][0]]
        for section, r in records(FIPS + "PKV.rsp")
        if section == "P-256"
    ]


def pairs() -> list:
    """Rows d, point (KeyPair). The curve's heading is hidden by a second one; only P-256 has numbers of 64 digits."""
    return [
        [r["d"], r["Qx"] + r["Qy"]]
        for _, r in records(FIPS + "KeyPair.rsp")
        if len(r.get("d", "")) == 64
    ]


def deterministic() -> list:
    """Rows hash, message, signature, for the key of RFC 6979, A.2.5."""
    rows = []
    for _, r in records("asymmetric/ECDSA/RFC6979/evppkey_ecdsa_rfc6979.txt"):
        alg = r.get("DigestSign", "").lower()
        if r.get("Key") == "P-256_PRIV" and alg in HASHES:
            signature = decode_dss_signature(bytes.fromhex(r["Output"]))
            text = "".join(format(n, "064x") for n in signature)
            rows.append([alg, r["Input"].strip('"').encode().hex(), text])
    return rows


def agreements() -> list:
    """Rows d, the other's point, one's own point, secret, reason: 0 and 13 are correct, others name the fault."""
    rows = []
    for role in ("init", "resp"):
        for section, r in records(f"asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_{role}.fax"):
            if section.startswith("EC ") and "Z" in r:
                own, other = (number(r[f"Qs{who}x"]) + number(r[f"Qs{who}y"]) for who in ("IUT", "CAVS"))
                reason = int(re.search(r"\d+", r["Result"])[0])
                rows.append([number(r["dsIUT"]), other, own, number(r["Z"]), reason])
    return rows


def generate(folder: Path) -> None:
    """Write crypto_*.json."""
    files = {f"crypto_{alg}": digests(alg) for alg in HASHES}
    files |= {f"crypto_aes{bits}": aes(bits) for bits in (128, 256)}
    files |= {
        "crypto_hmac": hmacs(),
        "crypto_pbkdf2_sha1": pbkdf2(),
        "crypto_p256_siggen": signatures(),
        "crypto_p256_sigver": verifications(),
        "crypto_p256_pkv": points(),
        "crypto_p256_keypair": pairs(),
        "crypto_p256_rfc6979": deterministic(),
        "crypto_p256_ecdh": agreements(),
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
