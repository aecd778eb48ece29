use std::{collections::BTreeSet, fmt, str::FromStr};

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::{CodePointMapData, props::GeneralCategory};

use crate::{lead::limits, store::StoredLead, text::as_text};

/// The most characters of a word that count.
const MAX_WORD: usize = 40;
/// Groups of digits with at least so many in all are a number, such as a telephone's, however they are grouped.
const MIN_NUMBER: usize = 6;
/// Words that are searched for as they are have at least so many characters.
const MIN_WORD: usize = 3;
/// A number is also found by so many of its last digits: without the code of its country.
const NATIONAL: usize = 9;

/// What leads are searched for: words, each of which a lead's name, address, telephone number, company, message or service has to
/// begin a word with. Case and accents do not matter (`dupre` finds `DuPré`), nor does how a number is grouped (`06 12 34 56 78`
/// finds `+33.612345678`); a single letter stands for itself.
///
/// ```
/// use fastcore_leads::inbox::Search;
///
/// let search: Search = "Muller  gmbh".parse()?;
/// assert_eq!("  ".parse::<Search>().unwrap_err().to_string(), "search for at least one letter or digit");
/// # Ok::<(), fastcore_leads::inbox::InvalidSearch>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Search {
    /// Any of these: numbers can be read in several ways.
    alternatives: Vec<Vec<String>>,
    is_for_whole_words: bool,
}

impl Search {
    /// The same words, but each has to be there as it is, and short ones are left out: for whoever must not find out letter by letter,
    /// or by pairs of digits, what they are not shown.
    ///
    /// # Errors
    /// [`InvalidSearch::Empty`] if nothing is left.
    pub fn of_whole_words(mut self) -> Result<Self, InvalidSearch> {
        let is_long = |word: &String| {
            let least = if word.bytes().all(|byte| byte.is_ascii_digit()) { MIN_NUMBER } else { MIN_WORD };
            word.chars().count() >= least
        };
        self.alternatives.iter_mut().for_each(|words| words.retain(is_long));
        self.alternatives.retain(|words| !words.is_empty());
        if self.alternatives.is_empty() {
            Err(InvalidSearch::Empty)
        } else {
            Ok(Self { is_for_whole_words: true, ..self })
        }
    }

    /// The words of each alternative, as [`words_of`] has them, and whether each is the beginning of one.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = impl Iterator<Item = (&str, bool)>> {
        let is_for_beginnings = !self.is_for_whole_words;
        self.alternatives
            .iter()
            .map(move |words| words.iter().map(move |word| (word.as_str(), is_for_beginnings && is_beginning(word))))
    }

    /// Whether a lead is found. One that was erased is not.
    pub(crate) fn finds(&self, lead: &StoredLead) -> bool {
        let words = words_of(lead);
        let begins = |word: &str| words.range(word.to_owned()..).next().is_some_and(|found| found.starts_with(word));
        let has = |(word, is_beginning): (&str, bool)| if is_beginning { begins(word) } else { words.contains(word) };
        lead.erased_at_utc.is_none() && self.alternatives().any(|mut words| words.all(has))
    }
}

/// Never the text: it may name a person.
impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("is_for_whole_words", &self.is_for_whole_words).finish_non_exhaustive()
    }
}

impl FromStr for Search {
    type Err = InvalidSearch;

    /// # Errors
    /// [`InvalidSearch`] if the text has no letter or digit, or more characters or words than
    /// [`limits::SEARCH`] and [`limits::MAX_SEARCH_WORDS`] allow.
    fn from_str(text: &str) -> Result<Self, InvalidSearch> {
        if text.chars().count() > limits::SEARCH.max {
            return Err(InvalidSearch::TooLong);
        }
        let parts = parts(&fold(text));
        let mut alternatives: Vec<_> =
            [Reading::National, Reading::Whole, Reading::Groups].map(|reading| reading.of(&parts)).into();
        alternatives.dedup();
        if alternatives[0].is_empty() {
            return Err(InvalidSearch::Empty);
        }
        alternatives.retain(|words| words.len() <= limits::MAX_SEARCH_WORDS);
        if alternatives.is_empty() {
            return Err(InvalidSearch::TooManyWords);
        }
        Ok(Self { alternatives, is_for_whole_words: false })
    }
}

/// How numbers of what is searched for are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As one, without the code of a country.
    National,
    /// As one, with it; a part of it may have been typed.
    Whole,
    /// As words of their own.
    Groups,
}

impl Reading {
    /// The words, each once.
    fn of(self, parts: &[Part]) -> Vec<String> {
        let mut words = Vec::new();
        for part in parts {
            match (part, self) {
                (Part::Word(word), _) => words.push(word.clone()),
                (Part::Number(..), Self::Groups) => {}
                (Part::Number(digits, groups), reading) => {
                    words.truncate(words.len() - groups);
                    words.push(if reading == Self::National { national(digits).to_owned() } else { cut(digits) });
                }
            }
        }
        words.sort_unstable();
        words.dedup();
        words
    }
}

/// The text is no [`Search`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSearch {
    /// No letter and no digit.
    #[error("search for at least one letter or digit")]
    Empty,
    /// Too many characters.
    #[error("search for at most {} characters", limits::SEARCH.max)]
    TooLong,
    /// Too many words.
    #[error("search for at most {} words", limits::MAX_SEARCH_WORDS)]
    TooManyWords,
}

/// Leads that were found, the newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchPage {
    /// The leads. There may be fewer than were asked for, or none, although there are more.
    pub leads: Vec<StoredLead>,
    /// Where to go on; none where all leads were searched.
    pub next: Option<SearchCursor>,
    /// Whether all leads that were committed before could be found. Otherwise some are not entered yet: see
    /// [`LeadInbox::index`](crate::LeadInbox::index).
    pub is_complete: bool,
}

/// A place in the order in which leads are found. Its text may go into a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SearchCursor(pub(crate) u64);

impl fmt::Display for SearchCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

as_text!(SearchCursor);

impl FromStr for SearchCursor {
    type Err = InvalidSearchCursor;

    fn from_str(text: &str) -> Result<Self, InvalidSearchCursor> {
        let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let place = text.parse().ok().filter(|place| is_canonical && i64::try_from(*place).is_ok());
        place.map(Self).ok_or(InvalidSearchCursor)
    }
}

/// The text is no [`SearchCursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place among what was found: begin with the newest")]
pub struct InvalidSearchCursor;

/// The words that a lead is found by.
pub(crate) fn words_of(lead: &StoredLead) -> BTreeSet<String> {
    let texts = [
        Some(&lead.name),
        Some(&lead.email),
        lead.phone.as_ref(),
        lead.company.as_ref(),
        lead.service.as_ref(),
        Some(&lead.message),
    ];
    let mut words = BTreeSet::new();
    for text in texts.into_iter().flatten() {
        for part in parts(&fold(text)) {
            match part {
                Part::Word(word) => words.insert(word),
                Part::Number(digits, _) => {
                    words.insert(national(&digits).to_owned());
                    words.insert(cut(&digits))
                }
            };
        }
    }
    words
}

/// Whether what is searched for begins a word, instead of being one: too many begin with one letter.
fn is_beginning(word: &str) -> bool {
    word.chars().nth(1).is_some()
}

/// Whether it belongs to the letter before it, as an accent does.
pub(super) fn is_mark(letter: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(letter);
    matches!(category, GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
}

/// A text in lower case, without accents, and each character in its usual form (Unicode Standard Annex 15, NFKD).
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars());
    for letter in decomposed.filter(|letter| !is_mark(*letter)).flat_map(char::to_lowercase) {
        match letter {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            other => folded.push(other),
        }
    }
    folded
}

enum Part {
    Word(String),
    /// The digits without leading zeros, and of how many of the last words they are.
    Number(String, usize),
}

/// The words of a folded text, and the numbers behind the words that they are made of.
fn parts(text: &str) -> Vec<Part> {
    // A zero that is dialled inside of a country.
    let text = text.replace("(0)", " ");
    let mut parts = Vec::new();
    let (mut digits, mut groups) = (String::new(), 0);
    let mut rest = text.as_str();
    while let Some(start) = rest.find(char::is_alphanumeric) {
        let is_joined = rest[..start].chars().all(|between| " .-()".contains(between));
        rest = &rest[start..];
        let end = word_end(rest);
        let (word, behind) = rest.split_at(end);
        rest = behind;
        let is_group = word.bytes().all(|byte| byte.is_ascii_digit());
        if !(is_group && is_joined) {
            parts.extend(number(&mut digits, &mut groups));
        }
        parts.push(Part::Word(cut(word)));
        if is_group {
            digits.push_str(word);
            groups += 1;
        }
    }
    parts.extend(number(&mut digits, &mut groups));
    parts
}

/// What the digits are that were collected, if they are a number; then collects anew.
fn number(digits: &mut String, groups: &mut usize) -> Option<Part> {
    let (digits, groups) = (std::mem::take(digits), std::mem::take(groups));
    let significant = digits.trim_start_matches('0');
    (digits.len() >= MIN_NUMBER && !significant.is_empty()).then(|| Part::Number(significant.to_owned(), groups))
}

/// The last digits of a number, which come first whether or not its country does.
fn national(digits: &str) -> &str {
    &digits[digits.len().saturating_sub(NATIONAL)..]
}

/// Where a word ends. Where a script has no spaces, each character is one.
fn word_end(text: &str) -> usize {
    let mut letters = text.char_indices();
    if letters.next().is_some_and(|(_, first)| is_without_spaces(first)) {
        return letters.next().map_or(text.len(), |(end, _)| end);
    }
    let is_end = |letter: char| !letter.is_alphanumeric() || is_without_spaces(letter);
    text.find(is_end).unwrap_or(text.len())
}

/// Chinese and Japanese.
fn is_without_spaces(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

fn cut(word: &str) -> String {
    word.chars().take(MAX_WORD).collect()
}

#[cfg(test)]
mod tests {
    use super::{BTreeSet, Part, fold, parts};

    fn words(text: &str) -> BTreeSet<String> {
        let word = |part| if let Part::Word(word) = part { word } else { String::new() };
        parts(&fold(text)).into_iter().map(word).filter(|word| !word.is_empty()).collect()
    }

    #[test]
    fn words_are_the_same_however_they_are_written() {
        for [one, other] in [
            ["Élodie Müller", "elodie muller"],
            ["E\u{301}lodie", "élodie"],
            ["STRASSE", "straße"],
            ["Œuvre", "oeuvre"],
            ["İstanbul", "istanbul"],
            ["ﬁn ①", "fin 1"],
            ["Łódź", "lodz"],
            ["ＦＡＳＴ", "fast"],
            ["ΟΔΟΣ", "οδος"],
        ] {
            assert_eq!(words(one), words(other), "{one}");
        }
        assert_eq!(words("l'entreprise a.b@c.fr").len(), 6);
        assert_eq!(words("東京tower"), BTreeSet::from(["東", "京", "tower"].map(str::to_owned)));
    }
}
