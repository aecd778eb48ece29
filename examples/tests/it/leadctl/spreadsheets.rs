//! Import of what spreadsheets and other systems write.

use std::fmt::Write as _;

use fastcore_leads::testing::body;
use serde_json::{Value, json};

use super::Place;

const PARIS: [&str; 2] = ["--timezone", "Europe/Paris"];
/// As a French Excel has it; the second came in summer.
const EXCEL: &str = "Nom;E-Mail;Message;Consentement;Source;Date\r\n\
     Zoé L’Hôte;zoe@example.com;\"Bonjour; le pont – au fond – ne lève plus,\nmerci.\";VRAI;salon;21/11/2026 09:05\r\n\
     Noël Œuf;noel@example.com;Un devis pour deux cabines, merci.;FAUX;salon;03/07/2026 23:45:10\r\n\
     ;;;;;\r\n";

fn import(place: &Place, name: &str, bytes: &[u8], more: &[&str]) -> super::Run {
    std::fs::write(place.dir.path().join(name), bytes).unwrap();
    place.run(&[&["import", name, "--json"], more].concat())
}

fn summary(run: &super::Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err))
}

fn utf_16(text: &str, has_mark: bool, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mark = has_mark.then_some('\u{feff}');
    mark.into_iter().chain(text.chars()).collect::<String>().encode_utf16().flat_map(to_bytes).collect()
}

fn windows_1252(text: &str) -> Vec<u8> {
    let (bytes, _, has_others) = encoding_rs::WINDOWS_1252.encode(text);
    assert!(!has_others);
    bytes.into_owned()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write as _;

    let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    file.write_all(text).unwrap();
    file.finish().unwrap()
}

#[test]
fn the_encoding_and_the_separator_of_a_file_are_found() {
    let with = |separator: &str| EXCEL.replace("Bonjour; ", "Bonjour, ").replace(';', separator);
    let tabs = with("\t");
    for (name, bytes, encoding, separator) in [
        ("bom.csv", format!("\u{feff}{EXCEL}").into_bytes(), "UTF-8", ";"),
        ("plain.csv", EXCEL.as_bytes().to_vec(), "UTF-8", ";"),
        ("ansi.csv", windows_1252(EXCEL), "windows-1252", ";"),
        ("unicode.txt", utf_16(&tabs, true, u16::to_le_bytes), "UTF-16LE", "tab"),
        ("big.txt", utf_16(&tabs, true, u16::to_be_bytes), "UTF-16BE", "tab"),
        ("bare.txt", utf_16(&tabs, false, u16::to_le_bytes), "UTF-16LE", "tab"),
        ("pipes.csv", with("|").into_bytes(), "UTF-8", "|"),
        ("named.csv", format!("sep=;\r\n{EXCEL}").into_bytes(), "UTF-8", ";"),
        ("old-mac.csv", EXCEL.replace("\r\n", "\r").into_bytes(), "UTF-8", ";"),
        ("packed.csv.gz", gzip(&windows_1252(EXCEL)), "windows-1252", ";"),
    ] {
        let place = Place::sqlite();
        let run = import(&place, name, &bytes, &PARIS);
        assert_eq!(run.code, 0, "{name}: {}", run.err);
        let summary = summary(&run);
        assert_eq!((&summary["received"], &summary["refused"]), (&json!(2), &json!(0)), "{name}");
        let read_as = &summary["read_as"];
        assert_eq!((&read_as["encoding"], &read_as["separator"]), (&json!(encoding), &json!(separator)), "{name}");
        let list = place.json(&["list", "--reveal"]);
        let lead = |at: usize| {
            let lead = &list["leads"][at];
            [&lead["name"], &lead["consent"], &lead["created_at_utc"]].map(Clone::clone)
        };
        // When they came, and not when they were imported.
        assert_eq!(lead(0), [json!("Zoé L’Hôte"), json!(true), json!("2026-11-21T08:05:00.000000Z")], "{name}");
        assert_eq!(lead(1), [json!("Noël Œuf"), json!(false), json!("2026-07-03T21:45:10.000000Z")], "{name}");
        assert!(list["leads"][0]["message"].as_str().unwrap().contains("– au fond –"), "{name}");
        // The same content is the same lead, though no id was written down.
        let again = import(&place, name, &bytes, &PARIS);
        assert_eq!(self::summary(&again)["replayed"], 2, "{name}: {}", again.err);
    }
}

#[test]
fn what_a_file_does_not_say_is_asked_for() {
    let place = Place::sqlite();
    let dates = |dates: &[&str]| {
        let mut text = "name,email,message,consent,source,date\n".to_owned();
        for (i, date) in dates.iter().enumerate() {
            let _ =
                writeln!(text, "Jean Petit,jean{i}@example.com,\"Bonjour, je voudrais un devis.\",oui,salon,{date}");
        }
        text
    };
    let many = EXCEL.replace("VRAI", "perhaps");
    for (text, more, said) in [
        (EXCEL, &[][..], "line 2: 21/11/2026 09:05 says no time zone: say --timezone"),
        (&*dates(&["2026-11-22 10:30"]), &[], "says no time zone"),
        (&*dates(&["01/02/2026 10:30", "03/04/2026"]), &PARIS, "line 2: 01/02/2026 10:30 can be read in two ways"),
        (
            &*dates(&["13/02/2026", "02/13/2026"]),
            &PARIS,
            "in line 2 the day comes first (13/02/2026), in line 3 the month",
        ),
        (&*dates(&["01/02/2026"]), &["--date-format", "%d/%m/%Y"], "says no time zone"),
        ("name,email,message,consent\nx,y,z,true\n", &[], "source (or say --source NAME)"),
        ("who,email,message,consent\nx,y,z,true\n", &["--source", "x"], "lacks columns: name; it has: who"),
        ("name,nom,email,message,consent\n", &["--source", "x"], "the column name twice"),
        ("Zoé,zoe@example.com,Bonjour,oui\n", &["--source", "x"], "is a lead, and no header"),
        (
            "name,email\nx,\"open\n1,2\n",
            &["--source", "x"],
            "line 2: a quote opens a cell and takes the line behind it",
        ),
        ("PK\u{3}\u{4}x", &[], "is an archive or a workbook that cannot be read"),
    ] {
        let run = import(&place, "leads.csv", text.as_bytes(), more);
        assert_eq!(run.code, 5, "{said}: {}", run.err);
        assert!(run.err.contains(said), "{said}: {}", run.err);
        assert!(!run.err.contains("zoe@"), "{}", run.err);
    }
    for (arguments, said) in [
        (&["--map", "Nom"][..], "COLUMN=MEMBER"),
        (&["--map", "Nom=surname"], "no such member; it has: name, email"),
        (&["--encoding", "latin-99"], "no such encoding"),
        (&["--separator", "ab"], "one character"),
        (&["--timezone", "Paris"], "invalid value"),
    ] {
        let run = import(&place, "leads.csv", many.as_bytes(), arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.err);
        assert!(run.err.contains(said), "{arguments:?}: {}", run.err);
    }
    assert_eq!(place.json(&["counts"])["received"], 0, "nothing of that was taken in");
    // And taken where it is said.
    let text = dates(&["02/01/2026 10:30", "2026-01-03", "2026-01-04T10:30:00Z"]);
    let run = import(&place, "leads.csv", text.as_bytes(), &["--timezone", "America/New_York"]);
    assert_eq!(run.code, 5, "{}", run.err);
    let spring = dates(&["29/03/2026 02:30", "25/10/2026 02:30", "25/10/2026 03:30", "31/02/2026"]);
    let run = import(&place, "spring.csv", spring.as_bytes(), &PARIS);
    assert_eq!((run.code, &summary(&run)["received"]), (6, &json!(1)), "{}", run.err);
    let refused = place.read("spring.csv.refused.jsonl");
    for why in ["clocks are put forward", "clocks are put back", "none of the calendar"] {
        assert!(refused.contains(why), "{why}: {refused}");
    }
}

#[test]
fn columns_are_known_by_what_people_call_them() {
    for (header, more) in [
        ("NAME,E-mail,Message,Consent,Source", &[][..]),
        ("Nom complet,Adresse e-mail,Commentaire,RGPD,Origine", &[]),
        ("full_name,EMAIL ADDRESS,Comments,opt-in,lead source", &[]),
        ("meta.source,Contact,courriel,Demande,Accord", &["--check"]),
        (
            "Interlocuteur,Mél,Besoin,OK ?,Salon",
            &[
                "--map",
                "interlocuteur=name",
                "--map",
                "Mel=email",
                "--map",
                "Besoin=message",
                "--map",
                "OK ?=consent",
                "--map",
                "Salon=source",
            ],
        ),
    ] {
        let place = Place::sqlite();
        let row = if header.starts_with("meta") {
            "salon,Jean Petit,jp@example.com,\"Bonjour, je voudrais un devis.\",oui"
        } else {
            "Jean Petit,jp@example.com,\"Bonjour, je voudrais un devis.\",oui,salon"
        };
        let run = import(&place, "leads.csv", format!("{header}\n{row}\n").as_bytes(), more);
        assert_eq!(run.code, 0, "{header}: {}{}", run.out, run.err);
        let columns = summary(&run)["read_as"]["columns"].clone();
        let known = columns.as_array().unwrap().iter().filter(|column| column["member"].is_string()).count();
        assert_eq!(known, 5, "{columns}");
    }
}

#[test]
fn a_name_in_two_columns_is_one() {
    for (header, row, name) in [
        ("Prénom,Nom", "Zoé,Dupré", "Zoé Dupré"),
        ("Last Name,First Name", "Dupré,Zoé Anne", "Zoé Anne Dupré"),
        ("name,given_name", "Dr Zoé Dupré,ZOÉ", "Dr Zoé Dupré"),
        ("Name,Given Name,Family Name", "Zoé Dupré,Zoé,Dupré", "Zoé Dupré"),
        ("Name,Given Name,Family Name", ",Zoé,Dupré", "Zoé Dupré"),
        ("Name,Surname", "Zoé,Dupré", "Zoé Dupré"),
        ("First Name,Last Name", "Martin,Martin", "Martin Martin"),
        ("Full name,First name", "Jean Paul Dupont,Jean-Paul", "Jean Paul Dupont"),
        ("Prénom,Nom", "-,Dupré", "Dupré"),
        ("Prénom,Nom", " Zoé ,", "Zoé"),
        ("Prénom,Nom", ",Dupré", "Dupré"),
    ] {
        let place = Place::sqlite();
        let file = format!("{header},email,message,consent\n{row},zoe@example.com,\"Bonjour, un devis, merci.\",oui\n");
        let run = import(&place, "leads.csv", file.as_bytes(), &["--source", "salon"]);
        assert_eq!(run.code, 0, "{header}: {}{}", run.out, run.err);
        assert_eq!(place.json(&["list", "--reveal"])["leads"][0]["name"], name, "{header}: {row}");
    }
    let place = Place::sqlite();
    let nobody = "Prenom,Nom,email,message,consent,source\n ,,a@example.com,Bonjour à tous et merci,oui,salon\n";
    let run = import(&place, "no.csv", nobody.as_bytes(), &[]);
    assert_eq!((run.code, &summary(&run)["refused"]), (6, &json!(1)), "a name of blanks is none");
    let reasons = place.read("no.csv.refused.jsonl");
    assert!(reasons.contains("/name") && !reasons.contains("/message"), "{reasons}");
    let number = json!({"name": 5, "first_name": "Zoé", "email": "a@example.com", "message": "Bonjour à tous et merci", "consent": true});
    let run = import(&place, "number.jsonl", number.to_string().as_bytes(), &["--source", "salon"]);
    assert_eq!((run.code, &summary(&run)["refused"]), (6, &json!(1)), "a number is no name");
    // Which half it is, nobody has to guess.
    let half = "Prénom,Nom client,email,message,consent,source\n";
    assert_eq!(import(&place, "half.csv", half.as_bytes(), &[]).code, 5);
}

#[test]
fn of_two_columns_one_is_left_out() {
    let place = Place::sqlite();
    let file = "name,email,message,consent,source,Create Date,Date\n\
                Zoé,z@example.com,\"Bonjour, un devis, merci.\",oui,salon,2024-03-04T10:00:00Z,2025-01-01\n";
    let run = import(&place, "leads.csv", file.as_bytes(), &[]);
    assert_eq!(run.code, 5);
    assert!(run.err.contains("timestamp_utc twice: leave one out by --map COLUMN=-"), "{}", run.err);
    let run = import(&place, "leads.csv", file.as_bytes(), &["--map", "Date=-"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(place.json(&["list"])["leads"][0]["created_at_utc"], "2024-03-04T10:00:00.000000Z");
}

#[test]
fn an_id_that_follows_from_the_content_begins_with_when_it_came() {
    let came = "2026-11-21T08:05:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let ids: Vec<_> = ["21/11/2026 09:05", "2026-11-21T10:05:00+02:00"]
        .into_iter()
        .map(|date| {
            let place = Place::sqlite();
            let file = format!("name,email,message,consent,source,date\nZoé,z@example.com,\"Bonjour, un devis, merci.\",oui,salon,{date}\n");
            assert_eq!(import(&place, "leads.csv", file.as_bytes(), &PARIS).code, 0);
            let id = place.json(&["list"])["leads"][0]["request_id"].as_str().unwrap().to_owned();
            fastcore_leads::uuid::Uuid::parse_str(&id).unwrap()
        })
        .collect();
    assert_eq!(ids[0], ids[1], "one instant, however it is written");
    assert_eq!(
        (ids[0].as_u128() >> 80, ids[0].get_version_num()),
        (u128::try_from(came.timestamp_millis()).unwrap(), 8)
    );
}

#[test]
fn lines_end_as_they_do_wherever_the_file_is_cut() {
    let place = Place::sqlite();
    let mut file = "name,email,message,consent,source\r\n".to_owned();
    // Longer than what is read at once, with line ends at every place.
    for i in 0..4000 {
        file += &format!("Zoé,z{i}@example.com,\"Bonjour à tous,{}\r\nmerci.\",oui,salon\r\n", "x".repeat(i % 61));
    }
    let run = import(&place, "leads.csv", file.as_bytes(), &[]);
    assert_eq!((run.code, &summary(&run)["received"]), (0, &json!(4000)), "{}", run.err);
    let dump = place.done(&["dump", "--reveal"]);
    assert_eq!(dump.matches("\\nmerci.").count(), 4000);
    assert!(!dump.contains("\\n\\n"));
}

#[test]
fn a_check_says_what_is_understood_and_takes_nothing_in() {
    let place = Place::sqlite();
    let text = EXCEL
        .replace("noel@example.com", "nobody")
        .replace("Nom;", "Nom;Fax;")
        .replace("Zoé", "Zoé L;")
        .replace("Noël", "Noël;");
    let run = import(&place, "leads.csv", text.as_bytes(), &[&PARIS[..], &["--check"]].concat());
    assert_eq!(run.code, 6, "{}", run.err);
    let told = summary(&run);
    assert_eq!((&told["good"], &told["refused"]), (&json!(1), &json!(1)));
    assert_eq!(told["first_refused"][0]["errors"][0]["code"], "email_invalid");
    assert_eq!(told["first"][0]["email"], "z***", "masked until somebody asks");
    let shown = place.run(&["import", "leads.csv", "--check", PARIS[0], PARIS[1]]);
    assert!(shown.out.contains("Nom as name") && shown.out.contains("left out: Fax"), "{}", shown.out);
    assert!(!shown.out.contains("Zoé"), "{}", shown.out);
    assert_eq!(place.json(&["counts"])["received"], 0);
    assert!(!place.dir.path().join("leads.csv.refused.jsonl").exists());
}

/// The file of refused lines has the cells under the names of their columns.
#[test]
fn refused_rows_are_mended_and_imported_as_they_are() {
    let place = Place::sqlite();
    let text = EXCEL.replace("noel@example.com", "nobody");
    let run = import(&place, "leads.csv", &windows_1252(&text), &PARIS);
    assert_eq!((run.code, &summary(&run)["received"]), (6, &json!(1)), "{}", run.err);
    let refused = place.read("leads.csv.refused.jsonl");
    let line: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!(line["line"], 4, "{line}");
    assert_eq!(line["lead"]["Nom"], "Noël Œuf");
    assert_eq!((&line["lead"]["Consentement"], &line["lead"]["Date"]), (&json!("FAUX"), &json!("03/07/2026 23:45:10")));
    let mended = refused.replace("nobody", "noel@example.com");
    let run = import(&place, "mended.jsonl", mended.as_bytes(), &PARIS);
    // What comes first in one line alone is no longer known.
    assert_eq!((run.code, run.err.contains("can be read in two ways")), (5, true), "{}", run.err);
    let run = import(
        &place,
        "mended.jsonl",
        mended.as_bytes(),
        &[&PARIS[..], &["--date-format", "%d/%m/%Y %H:%M:%S"]].concat(),
    );
    assert_eq!(run.code, 0, "{}", run.err);
    let list = place.json(&["list", "--reveal"]);
    let lead = &list["leads"][1];
    assert_eq!(
        (&lead["email"], &lead["created_at_utc"]),
        (&json!("noel@example.com"), &json!("2026-07-03T21:45:10.000000Z"))
    );
}

#[test]
fn an_array_of_json_is_read_as_lines_are() {
    let flat = |i: u32| {
        json!({"Nom": "Jean \"Petit\" [1]", "email": format!("jean{i}@example.com"), "message": "Bonjour, je voudrais {un} devis.",
               "consent": "oui", "source": "salon"})
    };
    let leads = json!([body(), flat(1), flat(2), flat(1), 7, "x"]);
    for text in [leads.to_string(), serde_json::to_string_pretty(&leads).unwrap(), format!("\n {leads}\n")] {
        let place = Place::sqlite();
        let run = import(&place, "leads.json", text.as_bytes(), &[]);
        assert_eq!(run.code, 6, "{}", run.err);
        let told = summary(&run);
        assert_eq!((&told["received"], &told["replayed"], &told["refused"]), (&json!(3), &json!(1), &json!(2)));
        let cut = &text.trim()[..text.trim().len() - 1];
        let run = import(&place, "cut.json", cut.as_bytes(), &[]);
        assert_eq!(run.code, 1, "{}", run.err);
        assert!(run.err.contains("the array does not end"), "{}", run.err);
        let run = import(&place, "two.json", format!("{text}\n{text}").as_bytes(), &[]);
        assert_eq!(run.code, 1, "{}", run.err);
        assert!(run.err.contains("something stands behind the array"), "{}", run.err);
    }
}
