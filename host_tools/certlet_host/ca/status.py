"""PKIStatus and PKIFailureInfo (RFC 9810, 5.2.3) and the exception that carries them to the reply."""

ACCEPTED, GRANTED_WITH_MODS, REJECTION, WAITING = 0, 1, 2, 3

# Bit numbers of PKIFailureInfo, in order.
FAILURES = (
    "badAlg badMessageCheck badRequest badTime badCertId badDataFormat wrongAuthority incorrectData missingTimeStamp "
    "badPOP certRevoked certConfirmed wrongIntegrity badRecipientNonce timeNotAvailable unacceptedPolicy "
    "unacceptedExtension addInfoNotAvailable badSenderNonce badCertTemplate signerNotTrusted transactionIdInUse "
    "unsupportedVersion notAuthorized systemUnavail systemFailure duplicateCertReq"
).split()


class Refused(Exception):
    """The CA says no: `fail_info` is a name from FAILURES, `text` the sentence for the statusString."""

    def __init__(self, fail_info: str, text: str) -> None:
        super().__init__(f"{fail_info}: {text}")
        self.fail_info = fail_info
        self.text = text
