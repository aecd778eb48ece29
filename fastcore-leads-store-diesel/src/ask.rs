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
    /// The text and the parameter that follows it, in turn.
    pub(crate) fn pieces(&self, marker: char) -> impl Iterator<Item = (&str, Option<&Param>)> {
        pieces(&self.text, marker).map(|(piece, place)| (piece, place.and_then(|place| self.params.get(place))))
    }
}

/// The text between a statement's parameters, and the place (from 0) of the one that follows. They stand in it by their
/// number: `$1` or `?1`.
pub(crate) fn pieces(text: &str, marker: char) -> impl Iterator<Item = (&str, Option<usize>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let Some((piece, tail)) = rest?.split_once(marker) else { return rest.take().map(|last| (last, None)) };
        let (number, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len()));
        rest = Some(tail);
        Some((piece, number.parse().ok().and_then(|number: usize| number.checked_sub(1))))
    })
}

impl<T> Query for Ask<T> {
    type SqlType = T;
}

impl<T> QueryId for Ask<T> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}
