//! The part after the `@`: a host name (RFC 1123), internationalised by UTS #46 and held to IDNA 2008 (RFC 5892).

use std::borrow::Cow;

use icu_properties::{
    CodePointMapData,
    props::{GeneralCategory, Script},
};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{InvalidEmail, is_sensible};

/// In bytes, as it goes over the wire (RFC 1035, section 2.3.4, less the final dot).
const MAX_DOMAIN: usize = 253;
/// In bytes (RFC 1035, section 2.3.1).
const MAX_LABEL: usize = 63;
/// Names that no mail from the internet reaches (RFC 6761, 6762, 7686), and the domains below them.
const SPECIAL_USE: &[&str] = &["arpa", "invalid", "local", "localhost", "onion", "test"];

/// A domain as it is stored, and how long it is on the wire.
pub(super) struct Normalized<'a> {
    pub(super) unicode: Cow<'a, str>,
    ascii_len: usize,
}

impl Normalized<'_> {
    /// An address has to fit in both forms.
    pub(super) fn longer_len(&self) -> usize {
        self.unicode.len().max(self.ascii_len)
    }
}

pub(super) fn normalized(domain: &str) -> Result<Normalized<'_>, InvalidEmail> {
    if domain.is_ascii() {
        let has_upper = domain.bytes().any(|byte| byte.is_ascii_uppercase());
        let lower = if has_upper { domain.to_ascii_lowercase().into() } else { Cow::Borrowed(domain) };
        if !is_host_name(&lower) {
            return Err(InvalidEmail);
        }
        if !has_ace_label(&lower) {
            return Ok(Normalized { ascii_len: lower.len(), unicode: lower });
        }
    }
    if domain.chars().count() > MAX_DOMAIN || !is_sensible(domain) || domain.chars().any(hides_a_dot) {
        return Err(InvalidEmail);
    }
    let uts46 = Uts46::new();
    let ascii = uts46
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
        .map_err(|_| InvalidEmail)?;
    let (unicode, sound) = uts46.to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    if sound.is_err() || !is_host_name(&ascii) || !is_sensible(&unicode) || !unicode.split('.').all(is_idna_2008_label)
    {
        return Err(InvalidEmail);
    }
    Ok(Normalized { unicode: unicode.into_owned().into(), ascii_len: ascii.len() })
}

fn has_ace_label(domain: &str) -> bool {
    domain.starts_with("xn--") || domain.contains(".xn--")
}

fn is_host_name(domain: &str) -> bool {
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        !bytes.is_empty()
            && bytes.len() <= MAX_LABEL
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            && !bytes.starts_with(b"-")
            && !bytes.ends_with(b"-")
            && (bytes.get(2..4) != Some(b"--") || bytes.starts_with(b"xn"))
    };
    domain.len() <= MAX_DOMAIN
        && domain.contains('.')
        && domain.split('.').all(is_label)
        && domain.ends_with(|c: char| c.is_ascii_alphabetic())
        && !SPECIAL_USE
            .iter()
            .any(|name| domain.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Characters that contain a dot but are none of the three that IDNA takes for a dot.
fn hides_a_dot(c: char) -> bool {
    matches!(c, '\u{2024}'..='\u{2026}' | '\u{2488}'..='\u{249B}' | '\u{FE19}' | '\u{FE30}' | '\u{FE52}' | '\u{1F100}')
}

/// RFC 5892 over a label that UTS #46 already mapped: narrower than UTS #46, which lets symbols and emoji through.
fn is_idna_2008_label(label: &str) -> bool {
    let chars: Vec<char> = label.chars().collect();
    (0..chars.len())
        .all(|i| chars[i].is_ascii() || is_allowed_in_context(&chars, i).unwrap_or_else(|| is_pvalid(chars[i])))
}

/// The rules of RFC 5892, appendix A, for the characters that have one.
fn is_allowed_in_context(label: &[char], i: usize) -> Option<bool> {
    let scripts = CodePointMapData::<Script>::new();
    let before = i.checked_sub(1).map(|before| label[before]);
    let after = label.get(i + 1).copied();
    match label[i] {
        '\u{B7}' => Some(before == Some('l') && after == Some('l')),
        '\u{375}' => Some(after.is_some_and(|c| scripts.get(c) == Script::Greek)),
        '\u{5F3}' | '\u{5F4}' => Some(before.is_some_and(|c| scripts.get(c) == Script::Hebrew)),
        '\u{30FB}' => {
            Some(label.iter().any(|c| {
                *c != '\u{30FB}' && matches!(scripts.get(*c), Script::Hiragana | Script::Katakana | Script::Han)
            }))
        }
        '\u{660}'..='\u{669}' => Some(!label.iter().any(|c| matches!(c, '\u{6F0}'..='\u{6F9}'))),
        '\u{6F0}'..='\u{6F9}' => Some(!label.iter().any(|c| matches!(c, '\u{660}'..='\u{669}'))),
        _ => None,
    }
}

/// RFC 5892, section 2, for what is left after UTS #46 mapping: letters, digits and marks, with its exceptions.
fn is_pvalid(c: char) -> bool {
    match c {
        '\u{DF}' | '\u{3C2}' | '\u{6FD}' | '\u{6FE}' | '\u{F0B}' | '\u{3007}' => true,
        '\u{640}' | '\u{7FA}' | '\u{302E}' | '\u{302F}' | '\u{3031}'..='\u{3035}' | '\u{303B}' => false,
        // Old Hangul Jamo (section 2.9).
        '\u{1100}'..='\u{11FF}' | '\u{A960}'..='\u{A97F}' | '\u{D7B0}'..='\u{D7FF}' => false,
        _ => matches!(
            CodePointMapData::<GeneralCategory>::new().get(c),
            GeneralCategory::LowercaseLetter
                | GeneralCategory::OtherLetter
                | GeneralCategory::ModifierLetter
                | GeneralCategory::NonspacingMark
                | GeneralCategory::SpacingMark
                | GeneralCategory::DecimalNumber
        ),
    }
}
