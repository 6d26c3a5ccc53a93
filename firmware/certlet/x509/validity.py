"""Times in DER, as seconds since 1970-01-01 00:00:00 UTC, RFC 5280 section 4.1.2.5."""

from micropython import const

from ..errors import ProtocolError

_X509_TIME = const(301)

_UTC_TIME = const(0x17)
_GENERALIZED_TIME = const(0x18)
_DAY = const(86400)


def days_from_civil(year, month, day):
    """Days from 1970-01-01 to a date of the Gregorian calendar."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def civil_from_days(days):
    """(year, month, day) of a count of days from 1970-01-01."""
    days += 719468
    era = days // 146097
    of_era = days - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, day


def read_time(r, fraction=False):
    """The Time that comes next in a Reader; ProtocolError X509_TIME if it is not in UTC to the second.

    `fraction` tolerates and drops a fraction of a second, as messageTime may have one.
    """
    tag = r.peek()
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise ProtocolError(_X509_TIME, tag)
    text = bytes(r.tlv(tag))
    digits = 12 if tag == _UTC_TIME else 14
    rest = text[digits:]
    if fraction and rest[:1] == b"." and rest[1:-1].isdigit():
        rest = rest[-1:]
    if not text[:digits].isdigit() or len(text) < digits or rest != b"Z":
        raise ProtocolError(_X509_TIME)
    f = [int(text[i : i + 2]) for i in range(0, digits, 2)]
    if tag == _UTC_TIME:
        year = f[0] + (1900 if f[0] >= 50 else 2000)
        f = f[1:]
    else:
        year = f[0] * 100 + f[1]
        f = f[2:]
    month, day, hour, minute, second = f
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        raise ProtocolError(_X509_TIME)
    days = days_from_civil(year, month, day)
    if civil_from_days(days) != (year, month, day):
        raise ProtocolError(_X509_TIME)
    return days * _DAY + hour * 3600 + minute * 60 + second


def write_time(w, seconds, generalized=False):
    """Append a Time: UTCTime for 1950 to 2049, else (or if asked for) GeneralizedTime."""
    year, month, day = civil_from_days(seconds // _DAY)
    rest = seconds % _DAY
    text = "%04d%02d%02d%02d%02d%02dZ" % (year, month, day, rest // 3600, rest // 60 % 60, rest % 60)
    if generalized or not 1950 <= year < 2050:
        w.tlv(_GENERALIZED_TIME, text.encode())
    else:
        w.tlv(_UTC_TIME, text[2:].encode())
