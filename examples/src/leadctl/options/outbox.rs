//! What is asked about who is told of leads.

use std::path::PathBuf;

use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use fastcore_leads::{
    LeadId,
    inbox::IdPrefix,
    outbox::{DeliveryFilter, DeliveryState},
};

use super::parse::{Bound, bound};
use crate::zone::Zone;

#[derive(Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// Sends a sample lead to a destination.
    Test {
        /// The destination's name.
        destination: String,
        /// The file that it stands in.
        #[arg(long, env = "FASTCORE_DESTINATIONS")]
        destinations: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DeliveryArguments {
    /// Only to this destination.
    #[arg(long)]
    destination: Option<String>,
    /// Only those that were given up.
    #[arg(long, conflicts_with = "state")]
    dead: bool,
    /// Only in this state.
    #[arg(long, value_parser = delivery_state())]
    state: Option<DeliveryState>,
    /// Only of this lead.
    #[arg(long)]
    pub(crate) lead: Option<IdPrefix>,
    /// Only of what happened at this instant (RFC 3339) or on this day (YYYY-MM-DD) or later.
    #[arg(long, value_parser = bound)]
    since: Option<Bound>,
}

impl DeliveryArguments {
    /// `lead` is the one that is meant by [`lead`](Self::lead).
    pub(crate) fn filter(&self, lead: Option<LeadId>, zone: Zone) -> DeliveryFilter {
        DeliveryFilter {
            destination: self.destination.clone(),
            state: if self.dead { Some(DeliveryState::Dead) } else { self.state },
            lead_id: lead,
            since: self.since.map(|since| since.start(zone)),
        }
    }
}

fn delivery_state() -> impl TypedValueParser<Value = DeliveryState> {
    PossibleValuesParser::new(DeliveryState::ALL.iter().map(|state| state.as_str())).try_map(|word| word.parse())
}
