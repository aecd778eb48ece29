//! What the pages of the site and of the staff have in common.

mod headers;
mod language;
mod limiter;
mod origin;

pub(crate) use self::{headers::secured, language::Language, limiter::Limiter, origin::is_same_site};
