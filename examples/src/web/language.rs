use http::{HeaderMap, header::ACCEPT_LANGUAGE};

/// A language that the pages are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    #[default]
    French,
    English,
}

impl Language {
    const ALL: [Self; 2] = [Self::French, Self::English];

    /// Its tag in URLs, forms and pages.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::English => "en",
        }
    }

    /// Its own name for itself.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::French => "Français",
            Self::English => "English",
        }
    }

    /// The other one, that a page links to.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::French => Self::English,
            Self::English => Self::French,
        }
    }

    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The one that the visitor likes best (RFC 9110, section 12.5.4); French where it is none of these.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let mut best = (0.0, Self::default());
        for range in fields.flat_map(|field| field.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default().split('-').next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            if let Some(language) = Self::of_tag(&tag)
                && weight > best.0
            {
                best = (weight, language);
            }
        }
        best.1
    }
}
