"""What schemathesis is to check besides its own checks."""

import re

import schemathesis

# The codes that README.md lists under "What a JSON Schema cannot say".
BEYOND_SCHEMA = {"email_invalid", "ip_address", "timestamp_invalid", "locale_invalid", "consent_required"}

OWN_WORDS = re.compile(r"[A-Za-z0-9_ ,.:/'-]*")


@schemathesis.hook
def map_query(ctx, query):
    """Nobody waits for a minute here; what is out of the range stays so."""
    wait = (query or {}).get("wait")
    if isinstance(wait, int) and not isinstance(wait, bool) and 1 < wait <= 60:
        query["wait"] = 0
    return query


@schemathesis.check
def refused_only_for_what_a_schema_cannot_say(ctx, response, case):
    """Data that fits the schema is refused for a reason that the schema cannot say, or not at all."""
    is_positive = case.meta is not None and case.meta.generation.mode.is_positive
    if is_positive and response.status_code == 422:
        errors = response.json()["errors"]
        if isinstance(case.body, dict) and "\r\n" in str(case.body.get("message")):
            # A pattern counts CR LF as one or as two.
            errors = [error for error in errors if (error["pointer"], error["code"]) != ("/message", "too_short")]
        codes = {error["code"] for error in errors}
        assert codes <= BEYOND_SCHEMA, f"the schema should say: {sorted(codes - BEYOND_SCHEMA)}"


@schemathesis.check
def answers_never_echo(ctx, response, case):
    """No answer holds what a member held."""
    body = case.body if isinstance(case.body, dict) else {}
    for name in ("name", "email", "phone", "company", "message"):
        value = body.get(name)
        # A value that is one of the answer's own words, such as "email_invalid", tells nothing.
        if isinstance(value, str) and len(value) > 12 and not OWN_WORDS.fullmatch(value):
            assert value not in response.text, f"the answer echoes {name}"
