use std::{fmt, str::FromStr};

/// Where the staff's part of the service is: a path of one segment or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StaffPath(String);

impl StaffPath {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }
}

impl fmt::Display for StaffPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StaffPath {
    type Err = InvalidStaffPath;

    fn from_str(text: &str) -> Result<Self, InvalidStaffPath> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let segments = text.strip_prefix('/').ok_or(InvalidStaffPath)?;
        let is_path = segments.split('/').all(|segment| !segment.is_empty() && segment.chars().all(is_plain));
        // Those of the visitors and the site.
        let is_taken = ["inbound", "audit", "api", "docs", "assets", "merci", "healthz", "readyz", "metrics"]
            .contains(&segments.split('/').next().unwrap_or_default());
        if is_path && !is_taken { Ok(Self(text.to_owned())) } else { Err(InvalidStaffPath) }
    }
}

/// The text is no [`StaffPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a path such as /staff, or one that begins as another of the service's does")]
pub(crate) struct InvalidStaffPath;
