use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use fastcore_leads::{
    EmailAddress, MemoryLeadStore,
    outbox::{
        DeliveryState, Destination, EventType, Subscription,
        mail::{InvalidSmtpUrl, Language, Mail, Mailer, NotMailed, SmtpMailer, StaffMail},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::{dispatcher, in_state, known, quick, receive, subscription, until};

/// Keeps mail, and takes it or not.
#[derive(Clone, Default)]
struct Letterbox {
    mails: Arc<Mutex<Vec<Mail>>>,
    refusals: Arc<Mutex<Vec<u16>>>,
}

impl Letterbox {
    fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }
}

#[async_trait]
impl Mailer for Letterbox {
    async fn send(&self, mail: &Mail) -> Result<u16, NotMailed> {
        self.mails.lock().unwrap().push(mail.clone());
        match self.refusals.lock().unwrap().pop() {
            Some(code) => Err(NotMailed::new(Some(code), "refused")),
            None => Ok(250),
        }
    }
}

fn address(text: &str) -> EmailAddress {
    text.parse().unwrap()
}

fn staff(mailer: impl Mailer) -> StaffMail {
    StaffMail::new(address("leads@fast-techservices.com"), vec![address("staff@fast-techservices.com")], mailer)
        .unwrap()
        .digest(Duration::ZERO)
}

fn only(event: EventType) -> Subscription {
    Subscription { events: vec![event], ..subscription("staff") }
}

#[tokio::test]
async fn staff_are_written_to_without_what_is_personal() {
    for (language, subject) in
        [(Language::French, "Nouvelle demande : ponts"), (Language::English, "New enquiry: ponts")]
    {
        for is_revealed in [false, true] {
            let (store, letterbox) = (MemoryLeadStore::new(), Letterbox::default());
            let mail = staff(letterbox.clone()).language(language).inbox("https://inbox.example/leads/{id}?a&b");
            let mail = if is_revealed { mail.reveal() } else { mail };
            let dispatcher = dispatcher(&store, vec![Destination::mail(only(EventType::Received), mail)]);
            known(&store, 1).await;
            let id = receive(&store, |sent| {
                sent["service"] = "ponts".into();
                sent["name"] = "Zoë <b>&'\" Dupont".into();
                sent["email"] = "anne.martin@example.com".into();
                sent["message"] = "Bonjour,\nun <script>alert(1)</script> pont".into();
            })
            .await;
            until("the mail is sent", async || letterbox.mails().len() == 1).await;
            dispatcher.shutdown().await;
            let mail = letterbox.mails().remove(0);
            assert_eq!(mail.subject, subject);
            assert_eq!(mail.to[0].as_str(), "staff@fast-techservices.com");
            assert!(!format!("{mail:?}").contains("anne"));
            let link = format!("https://inbox.example/leads/{id}");
            assert!(mail.text.contains(&format!("{link}?a&b")) && mail.html.contains(&format!("{link}?a&amp;b")));
            assert!(!mail.html.contains("<script>") && !mail.html.contains("<b>"));
            for shown in ["Zoë", "anne.martin@example.com", "alert(1)"] {
                assert_eq!(mail.text.contains(shown), is_revealed, "{shown}");
                assert_eq!(mail.html.contains(shown), is_revealed, "{shown}");
            }
            assert_eq!(mail.text.contains("ann***"), !is_revealed);
        }
    }
}

/// What happens until the next is in one; what is refused is sent again, the same mail.
#[tokio::test]
async fn many_events_are_one_mail_and_a_mail_that_is_sent_again_is_the_same() {
    let (store, letterbox) = (MemoryLeadStore::new(), Letterbox::default());
    letterbox.refusals.lock().unwrap().extend([550, 451]);
    let mail = staff(letterbox.clone());
    let first = dispatcher(&store, vec![Destination::mail(subscription("staff"), mail.clone()).schedule(quick(9))]);
    known(&store, 1).await;
    first.shutdown().await;
    for _ in 0..3 {
        receive(&store, |_| ()).await;
    }
    let second = dispatcher(&store, vec![Destination::mail(subscription("staff"), mail).schedule(quick(9))]);
    until("all are told", async || in_state(&store, DeliveryState::Delivered).await == 3).await;
    second.shutdown().await;
    let mails = letterbox.mails();
    assert_eq!(mails.len(), 3, "greylisted, refused, taken");
    assert!(mails.iter().all(|mail| mail.subject.starts_with("3 nouvelles demandes")), "{}", mails[0].subject);
    assert!(mails.iter().all(|mail| mail.message_id == mails[0].message_id && mail.text == mails[0].text));
    assert!(mails[0].message_id.ends_with("@fast-techservices.com"));
}

#[tokio::test]
async fn nobody_is_written_to_more_often_than_asked_for() {
    let (store, letterbox) = (MemoryLeadStore::new(), Letterbox::default());
    let mail = staff(letterbox.clone()).digest(Duration::from_secs(3600));
    let dispatcher = dispatcher(&store, vec![Destination::mail(subscription("staff"), mail)]);
    known(&store, 1).await;
    receive(&store, |_| ()).await;
    until("the first is told", async || in_state(&store, DeliveryState::Delivered).await == 1).await;
    for _ in 0..5 {
        receive(&store, |_| ()).await;
    }
    until("the others wait", async || in_state(&store, DeliveryState::Due).await == 5).await;
    dispatcher.shutdown().await;
    assert_eq!(letterbox.mails().len(), 1);
}

/// What a server says to each command of a session; `None` cuts the connection.
type Script = fn(session: usize, command: &str) -> Option<&'static str>;

/// A server of SMTP that does as the script says, and keeps what it was given.
async fn server(script: Script) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&taken);
    tokio::spawn(async move {
        for session in 1.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            let _ = writer.write_all(b"220 test\r\n").await;
            while let Ok(Some(line)) = lines.next_line().await {
                let command = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
                let mut command = match command.as_str() {
                    "RCPT" if line.contains("refused@") => "RCPT of refused",
                    "RCPT" if line.contains("slow@") => "RCPT of slow",
                    other => other,
                };
                if command == "DATA" && script(session, "DATA").is_some_and(|said| said.starts_with("354")) {
                    let _ = writer.write_all(b"354 go on\r\n").await;
                    let mut text = String::new();
                    while let Ok(Some(line)) = lines.next_line().await {
                        if line == "." {
                            break;
                        }
                        text.push_str(&line);
                        text.push('\n');
                    }
                    kept.lock().unwrap().push(text);
                    command = "END";
                }
                let Some(said) = script(session, command) else { break };
                let _ = writer.write_all(format!("{said}\r\n").as_bytes()).await;
            }
        }
    });
    (port, taken)
}

#[allow(clippy::unnecessary_wraps, reason = "as a script answers")]
fn usual(command: &str) -> Option<&'static str> {
    Some(match command {
        "DATA" => "354 go on",
        "QUIT" => "221 bye",
        "EHLO" => "250 test",
        _ => "250 fine",
    })
}

async fn told_by(script: Script) -> Vec<String> {
    let (port, taken) = server(script).await;
    let store = MemoryLeadStore::new();
    let mailer = SmtpMailer::new(&format!("smtp://127.0.0.1:{port}"), None).unwrap();
    let destination = Destination::mail(subscription("staff"), staff(mailer).reveal()).schedule(quick(20));
    let dispatcher = dispatcher(&store, vec![destination]);
    known(&store, 1).await;
    receive(&store, |sent| sent["name"] = "Zoë Dupont".into()).await;
    until("the mail arrived", async || in_state(&store, DeliveryState::Delivered).await == 1).await;
    dispatcher.shutdown().await;
    let taken = taken.lock().unwrap();
    taken.clone()
}

#[tokio::test]
async fn a_server_that_greylists_or_refuses_is_asked_again() {
    for script in [
        (|session, command: &str| match (session, command) {
            (1, "RCPT") => Some("451 4.7.1 greylisted"),
            _ => usual(command),
        }) as Script,
        |session, command| match (session, command) {
            (1, "MAIL") => Some("550 5.7.1 no"),
            (2, "END") => Some("554 5.6.0 no"),
            (3, "EHLO") => None,
            _ => usual(command),
        },
    ] {
        let taken = told_by(script).await;
        let last = taken.last().unwrap();
        assert!(last.contains("Auto-Submitted: auto-generated") && last.contains("multipart/alternative"), "{last}");
        assert!(last.contains("charset=utf-8"), "{last}");
    }
}

/// A cut behind the text leaves it open whether the mail arrived: it comes again, as the same mail.
#[tokio::test]
async fn a_mail_whose_answer_was_lost_comes_again_under_its_id() {
    let taken = told_by(|session, command| match (session, command) {
        (1, "END") => None,
        _ => usual(command),
    })
    .await;
    assert_eq!(taken.len(), 2);
    let id = |mail: &String| mail.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
    assert_eq!(id(&taken[0]), id(&taken[1]));
}

/// For good, or for now, in either order: each of the others has it, once.
#[tokio::test]
async fn an_address_that_is_refused_keeps_the_others_from_nothing() {
    const ORDERS: [[&str; 3]; 3] =
        [["refused", "slow", "staff"], ["slow", "refused", "staff"], ["staff", "slow", "refused"]];
    for names in ORDERS {
        let (port, taken) = server(|session, command| match (session, command) {
            (_, "RCPT of refused") => Some("550 5.1.1 nobody of this name"),
            (1..=4, "RCPT of slow") => Some("451 4.7.1 greylisted"),
            _ => usual(command),
        })
        .await;
        let store = MemoryLeadStore::new();
        let mailer = SmtpMailer::new(&format!("smtp://127.0.0.1:{port}"), None).unwrap();
        let to = names.map(|name| address(&format!("{name}@fast-techservices.com"))).to_vec();
        let mail = StaffMail::new(address("leads@fast-techservices.com"), to, mailer).unwrap().digest(Duration::ZERO);
        let dispatcher = dispatcher(&store, vec![Destination::mail(subscription("staff"), mail).schedule(quick(20))]);
        known(&store, 1).await;
        receive(&store, |_| ()).await;
        until("the mail arrived", async || in_state(&store, DeliveryState::Delivered).await == 1).await;
        dispatcher.shutdown().await;
        assert_eq!(taken.lock().unwrap().len(), 2, "{names:?}");
    }
}

#[test]
fn a_mail_server_that_cannot_be_is_refused() {
    let new = |url: &str| SmtpMailer::new(url, None).map(|_| ()).map_err(Some);
    for url in ["mail.example", "http://mail.example", "", "smtp://"] {
        assert_eq!(new(url), Err(Some(InvalidSmtpUrl::Url)), "{url}");
    }
    assert_eq!(new("smtps://user:Zk9@mail.example"), Err(Some(InvalidSmtpUrl::Password)));
    assert_eq!(new("smtp://localhost:2525"), Ok(()));
    assert!(StaffMail::new(address("a@example.com"), vec![], Letterbox::default()).is_err());
}
