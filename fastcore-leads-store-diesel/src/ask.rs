//! Runs the core's statements as typed queries of diesel's. Unlike `sql_query`, they are prepared once for a connection where
//! their text does not change.

use std::{borrow::Cow, marker::PhantomData};

use diesel::query_builder::{Query, QueryId};
use fastcore_leads::sql::inbox::{Param, Statement};

/// A statement that answers rows of a type of SQL's.
pub(crate) struct Ask<T> {
    pub(crate) text: Cow<'static, str>,
    pub(crate) params: Vec<Param>,
    _answer: PhantomData<fn() -> T>,
}

impl<T> From<Statement> for Ask<T> {
    fn from(statement: Statement) -> Self {
        Self { text: statement.text, params: statement.params, _answer: PhantomData }
    }
}

impl<T> Ask<T> {
    /// The text and the parameter that follows it, in turn. The parameters stand in the text by their number: `$1` or `?1`.
    pub(crate) fn pieces(&self, marker: char) -> impl Iterator<Item = (&str, Option<&Param>)> {
        let mut rest = Some(&*self.text);
        std::iter::from_fn(move || {
            let text = rest?;
            let Some((piece, tail)) = text.split_once(marker) else {
                rest = None;
                return Some((text, None));
            };
            let tail_start = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
            let (number, tail) = tail.split_at(tail_start);
            rest = Some(tail);
            let place: Option<usize> = number.parse().ok();
            Some((piece, place.and_then(|place| self.params.get(place.checked_sub(1)?))))
        })
    }
}

impl<T> Query for Ask<T> {
    type SqlType = T;
}

impl<T> QueryId for Ask<T> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}
