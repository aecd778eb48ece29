//! Writes the published contract anew: the folder `contract`.

#![allow(clippy::print_stderr, reason = "a program's own word")]

use std::{fs, process::ExitCode};

use fastcore_leads_examples::contract;

fn main() -> ExitCode {
    let folder = contract::folder();
    for file in contract::files() {
        let path = folder.join(file.name);
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, file.text));
        if let Err(error) = written {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
