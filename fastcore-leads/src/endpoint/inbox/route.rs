use http::Method;

use crate::{inbox::SheetFormat, token::Scope};

/// What the endpoint answers, by path; `{id}` stands for a lead's id, or the id of its request.
const ROUTES: [(&str, Route); 14] = [
    ("/inbound/leads", Route::List),
    ("/inbound/leads.csv", Route::Sheet(SheetFormat::Csv)),
    ("/inbound/leads.jsonl", Route::Sheet(SheetFormat::Jsonl)),
    ("/inbound/leads/search", Route::Search),
    ("/inbound/leads/counts", Route::Counts),
    ("/inbound/leads/contact-times", Route::ContactTimes),
    ("/inbound/leads/{id}", Route::Lead),
    ("/inbound/leads/{id}/status", Route::Move),
    ("/inbound/leads/{id}/release", Route::Release),
    ("/inbound/leads/{id}/notes", Route::Note),
    ("/inbound/leads/{id}/assignee", Route::Assign),
    ("/inbound/leads/{id}/consent-withdrawal", Route::WithdrawConsent),
    ("/inbound/subjects/export", Route::ExportSubject),
    ("/inbound/subjects/erase", Route::EraseSubject),
];

/// The paths that an [`InboxEndpoint`](super::InboxEndpoint) answers, for adapters to mount; `{id}` stands for one segment.
pub fn inbox_paths() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().map(|(path, _)| *path)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    List,
    Sheet(SheetFormat),
    Search,
    Counts,
    ContactTimes,
    Lead,
    Move,
    Release,
    Note,
    Assign,
    WithdrawConsent,
    ExportSubject,
    EraseSubject,
}

impl Route {
    /// The route of a path, and what stands there for `{id}`.
    pub(super) fn of(path: &str) -> Option<(Self, &str)> {
        ROUTES.iter().find_map(|(template, route)| Some((*route, matched(template, path)?)))
    }

    /// The methods that it takes, as `Allow` lists them.
    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::List | Self::Sheet(_) | Self::Counts | Self::ContactTimes => "GET",
            Self::Lead => "GET, DELETE",
            Self::Search
            | Self::Move
            | Self::Release
            | Self::Note
            | Self::Assign
            | Self::WithdrawConsent
            | Self::ExportSubject
            | Self::EraseSubject => "POST",
        }
    }

    pub(super) fn takes(self, method: &Method) -> bool {
        self.methods().split(", ").any(|taken| taken == method.as_str())
    }

    /// What a token has to be for: all of it.
    pub(super) fn scopes(self, method: &Method) -> &'static [Scope] {
        match self {
            Self::Lead if method == Method::DELETE => &[Scope::Erase],
            Self::List | Self::Sheet(_) | Self::Search | Self::Counts | Self::ContactTimes | Self::Lead => {
                &[Scope::Read]
            }
            Self::Move | Self::Release | Self::Note | Self::Assign | Self::WithdrawConsent => &[Scope::Work],
            Self::ExportSubject => &[Scope::Read, Scope::Reveal],
            Self::EraseSubject => &[Scope::Erase],
        }
    }
}

/// What a path has in place of `{id}`; nothing where the template has none.
fn matched<'p>(template: &str, path: &'p str) -> Option<&'p str> {
    let Some((before, after)) = template.split_once("{id}") else {
        return (template == path).then_some("");
    };
    let id = path.strip_prefix(before)?.strip_suffix(after)?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}
