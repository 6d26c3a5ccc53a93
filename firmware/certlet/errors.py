"""Error classes, and the one list of error codes.

The class says who is at fault, the code says what happened. A device raises a
number, never a sentence: `certlet` on the host turns it into one. `detail` is a
number or a short token for whoever debugs; it never holds a secret, nor text
that a peer sent.

  101  DER_TRUNCATED      an element ends beyond its buffer
  102  DER_TAG            another tag was expected here
  103  DER_LENGTH         a length is not minimal, indefinite or too large
  104  DER_TRAILING       bytes are left over at the end of an element
  105  DER_DEPTH          elements are nested too deeply
  106  DER_VALUE          a value is not encoded as DER demands
  107  DER_OVERFLOW       a message would exceed the writer's limit
  111  PEM_FORMAT         the text holds no well-formed PEM block of that label

  201  CRYPTO_BACKEND     no crypto backend of that name is there, or was selected
  202  CRYPTO_SELF_TEST   a crypto backend does not give the known answers: do not use this device
  203  CRYPTO_CAPABILITY  no selected crypto backend has a capability that is needed
  204  CRYPTO_ALGORITHM   an algorithm is unknown to the selected crypto backends
  205  CRYPTO_REFERENCE   a key reference is not one that its backend wrote
  206  CRYPTO_SCALAR      a private key has a length or numbers that its algorithm does not take
  207  CRYPTO_POINT       a public key is not a point of the curve, written as it has to be
  208  CRYPTO_LENGTH      a key, IV, digest, text or count has a length that the algorithm does not take
  209  CRYPTO_RANDOM      the random source repeats itself: no key was made
  210  CRYPTO_WIPED       the private key was wiped
  211  CRYPTO_SIGNATURE   the signature does not verify
  212  CRYPTO_FAULT       a computation failed its own check: nothing was released
  213  CRYPTO_RSA_KEY     an RSA public key has less than 2048 or more than 4096 bits, or is none
  214  CRYPTO_WRAP        a wrapped key was wrapped under another key, or changed

  301  X509_TIME              a time is not written as RFC 5280 demands
  302  X509_VERSION           a certificate has an unknown version, or extensions that its version forbids
  303  X509_EXTENSION         a certificate extension is malformed or stands twice
  304  X509_ALGORITHM         a certificate names two different signature algorithms
  305  X509_NAME              a name to be written has an unknown attribute, kind or value
  306  X509_KEY               a public key or its algorithm is of a kind that is not supported
  307  X509_SIGNATURE         a signature algorithm is not supported
  311  CHAIN_NO_ANCHOR        no pinned trust anchor is reached
  312  CHAIN_NOT_YET_VALID    a certificate of the chain is not valid yet
  313  CHAIN_EXPIRED          a certificate of the chain has expired
  314  CHAIN_SIGNATURE        a certificate is not signed by the issuer that it names
  315  CHAIN_NOT_A_CA         an issuer is not a CA certificate
  316  CHAIN_PATH_LENGTH      more CA certificates than a pathLenConstraint allows
  317  CHAIN_KEY_USAGE        a certificate is used against its keyUsage
  318  CHAIN_CRITICAL         a critical extension is not understood
  319  CHAIN_TOO_LONG         the chain is longer, or the search wider, than the limit

  351  CMS_TYPE           another type of CMS content was due here
  352  CMS_VERSION        a CMS structure has a version that RFC 5652 does not give it
  353  CMS_RECIPIENT      no RecipientInfo is addressed to us; when writing: not one recipient was named
  354  CMS_ALGORITHM      an algorithm of a CMS structure is not supported
  355  CMS_PARAMETER      a count, length or IV of a CMS algorithm is outside the limits
  356  CMS_DECRYPT        the content does not decrypt: another key or secret, or changed octets
  357  CMS_LIMIT          more recipients, signers, certificates or octets than the limit
  358  CMS_CONTENT        the content that was signed is not there
  359  CMS_SIGNER         the signer's certificate is missing, or there is no signer
  360  CMS_ATTRIBUTE      a signed attribute is missing, doubled or of another content type
  361  CMS_DIGEST         the content is not the one that was signed
  362  CMS_SIGNATURE      the signature does not verify, or uses another digest than the signer names
  363  CMS_SIGNER_USAGE   the signer's certificate must not sign (keyUsage)
  364  CMS_KEY            a private key's parts do not fit together
  371  BER_TRUNCATED      an element in BER ends beyond its buffer
  372  BER_FORMAT         the octets are not BER, or something follows them
  373  BER_DEPTH          elements in BER are nested too deeply
  374  BER_LIMIT          a message in BER exceeds the limit

  401  CMP_VERSION        a message has a pvno other than 2 or 3
  402  CMP_BODY           another kind of message body was due here
  403  CMP_TRANSACTION    the transactionID is not ours
  404  CMP_NONCE          the recipNonce is not the nonce that we sent
  405  CMP_UNPROTECTED    the message is not protected
  406  CMP_PROTECTION     the protection is of a kind that we cannot check here
  407  CMP_MAC            the MAC does not verify: another secret, or a changed message
  408  CMP_SIGNATURE      the signature does not verify
  409  CMP_SIGNER         the signer's certificate is missing, or not the one that was named
  410  CMP_MAC_PARAMETER  the parameters of the MAC are outside the limits, or unknown
  411  CMP_SIGNER_USAGE   the signer's certificate must not sign (keyUsage)
  413  CMP_RESPONSE       the response is empty, doubled, or for another request
  414  CMP_KEY            the issued certificate holds another public key than ours
  415  CMP_REJECTED       the CA refused the request
  416  CMP_ERROR          the CA answered with an error message
  417  CMP_TIMEOUT        the CA kept us waiting beyond the time for the whole transaction
  418  CMP_STATE          the call does not fit the state of the transaction
  419  CMP_ENCRYPTED      the certificate came encrypted, which was not asked for
  420  CMP_SUBJECT        the request has no subject
  421  CMP_EXTRA_CERTS    more certificates came than the limit
  422  CMP_POPO           an unknown way of proving possession of the key
  423  CMP_SENDER         the message is from another sender than the expected one
  424  CMP_READ_ERROR     the CA, or whoever sent it, answered no without protection
  425  CMP_DUMP           a dumped transaction is damaged, or of another version
  426  CMP_ROOT_UPDATE    the new root certificate is not vouched for by the pinned one
  427  CMP_INFO           an InfoTypeAndValue cannot be read
  428  CMP_CENTRAL_KEY    the key that the CA made is signed by no key generation authority
  429  CMP_AUTHORITY      the signer is neither a CA nor an RA, nor named by the configuration
  430  CMP_SECRET         the CA cannot verify our MAC

  901  FACTORY_VERB       the host asked for a verb that this firmware does not have
  902  FACTORY_EXPORT     a key may leave a simulated board only
  903  FACTORY_NO_IDENTITY  the board has no active identity
  904  FACTORY_NO_PENDING  no transaction is pending
  905  FACTORY_WAITING    the CA is not ready yet, and the job was not to wait
  906  FACTORY_MEMORY     the heap is too small for the job

  601  URL_FORM           the URL is not scheme://host[:port][/path] of a fitting scheme, or holds more than that
  602  TLS_ANCHORS        https needs trust anchors, and one is missing or no certificate
  603  TLS_CLIENT         the certificate or key for TLS client authentication cannot be used
  611  HTTP_DNS           the host name has no address
  612  HTTP_CONNECT       no connection; detail is the errno
  613  HTTP_TIMEOUT       the exchange did not end in time
  614  HTTP_CLOSED        the connection ended before the reply was complete
  615  TLS_FAILED         the TLS handshake failed; detail is the TLS library's number
  616  TLS_UNTRUSTED      the server's certificate is not trusted, not for this host, or not valid now
  621  HTTP_STATUS_LINE   the reply does not begin as HTTP/1
  622  HTTP_HEADER        a header line is malformed, or there are too many bytes of header
  623  HTTP_LENGTH        Content-Length or Transfer-Encoding make no sense, or contradict each other
  624  HTTP_CHUNK         a chunked body is malformed
  625  HTTP_LIMIT         the reply's body exceeds the limit
  631  HTTP_STATUS        no message came back, but this HTTP status (detail)
  632  HTTP_TYPE          the HTTP status (detail) means success, yet no body of the protocol's type came
  633  HTTP_REDIRECT      the server points elsewhere (detail: HTTP status); redirects are not followed
  641  COAP_FORMAT        no CoAP Content-Format is known for this type of content
  642  COAP_UNREACHABLE   no datagram reaches the server; detail is the errno
  643  COAP_TIMEOUT       no answer, or not all of it, came in time
  644  COAP_RESET         the server rejected the request with a Reset
  645  COAP_OPTION        the reply has a critical option (detail) that is unknown
  646  COAP_BLOCK         the blocks of a transfer do not fit together
  647  COAP_LIMIT         the reply exceeds the limit
  648  COAP_STATUS        no message came back, but this response code (detail; 404 is 4.04)
  649  COAP_TYPE          the response code (detail) means success, yet no body of the protocol's type came
  661  SERIAL_TIMEOUT     the host did not answer in time
  662  SERIAL_FRAME       what the host answered is no reply frame, or belongs to another request
  663  SERIAL_DAMAGED     the reply does not have the digest that it came with
  664  SERIAL_LIMIT       the reply exceeds the limit
  665  RELAY_REFUSED      the host does not post to this URL, or not so much
  681  FILE_WAITING       the request is in a file (detail: its number); the reply is not there yet
  682  FILE_FOLDER        the folder cannot be read or written; detail is the errno
  683  FILE_LIMIT         the file with the reply exceeds the limit, or is empty
  684  FILE_FULL          the folder holds as many requests as there are names

  701  STORE_NAME         a record name is empty, too long, or has other characters than a-z, 0-9, _ and -
  702  STORE_SIZE         a record would exceed the store's limit
  703  STORE_FULL         the flash is full; the old record is intact
  704  STORE_FLASH        the file system refused (detail: errno); the old record is intact
  705  STORE_DAMAGED      a record is not as it was written
  706  STORE_FIELDS       packed fields are damaged, too many or too long

  801  CONFIG_VALUES      the configuration has missing, unknown or bad values (detail: their keys)
  802  CONFIG_JSON        the configuration is no JSON object
  803  CONFIG_FILE        the configuration file is missing, unreadable (detail: errno) or too long
  811  PROFILE_VALUE      a dotted OID or hexadecimal octets of the configuration cannot be read

A module that raises a code declares it by the same name behind an underscore,
`_DER_TAG = const(102)`: private constants cost nothing on flash.
"""


class Error(Exception):
    """Base of all errors: `code` as listed above, `detail` a number, a short token or None."""

    retry = False  # would the same step, repeated later, have a chance?

    def __init__(self, code, detail=None):
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class ConfigError(Error):
    """We are at fault: the configuration or the call must be mended."""


class ProtocolError(Error):
    """The peer broke the rules of the protocol or of its encoding."""


class Rejected(Error):
    """The CA refused: `status` is the PKIStatus, `fail_info` a bit mask, `text` the CA's own words."""

    def __init__(self, code, status, fail_info=0, text=""):
        super().__init__(code, status)
        self.status = status
        self.fail_info = fail_info
        self.text = text


class TransportError(Error):
    """The message did not get through; nothing is known of its effect."""

    retry = True


class Untrusted(Error):
    """What came is well-formed but does not verify: its signer, its chain, its identifiers or its key."""


class CryptoError(Error):
    """A cryptographic operation failed or was given a value that it refuses."""


class BadSignature(CryptoError):
    """A signature or MAC does not verify."""


class Unsupported(CryptoError):
    """An algorithm or form that no selected backend knows."""


class StoreError(Error):
    """The flash refused, or a record on it is damaged."""
