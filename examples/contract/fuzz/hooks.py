"""What schemathesis is to check besides its own checks."""

import json
import os
import re
import unicodedata
import urllib.request

import schemathesis

# The codes that README.md lists under "What a JSON Schema cannot say".
BEYOND_SCHEMA = {"email_invalid", "ip_address", "timestamp_invalid", "locale_invalid", "consent_required"}

OWN_WORDS = re.compile(r"[A-Za-z0-9_ ,.:/'-]*")


leads = []


def known_leads():
    """Ids of leads that the inbox has; asked for once."""
    if not leads:
        request = urllib.request.Request(
            os.environ["INBOX_URL"] + "/inbound/leads?limit=1000",
            headers={"Authorization": "Bearer " + os.environ["OPERATOR_TOKEN"]},
        )
        with urllib.request.urlopen(request) as answer:
            leads.extend(lead["id"] for lead in json.load(answer)["leads"])
    return leads


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    """Every other id that fits the schema becomes one that is there: no guess would find it."""
    id = (path_parameters or {}).get("id")
    if isinstance(id, str) and re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id) and int(id[-1], 16) % 2:
        known = known_leads()
        if known:
            path_parameters["id"] = known[int(id[:8], 16) % len(known)]
    return path_parameters


@schemathesis.hook
def map_query(ctx, query):
    """Nobody waits for a minute here; what is out of the range stays so."""
    wait = (query or {}).get("wait")
    if isinstance(wait, int) and not isinstance(wait, bool) and 1 < wait <= 60:
        query["wait"] = 0
    return query


def words_in(text):
    """How many words a text has, as a search counts them: of Chinese and Japanese, each character is one."""
    letters = [letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.category(letter) in ("Mn", "Me")]
    spaced = re.sub(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]", r" \g<0> ", "".join(letters))
    return len(re.findall(r"[^\W_]+", spaced))


@schemathesis.check
def refused_only_for_what_a_schema_cannot_say(ctx, response, case):
    """Data that fits the schema is refused for a reason that the schema cannot say, or not at all."""
    is_positive = case.meta is not None and case.meta.generation.mode.is_positive
    if is_positive and response.status_code == 422:
        problem = response.json()
        if case.path == "/inbound/leads/search" and isinstance(case.body, dict):
            # How many words a text has, and which instants every database can hold.
            instants = [str(case.body.get(name)) for name in ("from", "to")]
            if words_in(str(case.body.get("text"))) > 8 or any(instant.startswith("0000") for instant in instants):
                return
        if case.path != "/inbound/leads" or case.method != "POST":
            assert problem["error"] == "reason_names_person", f"the schema should say what is wrong: {problem}"
            return
        errors = problem["errors"]
        if isinstance(case.body, dict) and "\r\n" in str(case.body.get("message")):
            # A pattern counts CR LF as one or as two.
            errors = [error for error in errors if (error["pointer"], error["code"]) != ("/message", "too_short")]
        codes = {error["code"] for error in errors}
        assert codes <= BEYOND_SCHEMA, f"the schema should say: {sorted(codes - BEYOND_SCHEMA)}"


@schemathesis.check
def answers_never_echo(ctx, response, case):
    """No answer holds what a member held; but an export says whom it is about."""
    if case.path == "/inbound/subjects/export":
        return
    body = case.body if isinstance(case.body, dict) else {}
    for name in ("name", "email", "phone", "company", "message"):
        value = body.get(name)
        # A value that is one of the answer's own words, such as "email_invalid", tells nothing.
        if isinstance(value, str) and len(value) > 12 and not OWN_WORDS.fullmatch(value):
            assert value not in response.text, f"the answer echoes {name}"
