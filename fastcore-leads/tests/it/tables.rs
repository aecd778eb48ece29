//! The tables, statement texts and limits agree.

use fastcore_leads::{
    lead::limits,
    sql::{Applied, MIGRATIONS_TABLE, Migration, SchemaMismatch, SqliteLocation, pending, postgres, sqlite},
};

#[test]
fn columns_are_as_wide_as_the_limits() {
    let columns = [
        ("name", limits::NAME.max),
        ("email", limits::MAX_EMAIL_BYTES),
        ("phone", limits::PHONE.max),
        ("company", limits::COMPANY.max),
        ("message", limits::MESSAGE.max),
        ("source", limits::SOURCE.max),
        ("ip_hash", limits::HASH.max),
        ("actor", limits::ACTOR.max),
    ];
    for (column, max) in columns {
        let has = |sql: &str, text: &str| {
            sql.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(text))
        };
        let wide = format!("{column} varchar({max})");
        assert!(has(postgres::MIGRATIONS[0].sql, &wide), "{wide}");
        let check = format!("CHECK (length({column}) <= {max})");
        assert!(sqlite::MIGRATIONS[0].sql.contains(&check), "{check}");
    }
}

#[test]
fn migrations_are_numbered_and_bookkept() {
    for migrations in [postgres::MIGRATIONS, sqlite::MIGRATIONS] {
        for (i, migration) in migrations.iter().enumerate() {
            assert_eq!(migration.version, i32::try_from(i).unwrap() + 1);
            assert_eq!(migration.checksum().len(), 64);
        }
    }
    for sql in [
        postgres::CREATE_MIGRATIONS_TABLE,
        postgres::HAS_MIGRATIONS_TABLE,
        postgres::APPLIED_MIGRATIONS,
        postgres::RECORD_MIGRATION,
        sqlite::CREATE_MIGRATIONS_TABLE,
        sqlite::HAS_MIGRATIONS_TABLE,
        sqlite::APPLIED_MIGRATIONS,
        sqlite::RECORD_MIGRATION,
    ] {
        assert!(sql.contains(MIGRATIONS_TABLE), "{sql}");
    }
}

#[test]
fn a_sqlite_url_names_one_file_for_every_driver() {
    let file = |path: &str| SqliteLocation::File(path.to_owned());
    for (url, location) in [
        ("sqlite:leads.db", file("leads.db")),
        ("sqlite://leads.db", file("leads.db")),
        ("sqlite:///var/leads.db", file("/var/leads.db")),
        ("sqlite:/var/leads.db?mode=rwc", file("/var/leads.db")),
        ("sqlite:a%20b%C3%A9.db", file("a bé.db")),
        ("sqlite::memory:", SqliteLocation::Memory),
    ] {
        assert_eq!(SqliteLocation::parse(url).unwrap(), location);
    }
    for url in [
        "sqlite:",
        "sqlite://",
        "leads.db",
        "sqlite:x?mode=ro",
        "sqlite:x?cache=shared",
        "sqlite:a%2",
        "sqlite:a%zz",
        "sqlite:%ff",
    ] {
        assert!(SqliteLocation::parse(url).is_err(), "{url}");
    }
}

/// Drivers number parameters by their place, so each stands once, in order, and nowhere else.
#[test]
fn parameters_stand_once_and_in_order() {
    for (sql, marker, count) in [
        (postgres::INSERT, '$', 17),
        (postgres::FIND_BY_REQUEST, '$', 1),
        (postgres::GET, '$', 1),
        (postgres::AUDIT_TRAIL, '$', 1),
        (sqlite::INSERT_LEADS, '?', 1),
        (sqlite::INSERT_AUDIT, '?', 2),
        (sqlite::FIND_BY_REQUEST, '?', 1),
        (sqlite::GET, '?', 1),
        (sqlite::AUDIT_TRAIL, '?', 1),
    ] {
        let numbers: Vec<usize> = sql
            .split(marker)
            .skip(1)
            .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap())
            .collect();
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "{sql}");
    }
}

#[test]
fn a_changed_schema_is_refused() {
    let known = [
        Migration { version: 1, name: "a", sql: "SELECT 1;\n" },
        Migration { version: 2, name: "b", sql: "SELECT 2;\n" },
    ];
    let row = |version: i32, checksum: &str| Applied { version, checksum: checksum.to_owned(), readable_from: None };
    let rows: Vec<_> = known.iter().map(|m| row(m.version, &m.checksum())).collect();
    assert_eq!(pending(&known, &[]).unwrap().len(), 2);
    assert_eq!(pending(&known, &rows[..1]).unwrap()[0].version, 2);
    assert!(pending(&known, &rows).unwrap().is_empty());
    assert!(SchemaMismatch::check(&known, &rows).is_ok());
    assert_eq!(SchemaMismatch::check(&known, &[]), Err(SchemaMismatch::Pending { version: 1 }));
    let edited = [row(1, "another")];
    assert_eq!(pending(&known, &edited).unwrap_err(), SchemaMismatch::Edited { version: 1 });
    assert_eq!(pending(&known, &rows[1..]).unwrap_err(), SchemaMismatch::Gap { version: 1 });
    let newer = [rows[0].clone(), rows[1].clone(), row(3, "x")];
    assert_eq!(pending(&known, &newer).unwrap_err(), SchemaMismatch::Newer { version: 3 });
    for (readable_from, is_ready) in [(1, true), (2, true), (3, false), (4, false)] {
        let mut newest = rows.clone();
        newest.extend([3, 4].map(|version| Applied { readable_from: Some(readable_from), ..row(version, "x") }));
        let checked = SchemaMismatch::check(&known, &newest);
        let expected = if is_ready { Ok(()) } else { Err(SchemaMismatch::Newer { version: 3 }) };
        assert_eq!(checked, expected, "readable from {readable_from}");
    }
    let crlf = Migration { version: 1, name: "a", sql: "SELECT 1;\r\n" };
    assert_eq!(crlf.checksum(), known[0].checksum());
}
