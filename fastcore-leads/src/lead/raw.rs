//! A lead as JSON has it, before any rule is applied: borrowed from the body, each member of whatever type it came in.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A member's value. Lists keep their items, since one member is a list; what an object holds is dropped.
#[derive(Default)]
pub(super) enum Raw<'a> {
    #[default]
    Missing,
    Null,
    Bool(bool),
    Text(Cow<'a, str>),
    List(Vec<Raw<'a>>),
    Other,
}

/// A member that should be an object.
#[derive(Default)]
pub(super) enum Object<T> {
    #[default]
    Missing,
    Wrong,
    Is(T),
}

/// Declares a struct of known members and how each is read; a known member that comes twice is an error.
macro_rules! members {
    ($(#[$doc:meta])* $name:ident { $($member:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $member: $type,)*
        }

        impl<'a> Members<'a> for $name<'a> {
            const NAMES: &'static [&'static str] = &[$(stringify!($member)),*];

            fn read<A: MapAccess<'a>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
                match name {
                    $(stringify!($member) => self.$member = map.next_value()?,)*
                    _ => {}
                }
                Ok(())
            }
        }
    };
}

members! {
    /// The body.
    RawLead {
        name: Raw<'a>,
        email: Raw<'a>,
        phone: Raw<'a>,
        company: Raw<'a>,
        service: Raw<'a>,
        message: Raw<'a>,
        consent: Raw<'a>,
        meta: Object<RawMeta<'a>>,
    }
}

members! {
    /// `meta`.
    RawMeta {
        source: Raw<'a>,
        request_id: Raw<'a>,
        ip_hash: Raw<'a>,
        user_agent_hash: Raw<'a>,
        timestamp_utc: Raw<'a>,
        consent: Object<RawConsent<'a>>,
        suspicion: Raw<'a>,
    }
}

members! {
    /// `meta.consent`.
    RawConsent {
        version: Raw<'a>,
        locale: Raw<'a>,
        given_at: Raw<'a>,
    }
}

impl<'a> RawLead<'a> {
    /// Reads one JSON object and nothing after it.
    ///
    /// # Errors
    /// Says only *that* the text is not such an object: a parser's message would echo what it read.
    pub(super) fn from_json(body: &'a [u8]) -> Result<Self, NotAnObject> {
        // serde_json checks the encoding of strings that it keeps, not of those that it skips.
        let text = std::str::from_utf8(body).map_err(|_| NotAnObject)?;
        // A parser may pass over a byte order mark (RFC 8259, section 8.1), and the FastAPI service does.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match serde_json::from_str(text) {
            Ok(Object::Is(lead)) => Ok(lead),
            _ => Err(NotAnObject),
        }
    }
}

/// The body is not one JSON object.
pub(super) struct NotAnObject;

pub(super) trait Members<'a>: Default {
    const NAMES: &'static [&'static str];

    fn read<A: MapAccess<'a>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error>;
}

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<Raw<'de>, E> {
                Ok(Raw::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw<'de>, E> {
                Ok(Raw::Bool(value))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Raw<'de>, E> {
                Ok(Raw::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Raw<'de>, E> {
                Ok(Raw::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Raw<'de>, E> {
                Ok(Raw::Other)
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Raw<'de>, E> {
                Ok(Raw::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Raw<'de>, E> {
                Ok(Raw::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Raw::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
                while map.next_entry::<Skipped, Skipped>()?.is_some() {}
                Ok(Raw::Other)
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

impl<'de, T: Members<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnObject<T>(PhantomData<T>);

        impl<'de, T: Members<'de>> Visitor<'de> for AnObject<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<T>, A::Error> {
                let mut object = T::default();
                let mut seen = 0_u32;
                while let Some(known) = map.next_key_seed(Name(T::NAMES))? {
                    let Some(index) = known else {
                        map.next_value::<Skipped>()?;
                        continue;
                    };
                    if seen & (1 << index) != 0 {
                        return Err(A::Error::custom("a member came twice"));
                    }
                    seen |= 1 << index;
                    object.read(T::NAMES[index], &mut map)?;
                }
                Ok(Object::Is(object))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Object<T>, A::Error> {
                while seq.next_element::<Skipped>()?.is_some() {}
                Ok(Object::Wrong)
            }

            fn visit_unit<E>(self) -> Result<Object<T>, E> {
                Ok(Object::Missing)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Object<T>, E> {
                Ok(Object::Wrong)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Object<T>, E> {
                Ok(Object::Wrong)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Object<T>, E> {
                Ok(Object::Wrong)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Object<T>, E> {
                Ok(Object::Wrong)
            }

            fn visit_str<E>(self, _: &str) -> Result<Object<T>, E> {
                Ok(Object::Wrong)
            }
        }

        deserializer.deserialize_any(AnObject(PhantomData))
    }
}

/// Reads a member's name as its place among the known ones, without keeping it.
struct Name(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}

/// Reads a value of any kind and forgets it.
///
/// Unlike [`serde::de::IgnoredAny`] it has the parser check what it passes over: escapes, surrogates, nesting.
struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Skipped {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}
