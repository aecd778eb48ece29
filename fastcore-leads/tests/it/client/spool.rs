use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use fastcore_leads::{
    Problem,
    client::{AsideReason, Client, Delivery, Place, Spool, SpoolKeys, SpoolOptions},
    testing::TempDir,
};

use super::{Fake, counts, files, folder, lead, lead_of, problem, until};

const MESSAGE: &str = "Notre compresseur ne démarre plus.";
const ONE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const TWO: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

fn open(folder: &Path) -> Spool {
    Spool::open(folder, SpoolOptions::new()).unwrap()
}

fn sealed(folder: &Path, keys: &str) -> Spool {
    Spool::open(folder, SpoolOptions::new().keys(SpoolKeys::parse(keys).unwrap())).unwrap()
}

fn client(fake: &Fake, spool: Spool) -> Client {
    fake.client().spool(spool).start()
}

#[tokio::test]
async fn a_spool_is_bounded_in_number_and_in_bytes() {
    let size = lead(MESSAGE).to_body().len() as u64;
    for options in [SpoolOptions::new().max_leads(2), SpoolOptions::new().max_bytes(2 * size + size / 2)] {
        let (_dir, folder) = folder();
        let fake = Fake::away();
        let client = client(&fake, Spool::open(&folder, options.clone()).unwrap());
        let leads = [lead(MESSAGE), lead(MESSAGE), lead(MESSAGE)];
        assert!(client.deliver(&leads[0]).await.is_ok() && client.deliver(&leads[1]).await.is_ok());
        assert!(client.deliver(&leads[0]).await.is_ok(), "it is there already");
        assert!(client.deliver(&leads[2]).await.is_err(), "there is room for two");
        assert_eq!(counts(&folder), (2, 0));
        drop(client);
        // A process that starts counts what is there.
        let again = self::client(&fake, Spool::open(&folder, options).unwrap());
        assert!(again.deliver(&leads[2]).await.is_err());
        // Where there is no room, FASTCore is asked again, and room comes with it.
        fake.is_back();
        until("there is room again", || fake.leads.lock().unwrap().len() >= 2).await;
        assert!(again.deliver(&leads[2]).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_for_their_owner_and_what_an_earlier_version_left_is_delivered() {
    let (_dir, folder) = folder();
    fs::create_dir_all(folder.join("refused")).unwrap();
    let (one, two) = (lead("Un message de la version d’avant."), lead("Un message refusé par celle d’avant."));
    fs::write(folder.join(format!("{}.json", one.meta().request_id())), one.to_body()).unwrap();
    fs::write(folder.join("refused").join(format!("{}.json", two.meta().request_id())), two.to_body()).unwrap();
    let fake = Fake::away();
    let client = client(&fake, open(&folder));
    client.deliver(&lead(MESSAGE)).await.unwrap();
    for file in files(&folder).iter().filter(|file| file.to_string_lossy().contains("2024-01-03T10")) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert_eq!(counts(&folder), (2, 1));
    fake.is_back();
    until("both are delivered", || fake.messages() == [MESSAGE, "Un message de la version d’avant."]).await;
    assert_eq!(open(&folder).retry(None).unwrap(), 1);
    until("the third too", || fake.messages().len() == 3).await;
}

#[tokio::test]
async fn strange_things_in_the_folder_harm_nothing() {
    let (dir, folder) = folder();
    let hour = folder.join("2024-01-03T10");
    fs::create_dir_all(hour.join("11111111-1111-4111-8111-111111111111.json")).unwrap();
    for stray in ["notes.txt", "2024-13-45T99", "2024-01-03T11", "drainer.lock.bak", "nonsense.json", "half.draft"] {
        fs::write(folder.join(stray), "{\"email\":").unwrap();
    }
    fs::create_dir_all(folder.join("2024-01-03T12/2024-01-03T13")).unwrap();
    fs::write(dir.path().join("elsewhere"), lead(MESSAGE).to_body()).unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), hour.join("link.json")).unwrap();
    fs::write(hour.join("long.json"), vec![b' '; 1 << 20]).unwrap();
    fs::write(folder.join("refused"), "a file where a folder should be").unwrap();
    let fake = Fake::new();
    let client = client(&fake, open(&folder));
    fake.when(|_| Some(None));
    client.deliver(&lead(MESSAGE)).await.unwrap();
    fake.is_back();
    until("the lead is delivered", || fake.messages() == [MESSAGE]).await;
    fs::remove_file(folder.join("refused")).unwrap();
    until("what is no lead is put aside", || counts(&folder) == (0, 2)).await;
    let aside = folder.join("refused/unreadable");
    assert!(aside.join("nonsense.json").exists() && aside.join("long.json").exists());
    assert!(hour.join("link.json").is_symlink() && folder.join("notes.txt").exists());
    assert_eq!(fake.messages(), [MESSAGE]);
}

#[tokio::test]
async fn an_encrypted_spool_shows_nothing_and_takes_no_file_for_another() {
    let (_dir, folder) = folder();
    let fake = Fake::away();
    let spool = sealed(&folder, ONE);
    assert!(!format!("{spool:?} {:?}", SpoolOptions::new().keys(SpoolKeys::parse(ONE).unwrap())).contains(ONE));
    let writer = client(&fake, spool);
    let (first, second) = (lead("Le premier message, un canari."), lead("Le deuxième message, un canari."));
    let one = writer.deliver(&first).await.unwrap().request_id();
    let two = writer.deliver(&second).await.unwrap().request_id();
    drop(writer);
    for file in files(&folder) {
        let bytes = fs::read(&file).unwrap();
        for canary in ["canari", "jean@example.com", "Dupont", "fast-techservices"] {
            assert!(!bytes.windows(canary.len()).any(|part| part == canary.as_bytes()), "{}", file.display());
        }
    }
    // One file under the name of the other, and one with a bit turned over.
    let path = |id| folder.join(format!("2024-01-03T10/{id}.sealed"));
    let genuine = fs::read(path(one)).unwrap();
    let mut turned = genuine.clone();
    *turned.last_mut().unwrap() ^= 1;
    for wrong in [fs::read(path(two)).unwrap(), turned, genuine[..60].to_vec(), Vec::new()] {
        fs::write(path(one), wrong).unwrap();
        let found = sealed(&folder, ONE).leads().unwrap().filter(Result::is_err).count();
        assert_eq!(found, 1);
    }
    fs::write(path(one), genuine).unwrap();
    // A new key in front: the old one still reads.
    let both = format!("# since November\n{TWO}\n\n  {ONE}\n");
    fake.is_back();
    let _reader = client(&fake, sealed(&folder, &both));
    until("both are delivered", || fake.messages().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_under_an_unknown_key_is_put_aside_until_the_key_is_there() {
    for wrong in [Some(TWO), None] {
        let (_dir, folder) = folder();
        // Whose client is dropped here may still be at its last attempt: it knows no other FASTCore.
        client(&Fake::away(), sealed(&folder, ONE)).deliver(&lead(MESSAGE)).await.unwrap();
        let fake = Fake::new();
        let spool = wrong.map_or_else(|| open(&folder), |key| sealed(&folder, key));
        let without = fake.client().spool(spool).aside_after(Duration::ZERO).start();
        until("it is put aside", || folder.join("refused/unreadable").exists() && counts(&folder) == (0, 1)).await;
        assert_eq!(without.spool().unwrap().retry(None).unwrap(), 0, "it cannot be read yet");
        drop(without);
        let with = client(&fake, sealed(&folder, ONE));
        assert_eq!(fake.messages(), [] as [&str; 0]);
        assert_eq!(with.spool().unwrap().retry(None).unwrap(), 1);
        until("it is delivered", || fake.messages() == [MESSAGE]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_another_process_has_first_keeps_a_lead_waiting() {
    let (_dir, folder) = folder();
    client(&Fake::away(), sealed(&folder, TWO)).deliver(&lead(MESSAGE)).await.unwrap();
    let fake = Fake::new();
    let former = client(&fake, sealed(&folder, ONE));
    // Two rounds at least, each of which comes to all files.
    for message in ["Un texte du premier tour.", "Un texte du second tour."] {
        fake.when(|_| Some(None));
        former.deliver(&lead(message)).await.unwrap();
        fake.is_back();
        until("it is delivered", || fake.messages().iter().any(|taken| taken == message)).await;
    }
    assert_eq!(counts(&folder), (1, 0), "the other one waits");
    drop(former);
    let _latter = client(&fake, sealed(&folder, &format!("{TWO}\n{ONE}")));
    until("all are delivered", || fake.messages().len() == 3 && counts(&folder) == (0, 0)).await;
}

#[test]
fn keys_are_read_line_by_line_and_a_bad_one_is_named() {
    for (text, expected) in [
        ("", "there is no key for the spool: make one with `openssl rand -hex 32`"),
        ("# nothing\n\n", "there is no key for the spool: make one with `openssl rand -hex 32`"),
        (&format!("{ONE}\nshort"), "line 2 of the spool's keys is no key: make one with `openssl rand -hex 32`"),
        (&ONE.replace('0', "g"), "line 1 of the spool's keys is no key: make one with `openssl rand -hex 32`"),
        (&ONE.replace("00", "+0"), "line 1 of the spool's keys is no key: make one with `openssl rand -hex 32`"),
    ] {
        assert_eq!(SpoolKeys::parse(text).unwrap_err().to_string(), expected);
    }
    let dir = TempDir::new();
    assert!(SpoolKeys::from_file(dir.path().join("none")).unwrap_err().to_string().contains("cannot be read"));
    fs::write(dir.path().join("keys"), format!("{ONE}\r\n")).unwrap();
    assert!(SpoolKeys::from_file(dir.path().join("keys")).is_ok());
}

#[tokio::test]
async fn a_person_is_found_and_erased_in_every_folder() {
    let (_dir, folder) = folder();
    let fake = Fake::away();
    // By what it is asked, and not by when: what waits is tried again meanwhile.
    fake.when(|message| Some(message.contains("refuse").then(|| problem(Problem::ValidationError))));
    let client = client(&fake, open(&folder));
    for (email, message) in [
        ("Jean.Dupont@example.com", "Un message qui attend FASTCore."),
        ("jean.dupont@EXAMPLE.com", "Un message que FASTCore refuse."),
        ("jeanne@example.com", "Un message de quelqu’un d’autre."),
    ] {
        // Each time anew, so that FASTCore is asked.
        self::client(&fake, open(&folder)).deliver(&lead_of(email, message)).await.unwrap();
    }
    let draft = folder.join("2024-01-03T10/0199.json.0199.draft");
    fs::write(&draft, lead_of("jean.dupont@example.com", MESSAGE).to_body()).unwrap();
    // Half a lead of somebody who died while writing it.
    let half = folder.join("2024-01-03T10/0200.json.0200.draft");
    fs::write(&half, "{\"name\":\"Jean Dup").unwrap();
    let minutes_ago = std::time::SystemTime::now() - Duration::from_secs(120);
    fs::File::options().write(true).open(&half).unwrap().set_modified(minutes_ago).unwrap();
    fs::write(folder.join("refused/invalid/sealed-elsewhere.sealed"), "fcspool1").unwrap();
    let spool = client.spool().unwrap();
    let places: Vec<Place> = spool
        .leads()
        .unwrap()
        .filter_map(Result::ok)
        .filter(|lead| lead.email().to_lowercase().starts_with("jean."))
        .map(|lead| lead.place())
        .collect();
    assert_eq!(places, [Place::Waiting, Place::Aside(AsideReason::Invalid)]);
    let shown = format!("{:?}", spool.leads().unwrap().collect::<Vec<_>>());
    assert!(!shown.contains("Dupont") && shown.contains("***"), "{shown}");

    let erasure = spool.clone();
    let erasure = tokio::task::spawn_blocking(move || erasure.erase("JEAN.DUPONT@example.com")).await.unwrap().unwrap();
    assert_eq!((erasure.erased.len(), erasure.unreadable), (2, 1));
    assert!(!draft.exists() && !half.exists());
    assert_eq!(counts(&folder), (1, 1), "somebody else's, and what nobody can read");
    fake.is_back();
    until("the other's is delivered", || fake.messages() == ["Un message de quelqu’un d’autre."]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_waits_for_what_is_being_delivered() {
    let (_dir, folder) = folder();
    let first = client(&Fake::away(), open(&folder));
    first.deliver(&lead(MESSAGE)).await.unwrap();
    for number in 0..20 {
        first.deliver(&lead(&format!("Encore un message de la même personne, le numéro {number}."))).await.unwrap();
    }
    drop(first);
    let fake = Fake::new();
    fake.gate.forget_permits(usize::MAX);
    let client = client(&fake, open(&folder));
    // So many get through that several are on their way at once.
    fake.gate.add_permits(4);
    until("several are on their way", || fake.asked() >= 4 + 3).await;
    let spool = client.spool().unwrap().clone();
    let erasure = tokio::task::spawn_blocking(move || spool.erase("jean@example.com").unwrap());
    until("the lock is wanted", || folder.join("drainer.wanted").exists()).await;
    // One ends, then the others: the lock is not given up before the last.
    fake.gate.add_permits(1);
    until("one more is there", || fake.leads.lock().unwrap().len() >= 5).await;
    fake.gate.add_permits(1000);
    let erasure = erasure.await.unwrap();
    // What was on its way is in FASTCore before the erasure returns, and no other gets there.
    let (arrived, on_its_way) = (fake.leads.lock().unwrap().len(), fake.asked());
    assert!(arrived >= 5 && arrived <= on_its_way, "{arrived} of {on_its_way}");
    assert_eq!(arrived + erasure.erased.len(), 21, "each is in one place");
    assert_eq!(counts(&folder), (0, 0));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.leads.lock().unwrap().len(), arrived);
    assert!(!folder.join("drainer.wanted").exists());
}

#[tokio::test]
async fn a_lead_is_one_file_however_often_it_is_sent() {
    let (_dir, folder) = folder();
    let fake = Fake::away();
    let client = client(&fake, open(&folder));
    let again = lead(MESSAGE);
    let first = client.deliver(&again).await.unwrap();
    for _ in 0..3 {
        assert_eq!(client.deliver(&again).await.unwrap(), first);
    }
    assert!(matches!(first, Delivery::Spooled { request_id } if request_id != again.meta().request_id()));
    assert_eq!(counts(&folder), (1, 0));
    let spooled = open(&folder).leads().unwrap().next().unwrap().unwrap();
    assert_eq!(spooled.lead().unwrap().message(), MESSAGE);
    assert_eq!(spooled.sent_at(), again.meta().timestamp_utc());
}
