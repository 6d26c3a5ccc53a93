"""The error codes of a device in words: what happened and what was kept, then what to do.

The list of codes itself is the docstring of firmware/certlet/errors.py; tests/codes.py holds both against each other.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """One error code: its name, a sentence (what happened; what was kept) and advice (what to do)."""

    name: str
    sentence: str
    advice: str


_READ = "what was being read was discarded and nothing was installed"
_NOT_SENT = "nothing was sent and the device is as it was"
_NO_RESULT = "no key, signature or plaintext was given out"
_REFUSED = "it was refused and nothing was installed"
_UNTRUSTED = "it was not trusted and nothing was installed"
_REPLY = "the reply was discarded; the device keeps its key and any certificate it had"
_UNKNOWN = "nothing was installed, and whether the server acted on the request is unknown"
_AS_IT_WAS = "the device is as it was"

_LOOK_AT_PEER = "Keep the message as a trace and report it to whoever runs the server; certlet is strict where DER is."
_TRY_AGAIN = "The device tries again by itself; if this stays, check the network between device and server."
_COMPARE = "Compare reference and secret on both sides; if they agree, someone changes messages on the way."
_REISSUE = "Have the CA issue it anew with the fault mended."
_OLD_RECORD = "the old record is intact"
_CALL = "Correct the program that calls certlet."

# number, name, what happened, what was kept, what to do
_TABLE = (
    (101, "DER_TRUNCATED", "An ASN.1 element ends beyond its buffer", _READ,
     "Fetch it again; if it stays, the file or message is cut off where it comes from."),
    (102, "DER_TAG", "Another ASN.1 element stood where a certain one was expected", _READ, _LOOK_AT_PEER),
    (103, "DER_LENGTH", "An ASN.1 length is not minimal, indefinite or too large", _READ, _LOOK_AT_PEER),
    (104, "DER_TRAILING", "Bytes are left over at the end of an ASN.1 element", _READ, _LOOK_AT_PEER),
    (105, "DER_DEPTH", "ASN.1 elements are nested deeper than any certificate or CMP message needs", _READ,
     _LOOK_AT_PEER),
    (106, "DER_VALUE", "A value is not encoded as DER demands", _READ, _LOOK_AT_PEER),
    (107, "DER_OVERFLOW", "A message would have exceeded the limit of the device's buffer", _NOT_SENT,
     "Shorten what the request holds (subject, names, certificates sent along)."),
    (111, "PEM_FORMAT", "The text holds no well-formed PEM block of the expected label", _READ,
     "Give the file that has this block, unchanged and with its BEGIN and END lines."),

    (201, "CRYPTO_BACKEND", "A crypto backend was named that is not there or was not selected", _NO_RESULT,
     "Correct the list of backends in the configuration, or use firmware that has it."),
    (202, "CRYPTO_SELF_TEST", "A crypto backend did not give the known answers", _NO_RESULT,
     "Do not use this device; install the firmware anew, and discard the board if the fault stays."),
    (203, "CRYPTO_CAPABILITY", "No selected crypto backend has a capability that is needed", _NO_RESULT,
     "Add a backend with this capability to the configuration (`soft` has all)."),
    (204, "CRYPTO_ALGORITHM", "An algorithm is unknown to the selected crypto backends", _NO_RESULT,
     "Choose an algorithm that the backend knows, or select another backend."),
    (205, "CRYPTO_REFERENCE", "A key reference was not written by the backend that is to load it", _NO_RESULT,
     "Select the backend that made the key; if it is gone, make a new key and enrol again."),
    (206, "CRYPTO_SCALAR", "A private key is not 32 octets of a number in 1..n-1", _NO_RESULT,
     "Discard this key, make a new one and enrol again."),
    (207, "CRYPTO_POINT", "A public key is not an uncompressed point of the curve", _NO_RESULT,
     "Do not trust where it came from; have the certificate or message made anew."),
    (208, "CRYPTO_LENGTH", "A key, IV, digest, text or count has a length that the algorithm does not take", _NO_RESULT,
     _CALL),
    (209, "CRYPTO_RANDOM", "The random source repeats itself", "no key was made",
     "Power the board off and on; if this stays, do not use it to make keys."),
    (210, "CRYPTO_WIPED", "The private key was wiped before this use", _NO_RESULT, "Load the key again, then repeat."),
    (211, "CRYPTO_SIGNATURE", "A signature does not verify", _UNTRUSTED,
     "Check that the public key belongs to the signer; if it does, the data was changed."),
    (212, "CRYPTO_FAULT", "A computation failed its own check", _NO_RESULT,
     "Repeat it; if it fails again, suspect the supply voltage or an attack on the board, and take it out of use."),

    (301, "X509_TIME", "A time in a certificate is not written as RFC 5280 demands", _REFUSED, _REISSUE),
    (302, "X509_VERSION", "A certificate has an unknown version, or extensions that its version forbids", _REFUSED,
     _REISSUE),
    (303, "X509_EXTENSION", "A certificate extension is malformed or stands twice", _REFUSED, _REISSUE),
    (304, "X509_ALGORITHM", "A certificate names two different signature algorithms", _REFUSED, _REISSUE),
    (305, "X509_NAME", "A name to be written has an unknown attribute, kind or value", _NOT_SENT,
     "Correct the subject or the alternative names in the request's profile."),
    (306, "X509_KEY", "A public key is of a kind that the device does not support", _REFUSED,
     "Use certificates with keys on the curve P-256."),
    (307, "X509_SIGNATURE", "A signature algorithm is not one that the device supports", _REFUSED,
     "Let the CA sign with ECDSA over P-256."),
    (311, "CHAIN_NO_ANCHOR", "The certificate leads to none of the pinned trust anchors", _UNTRUSTED,
     "Provision the right trust anchor, or make the server send its intermediate certificates."),
    (312, "CHAIN_NOT_YET_VALID", "A certificate of the chain is not valid yet", _UNTRUSTED,
     "Check the device's clock first, then the certificate's notBefore."),
    (313, "CHAIN_EXPIRED", "A certificate of the chain has expired", _UNTRUSTED,
     "Check the device's clock first; if it is right, renew that certificate."),
    (314, "CHAIN_SIGNATURE", "A certificate is not signed by the issuer that it names", _UNTRUSTED,
     "Check for two CAs of the same name; otherwise treat it as an attempt at forgery."),
    (315, "CHAIN_NOT_A_CA", "An issuer in the chain is not a CA certificate", _UNTRUSTED,
     "Give the issuer basicConstraints with cA, or treat it as an attempt at forgery."),
    (316, "CHAIN_PATH_LENGTH", "The chain has more CA certificates than a pathLenConstraint allows", _UNTRUSTED,
     "Issue the certificate from a CA higher up, or renew that CA with a larger pathLenConstraint."),
    (317, "CHAIN_KEY_USAGE", "A certificate of the chain is used against its keyUsage", _UNTRUSTED,
     "Have that certificate issued with the keyUsage for this purpose."),
    (318, "CHAIN_CRITICAL", "A certificate has a critical extension that the device does not understand", _UNTRUSTED,
     "Have it issued without that extension, or with the extension not critical."),
    (319, "CHAIN_TOO_LONG", "The chain is longer, or its search wider, than the limit", _UNTRUSTED,
     "Pin a trust anchor nearer to the device, and let the server send only the chain's certificates."),

    (351, "CMS_TYPE", "Another type of CMS content was due here", _READ, _LOOK_AT_PEER),
    (352, "CMS_VERSION", "A CMS structure has a version that RFC 5652 does not give it", _READ, _LOOK_AT_PEER),
    (353, "CMS_RECIPIENT", "The encrypted content is not addressed to the device's key or secret", _READ,
     "Make the CA encrypt to the certificate that the device sent, or under the secret that both share."),
    (354, "CMS_ALGORITHM", "An algorithm of a CMS structure is not supported", _READ,
     "Set the CA to AES-CBC, SHA-2, and one of RSA PKCS#1 v1.5, ECDH with an X9.63 KDF, or PBKDF2."),
    (355, "CMS_PARAMETER", "A count, length or IV of a CMS algorithm is outside the limits", _READ,
     "Set the CA to 1,000 to 100,000 iterations; else report it with a trace."),
    (356, "CMS_DECRYPT", "The content does not decrypt: another key or secret, or changed octets", _NO_RESULT,
     "Compare the secret on both sides, and which certificate the CA encrypts to."),
    (357, "CMS_LIMIT", "A CMS structure has more recipients, signers, certificates or octets than the limit", _READ,
     "Make the CA send only what the device needs."),
    (358, "CMS_CONTENT", "The content that was signed is not there", _READ, _LOOK_AT_PEER),
    (359, "CMS_SIGNER", "The signer's certificate is missing, or there is no signer", _UNTRUSTED,
     "Make the CA send its signing certificate along, or provision it."),
    (360, "CMS_ATTRIBUTE", "A signed attribute is missing, doubled or of another content type", _UNTRUSTED,
     _LOOK_AT_PEER),
    (361, "CMS_DIGEST", "The content is not the one that was signed", _UNTRUSTED,
     "Start the transaction anew; if this stays, someone changes messages on the way."),
    (362, "CMS_SIGNATURE", "The signature does not verify, or uses another digest than the signer names", _UNTRUSTED,
     "Check which certificate the CA signs with; if it is the right one, someone changes messages on the way."),
    (363, "CMS_SIGNER_USAGE", "The signer's certificate must not sign, by its keyUsage", _UNTRUSTED,
     "Give the CA a signing certificate with digitalSignature."),
    (364, "CMS_KEY", "A private key's parts do not fit together", _REFUSED,
     "Report it to whoever runs the CA: it made a key that is none."),
    (371, "BER_TRUNCATED", "An ASN.1 element in BER ends beyond its buffer", _READ,
     "Fetch it again; if it stays, the message is cut off where it comes from."),
    (372, "BER_FORMAT", "The octets are not BER, or something follows them", _READ, _LOOK_AT_PEER),
    (373, "BER_DEPTH", "ASN.1 elements in BER are nested deeper than any message needs", _READ, _LOOK_AT_PEER),
    (374, "BER_LIMIT", "A message in BER exceeds the limit", _READ, "Make the CA send only what the device needs."),

    (401, "CMP_VERSION", "The CMP reply has a pvno other than 2 or 3", _REPLY, "Set the server to CMPv2 (pvno 2)."),
    (402, "CMP_BODY", "Another kind of CMP message body was due here", _REPLY,
     "Check that the URL is that of a CMP server; start the transaction anew."),
    (403, "CMP_TRANSACTION", "The CMP reply has another transactionID than the request", _REPLY,
     "Start the transaction anew; if this stays, look for a proxy or cache that mixes up replies."),
    (404, "CMP_NONCE", "The recipNonce of the CMP reply is not the nonce that was sent", _REPLY,
     "Start the transaction anew; if this stays, look for a cache, or for someone who replays messages."),
    (405, "CMP_UNPROTECTED", "The CMP reply is not protected", _REPLY,
     "Make the CA protect its replies; an unprotected error may come from a proxy, see the trace."),
    (406, "CMP_PROTECTION", "The CMP reply is signed but no trust anchor is pinned, or has a MAC but no secret is held",
     _REPLY, "Pin the CA's root to read what it says; a CA that does not know the secret answers so, compare it."),
    (407, "CMP_MAC", "The MAC of the CMP reply does not verify", _REPLY, _COMPARE),
    (408, "CMP_SIGNATURE", "The signature of the CMP reply does not verify", _REPLY,
     "Check which certificate the CA signs with; if it is the right one, someone changes messages on the way."),
    (409, "CMP_SIGNER", "The certificate that signed the CMP reply is missing, or not the one that was named", _REPLY,
     "Make the CA send its signing certificate first in extraCerts, or provision the right one."),
    (410, "CMP_MAC_PARAMETER", "The parameters of the CMP reply's MAC are unknown or outside the limits", _REPLY,
     "Set the CA's salt, hash and iteration count within the device's limits."),
    (411, "CMP_SIGNER_USAGE", "The certificate that signed the CMP reply must not sign, by its keyUsage", _REPLY,
     "Give the CA a CMP signing certificate with digitalSignature."),
    (413, "CMP_RESPONSE", "The response in the CMP reply is empty, doubled, or for another request", _REPLY,
     _LOOK_AT_PEER),
    (414, "CMP_KEY", "The issued certificate holds another public key than the device's", _REPLY,
     "Have the CA revoke that certificate, and find out how it came to that key."),
    (415, "CMP_REJECTED", "The CA refused the request",
     "nothing was issued; the device keeps its key and any certificate it had",
     "Read the CA's status, failInfo and text shown beside this code, mend it, then enrol again."),
    (416, "CMP_ERROR", "The CA answered with an error message",
     "nothing was installed; the device keeps its key and any certificate it had",
     "Read the CA's status, failInfo and text shown beside this code, mend it, then enrol again."),
    (417, "CMP_WAITING", "The CA asked the device to wait, which this operation cannot",
     "nothing was installed and the CA may still issue a certificate",
     "Set the CA to answer this operation at once, or approve the request and enrol again."),
    (418, "CMP_STATE", "A call does not fit the state of the CMP transaction", _AS_IT_WAS, _CALL),
    (419, "CMP_ENCRYPTED", "The certificate came encrypted, which was not asked for", _REPLY,
     "Set the CA to prove possession of the key by signature (POPOSigningKey)."),
    (420, "CMP_SUBJECT", "The certificate request has no subject", _NOT_SENT,
     "Give the subject in the request's profile."),
    (421, "CMP_EXTRA_CERTS", "More certificates came with the CMP reply than the limit", _REPLY,
     "Make the CA send only the certificates of its chain."),

    (601, "URL_FORM", "The URL is not scheme://host[:port][/path] of a fitting scheme, or holds more than that",
     _NOT_SENT,
     "Correct the URL in the configuration: http:// or https://, for CoAP coap://, without user name and fragment."),
    (602, "TLS_ANCHORS", "HTTPS needs trust anchors, and one is missing or no certificate", _NOT_SENT,
     "Provision the server's trust anchor as a DER certificate."),
    (603, "TLS_CLIENT", "The certificate or key for TLS client authentication cannot be used", _NOT_SENT,
     "Check that the two belong together and that the certificate is DER; else enrol again."),
    (611, "HTTP_DNS", "The server's host name has no address", _NOT_SENT,
     "Check the host name in the URL and the network's name server; the device tries again by itself."),
    (612, "HTTP_CONNECT", "No connection to the server (detail: errno)", _NOT_SENT,
     "Check that the server runs, its port and firewalls between; the device tries again by itself."),
    (613, "HTTP_TIMEOUT", "The exchange with the server did not end in time", _UNKNOWN, _TRY_AGAIN),
    (614, "HTTP_CLOSED", "The connection ended before the reply was complete", _UNKNOWN, _TRY_AGAIN),
    (615, "TLS_FAILED", "The TLS handshake failed (detail: the TLS library's number)", _NOT_SENT,
     "Check that the server speaks TLS 1.2 or later on this port and accepts the device's certificate."),
    (616, "TLS_UNTRUSTED", "The server's certificate is not trusted, not for this host, or not valid now", _NOT_SENT,
     "Check in this order: the device's clock, its trust anchor, the host name in the URL, the server's certificate."),
    (621, "HTTP_STATUS_LINE", "The reply does not begin as HTTP/1", _UNKNOWN,
     "Check that the port in the URL is that of an HTTP server."),
    (622, "HTTP_HEADER", "An HTTP header line is malformed, or there are too many bytes of header", _UNKNOWN,
     "Look at what a proxy adds to the server's headers."),
    (623, "HTTP_LENGTH", "Content-Length or Transfer-Encoding make no sense, or contradict each other", _UNKNOWN,
     "Look for a proxy that rewrites replies; report it to whoever runs it."),
    (624, "HTTP_CHUNK", "A chunked HTTP body is malformed", _UNKNOWN,
     "Look for a proxy that rewrites replies; report it to whoever runs it."),
    (625, "HTTP_LIMIT", "The reply's body exceeds the limit", _UNKNOWN,
     "Make the server send fewer certificates, or raise the limit if the board has the memory."),
    (631, "HTTP_STATUS", "No message came back, but an HTTP status (detail)", _UNKNOWN,
     "404: check the path of the URL; 5xx: look into the server's log, the device tries again by itself."),
    (632, "HTTP_TYPE", "The HTTP status (detail) means success, yet no body of the protocol's type came", _UNKNOWN,
     "Check that the URL is that of the CMP or SCEP service; a login page of the network answers like this."),
    (633, "HTTP_REDIRECT", "The server points elsewhere (detail: HTTP status); redirects are not followed", _UNKNOWN,
     "Put the final URL into the configuration, if you trust it."),
    (641, "COAP_FORMAT", "No CoAP Content-Format is known for this type of content", _NOT_SENT, _CALL),
    (642, "COAP_UNREACHABLE", "No datagram reaches the server (detail: errno)", _UNKNOWN,
     "Check that the server listens on this UDP port; the device tries again by itself."),
    (643, "COAP_TIMEOUT", "No answer of the CoAP server, or not all of it, came in time", _UNKNOWN, _TRY_AGAIN),
    (644, "COAP_RESET", "The CoAP server rejected the request with a Reset", _UNKNOWN,
     "Check that the port in the URL is that of a CoAP server; one that was restarted meanwhile answers so once."),
    (645, "COAP_OPTION", "The reply has a critical CoAP option (detail) that is unknown", _UNKNOWN,
     "Report it to whoever runs the server or the proxy before it."),
    (646, "COAP_BLOCK", "The blocks of a CoAP transfer do not fit together", _UNKNOWN,
     "Report it to whoever runs the server; a reply that changed halfway looks like this too."),
    (647, "COAP_LIMIT", "The reply exceeds the limit", _UNKNOWN,
     "Make the server send fewer certificates, or raise the limit if the board has the memory."),
    (648, "COAP_STATUS", "No message came back, but a CoAP response code (detail; 404 is 4.04)", _UNKNOWN,
     "404: check the path of the URL; 5xx: look into the server's log, the device tries again by itself."),
    (649, "COAP_TYPE", "The response code (detail) means success, yet no body of the protocol's type came", _UNKNOWN,
     "Check that the URL is that of the CMP service."),
    (661, "SERIAL_TIMEOUT", "The host did not answer in time over the console", _UNKNOWN,
     "Start the operation by `certlet ... --via serial`, and keep that running."),
    (662, "SERIAL_FRAME", "What came over the console is no frame, or belongs to another request", _UNKNOWN,
     "Close other programs that write to this serial port; use host tools and firmware of the same version."),
    (663, "SERIAL_DAMAGED", "A message was damaged on its way over the console", _UNKNOWN,
     "Try again; if this stays, lower the baud rate or change the cable."),
    (664, "SERIAL_LIMIT", "The reply exceeds the limit", _UNKNOWN,
     "Make the server send fewer certificates, or raise the limit if the board has the memory."),
    (665, "RELAY_REFUSED", "The host does not post to this URL, or not so much", _NOT_SENT,
     "Give the host the URL that stands in the board's configuration."),
    (681, "FILE_WAITING", "The request is in a file (detail: its number), and the reply is not there yet", _AS_IT_WAS,
     "Have the file posted by `certlet cmp post`, put the reply beside it as NN-rsp.der, then repeat."),
    (682, "FILE_FOLDER", "The folder of the messages cannot be read or written (detail: errno)", _AS_IT_WAS,
     "Check that its parent folder exists and that the flash is not full."),
    (683, "FILE_LIMIT", "The file with the reply is empty or exceeds the limit", _AS_IT_WAS,
     "Put the server's reply there, unchanged and whole."),
    (684, "FILE_FULL", "The folder holds as many requests as there are names", _AS_IT_WAS,
     "Remove the files of transactions that are done."),

    (701, "STORE_NAME", "A record's name is empty, too long, or has other characters than a-z, 0-9, _ and -",
     "nothing was written", _CALL),
    (702, "STORE_SIZE", "A record would have exceeded the store's limit", _OLD_RECORD,
     "Make the CA send fewer certificates along."),
    (703, "STORE_FULL", "The flash is full", _OLD_RECORD, "Remove files from the board, then repeat."),
    (704, "STORE_FLASH", "The file system refused (detail: errno)", _OLD_RECORD,
     "Check that the store's folder is on a mounted, writable file system; if it is, suspect worn flash."),
    (705, "STORE_DAMAGED", "A record is not as it was written", "it was not used, and it is still on the flash",
     "Save the record anew, which for a damaged identity means to enrol again; suspect worn flash if this comes back."),
    (706, "STORE_FIELDS", "Packed fields are damaged, too many or too long", "they were not used",
     "Save the record anew; if it was written by other firmware, enrol again."),

    (801, "CONFIG_VALUES", "The configuration has missing, unknown or bad values (detail: their keys)",
     "none of it was used", "Correct every key that detail names."),
    (802, "CONFIG_JSON", "The configuration is no JSON object", "none of it was used", "Correct the file's JSON."),
    (803, "CONFIG_FILE", "The configuration file is missing, unreadable (detail: errno) or too long",
     "none of it was used", "Put the file on the board where the program looks for it."),

    (901, "FACTORY_VERB", "The host asked for a verb that this firmware does not have", _AS_IT_WAS,
     "Use host tools and firmware of the same version."),
    (902, "FACTORY_EXPORT", "A private key was asked for, which only a simulated board gives out", _AS_IT_WAS,
     "Let the device itself use its key; it never leaves a real board."),
    (903, "FACTORY_NO_IDENTITY", "The board has no active identity", _AS_IT_WAS, "Enrol the board first."),
)  # fmt: skip

CODES: dict[int, Code] = {
    number: Code(name, f"{happened}; {kept}.", advice) for number, name, happened, kept, advice in _TABLE
}


def explain(code: int) -> str:
    """Return one line for a device's error code, a number that this version does not know included."""
    known = CODES.get(code)
    if known is None:
        return f"{code}: These host tools do not know this code. Update them to the firmware's version."
    return f"{code} {known.name}: {known.sentence} {known.advice}"
