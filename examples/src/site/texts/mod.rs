//! What the pages say, a file for each language. What is promised, and what becomes of a person's data, is for whoever runs the site to
//! say: [`Wordings`].

mod en;
mod fr;

use std::{collections::HashMap, fs, path::Path};

use fastcore_leads::Service;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{hexadecimal, web::Language};

impl Language {
    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::French => &fr::TEXTS,
            Self::English => &en::TEXTS,
        }
    }
}

/// Every text of the pages in one language. `{}` stands for what is put in.
pub(super) struct Texts {
    pub(super) language: Language,
    /// BCP 47: what a consent was given in.
    pub(super) locale: &'static str,
    pub(super) trade: &'static str,
    pub(super) contact_title: &'static str,
    /// What an error's title begins with.
    pub(super) error_title: &'static str,
    pub(super) heading: &'static str,
    pub(super) introduction: &'static str,
    /// Before and after the word [`required`](Self::required).
    pub(super) marked: [&'static str; 2],
    pub(super) required: &'static str,
    pub(super) optional: &'static str,
    pub(super) labels: Labels,
    pub(super) choose_service: &'static str,
    pub(super) message_hint: &'static str,
    pub(super) trap: &'static str,
    pub(super) consent: &'static str,
    pub(super) send: &'static str,
    pub(super) sending: &'static str,
    pub(super) is_being_sent: &'static str,
    pub(super) not_sent: &'static str,
    /// Characters that are left, and that are too many: for one, and for more.
    pub(super) left: [&'static str; 2],
    pub(super) too_many_characters: [&'static str; 2],
    pub(super) privacy_title: &'static str,
    pub(super) thanks_title: &'static str,
    pub(super) thanks: &'static str,
    pub(super) reference: &'static str,
    pub(super) another: &'static str,
    pub(super) problems: Problems,
    pub(super) corrections: Corrections,
    pub(super) wording: DefaultWording,
}

/// The fields, as their labels name them.
pub(super) struct Labels {
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) phone: &'static str,
    pub(super) company: &'static str,
    pub(super) service: &'static str,
    pub(super) message: &'static str,
}

/// What is wrong with a post as a whole.
pub(super) struct Problems {
    pub(super) cross_site: &'static str,
    pub(super) incomplete: &'static str,
    pub(super) too_large: &'static str,
    pub(super) media_type: &'static str,
    /// For one fault, and for more.
    pub(super) invalid: [&'static str; 2],
    pub(super) too_many: &'static str,
    pub(super) unavailable: &'static str,
}

/// What to correct. `{field}` stands for the field, `{}` for a number of characters, for one and for more.
pub(super) struct Corrections {
    pub(super) fields: Labels,
    pub(super) this_field: &'static str,
    pub(super) say_consent: &'static str,
    pub(super) missing: &'static str,
    pub(super) too_short: [&'static str; 2],
    pub(super) too_long: [&'static str; 2],
    pub(super) email: &'static str,
    pub(super) service: &'static str,
    pub(super) control_character: &'static str,
    pub(super) consent: &'static str,
    pub(super) other: &'static str,
}

/// What is said where nothing else is set.
pub(super) struct DefaultWording {
    promise: &'static str,
    privacy: &'static str,
}

impl Texts {
    pub(super) fn service(&self, service: Service) -> &'static str {
        let names = match self.language {
            Language::French => &fr::SERVICES,
            Language::English => &en::SERVICES,
        };
        names.iter().find(|(named, _)| *named == service).map_or_else(|| service.as_str(), |(_, name)| name)
    }
}

/// The form for one or for more.
pub(super) fn counted<'a>(forms: &[&'a str; 2], count: usize) -> &'a str {
    forms[usize::from(count > 1)]
}

/// What whoever runs the site promises its visitors, and says of their data, in each language.
///
/// A file sets it: `{"fr": {"promise": "…", "privacy": "…"}, "en": {…}}`; what it leaves out stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Wordings {
    set: HashMap<String, Wording>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wording {
    promise: Option<String>,
    privacy: Option<String>,
}

impl Wordings {
    /// Reads a file.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let shape = r#"give {"fr": {"promise": "…", "privacy": "…"}, "en": {…}}"#;
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let set: HashMap<String, Wording> =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}; {shape}", path.display()))?;
        if let Some(tag) = set.keys().find(|tag| Language::of_tag(tag).is_none()) {
            return Err(format!("{}: there are no pages in {tag:?}; {shape}", path.display()));
        }
        Ok(Self { set })
    }

    /// When an answer may be expected.
    pub(super) fn promise(&self, language: Language) -> &str {
        let set = self.set.get(language.tag()).and_then(|wording| wording.promise.as_deref());
        set.unwrap_or(language.texts().wording.promise)
    }

    /// What becomes of a person's data.
    pub(super) fn privacy(&self, language: Language) -> &str {
        let set = self.set.get(language.tag()).and_then(|wording| wording.privacy.as_deref());
        set.unwrap_or(language.texts().wording.privacy)
    }

    /// Which text a visitor agrees to. It follows from the text, so that it changes when the text does.
    pub(super) fn consent_version(&self, language: Language) -> String {
        let texts = [language.texts().consent, self.privacy(language)].join("\n");
        format!("contact-{}", hexadecimal(&Sha256::digest(texts)[..6]))
    }
}
