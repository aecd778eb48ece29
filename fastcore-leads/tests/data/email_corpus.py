"""Write email_corpus.jsonl (next to this file): e-mail addresses of all kinds
with the verdict of the Python package email-validator.

Made with email-validator 2.4.0, idna 3.20, Python 3.11 (unicodedata 14.0.0);
options: check_deliverability=False, everything else default.  Deterministic,
no network.  Run:  pip install email-validator==2.4.0 && python email_corpus.py

Every address is hand-written or built by a rule below.  Verdicts depend a
little on the Unicode version of Python, so code points assigned after
Unicode 14 are avoided.
"""
import json
import pathlib

import email_validator
from email_validator import EmailNotValidError, validate_email

EX = "@example.com"
out = []
seen = set()


def add(*addresses):
    for a in addresses:
        if a not in seen:
            seen.add(a)
            out.append(a)


def loc(*locals_):
    add(*(x + EX for x in locals_))


def dom(*domains):
    add(*("user@" + d for d in domains))


def a_label(u):
    """Raw A-label, with no validity check (so that bad ones can be made)."""
    return "xn--" + u.encode("punycode").decode("ascii")


def domain_of_length(n, tld="com"):
    """An ASCII domain of exactly n characters, labels of at most 63."""
    left = n - len(tld) - 1
    labels = []
    while left > 0:
        take = min(63, left)
        if left - take == 1:
            take -= 1
        labels.append("abcdefg"[len(labels)] * take)
        left -= take + 1
    d = ".".join(labels + [tld])
    assert len(d) == n, (n, len(d))
    return d


# --- plain, plus tags
add("ana.souza@example.com", "first.last@mail.example.co.uk", "user+@example.com", "user++x@example.com",
    "-a-@example.com", "leads@fastcore.io", "user@example.photography")

# --- role names (lower-cased only when the whole local part is one)
add("postmaster@example.com", "POSTMASTER@example.com", "Security@example.com", "Admin@example.com",
    "Info.Desk@example.com", "MAR\u212aETING@example.com", "INFO@example.com", "info+tag@example.com")

# --- case
add("UPPER@example.com", "MiXeD.Case@Example.COM", "User@Sub.Example.Org", "user@example.CoM")

# --- every ASCII printable special in an otherwise plain local part
add("a!b@example.com", "a#b@example.com", "a$b@example.com", "a%b@example.com", "a&b@example.com", "a'b@example.com",
    "a*b@example.com", "a+b@example.com", "a-b@example.com", "a/b@example.com", "a=b@example.com", "a?b@example.com",
    "a^b@example.com", "a_b@example.com", "a`b@example.com", "a{b@example.com", "a|b@example.com", "a}b@example.com",
    "a~b@example.com", 'a"b@example.com', "a(b@example.com", "a)b@example.com", "a,b@example.com", "a:b@example.com",
    "a;b@example.com", "a<b@example.com", "a>b@example.com", "a[b@example.com", "a\\b@example.com",
    "a]b@example.com", "a b@example.com", "!#$%&'*+-/=?^_`{|}~@example.com", "a%20b@example.com")

# --- dots in the local part
add(".a@example.com", "a.@example.com", "a..b@example.com", ".@example.com", "a.b.c.d.e@example.com",
    "a-.b@example.com")

# --- quoted local parts
add('"a"@example.com', '""@example.com', '"a..b"@example.com', 'a"b"@example.com', '"a"b@example.com',
    'a."b"@example.com', "'a'@example.com", '"postmaster"@example.com')

# --- comments
add("a(comment)@example.com", "(comment)a@example.com", "a@(comment)example.com", "a@example.com(comment)",
    "a@example.(c)com", "a (c)@example.com", "a@example.com (Ana)")

# --- display-name form
add("Ana <ana@example.com>", "<ana@example.com>", "Ana<ana@example.com>", "<ana@example.com", "ana@example.com>",
    "Ana <>", "<>", "Ana <ana@example.com> x", "mailto:ana@example.com", "ana <bob@example.com",
    "ana<\u0338b@example.com", "ana@example.com, bob@example.com", "ana@example.com bob@example.com",
    "Jos\xe9 <jose@example.com>")

# --- address literals, and addresses where a name should be
add("user@[127.0.0.1]", "user@[192.0.2.300]", "user@[IPv6:2001:db8::1]", "user@[IPv6:::ffff:192.0.2.1]",
    "user@[IPv6:fe80::1%eth0]", "user@[2001:db8::1]", "user@[IPv6:nope]", "user@[example.com]", "user@[]",
    "user@[127.0.0.1", "user@127.0.0.1", "user@::1", "user@0x7f.1", "user@127.0.0.1.com")

# --- at-signs, empty parts
add("", "@", "example.com", "a@", "a@@example.com", "a@example.com@", "@a@example.com", "a at example.com",
    "a\uff20example.com", "a\ufe6bexample.com", "a@example\uff20com.com", "a\uff20b@example.com", "a@.")

# --- white space round and in
add(" ana@example.com", "ana@example.com ", "\r\nana@example.com", "\xa0ana@example.com", "an\u200ba@example.com",
    " ", "ana\t@example.com", "ana@example.com\n\n", "\tana@example.com", "ana@example.com\n", "an\na@example.com",
    "an\ta@example.com")

# --- control characters
add("a\x00b@example.com", "ana@exa\x00mple.com", "ana@exa\x1bmple.com", "ana@exa\x80mple.com", "ana@exa\x9fmple.com",
    "ana@example.com\x00", "a\x7fb@example.com", "ana@exa\x7fmple.com")

# --- lengths: local part
for n in (63, 64, 65):
    loc("a" * n)
for n in (32, 33, 64, 65):
    loc("\u00e9" * n)
for n in (21, 22):
    loc("\u4e2d" * n)
loc("a" * 63 + "\u00e9", "a" * 64 + "\u00e9")
# total length, ASCII
for n in (253, 254, 255, 256):
    loc("a" * (n - len(EX)))
# total length in bytes, two-byte and four-byte characters in the local part
loc("\u00e9" * 121, "\u00e9" * 121 + "a", "\U0001f600" * 60 + "aa", "\U0001f600" * 60 + "aaa")
# NFC makes it shorter (the input counts too) or longer (the output counts too)
loc("e\u0301" * 80 + "aa", "e\u0301" * 80 + "aaa", "e\u0301" * 100, "\u0958" * 40 + "aa", "\u0958" * 40 + "aaa", "\u0958" * 60)
# --- lengths: labels and domain
for n in (62, 63, 64):
    dom("d" * n + ".com", "w." + "d" * n + ".example.org")
for n in (249, 250, 251, 252, 253, 254):
    add("a@" + domain_of_length(n))
add("ab@" + domain_of_length(250), "ab@" + domain_of_length(251), "ab@" + domain_of_length(252),
    "@" + domain_of_length(253), "a@" + domain_of_length(300), "a@" + "b." * 125 + "com", "a@" + "b." * 123 + "com")
# --- lengths that change with punycode
for n in (54, 55, 56, 57, 58):
    dom("d" * n + "\u00fc.com")                        # A-label: n + 7 or so
for n in (56, 57, 58):
    dom("\u4e2d" * n + ".com")                         # repeated character: one byte each in an A-label
dom("\u00fc" * 59 + ".com", "\u4e2d\u56fd" * 12 + ".com", "\u4e2d\u56fd" * 15 + ".com")
fifty = "\u00fc" + "d" * 50
dom(".".join([fifty] * 3) + ".com", ".".join([fifty] * 4) + ".com", ".".join([fifty] * 4)[:-5] + ".com",
    ".".join(["d" * 40 + "\u00fc"] * 5) + ".com", ".".join(["d" * 38 + "\u00fc"] * 5) + ".com")
han = "\u4e2d" * 40
dom(han + "." + han + ".com",                          # 254 bytes are passed in UTF-8, not in ASCII
    a_label(han) + "." + a_label(han) + ".com",        # ... the same domain, in ASCII
    a_label(han) + ".com", a_label(han) + "." + a_label("\u4e2d" * 39) + ".com",
    "\u4e2d" * 40 + "." + "\u4e2d" * 40 + ".cn", "\u4e2d" * 41 + "." + "\u4e2d" * 40 + ".cn")
# soft mapping: ligature and circled characters that become longer, ignored characters that vanish
dom("\ufb03" * 21 + ".com", "\ufb03" * 22 + ".com", "d" * 63 + "\ufe0f.com", "\u33ff" * 9 + ".com", "d\ufe0f" * 60 + ".com",
    "\U0001d5ba" * 63 + ".com", "\U0001d5ba" * 58 + ".com", "\U0001d5ba" * 64 + ".com")

# --- dots and top level domain
add("user@localhost", "user@example.c", "user@example.1", "user@example.123", "user@.example.com",
    "user@example..com", "user@example.com.", "user@.com", "user@.", "user@example.\u4e2d\u56fd",
    "user@\u4e2d\u56fd", "user@example.xn--p1ai", "user@example.xn--fiqs8s", "user@example.xn--t-9fab",
    "user@example.\u0e44\u0e17\u0e22", "user@example.1c", "user@example.c1", "user@example.xn--kpry57d",
    "user@example.\xfc")

# --- hyphens and underscores
add("user@a-b.com", "user@-ab.com", "user@a---b.com", "user@xn--a.com", "user@XN--MNCHEN-3YA.com", "user@a-.b.com",
    "user@a.ab--cd.com", "user@example.a--b", "user@a_b.com", "user@a.b_c", "user@\xfc--\xfc.com",
    "user@\xfc\xfc--\xfc.com", "user@a\uff0db.com", "user@\uff0da.com", "user@a\u2010b.com", "user@ab--cd.com",
    "user@_dmarc.example.com", "user@axn--b.com")

# --- other ASCII in the domain
add("user@exa!mple.com", "user@exa(mple.com", "user@exa:mple.com", "user@'example.com'")

# --- special-use domains and near misses
add("user@arpa", "user@sub.arpa", "user@myarpa.com", "user@invalid", "user@sub.invalid", "user@myinvalid.com",
    "user@local", "user@sub.local", "user@local.com", "user@mylocal.com", "user@sub.locals", "user@sub.localhost",
    "user@localhost.com", "user@onion", "user@sub.onion", "user@test", "user@sub.test", "user@a.b.TEST",
    "user@test.com", "user@mytest.com", "user@sub.test.", "user@sub\u3002local", "user@sub.loc\uff41l",
    "user@home.arpa", "user@example.example", "user@sub.example", "user@example.internal", "user@x.alt",
    "user@localhost.fr", "user@x.t\xebst", "user@x.ONION", "user@x.\u24e3\u24d4\u24e2\u24e3", "user@example.test")

# --- internationalised local parts
add("jos\xe9@example.com", "jose\u0301@example.com", "\u0141\xf3d\u017a@example.com", "\u0438\u0306@example.com",
    "\u1f00@example.com", "\u2126@example.com", "\u05e9\u05bc@example.com", "\ufb1d@example.com",
    "\u0958@example.com", "\u738b.\u5c0f\u660e@example.com", "\u1112\u1169\u11bc@example.com",
    "\u304b\u3099@example.com", "\U00020bb7\u91ce@example.com", "\uf900@example.com",
    "\U0001f44d\U0001f3fd@example.com", "\U0001f468\u200d\U0001f469@example.com", "\u2122@example.com",
    "\u2160@example.com", "a\xa0b@example.com", "\u0438\u0432\u0430\u043d@example.com",
    "\u03b4\u03bf\u03ba\u03b9\u03bc\u03ae@example.com", "\u0623\u062d\u0645\u062f@example.com",
    "\u05d3\u05d5\u05d3@example.com", "\u0930\u093e\u092e@example.com", "\u0e2a\u0e21\u0e0a\u0e32\u0e22@example.com",
    "\ud64d\uae38\ub3d9@example.com", "\u3042\u304d\u3089@example.com", "\U0001f600@example.com",
    "M\xdcLLER@example.com", "a\uff0eb@example.com")

# --- normalisation that leads to ASCII or changes ASCII
add("a\u037eb@example.com", "a\u1fefb@example.com", "\u212aelvin@example.com", "a=\u0338b@example.com",
    "a<\u0338@example.com", "a\u2260b@example.com", "a\u226eb@example.com", "q\u0323\u0307@example.com",
    "\u1100\u1161\u11a8@example.com")

# --- marks
add("\u0301a@example.com", "a\u0301@example.com", "a.\u0301b@example.com", "\ufe0fa@example.com",
    "a\ufe0f@example.com", "a\u034fb@example.com")

# --- format, private use, unassigned, noncharacters, tags
add("a\u200db@example.com", "a\u200fb@example.com", "a\u061cb@example.com", "a\ufffcb@example.com",
    "a\ue000b@example.com", "a\U000e0080b@example.com", "a\u115fb@example.com", "a\u3164b@example.com",
    "a\u2800b@example.com", "a\u0378b@example.com", "a\xadb@example.com", "a\u202eb@example.com",
    "\u0915\u094d\u200d\u0937@example.com", "a\ufeffb@example.com")

# --- dots next to non-ASCII letters
add(".\xe9@example.com", "\xe9.@example.com", "\xe9..\xe9@example.com", "\xe9 \xe9@example.com", '\xe9"@example.com')

# --- internationalised domains
add("user@m\xfcnchen.de", "user@M\xdcNCHEN.de", "user@mu\u0308nchen.de", "user@STRA\u1e9eE.de",
    "user@xn--strae-oqa.de", "user@xn--strasse-oqa.de", "user@\u03cc\u03bb\u03bf\u03c2.gr", "user@xn--jxalpdlp.gr",
    "user@\u041f\u041e\u0427\u0422\u0410.\u0420\u0424", "user@p\u0430ypal.com", "user@\u4f8b\u3048.jp",
    "user@\uff8a\uff9f\uff72.jp", "user@\u0939\u093f\u0928\u094d\u0926\u0940.in",
    "user@\u0645\u062b\u0627\u0644.com", "user@\u05d3\u05d5\u05d2\u05de\u05d4.xn--4dbrk0ce",
    "user@\u0645\u062b\u0627\u0644.\u0627\u06cc\u0631\u0627\u0646", "user@stra\xdfe.de", "user@\u4e2d\u6587.com",
    "user@\ud55c\uad6d.kr", "user@\u0e44\u0e17\u0e22.com")

# --- full-width and other mappings
add("user@\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com", "user@example\u3002\uff0ecom", "user@example.com\u3002",
    "user@\u3002example.com", "user@example\u2024com", "user@\u2488a.com", "user@\xb2x.com", "user@\u33c2.com",
    "user@\u2100.com", "user@a\uff0fb.com", "user@a\u1fefb.com", "user@a\xafb.com", "user@example.\uff11",
    "user@example.co\uff4d", "user@\u0131.com", "user@\U0001d400.com", "user@a\uff3fb.com", "user@example\uff61com",
    "user@\ufb01sh.com")

# --- ignored by UTS #46, or not allowed at all
add("user@exa\ufe0fmple.com", "user@\ufe0fexample.com", "user@x\u034fx.com", "user@a\u200cb.com",
    "user@a\u3164b.com", "user@a\ufffdb.com", "user@\u2764.com", "user@a=\u0338b.com", "user@a\u2019b.com",
    "user@\u0660\u0640.com", "user@exa\xadmple.com", "user@\U0001f600.com", "user@\u0915\u094d\u200d\u0937.com",
    "user@a\u0378b.com")

# --- context rules
add("user@l\xb7l.com", "user@a\xb7b.com", "user@L\xb7L.com", "user@\u03b1\u0375.gr", "user@\u05d0\u05f3.com",
    "user@a\u05f3.com", "user@\u30a2\uff65\u30a4.jp", "user@\u0628\u0661.com", "user@\u0628\u0661\u06f1.com",
    "user@a\u0661.com", "user@\u0628\u06611.com", "user@\u06281.com", "user@\u0375\u03b1.gr",
    "user@\u05d0\u05f4\u05d1.com", "user@\u30a2\u30fb\u30a4.jp", "user@a\u30fbb.jp", "user@\u0628\u06f1.com",
    "user@a\u06f1.com")

# --- marks in labels
add("user@\u0301a.com", "user@a\u0301.com", "user@x.\u0301a.com", "user@x.\u0903a.com", "user@a\u0323\u0301.com",
    "user@q\u0323.com", "user@a\u20dd.com", "a\u034fb@example.com")

# --- right to left
add("user@\u05d0\u05d1.com", "user@\u05d0a.com", "user@a\u05d0.com", "user@1\u05d0.com", "user@\u05d0.1a.com",
    "user@3com.\u05d0\u05d1.com", "user@1.xn--4dbc.com", "user@a.xn--4dbc.com", "user@\u05d0\u05b7.com",
    "user@\u05d0\u06611.com", "user@1\xfc.com", "user@\u05d0\xb7.com", "user@sub-1.\u05d0\u05d1.com",
    "user@\u05d01.com", "user@1.\u05d0\u05d1.com", "user@1\xfc.\u05d0\u05d1.com")

# --- A-labels, valid and not
add("user@xn--mnchen-3ya", "user@xn--m\xfcnchen.com", "user@xn--abc.com", "user@xn--abc-.com", "user@xn---foo.com",
    "user@xn--a-b.com", "user@xn--\xfc.com", "user@xn--xn---epa.com", "user@xn--u-ccb.com", "user@xn--ab-m1t.com",
    "user@xn--11b2ezcw70k.com", "user@xn--ab-0ea.com", "user@xn--ab---3ra.com", "user@xn----eha.com",
    "user@xn----dha.com", "user@xn--_-eha.com", "user@xn--.a-wka.com", "user@xn--a-zhc.com", "user@xn--1-0hc.com",
    "user@xn--vek.com", "user@xn--py1h.com", "user@xn--fiq.com", "user@xn--mnchen-3ya.de",
    "user@m\xfcnchen.xn--p1ai", "user@xn--qei.com", "user@\uff58n--mnchen-3ya.de")

# --- unicode local part with every kind of domain
add("jos\xe9@EXAMPLE.com", "jos\xe9@m\xfcnchen.de", "Jos\xe9@M\xdcNCHEN.de", "\u5f20@\u4f8b\u5b50.\u4e2d\u56fd",
    "jos\xe9@localhost", "jos\xe9@x.test", "jos\xe9@[127.0.0.1]", "INFO@XN--MNCHEN-3YA.DE", "jos\xe9@1.com",
    "jos\xe9@", "@m\xfcnchen.de", "jos\xe9@example", "a@\u0338example.com")


def main():
    path = pathlib.Path(__file__).with_name("email_corpus.jsonl")
    lines = [{"package": "email-validator", "version": email_validator.__version__,
              "options": "check_deliverability=False"}]
    for a in out:
        try:
            v = validate_email(a, check_deliverability=False)
            lines.append({"address": a, "valid": True, "normalized": v.normalized})
        except EmailNotValidError:
            lines.append({"address": a, "valid": False})
    text = "".join(json.dumps(x, ensure_ascii=True) + "\n" for x in lines)
    path.write_text(text, encoding="ascii", newline="\n")
    good = sum(x.get("valid", False) for x in lines)
    print(f"{len(out)} addresses: {good} valid, {len(out) - good} invalid")


if __name__ == "__main__":
    main()
