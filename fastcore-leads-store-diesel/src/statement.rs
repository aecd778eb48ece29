//! Runs the core's statements as diesel query fragments: unlike `sql_query`, a fragment with a static id is prepared once
//! for a connection.

/// The text of a statement between its parameters, which stand in it once each and in order: `$1` or `?1`, `$2` ...
pub(crate) fn between_parameters(sql: &'static str, marker: char) -> impl Iterator<Item = &'static str> {
    sql.split(marker).enumerate().map(|(i, piece)| match i {
        0 => piece,
        _ => piece.trim_start_matches(|c: char| c.is_ascii_digit()),
    })
}

/// Declares a statement of the core's: its type, its parameters, and what it answers.
macro_rules! statement {
    (
        $(#[$doc:meta])*
        $name:ident on $backend:ty = $sql:expr, $marker:literal, answers $answer:ty;
        $($field:ident: $type:ty => $sql_type:ty,)*
    ) => {
        $(#[$doc])*
        #[allow(clippy::struct_field_names, reason = "named as the columns are")]
        pub(crate) struct $name<'a> {
            $(pub(crate) $field: $type,)*
            pub(crate) _borrowed: std::marker::PhantomData<&'a ()>,
        }

        impl diesel::query_builder::QueryId for $name<'_> {
            type QueryId = $name<'static>;

            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::Query for $name<'_> {
            type SqlType = $answer;
        }

        impl diesel::query_builder::QueryFragment<$backend> for $name<'_> {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, $backend>,
            ) -> diesel::QueryResult<()> {
                let mut text = $crate::statement::between_parameters($sql, $marker);
                out.push_sql(text.next().unwrap_or_default());
                $(
                    out.push_bind_param::<$sql_type, _>(&self.$field)?;
                    out.push_sql(text.next().unwrap_or_default());
                )*
                Ok(())
            }
        }
    };
}

pub(crate) use statement;
