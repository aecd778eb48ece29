//! Values that have one text, on the wire, in a database and in a program's options.

/// Gives a type that has `FromStr` the traits that follow from it: `TryFrom` texts, and serde's as a text. The text is its
/// `Display`, or what the method answers that is named.
macro_rules! as_text {
    ($name:ident) => {
        $crate::text::as_text!($name, to_string);
    };
    ($name:ident, $text:ident) => {
        impl TryFrom<&str> for $name {
            type Error = <Self as std::str::FromStr>::Err;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl TryFrom<String> for $name {
            type Error = <Self as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.$text())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // What is wrong is told by the error alone: the text may be a person's.
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Gives a type that has `ALL` and `as_str` these words for its text, and an error for every other.
macro_rules! as_word {
    ($name:ident, $unknown:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $unknown;

            fn from_str(text: &str) -> Result<Self, $unknown> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text).ok_or($unknown)
            }
        }

        $crate::text::as_text!($name);
    };
}

pub(crate) use {as_text, as_word};

/// Bytes in lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
