//! Files that Excel and LibreOffice open, and files that they write.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use fastcore_leads::testing::body;
use serde_json::{Value, json};

use super::{Place, is_private};

/// What a spreadsheet might take for something else, or lose.
const AWKWARD: &[&str] = &[
    "Jean Dupont",
    "Zoé L’Hôte-Œuf",
    "O'Brien",
    "'t Hoen",
    "'=Apostrophe",
    "=HYPERLINK(\"http://example.com\";\"x\")",
    "@SUM(A1)",
    "-1+1",
    "+33 6 12 34 56 78",
    "0612345678",
    "12e5",
    "1-2",
    "3/4",
    "3 mars",
    "Mars 2020",
    "TRUE",
    "VRAI",
    "#REF!",
    "N/A",
    "00123",
    "1,5",
    "Jean \"Le Grand\" Martin",
    "Garage; =1+1; fils",
    "a,b|c;d",
    "李小龙",
    "محمد علي",
    "🚗 Carrosserie",
    "_x0041_",
    "Dupont & Fils <SARL>",
];

/// So many leads, of every awkward name; what is awkward is in every text.
fn awkward(count: usize) -> Vec<Value> {
    (0..count)
        .map(|i| {
            let text = AWKWARD[i % AWKWARD.len()];
            let mut lead = body();
            lead["name"] = text.into();
            lead["email"] = format!("visiteur.{i}@example.com").into();
            lead["company"] = AWKWARD[(i + 7) % AWKWARD.len()].into();
            lead["phone"] = if i % 3 == 0 { Value::Null } else { ["0612345678", "+33612345678"][i % 2].into() };
            lead["message"] = format!("{text}\n- un pont, =2+2\n\"fin\" n° {i}").into();
            lead["consent"] = (i % 2 == 0).into();
            lead["meta"]["suspicion"] = if i % 10 == 9 { json!(["honeypot", "too_fast"]) } else { Value::Null };
            lead
        })
        .collect()
}

/// What an import is to bring back, by request.
fn leads(place: &Place) -> Vec<Value> {
    let file = place.dir.path().join("all.jsonl");
    let _ = std::fs::remove_file(&file);
    let all = ["received", "quarantined", "processing"].map(|status| format!("--status={status}"));
    let [received, quarantined, processing] = &all;
    place.done(&["dump", "--reveal", "--output", "all.jsonl", received, quarantined, processing]);
    let mut leads: Vec<Value> =
        place.read("all.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for lead in &mut leads {
        lead.as_object_mut().unwrap().retain(|name, _| !["id", "created_at_utc"].contains(&name.as_str()));
    }
    leads.sort_by_key(|lead| lead["request_id"].as_str().unwrap().to_owned());
    leads
}

fn dumped(place: &Place, arguments: &[&str]) {
    let all = ["--status=received", "--status=quarantined", "--reveal"];
    place.done(&[&["dump"], arguments, &all].concat());
}

/// Imports a file into a database of its own: no lead is lost, and none is another.
fn assert_comes_back(source: &Place, file: &Path, expected: &[Value]) {
    let target = Place::sqlite();
    let run = target.run(&["import", &file.display().to_string(), "--json"]);
    assert_eq!(run.code, 0, "{}: {}", file.display(), run.err);
    let got = leads(&target);
    assert_eq!(got.len(), expected.len(), "{}", file.display());
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!(got, expected, "{}", file.display());
    }
    // To where they are already, too.
    let again = source.json(&["import", &file.display().to_string()]);
    assert_eq!((&again["received"], &again["replayed"]), (&json!(0), &json!(expected.len())), "{}", file.display());
}

#[test]
fn what_is_written_for_a_spreadsheet_comes_back() {
    let source = Place::sqlite();
    source.with(&awkward(2 * AWKWARD.len()));
    let expected = leads(&source);
    for arguments in [
        &["--excel", "--output", "excel.csv"][..],
        &["--output", "leads.xlsx"],
        &["--output", "leads.csv"],
        &["--format", "jsonl", "--output", "dump.jsonl"],
    ] {
        dumped(&source, arguments);
        let file = source.dir.path().join(arguments[arguments.len() - 1]);
        assert!(is_private(&file));
        assert_comes_back(&source, &file, &expected);
    }
}

#[test]
fn a_row_that_was_refused_comes_back_as_it_was_meant() {
    let source = Place::sqlite();
    source.with(&awkward(AWKWARD.len()));
    let expected = leads(&source);
    dumped(&source, &["--excel", "--output", "excel.csv"]);
    let target = Place::sqlite();
    let broken = target.write("excel.csv", &source.read("excel.csv").replace("@example.com", ""));
    let run = target.run(&["import", &broken]);
    assert!(run.code == 6 && run.out.starts_with("0 taken in"), "{}{}", run.out, run.err);
    let refused = target.read("excel.csv.refused.jsonl");
    let mended: Vec<_> = refused
        .lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            line["lead"]["email"] = format!("{}@example.com", line["lead"]["email"].as_str().unwrap()).into();
            line.to_string()
        })
        .collect();
    let mended = target.write("mended.jsonl", &mended.join("\n"));
    target.done(&["import", &mended]);
    assert_eq!(leads(&target), expected);
}

#[test]
fn a_csv_for_excel_runs_nothing_wherever_it_is_taken_apart() {
    let place = Place::sqlite();
    place.with(&awkward(AWKWARD.len()));
    dumped(&place, &["--excel", "--output", "excel.csv"]);
    dumped(&place, &["--output", "leads.csv"]);
    let excel = place.read("excel.csv");
    assert!(excel.starts_with("\u{feff}\"id\";\"received ("), "{}", &excel[..60]);
    for text in [&*excel, &place.read("leads.csv")] {
        let text = text.trim_start_matches('\u{feff}');
        for separator in *b",;\t|" {
            let mut reader = csv::ReaderBuilder::new();
            reader.delimiter(separator).flexible(true).has_headers(false);
            // As a program does that minds quotes, and as one does that does not.
            for quoting in [true, false] {
                for row in reader.quoting(quoting).from_reader(text.as_bytes()).records() {
                    for cell in &row.unwrap() {
                        let bare = cell.trim_start_matches(['"', ' ']);
                        assert!(!bare.starts_with(['=', '+', '-', '@', '\t']), "{cell:?} behind {}", separator as char);
                    }
                }
            }
        }
    }
    let rows: Vec<_> = excel.lines().filter(|line| line.contains("0612345678\"")).collect();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.contains("\"'0612345678\"")), "a number loses its 0");
}

#[test]
fn a_workbook_that_people_keep_is_read() {
    let place = Place::sqlite();
    let path = place.dir.path().join("salon.xlsx");
    let mut workbook = rust_xlsxwriter::Workbook::new();
    workbook.add_worksheet().set_name("Vide").unwrap();
    let sheet = workbook.add_worksheet();
    sheet.set_name("Salon").unwrap();
    let date = rust_xlsxwriter::Format::new().set_num_format("dd/mm/yyyy hh:mm");
    for (column, name) in (1..).zip(["Nom", "E-Mail", "Téléphone", "Demande", "RGPD", "Date", "Stand"]) {
        sheet.write_string(2, column, name).unwrap();
    }
    for (row, name) in (3..).zip(["Zoé", "", "Noël"]) {
        if name.is_empty() {
            continue;
        }
        let instant = rust_xlsxwriter::ExcelDateTime::parse_from_str("2026-11-21T09:05:00").unwrap();
        sheet.write_string(row, 1, name).unwrap();
        sheet.write_string(row, 2, "zoe@example.com").unwrap();
        sheet.write_number(row, 3, 33_612_345_678.0).unwrap();
        sheet.write_string(row, 4, "Un devis pour deux ponts, merci.").unwrap();
        sheet.write_boolean(row, 5, true).unwrap();
        sheet.write_datetime_with_format(row, 6, instant, &date).unwrap();
    }
    sheet.write_string(6, 1, "x").unwrap();
    workbook.add_worksheet().set_name("Notes").unwrap().write_string(0, 0, "rien").unwrap();
    workbook.save(&path).unwrap();

    let asked = place.run(&["import", "salon.xlsx", "--source", "salon"]);
    assert!(asked.code == 5 && asked.err.contains("line 4"), "{}", asked.err);
    assert!(asked.err.contains("--timezone"), "{}", asked.err);
    let arguments = ["import", "salon.xlsx", "--source", "salon", "--timezone", "Europe/Paris"];
    let run = place.run(&arguments);
    assert!(run.code == 6 && run.err.contains("read as the sheet Salon (not Vide, Notes"), "{}", run.err);
    assert!(run.out.starts_with("2 taken in"), "{}", run.out);
    let refused: Value = serde_json::from_str(place.read("salon.xlsx.refused.jsonl").trim()).unwrap();
    assert_eq!((&refused["line"], &refused["lead"]["Nom"]), (&json!(7), &json!("x")));
    let lead = &place.json(&["list", "--reveal"])["leads"][0];
    assert_eq!(
        (&lead["phone"], &lead["created_at_utc"]),
        (&json!("33612345678"), &json!("2026-11-21T08:05:00.000000Z"))
    );

    let chosen = place.run(&[&arguments[..], &["--sheet", "Notes"]].concat());
    assert!(chosen.code == 5 && chosen.err.contains("lacks columns"), "{}", chosen.err);
    let unknown = place.run(&[&arguments[..], &["--sheet", "Feuil9"]].concat());
    assert!(unknown.code == 5 && unknown.err.contains("Vide, Salon, Notes"), "{}", unknown.err);
    let broken = place.write("broken.xlsx", "PK\u{3}\u{4}nothing");
    let broken = place.run(&["import", &broken]);
    assert!(broken.code == 5 && broken.err.contains("password"), "{}", broken.err);
    let rounded = "name;email;message;consent;source;phone\nZoé;z@example.com;Un devis, merci.;1;salon;3,36E+10\n";
    let rounded = place.write("rounded.csv", rounded);
    let rounded = place.run(&["import", &rounded]);
    assert!(rounded.code == 6, "{}", rounded.err);
    assert!(place.read("rounded.csv.refused.jsonl").contains("its digits are lost"));
}

/// As an operator does: opened in LibreOffice, and saved as something else.
fn saved_as(file: &Path, ending: &str, filter: &str, more: &[&str]) -> PathBuf {
    let profile = file.with_extension("profile");
    let folder = file.with_extension(format!("as-{ending}"));
    let mut soffice = Command::new("soffice");
    soffice
        .args(["--headless", "--norestore", &format!("-env:UserInstallation=file://{}", profile.display())])
        .args(more)
        .args(["--convert-to", filter, "--outdir"])
        .args([&folder, file])
        .stdin(Stdio::null());
    let output = soffice.output().expect("LibreOffice is not there: install libreoffice-calc-nogui, or run ./test");
    let made = folder.join(file.with_extension(ending).file_name().unwrap());
    assert!(made.is_file(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    made
}

#[test]
fn what_libreoffice_saves_comes_back_whole() {
    let source = Place::sqlite();
    source.with(&awkward(1000));
    let expected = leads(&source);
    dumped(&source, &["--output", "leads.xlsx"]);
    dumped(&source, &["--excel", "--output", "excel.csv"]);
    let [workbook, csv] = ["leads.xlsx", "excel.csv"].map(|name| source.dir.path().join(name));
    for (file, ending, filter, more) in [
        (&workbook, "xlsx", "xlsx:Calc MS Excel 2007 XML", &[][..]),
        (&workbook, "ods", "ods", &[]),
        (&workbook, "csv", "csv:Text - txt - csv (StarCalc):59,34,76,1", &[]),
        // What is opened by a double click: nothing in it has become a number, a date or a formula.
        (&csv, "ods", "ods", &["--infilter=CSV:59,34,76,1,,0,false,true"]),
    ] {
        let saved = saved_as(file, ending, filter, more);
        assert_comes_back(&source, &saved, &expected);
    }
}
