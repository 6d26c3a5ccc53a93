"""Every constant of the device's oid.py and cms/oids.py against the modules of pyasn1-alt-modules, which were made from the RFCs' text."""

import pytest
from pyasn1.codec.der.encoder import encode
from pyasn1.type.univ import ObjectIdentifier
from pyasn1_alt_modules import (
    rfc2985,
    rfc3279,
    rfc3370,
    rfc3565,
    rfc4055,
    rfc4108,
    rfc4210,
    rfc4211,
    rfc5280,
    rfc5480,
    rfc5652,
    rfc5753,
    rfc5958,
    rfc6402,
    rfc8018,
    rfc8410,
    rfc9480,
)

from certlet import oid
from certlet.cms import oids

KNOWN = {
    "AT_CN": rfc5280.id_at_commonName,
    "AT_SERIAL_NUMBER": rfc5280.id_at_serialNumber,
    "AT_C": rfc5280.id_at_countryName,
    "AT_L": rfc5280.id_at_localityName,
    "AT_ST": rfc5280.id_at_stateOrProvinceName,
    "AT_O": rfc5280.id_at_organizationName,
    "AT_OU": rfc5280.id_at_organizationalUnitName,
    "AT_DC": rfc5280.id_domainComponent,
    "AT_EMAIL": rfc5280.id_emailAddress,
    "CE_SKI": rfc5280.id_ce_subjectKeyIdentifier,
    "CE_KEY_USAGE": rfc5280.id_ce_keyUsage,
    "CE_REASON_CODE": rfc5280.id_ce_cRLReasons,
    "CE_SAN": rfc5280.id_ce_subjectAltName,
    "CE_BASIC_CONSTRAINTS": rfc5280.id_ce_basicConstraints,
    "CE_AKI": rfc5280.id_ce_authorityKeyIdentifier,
    "CE_EKU": rfc5280.id_ce_extKeyUsage,
    "EXTENSION_REQUEST": rfc2985.pkcs_9_at_extensionRequest,
    "CHALLENGE_PASSWORD": rfc2985.pkcs_9_at_challengePassword,
    "EC_PUBLIC_KEY": rfc5480.id_ecPublicKey,
    "CURVE_P256": rfc5480.secp256r1,
    "CURVE_P384": rfc5480.secp384r1,
    "RSA_ENCRYPTION": rfc3279.rsaEncryption,
    "ECDSA_SHA256": rfc5480.ecdsa_with_SHA256,
    "ECDSA_SHA384": rfc5480.ecdsa_with_SHA384,
    "ECDSA_SHA512": rfc5480.ecdsa_with_SHA512,
    "RSA_SHA256": rfc4055.sha256WithRSAEncryption,
    "RSA_SHA384": rfc4055.sha384WithRSAEncryption,
    "RSA_SHA512": rfc4055.sha512WithRSAEncryption,
    "RSASSA_PSS": rfc4055.id_RSASSA_PSS,
    "MGF1": rfc4055.id_mgf1,
    "ED25519": rfc8410.id_Ed25519,
    "SHA1": rfc4055.id_sha1,
    "SHA256": rfc4055.id_sha256,
    "SHA384": rfc4055.id_sha384,
    "SHA512": rfc4055.id_sha512,
    "HMAC_SHA1": rfc8018.id_hmacWithSHA1,
    "HMAC_SHA1_IPSEC": rfc3370.hMAC_SHA1,
    "HMAC_SHA256": rfc8018.id_hmacWithSHA256,
    "HMAC_SHA384": rfc8018.id_hmacWithSHA384,
    "HMAC_SHA512": rfc8018.id_hmacWithSHA512,
    "PASSWORD_BASED_MAC": rfc4210.id_PasswordBasedMac,
    "IT_IMPLICIT_CONFIRM": rfc9480.id_it_implicitConfirm,
    "PBMAC1": rfc8018.id_PBMAC1,
    "PBKDF2": rfc8018.id_PBKDF2,
    "IT_CERT_PROFILE": rfc9480.id_it_certProfile,
    "REG_TOKEN": rfc4211.id_regCtrl_regToken,
    "AUTHENTICATOR": rfc4211.id_regCtrl_authenticator,
    "OLD_CERT_ID": rfc4211.id_regCtrl_oldCertID,
    "ALG_ID": rfc9480.id_regCtrl_algId,
    "RSA_KEY_LEN": rfc9480.id_regCtrl_rsaKeyLen,
    "ON_HARDWARE_MODULE_NAME": rfc4108.id_on_hardwareModuleName,
    "KP_CMC_CA": rfc6402.id_kp_cmcCA,
    "KP_CMC_RA": rfc6402.id_kp_cmcRA,
    "KP_CM_KGA": rfc9480.id_kp_cmKGA,
}

KNOWN_IN_CMS = {
    "DATA": rfc5652.id_data,
    "SIGNED_DATA": rfc5652.id_signedData,
    "ENVELOPED_DATA": rfc5652.id_envelopedData,
    "KEY_PACKAGE": rfc5958.id_ct_KP_aKeyPackage,
    "CONTENT_TYPE": rfc5652.id_contentType,
    "MESSAGE_DIGEST": rfc5652.id_messageDigest,
    "AES128_CBC": rfc3565.id_aes128_CBC,
    "AES256_CBC": rfc3565.id_aes256_CBC,
    "AES128_WRAP": rfc3565.id_aes128_wrap,
    "AES256_WRAP": rfc3565.id_aes256_wrap,
    "PWRI_KEK": ObjectIdentifier("1.2.840.113549.1.9.16.3.9"),  # RFC 3211, 3.1
    "ECDH_SHA1_KDF": rfc5753.dhSinglePass_stdDH_sha1kdf_scheme,
    "ECDH_SHA256_KDF": rfc5753.dhSinglePass_stdDH_sha256kdf_scheme,
    "ECDH_SHA384_KDF": rfc5753.dhSinglePass_stdDH_sha384kdf_scheme,
    "ECDH_SHA512_KDF": rfc5753.dhSinglePass_stdDH_sha512kdf_scheme,
}


@pytest.mark.parametrize(("module", "known"), [(oid, KNOWN), (oids, KNOWN_IN_CMS)])
def test_each_constant_is_the_oid_of_its_name(module, known):
    constants = {name: value for name, value in vars(module).items() if name.isupper() and not name.startswith("_")}
    assert constants == {name: encode(identifier) for name, identifier in known.items()}
