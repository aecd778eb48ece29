//! Email addresses against the verdicts of the Python package that `EmailStr` is, and their masking.

use fastcore_leads::{EmailAddress, mask_email};
use serde::Deserialize;

const CORPUS: &str = include_str!("../data/email_corpus.jsonl");

/// RFC 2142: `EmailStr` writes these in lower case, we keep what was sent.
const ROLES: &[&str] = &[
    "info",
    "marketing",
    "sales",
    "support",
    "abuse",
    "noc",
    "security",
    "postmaster",
    "hostmaster",
    "usenet",
    "news",
    "webmaster",
    "www",
    "uucp",
    "ftp",
];

#[derive(Deserialize)]
struct Verdict {
    address: String,
    valid: bool,
    normalized: Option<String>,
}

impl Verdict {
    /// Why we mean to differ, as `docs/email.md` lists it.
    fn known_disagreement(&self) -> Option<&'static str> {
        let (local, _) = self.normalized.as_deref().unwrap_or(&self.address).split_once('@')?;
        if self.valid && local.len() > 64 {
            return Some("a local part of more than 64 bytes is refused");
        }
        let is_role = ROLES.contains(&local) && !self.address.starts_with(local);
        is_role.then_some("a role's name keeps its case")
    }
}

#[test]
fn agrees_with_email_validator() {
    let verdicts: Vec<Verdict> = CORPUS.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(verdicts.len() >= 300, "the corpus has {} addresses", verdicts.len());
    let mut known = 0;
    for verdict in &verdicts {
        let ours = EmailAddress::parse(&verdict.address).ok();
        let ours = ours.as_ref().map(EmailAddress::as_str);
        let theirs = verdict.valid.then_some(verdict.normalized.as_deref().unwrap_or(&verdict.address));
        if ours != theirs {
            let reason = verdict.known_disagreement();
            assert!(reason.is_some(), "{:?}: ours {ours:?}, theirs {theirs:?}", verdict.address);
            known += 1;
        }
    }
    assert_eq!(known, 18, "the list of disagreements is exact");
}

#[test]
fn limits_are_bytes() {
    let local = |length: usize| EmailAddress::parse(&format!("{}@example.com", "a".repeat(length))).is_ok();
    assert!(local(64));
    assert!(!local(65));
    let long = format!("{}@{}.{}.{}.com", "a".repeat(64), "b".repeat(61), "c".repeat(61), "d".repeat(61));
    assert_eq!(long.len(), 254);
    assert!(EmailAddress::parse(&long).is_ok());
    let longer = long.replace(".com", ".come");
    assert_eq!(longer.len(), 255);
    assert!(EmailAddress::parse(&longer).is_err());
}

#[test]
fn normalises_the_domain_and_keeps_the_local_part() {
    let address = EmailAddress::parse("Jean.DUPONT@EXAMPLE.Com").unwrap();
    assert_eq!(address.as_str(), "Jean.DUPONT@example.com");
    assert_eq!((address.local_part(), address.domain()), ("Jean.DUPONT", "example.com"));
    let nfd = EmailAddress::parse("e\u{301}lodie@xn--mnchen-3ya.de").unwrap();
    assert_eq!(nfd.as_str(), "élodie@münchen.de");
}

#[test]
fn masks_by_characters_and_never_shows_the_whole_local_part() {
    for (address, masked) in [
        ("jean@example.com", "jea***"),
        ("ann@example.com", "a***"),
        ("li@example.com", "l***"),
        ("a@example.com", "a***"),
        ("éléa@example.com", "élé***"),
        ("😀😀😀😀@example.com", "😀😀😀***"),
        ("", "***"),
        ("@example.com", "***"),
        ("no address", "n***"),
    ] {
        assert_eq!(mask_email(address), masked, "{address}");
    }
    let address = EmailAddress::parse("jean@example.com").unwrap();
    assert_eq!(format!("{address:?}"), "jea***");
}
