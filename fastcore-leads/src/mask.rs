/// Masks an email address: enough to recognise a case by, not enough to write to.
///
/// Shows the address's first three characters where its local part is longer than three, else its first one; never the
/// whole local part, except where that is one character long. Counts characters, not bytes. Takes any text, since rows
/// that other services wrote may hold one.
///
/// ```
/// assert_eq!(fastcore_leads::mask_email("jean@example.com"), "jea***");
/// assert_eq!(fastcore_leads::mask_email("li@example.org"), "l***");
/// assert_eq!(fastcore_leads::mask_email("élodie@example.org"), "élo***");
/// ```
pub fn mask_email(address: &str) -> String {
    let local = address.rsplit_once('@').map_or("", |(local, _)| local);
    let shown = if local.chars().nth(3).is_some() { 3 } else { 1 };
    let mut masked: String = address.chars().take(shown).filter(|c| *c != '@').collect();
    masked.push_str("***");
    masked
}
