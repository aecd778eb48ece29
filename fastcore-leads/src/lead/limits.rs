//! Every limit of a lead, in one place.
//!
//! The parser, the published schemas and the tables take their numbers from here; a test holds the SQL to them.

/// How long a text member may be, in Unicode code points after trimming white space.
///
/// That is how Pydantic and PostgreSQL's `varchar(n)` count; an emoji made of several code points counts as several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// The fewest code points allowed.
    pub min: usize,
    /// The most code points allowed.
    pub max: usize,
}

impl Length {
    const fn new(min: usize, max: usize) -> Self {
        Self { min, max }
    }
}

/// The largest request body, in bytes: 32 KiB.
pub const MAX_BODY_BYTES: usize = 32 * 1024;

/// `name`.
pub const NAME: Length = Length::new(2, 80);
/// `phone`.
pub const PHONE: Length = Length::new(1, 30);
/// `company`.
pub const COMPANY: Length = Length::new(1, 120);
/// `message`.
pub const MESSAGE: Length = Length::new(20, 2000);
/// `meta.source`.
pub const SOURCE: Length = Length::new(1, 50);
/// `meta.ip_hash` and `meta.user_agent_hash`.
pub const HASH: Length = Length::new(1, 128);
/// `meta.consent.version`.
pub const CONSENT_VERSION: Length = Length::new(1, 80);
/// `meta.consent.locale`: RFC 5646, section 4.4.1, asks for room for 35 characters at least.
pub const CONSENT_LOCALE: Length = Length::new(1, 35);
/// One code of `meta.suspicion`.
pub const SUSPICION_CODE: Length = Length::new(1, 40);
/// How many codes `meta.suspicion` may hold.
pub const MAX_SUSPICION_CODES: usize = 8;

/// An instant as text, in bytes: no RFC 3339 text that a sender means is longer.
pub const MAX_INSTANT_BYTES: usize = 64;

/// `email`, in bytes of UTF-8 (RFC 5321, section 4.5.3.1.3, less the angle brackets).
pub const MAX_EMAIL_BYTES: usize = 254;
/// The part of `email` before the `@`, in bytes of UTF-8 (RFC 5321, section 4.5.3.1.1).
pub const MAX_EMAIL_LOCAL_BYTES: usize = 64;
/// An actor's name in the audit log, in code points.
pub const ACTOR: Length = Length::new(1, 50);
/// A reason in the audit log, in code points.
pub const REASON: Length = Length::new(1, 200);
/// What leads are searched for, in code points.
pub const SEARCH: Length = Length::new(1, 200);
/// The most different words that leads are searched for at once.
pub const MAX_SEARCH_WORDS: usize = 8;
/// A note with a lead, in code points.
pub const NOTE: Length = Length::new(1, 1000);
/// Notes with a lead.
pub const MAX_NOTES: usize = 50;
