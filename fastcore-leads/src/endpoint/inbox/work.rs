//! The routes that change leads, and those about a person.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    Refusal,
    body::{Assignment, Erasure, Move, Noted, Person, Why, read},
    read::find,
    route::Route,
};
use crate::{
    inbox::{Disclosure, InboxError, InboxExt, Target},
    lead::limits,
    store::LeadInbox,
    token::Grant,
};

/// Carries out a change to one lead, and answers it as it is then, masked.
pub(super) async fn change(
    store: &dyn LeadInbox,
    grant: &Grant,
    route: Route,
    id: &str,
    body: &[u8],
) -> Result<Value, Refusal> {
    let actor = grant.actor().clone();
    let changed = match route {
        Route::Move => {
            let Move { from, to, reason } = read(body)?;
            let id = find(store, grant, id).await?.id;
            store.transition(id, from, to, actor, reason).await
        }
        Route::Note => {
            let Noted { text } = read(body)?;
            let id = find(store, grant, id).await?.id;
            store.add_note(id, text, actor).await
        }
        Route::Assign => {
            let Assignment { from, to, reason } = read(body)?;
            let id = find(store, grant, id).await?.id;
            store.assign(id, from, to, actor, reason).await
        }
        _ => {
            let Why { reason } = why(body)?;
            let id = find(store, grant, id).await?.id;
            match route {
                Route::Release => store.release(id, actor, reason).await,
                _ => store.withdraw_consent(id, actor, reason).await,
            }
        }
    };
    Ok(Disclosure::Masked.lead(&changed?))
}

/// Erases one lead. One that is erased already stays so.
pub(super) async fn erase(store: &dyn LeadInbox, grant: &Grant, id: &str, body: &[u8]) -> Result<(), Refusal> {
    let Why { reason } = why(body)?;
    let lead = find(store, grant, id).await?;
    match store.erase(Target::Lead(lead.id), grant.actor().clone(), reason).await {
        Ok(_) | Err(InboxError::Erased) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// All that is held on a person.
pub(super) async fn export_subject(store: &dyn LeadInbox, grant: &Grant, body: &[u8]) -> Result<Value, Refusal> {
    let Person { email } = about_a_person(grant, body)?;
    is_address(&email)?;
    store.note_subject_exported(&email, grant.actor()).await?;
    let export = store.export(&email).await?;
    // Structs of text always serialise.
    Ok(serde_json::to_value(export).unwrap_or_default())
}

/// Erases all that is held on a person.
pub(super) async fn erase_subject(store: &dyn LeadInbox, grant: &Grant, body: &[u8]) -> Result<Value, Refusal> {
    let Erasure { email, reason } = about_a_person(grant, body)?;
    is_address(&email)?;
    let erased = store.erase(Target::Email(email), grant.actor().clone(), reason).await?;
    Ok(json!({"erased": erased.iter().map(ToString::to_string).collect::<Vec<_>>()}))
}

/// The reason is all that such a body holds: there may be none.
fn why(body: &[u8]) -> Result<Why, Refusal> {
    if body.is_empty() { Ok(Why::default()) } else { read(body) }
}

/// A person's leads come from wherever they come from: whoever sees some of them only would tell, or erase, half of it.
fn about_a_person<T: DeserializeOwned>(grant: &Grant, body: &[u8]) -> Result<T, Refusal> {
    if grant.is_for_some_sources() { Err(Refusal::Source) } else { read(body) }
}

/// Something that a lead may have, whoever wrote it.
fn is_address(text: &str) -> Result<(), Refusal> {
    let is_short = text.chars().count() <= limits::MAX_EMAIL_BYTES;
    if is_short && text.contains('@') && !text.chars().any(char::is_control) { Ok(()) } else { Err(Refusal::Invalid) }
}
