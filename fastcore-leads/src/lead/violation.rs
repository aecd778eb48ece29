//! What can be wrong with a lead: a closed list of codes, and where each was found.

use std::{borrow::Cow, fmt};

/// One rule that one member of a lead breaks.
///
/// Holds the place and the rule, never the value: it can be logged and sent back as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pointer: Cow<'static, str>,
    code: ViolationCode,
    bound: usize,
}

impl Violation {
    pub(crate) fn new(pointer: impl Into<Cow<'static, str>>, code: ViolationCode) -> Self {
        Self::bounded(pointer, code, 0)
    }

    pub(crate) fn bounded(pointer: impl Into<Cow<'static, str>>, code: ViolationCode, bound: usize) -> Self {
        Self { pointer: pointer.into(), code, bound }
    }

    /// Where: a JSON pointer (RFC 6901) into the request body, such as `/meta/request_id`.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Which rule, as a program reads it.
    pub fn code(&self) -> ViolationCode {
        self.code
    }

    /// The number in the rule, such as 20 in "must have at least 20 characters": for messages in other words.
    pub fn bound(&self) -> Option<usize> {
        matches!(self.code, ViolationCode::TooShort | ViolationCode::TooLong | ViolationCode::TooMany)
            .then_some(self.bound)
    }

    /// Which rule, as a developer reads it: an English phrase such as "must have at least 20 characters".
    pub fn detail(&self) -> String {
        match self.code {
            ViolationCode::TooShort => format!("must have at least {}", count(self.bound, "character")),
            ViolationCode::TooLong => format!("must have at most {}", count(self.bound, "character")),
            ViolationCode::TooMany => format!("must have at most {}", count(self.bound, "item")),
            code => code.rule().to_owned(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pointer, self.detail())
    }
}

fn count(n: usize, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{n} {thing}s") }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $rule:literal;)*) => {
        /// The closed list of rules that a member can break.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ViolationCode {
            $($(#[$doc])* $variant,)*
        }

        impl ViolationCode {
            /// Every code, in the order of this list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that stands for this code in an answer.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The rule as a phrase; where the rule has a bound, without its number.
            pub const fn rule(self) -> &'static str {
                match self { $(Self::$variant => $rule,)* }
            }
        }
    };
}

codes! {
    /// A required member is missing or `null`.
    Required = "required", "is required";
    /// The member should be a string.
    NotAString = "not_a_string", "must be a string";
    /// The member should be `true` or `false`.
    NotABoolean = "not_a_boolean", "must be true or false";
    /// The member should be an object.
    NotAnObject = "not_an_object", "must be an object";
    /// The member should be a list.
    NotAList = "not_a_list", "must be a list";
    /// Fewer code points than [`limits`](super::limits) ask for.
    TooShort = "too_short", "is too short";
    /// More code points than [`limits`](super::limits) allow.
    TooLong = "too_long", "is too long";
    /// More items than [`limits`](super::limits) allow.
    TooMany = "too_many", "has too many items";
    /// A C0 or C1 control character or DEL; `message` may hold line breaks and tabs.
    ControlCharacter = "control_character", "must not contain control characters";
    /// Not an address that a person can be reached at.
    EmailInvalid = "email_invalid", "must be an email address";
    /// Not one of the services.
    ServiceUnknown = "service_unknown", "must be one of ponts, cabines, compresseurs, diagnostic, autre";
    /// Consent is `false`, and this service requires it.
    ConsentRequired = "consent_required", "must be true";
    /// Not a UUID (RFC 9562), or the nil or the max UUID.
    UuidInvalid = "uuid_invalid", "must be a UUID that is neither nil nor max";
    /// Not an instant in RFC 3339.
    TimestampInvalid = "timestamp_invalid", "must be an RFC 3339 date and time";
    /// A hash holds something else than printable ASCII without spaces.
    HashInvalid = "hash_invalid", "must be printable ASCII without spaces";
    /// An IP address stands where its hash belongs.
    IpAddress = "ip_address", "must be a hash, not an IP address";
    /// Not a language tag (RFC 5646).
    LocaleInvalid = "locale_invalid", "must be a BCP 47 language tag";
    /// A suspicion code holds something else than `a-z`, `0-9` and `_`.
    SuspicionInvalid = "suspicion_invalid", "must consist of a-z, 0-9 and _";
}

impl fmt::Display for ViolationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
