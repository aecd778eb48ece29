//! Which lead is meant.

use fastcore_leads::{
    LeadDatabase, StoredLead,
    inbox::{IdPrefix, InboxExt},
};

use crate::outcome::Failure;

/// The one lead whose id, or whose request's id, begins so.
///
/// # Errors
/// A sentence, if there is none, or if there are several.
pub(crate) async fn lead(database: &dyn LeadDatabase, prefix: IdPrefix) -> Result<StoredLead, Failure> {
    // A whole id is the lead's own before it is another's request's.
    if let Some(id) = prefix.whole() {
        let found = database.look_up(id).await?;
        return found.ok_or_else(|| Failure::NotFound("there is no lead and no request with this id".to_owned()));
    }
    let mut leads = database.find_by_prefix(prefix).await?;
    match leads.len() {
        0 => Err(Failure::NotFound("there is no lead and no request whose id begins so".to_owned())),
        1 => Ok(leads.remove(0)),
        _ => {
            let ids: Vec<_> = leads.iter().map(|lead| lead.id.to_string()).collect();
            Err(Failure::BadInput(format!("several leads begin so: say more digits, of {}", ids.join(" or "))))
        }
    }
}
