use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, de::Error};

/// How many leads have these in common.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tally {
    /// Their status.
    pub status: String,
    /// What they are about.
    pub service: Option<String>,
    /// The site that they came from.
    pub source: String,
    /// The day that they were taken in, in UTC.
    #[serde(deserialize_with = "day")]
    pub day: NaiveDate,
    /// How many.
    pub leads: u64,
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("not a day"))
}
