//! The members of the endpoint's body, and a body that is put together from them.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

/// What a column may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Name,
    Email,
    Phone,
    Company,
    Service,
    Message,
    Consent,
    Source,
    RequestId,
    IpHash,
    UserAgentHash,
    Timestamp,
    Suspicion,
    ConsentVersion,
    ConsentLocale,
    ConsentGivenAt,
    /// The two halves of a name that stands in two columns. A lead has one name: they are joined.
    GivenName,
    FamilyName,
}

/// Where in the body a member stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Meta,
    /// `meta.consent`: the proof.
    Proof,
}

impl Member {
    /// In the order in which they are declared: a body has a slot for each.
    pub(super) const ALL: [Self; 18] = [
        Self::Name,
        Self::Email,
        Self::Phone,
        Self::Company,
        Self::Service,
        Self::Message,
        Self::Consent,
        Self::Source,
        Self::RequestId,
        Self::IpHash,
        Self::UserAgentHash,
        Self::Timestamp,
        Self::Suspicion,
        Self::ConsentVersion,
        Self::ConsentLocale,
        Self::ConsentGivenAt,
        Self::GivenName,
        Self::FamilyName,
    ];

    /// What its column is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Company => "company",
            Self::Service => "service",
            Self::Message => "message",
            Self::Consent => "consent",
            Self::Source => "source",
            Self::RequestId => "request_id",
            Self::IpHash => "ip_hash",
            Self::UserAgentHash => "user_agent_hash",
            Self::Timestamp => "timestamp_utc",
            Self::Suspicion => "suspicion",
            Self::ConsentVersion => "consent.version",
            Self::ConsentLocale => "consent.locale",
            Self::ConsentGivenAt => "consent.given_at",
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
        }
    }

    /// The way to it in the body, with dots between.
    pub(super) fn way(self) -> String {
        match self.place() {
            Place::Top => self.name().to_owned(),
            Place::Meta | Place::Proof => format!("meta.{}", self.name()),
        }
    }

    /// Whether it stands in `meta`.
    pub(super) fn is_meta(self) -> bool {
        self.place() != Place::Top
    }

    /// Whether it is an instant.
    pub(super) fn is_date(self) -> bool {
        matches!(self, Self::Timestamp | Self::ConsentGivenAt)
    }

    fn place(self) -> Place {
        match self {
            Self::Name
            | Self::GivenName
            | Self::FamilyName
            | Self::Email
            | Self::Phone
            | Self::Company
            | Self::Service
            | Self::Message
            | Self::Consent => Place::Top,
            Self::Source | Self::RequestId | Self::IpHash | Self::UserAgentHash | Self::Timestamp | Self::Suspicion => {
                Place::Meta
            }
            Self::ConsentVersion | Self::ConsentLocale | Self::ConsentGivenAt => Place::Proof,
        }
    }
}

const _: () = {
    let mut place = 0;
    while place < Member::ALL.len() {
        assert!(Member::ALL[place] as usize == place, "each has a slot of its own");
        place += 1;
    }
};

/// What a line says of a member.
pub(super) enum Cell<'c> {
    Text(Cow<'c, str>),
    Value(Value),
}

impl Cell<'_> {
    /// The text that it is.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Value(value) => value.as_str(),
        }
    }

    /// Its text, or what else it is as JSON.
    pub(super) fn bytes(&self) -> Cow<'_, [u8]> {
        match (self.text(), self) {
            (Some(text), _) => Cow::Borrowed(text.as_bytes()),
            (None, cell) => Cow::Owned(serde_json::to_vec(cell).unwrap_or_default()),
        }
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

/// What a line says of each member; none where it says nothing, or null.
#[derive(Default)]
pub(super) struct Body<'c>([Option<Cell<'c>>; Member::ALL.len()]);

impl<'c> Body<'c> {
    pub(super) fn get(&self, member: Member) -> Option<&Cell<'c>> {
        self.0[member as usize].as_ref()
    }

    pub(super) fn put(&mut self, member: Member, cell: Cell<'c>) {
        self.0[member as usize] = Some(cell).filter(|cell| !matches!(cell, Cell::Value(Value::Null)));
    }

    pub(super) fn take(&mut self, member: Member) -> Option<Cell<'c>> {
        self.0[member as usize].take()
    }

    /// As the endpoint would get it.
    pub(super) fn to_json(&self) -> Vec<u8> {
        const USUAL: usize = 768;
        let mut json = Vec::with_capacity(USUAL);
        // Texts and values always serialise, and memory can always be written to.
        let written = serde_json::to_writer(&mut json, &Part(self, Place::Top));
        debug_assert!(written.is_ok());
        json
    }

    fn of(&self, place: Place) -> impl Iterator<Item = (&'static str, &Cell<'c>)> {
        let cells = Member::ALL.into_iter().zip(&self.0);
        cells.filter_map(move |(member, cell)| {
            let name = member.name();
            let last = name.rsplit_once('.').map_or(name, |(_, last)| last);
            cell.as_ref().filter(|_| member.place() == place).map(|cell| (last, cell))
        })
    }
}

/// The object of a body that has the members of a place.
struct Part<'b, 'c>(&'b Body<'c>, Place);

impl Serialize for Part<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(body, place) = *self;
        let mut map = serializer.serialize_map(None)?;
        for (name, cell) in body.of(place) {
            map.serialize_entry(name, cell)?;
        }
        let inner = match place {
            Place::Top => Some(("meta", Place::Meta)),
            // A proof of consent of nothing is none.
            Place::Meta if body.of(Place::Proof).next().is_some() => Some(("consent", Place::Proof)),
            Place::Meta | Place::Proof => None,
        };
        if let Some((name, inner)) = inner {
            map.serialize_entry(name, &Part(body, inner))?;
        }
        map.end()
    }
}
