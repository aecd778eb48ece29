//! The tables, statement texts and limits agree.

use fastcore_leads::{
    lead::limits,
    sql::{
        Applied, MIGRATIONS_TABLE, Migration, PgHost, PgUrl, SchemaMismatch, SqliteLocation, SslMode, pending,
        postgres, sqlite,
    },
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

/// The beginnings of the checksums of what was published: databases have noted them, and refuse another one of the same number. What a new
/// version changes is a new migration, and a line here.
const PUBLISHED: [&[&str]; 2] = [
    &[
        "1f39d08e4b7307a4",
        "5ed71dec792c35ed",
        "3c778c95d2f6e273",
        "c16f77a7e74013f4",
        "86a11e30eb1adedc",
        "3f3436dcb7363db1",
        "740da0fb98e52ca7",
        "3c9086b4197f50d0",
        "0b6dbdf2bfff4b51",
        "278d3fd2bf4b57ad",
    ],
    &[
        "e7b17cb4edb2365c",
        "b7e5a916023936e7",
        "6ed939de401c9e70",
        "f2b62c3401725d0b",
        "d8a85a41e9b672ad",
        "9f153750bfb1ef12",
        "22f178dc58b2c5e6",
        "be133b993a2cc2fa",
        "c98f21552296ac9a",
    ],
];

#[test]
fn a_migration_that_databases_have_had_is_not_edited() {
    for (migrations, published) in [postgres::MIGRATIONS, sqlite::MIGRATIONS].into_iter().zip(PUBLISHED) {
        let recorded: Vec<String> = migrations.iter().map(|migration| migration.checksum()[..16].to_owned()).collect();
        assert_eq!(recorded, published);
    }
    // What is done beforehand is in no checksum.
    let before: Vec<&str> = postgres::MIGRATIONS.iter().flat_map(|migration| migration.before).copied().collect();
    let before = Migration::new(0, "before", before.join(";\n").leak()).checksum();
    assert_eq!(before[..16], *"154eca228aa3e1c3");
}

#[test]
fn a_sqlite_url_names_one_file_for_every_driver() {
    let file = |path: &str| SqliteLocation::File(path.to_owned());
    for (url, location) in [
        ("sqlite:leads.db", file("leads.db")),
        ("sqlite://leads.db", file("leads.db")),
        ("sqlite:////var/leads.db", file("/var/leads.db")),
        ("sqlite:///leads.db", file("leads.db")),
        ("sqlite:///./leads.db", file("./leads.db")),
        ("sqlite+aiosqlite:///./leads.db", file("./leads.db")),
        ("sqlite:///:memory:", SqliteLocation::Memory),
        ("sqlite:/var/leads.db?mode=rwc", file("/var/leads.db")),
        ("sqlite:a%20b%C3%A9.db", file("a bé.db")),
        ("sqlite::memory:", SqliteLocation::Memory),
    ] {
        assert_eq!(SqliteLocation::parse(url).unwrap(), location);
    }
    let here = std::env::current_dir().unwrap().join("leads.db");
    assert_eq!(file("leads.db").absolute(), file(here.to_str().unwrap()));
    assert_eq!(SqliteLocation::Memory.absolute(), SqliteLocation::Memory);
    for url in [
        "sqlite:",
        "sqlite://",
        "leads.db",
        "sqlite:x?mode=ro",
        "sqlite:x?cache=shared",
        "sqlite:///etc/hostname",
        "sqlite:a%2",
        "sqlite:a%+1",
        "sqlite:a%zz",
        "sqlite:%ff",
    ] {
        assert!(SqliteLocation::parse(url).is_err(), "{url}");
    }
}

#[test]
fn a_postgres_url_means_one_thing_for_every_driver() {
    let tcp = |name: &str, port: u16| PgHost::Tcp(name.to_owned(), port);
    let url =
        PgUrl::parse("postgres://app:p%40ss%2F@db.example:6432/leads?sslmode=verify-full&sslrootcert=/ca.pem").unwrap();
    assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("app"), Some("p@ss/")));
    assert_eq!((url.hosts, url.database.as_deref()), (vec![tcp("db.example", 6432)], Some("leads")));
    assert_eq!((url.ssl_mode, url.ssl_root_cert), (SslMode::VerifyFull, Some("/ca.pem".into())));
    assert!(!url.is_read_write);
    let url = PgUrl::parse("postgresql+asyncpg://app@db1:5432,db2,[::1]:7/x?target_session_attrs=read-write").unwrap();
    assert_eq!(url.hosts, [tcp("db1", 5432), tcp("db2", 5432), tcp("::1", 7)]);
    assert!(url.is_read_write && url.password.is_none());
    assert!(PgUrl::parse("postgres://a,b/x").unwrap().is_read_write, "a standby is of no use");
    assert!(!PgUrl::parse("postgres://a,b/x?target_session_attrs=any").unwrap().is_read_write);
    let url =
        PgUrl::parse("postgres:///leads?host=/run/postgresql&port=5433&user=app&options=-csearch_path%3Da").unwrap();
    assert_eq!(url.hosts, [PgHost::Unix("/run/postgresql".into(), 5433)]);
    assert_eq!(url.options.as_deref(), Some("-csearch_path=a"));
    assert_eq!(PgUrl::parse("postgres://%2Frun%2Fpg/x").unwrap().hosts, [PgHost::Unix("/run/pg".into(), 5432)]);
    for (parameters, mode) in [
        ("", SslMode::Prefer),
        ("?sslmode=allow", SslMode::Prefer),
        ("?ssl=require", SslMode::Require),
        ("?ssl=true", SslMode::Require),
        ("?ssl=false", SslMode::Disable),
        ("?sslmode=require&sslrootcert=/ca.pem", SslMode::VerifyCa),
        ("?sslmode=disable", SslMode::Disable),
        ("?sslrootcert=system", SslMode::VerifyFull),
    ] {
        assert_eq!(PgUrl::parse(&format!("postgres://h/x{parameters}")).unwrap().ssl_mode, mode, "{parameters}");
    }
}

/// Whatever is wrong with it, no part of a URL that may be a secret is shown.
#[test]
fn a_postgres_url_that_cannot_be_read_shows_no_secret() {
    for (url, words) in [
        ("postgres://app:/Zk9made+up@db.example/leads", "percent-encode"),
        ("postgres://app:Zk9made?up=1@db.example/leads", "percent-encode"),
        ("postgres://app:Zk9made#up@db.example/leads", "percent-encode"),
        ("postgres://app:Zk9made@up@db.example/leads", "percent-encode"),
        ("postgres://app:Zk9made:up@db.example/leads", "percent-encode"),
        ("postgres://app:Zk9%zz@db.example/leads", "percent-encode"),
        ("postgres://db.example:Zk9made/leads", "not a number"),
        ("postgres://db.example:99999/leads", "not a number"),
        ("postgres://db.example/leads?sslmode=Zk9made", "sslmode"),
        ("postgres://db.example/leads?Zk9made=1", "a parameter"),
        ("postgres://db.example/leads?password=correct&zk9made", "percent-encode"),
        ("postgres://db.example/leads?password=correct&zk9made=1", "percent-encode"),
        ("postgres://db.example/leads?sslmode=verify-full&ssl=true", "twice"),
        ("postgres://db.example/leads?sslrootcert=system&sslmode=require", "verify-full"),
        ("postgres://db.example/leads?sslcompression=Zk9made", "the parameter sslcompression"),
        ("postgres://db.example/leads?channel_binding=require", "the parameter channel_binding"),
        ("postgres://db.example/leads?sslcert=/Zk9made", "sslkey"),
        ("postgres://db.example/leads?target_session_attrs=standby", "target_session_attrs"),
        ("postgres://db.example/leads?pooler=statement", "pooler"),
        ("postgres://db.example/leads?connect_timeout=Zk9made", "connect_timeout"),
        ("postgres://a,b,c:1,d:2/leads?port=1,2", "ports"),
        ("mysql://app:Zk9made@db.example/leads", "postgres://"),
        ("Zk9made", "postgres://"),
    ] {
        let error = PgUrl::parse(url).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(words), "{url}: {shown}");
        assert!(!shown.to_lowercase().contains("zk9"), "{shown}");
    }
    let shown = format!("{:?}", PgUrl::parse("postgres://Zk9user:Zk9made@db.example/leads").unwrap());
    assert!(!shown.contains("Zk9"), "{shown}");
}

/// Drivers number parameters by their place, so each stands once, in order, and nowhere else.
#[test]
fn parameters_stand_once_and_in_order() {
    for (sql, marker, count) in [
        (postgres::INSERT, '$', 17),
        (postgres::INSERT_NEW, '$', 17),
        (sqlite::TAKE_IN, '?', 1),
        (sqlite::INSERT_LEADS, '?', 1),
        (sqlite::NEW_LEADS, '?', 1),
        (sqlite::INSERT_AUDIT, '?', 2),
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
        Migration::new(1, "a", "SELECT 1;\n"),
        Migration { former: &["as it was"], ..Migration::new(2, "b", "SELECT 2;\n") },
    ];
    let row = |version: i32, checksum: &str| Applied { version, checksum: checksum.to_owned(), readable_from: None };
    let rows: Vec<_> = known.iter().map(|m| row(m.version, &m.checksum())).collect();
    assert_eq!(pending(&known, &[]).unwrap().len(), 2);
    assert_eq!(pending(&known, &rows[..1]).unwrap()[0].version, 2);
    assert!(pending(&known, &rows).unwrap().is_empty());
    assert!(SchemaMismatch::check(&known, &rows).is_ok());
    assert_eq!(SchemaMismatch::check(&known, &[]), Err(SchemaMismatch::Pending { version: 1 }));
    assert!(pending(&known, &[rows[0].clone(), row(2, "as it was")]).unwrap().is_empty(), "a former wording");
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
    let crlf = Migration::new(1, "a", "SELECT 1;\r\n");
    assert_eq!(crlf.checksum(), known[0].checksum());
}
