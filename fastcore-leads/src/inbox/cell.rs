use std::borrow::Cow;

/// What ends a cell to some spreadsheet or other, whatever the file says: a line that is taken apart at the wrong places has more
/// cells than were written.
const SEPARATORS: [char; 5] = [',', ';', '\t', '|', '\n'];

/// What is true and what is not, to spreadsheets.
const TRUTHS: [&str; 4] = ["true", "false", "vrai", "faux"];

/// What is looked through for the beginning of a formula.
const TRANSPARENT: [char; 4] = ['\'', '"', ' ', '\u{a0}'];

/// The beginnings of the names of months, English and French, without accents.
const MONTHS: [&str; 17] = [
    "jan", "feb", "fev", "mar", "apr", "avr", "may", "mai", "jun", "jui", "jul", "aug", "aou", "sep", "oct", "nov",
    "dec",
];

/// What a cell of a file is guarded from, by an apostrophe in front (OWASP, "CSV Injection").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellGuard {
    /// From nothing: cells of the file have types. What looks guarded gets another apostrophe all the same, so that
    /// [`restored_cell`] leaves it the first.
    Typed,
    /// From being run as a formula: at its start, and behind what ends a cell to a spreadsheet of another country.
    Formulas,
    /// From that, and from being taken for a number or a date: `0612345678` would lose its 0.
    Spreadsheet,
}

/// Returns a text as a cell of a file that spreadsheets open. [`restored_cell`] is its inverse.
///
/// ```
/// use fastcore_leads::inbox::{CellGuard, guarded_cell};
///
/// assert_eq!(guarded_cell("=1+1;@a", CellGuard::Formulas), "'=1+1;'@a");
/// assert_eq!(guarded_cell("0612345678", CellGuard::Spreadsheet), "'0612345678");
/// assert_eq!(guarded_cell("Dupont-Martin", CellGuard::Spreadsheet), "Dupont-Martin");
/// ```
pub fn guarded_cell(text: &str, guard: CellGuard) -> Cow<'_, str> {
    let is_in_danger = |rest: &str, is_start: bool| match guard {
        CellGuard::Typed => false,
        CellGuard::Formulas => is_formula(rest),
        CellGuard::Spreadsheet => is_formula(rest) || (is_start && is_value(rest)),
    };
    let mut cell = String::new();
    let mut taken = 0;
    for place in places(text) {
        let rest = &text[place..];
        if is_in_danger(rest, place == 0) || is_guarded(rest, place == 0) {
            cell.push_str(&text[taken..place]);
            cell.push('\'');
            taken = place;
        }
    }
    if cell.is_empty() {
        return Cow::Borrowed(text);
    }
    cell.push_str(&text[taken..]);
    Cow::Owned(cell)
}

/// Returns a cell as it was before [`guarded_cell`].
///
/// ```
/// use fastcore_leads::inbox::restored_cell;
///
/// assert_eq!(restored_cell("'=1+1;'@a"), "=1+1;@a");
/// assert_eq!(restored_cell("'t Hoen"), "'t Hoen");
/// ```
pub fn restored_cell(cell: &str) -> Cow<'_, str> {
    if !cell.contains('\'') {
        return Cow::Borrowed(cell);
    }
    let mut text = String::new();
    let mut taken = 0;
    let mut is_changed = false;
    for place in places(cell) {
        if is_guarded(&cell[place..], place == 0) {
            text.push_str(&cell[taken..place]);
            taken = place + 1;
            is_changed = true;
        }
    }
    if !is_changed {
        return Cow::Borrowed(cell);
    }
    text.push_str(&cell[taken..]);
    Cow::Owned(text)
}

/// Where a cell begins, to some spreadsheet or other.
fn places(text: &str) -> impl Iterator<Item = usize> + '_ {
    std::iter::once(0).chain(text.match_indices(SEPARATORS).map(|(place, _)| place + 1))
}

/// Whether an apostrophe stands in front of what it may have been put in front of.
fn is_guarded(rest: &str, is_start: bool) -> bool {
    rest.strip_prefix('\'').is_some_and(|rest| is_formula(rest) || (is_start && is_value(rest)))
}

/// What a spreadsheet would run. A guard in front makes no difference.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches(TRANSPARENT).starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// What a spreadsheet would take for a number, a date, a time or a truth, as those of most countries are written. A guard in front
/// makes no difference.
fn is_value(text: &str) -> bool {
    let text = text.trim_start_matches('\'');
    if TRUTHS.iter().any(|truth| text.trim().eq_ignore_ascii_case(truth)) {
        return true;
    }
    let mut has_digit = false;
    text.split(|letter: char| !letter.is_alphanumeric()).all(|word| {
        let (digits, letters) = word.split_at(word.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(word.len()));
        has_digit |= !digits.is_empty();
        let letters = letters.to_lowercase().replace('é', "e").replace('û', "u");
        letters.is_empty()
            || MONTHS.iter().any(|month| letters.starts_with(month))
            || matches!(&*letters, "am" | "pm")
            || letters.strip_prefix(['e', 'h']).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    }) && has_digit
}
