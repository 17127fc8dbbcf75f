"""What the flows of second factors take and give in common."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from auth.fields import Answer, normal

# A number as it is dialled from anywhere (ITU-T E.164): at most fifteen digits, the first of the country not 0.
_E164 = re.compile(r"\+[1-9][0-9]{7,14}")


def _phone(text: str) -> str:
    text = re.sub(r"[ ().-]", "", normal(text))
    if not _E164.fullmatch(text):
        raise ValueError("must be a phone number with its country, such as +49 151 23456789")
    return text


Phone = Annotated[str, Field(max_length=40, examples=["+49 151 23456789"]), AfterValidator(_phone)]
# What a browser's `PublicKeyCredential.toJSON()` gives; browsers add members, so only those that are read are named.
Credential = Annotated[dict[str, Any], Field(max_length=16, examples=[{"id": "...", "type": "public-key"}])]


class PasskeyOptions(Answer):
    """What `PublicKeyCredential.parseRequestOptionsFromJSON()` takes (WebAuthn section 5.1.9)."""

    challenge: str
    timeout: int
    rp_id: Annotated[str, Field(alias="rpId")]
    allow: Annotated[list[dict[str, Any]], Field(alias="allowCredentials")]
    verification: Annotated[str, Field(alias="userVerification")]


class RecoveryCodes(Answer):
    """Ten codes, shown this once; none when a factor was added and the person has some already."""

    recovery_codes: list[str]
