//! Signed notes and checkpoints, as C2SP has them.

use fastcore_leads::proof::{
    Checkpoint, EMPTY_ROOT, Hash, InvalidCheckpoint, InvalidKey, InvalidNote, NoteKey, NoteVerifier, SignedNote,
};
use proptest::prelude::*;

/// The example of signed-note: what others have signed is verified here.
const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const EXAMPLE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn key(name: &str) -> NoteKey {
    NoteKey::generate(name).expect("a key")
}

fn head(size: u64) -> Checkpoint {
    Checkpoint::new("example.com/audit", size, Hash::new([7; 32]))
}

#[test]
fn the_example_of_the_standard_is_verified() {
    let (known, note): (NoteVerifier, SignedNote) =
        (EXAMPLE_KEY.parse().expect("a key"), EXAMPLE.parse().expect("a note"));
    assert_eq!(note.verify(std::slice::from_ref(&known)).expect("signed"), [&known]);
    assert_eq!((note.to_string().as_str(), known.to_string().as_str()), (EXAMPLE, EXAMPLE_KEY));
    let changed: SignedNote = EXAMPLE.replace("example message", "another message").parse().expect("a note");
    assert_eq!(changed.verify(&[known]), Err(InvalidNote::Signature));
}

#[test]
fn a_key_survives_its_text_and_does_not_show_itself() {
    let key = key("example.com/audit");
    let read: NoteKey = key.reveal().parse().expect("a key");
    assert_eq!(read.verifier(), key.verifier());
    assert!(!format!("{key:?}").contains(key.reveal().splitn(5, '+').nth(4).expect("the key")));
    for verifier in [key.verifier(), key.cosigner()] {
        assert_eq!(verifier.to_string().parse(), Ok(verifier));
    }
    assert_ne!(key.verifier(), key.cosigner());
    let reveal = key.reveal();
    for (text, error) in [
        ("", InvalidKey::Form),
        ("PRIVATE+KEY+a+b", InvalidKey::Form),
        (&reveal.replace("example.com/audit", "example.com/other"), InvalidKey::Mismatch),
        (&reveal.replace("example.com/audit", "a b"), InvalidKey::Name),
    ] {
        assert_eq!(text.parse::<NoteKey>().expect_err("refused"), error, "{}", text.len());
    }
    assert_eq!(NoteKey::generate("with+plus").expect_err("refused"), InvalidKey::Name);
}

/// During a rotation both sign; whoever knows one of them is content, and one that is forged is not passed over.
#[test]
fn a_checkpoint_is_of_the_logs_own_key() {
    let (old, new, other) = (key("example.com/audit"), key("example.com/audit"), key("example.com/other"));
    let note = head(5).sign(&[old.clone(), new.clone(), other.clone()]).expect("signed");
    for known in [vec![old.verifier()], vec![new.verifier()], vec![other.verifier(), new.verifier()]] {
        assert_eq!(Checkpoint::open(&note, &known), Ok(head(5)));
    }
    let unsigned = InvalidCheckpoint::Note(InvalidNote::Unsigned);
    assert_eq!(Checkpoint::open(&note, &[other.verifier()]), Err(unsigned), "signed by somebody else only");
    assert_eq!(Checkpoint::open(&note, &[]), Err(unsigned));
    let mut cosigned = head(5).sign(&[]).expect("a note");
    old.cosign(&mut cosigned, 1);
    assert_eq!(Checkpoint::open(&cosigned, &[old.cosigner()]), Err(unsigned), "a witness is not the log");
}

#[test]
fn a_cosignature_holds_for_its_text_and_instant() {
    let (log, witness) = (key("example.com/audit"), key("witness.example"));
    let mut note = head(5).sign(std::slice::from_ref(&log)).expect("signed");
    witness.cosign(&mut note, 1_700_000_000);
    let known = [log.verifier(), witness.cosigner()];
    assert_eq!(note.verify(&known).expect("signed").len(), 2);
    witness.cosign(&mut note, 1_700_000_001);
    assert_eq!(note.verify(&known).expect("signed").len(), 2, "the later one stands in the place of the first");
    let other = SignedNote::new(head(6).to_string()).expect("a note");
    assert!(!note.merge(&other), "another text");
    let forged = note.to_string().replace("\n5\n", "\n6\n").parse::<SignedNote>().expect("a note");
    assert_eq!(forged.verify(&known), Err(InvalidNote::Signature));
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    for text in [
        "",
        "a\n",
        "a\n1\n",
        "a\n01\n{root}\n",
        "a\n-1\n{root}\n",
        "a\n1\nAAAA\n",
        "\n1\n{root}\n",
        "a\n1\n{root}\n\n",
        "a\n1\n{root}",
    ] {
        let text = text.replace("{root}", &EMPTY_ROOT.to_string());
        assert_eq!(text.parse::<Checkpoint>(), Err(InvalidCheckpoint::Form), "{text:?}");
    }
    let extended = format!("a\n1\n{EMPTY_ROOT}\nmore\n");
    assert_eq!(extended.parse::<Checkpoint>().expect("read").to_string(), extended);
}

proptest! {
    #[test]
    fn whatever_is_read_is_answered(text in "(\\PC|\n|\u{2014} ){0,200}") {
        if let Ok(note) = text.parse::<SignedNote>() {
            prop_assert_eq!(note.to_string().parse::<SignedNote>(), Ok(note));
        }
        if let Ok(head) = text.parse::<Checkpoint>() {
            prop_assert_eq!(head.to_string(), text.clone());
        }
        let _ = text.parse::<NoteKey>();
        let _ = text.parse::<NoteVerifier>();
        let _ = text.parse::<fastcore_leads::proof::Receipt>();
    }
}
