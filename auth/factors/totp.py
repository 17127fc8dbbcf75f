"""Time-based codes (RFC 6238): secrets, what an app scans, the time step a code belongs to. Nothing is stored here."""

import base64
import importlib
import io
import re
import secrets
import time

import pyotp

# The length of the HMAC-SHA-1 output, as RFC 4226 section 4 recommends.
SECRET_BYTES = 20
STEP_SECONDS = 30
# A code of the step before or after is taken too: clocks differ (RFC 6238 section 5.2 recommends one step at most).
DRIFT_STEPS = 1
_CODE = re.compile(r"[0-9]{6}")


def new_secret() -> str:
    """160 random bits in base 32, as apps take them."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def uri(secret: str, account: str, issuer: str) -> str:
    """The `otpauth://` URI that apps scan."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def qr_svg(content: str) -> str:
    """A QR code as an SVG image, to be shown by the page itself: the secret travels to no other service."""
    drawn = io.BytesIO()
    # Half a megabyte, for which a worker has a use once an app is enrolled.
    importlib.import_module("segno").make_qr(content).save(drawn, kind="svg", scale=4, xmldecl=False, nl=False)
    return drawn.getvalue().decode()


def step_of(secret: str, code: str) -> int | None:
    """The time step that `code` is right for, now or one step to either side; None when it is wrong."""
    if not _CODE.fullmatch(code):
        return None
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(code, for_time=time.time(), valid_window=DRIFT_STEPS)
    except pyotp.OTPVerificationError:
        return None
