use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message as Letter, Tokio1Executor,
    address::Envelope,
    message::{Mailbox, MultiPart, header},
    transport::smtp::authentication::Credentials,
};

use super::{Mail, Mailer, NotMailed};
use crate::{lead::EmailAddress, transport::is_loopback};

/// How long each command may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends mail with [lettre](::lettre), to a server of SMTP (RFC 5321).
///
/// Each address has an envelope of its own: one that the server refuses for good does not keep the others from hearing of it. Who has
/// a mail is remembered for a while, so that a mail that comes again for one does not come to all.
#[derive(Clone)]
pub struct SmtpMailer {
    transport: Smtp,
    taken: Arc<Mutex<VecDeque<(String, EmailAddress)>>>,
}

/// How many addresses are remembered that have a mail which others wait for.
const REMEMBERED: usize = 10_000;

type Smtp = AsyncSmtpTransport<Tokio1Executor>;

impl SmtpMailer {
    /// A server by its URL: `smtps://mail.example` (TLS from the start, port 465), `smtp://mail.example` (STARTTLS, which the
    /// server must offer, port 587), and `smtp://localhost` on this machine in clear (port 25). A port may follow. User and
    /// password are not read from the URL, which others may see.
    ///
    /// TLS is rustls with ring, and trusts the system's authorities.
    ///
    /// # Errors
    /// [`InvalidSmtpUrl`] if it is none of these, or if TLS cannot be set up.
    pub fn new(url: &str, credentials: Option<(String, String)>) -> Result<Self, InvalidSmtpUrl> {
        let uri: http::Uri = url.parse().map_err(|_| InvalidSmtpUrl::Url)?;
        let host = uri.host().ok_or(InvalidSmtpUrl::Url)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(InvalidSmtpUrl::Password);
        }
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let builder = match uri.scheme_str() {
            Some("smtps") => Smtp::relay(name).map_err(|_| InvalidSmtpUrl::Tls)?,
            Some("smtp") if is_loopback(host) => Smtp::builder_dangerous(name),
            Some("smtp") => Smtp::starttls_relay(name).map_err(|_| InvalidSmtpUrl::Tls)?,
            _ => return Err(InvalidSmtpUrl::Url),
        };
        let builder = match uri.port_u16() {
            Some(port) => builder.port(port),
            None => builder,
        };
        let builder = match credentials {
            Some((user, password)) => builder.credentials(Credentials::new(user, password)),
            None => builder,
        };
        Ok(Self { transport: builder.timeout(Some(TIMEOUT)).build(), taken: Arc::default() })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<u16, NotMailed> {
        let letter = letter(mail).map_err(|error| NotMailed::new(None, error))?.formatted();
        let (mut code, mut not_now, mut never) = (None, None, None);
        for address in &mail.to {
            if self.has(mail, address) {
                // The code of an answer that was noted as a failure, since others had none.
                code = code.or(Some(ACCEPTED));
                continue;
            }
            let envelope = envelope(mail, address).map_err(|error| NotMailed::new(None, error))?;
            match self.transport.send_raw(&envelope, &letter).await {
                Ok(response) => {
                    code = Some(response.code().into());
                    self.remember(mail, address);
                }
                Err(error) if error.is_client() || refuses_address(&error) => never = Some(error),
                Err(error) => not_now = Some(error),
            }
        }
        match (code, not_now, never) {
            (_, Some(error), _) | (None, None, Some(error)) => {
                Err(NotMailed::new(error.status().map(Into::into), error))
            }
            (Some(code), None, never) => {
                self.forget(mail);
                if let Some(error) = never {
                    let status = error.status().map(u16::from);
                    tracing::warn!(mail = mail.message_id, status, "the server refused one of the addresses of a mail");
                }
                Ok(code)
            }
            (None, None, None) => Err(NotMailed::new(None, "the mail is to nobody")),
        }
    }
}

/// Whether it is the address that is refused, and not the session: by 530, 534, 535 or 538 (RFC 4954, 6), by 521 (RFC 7504, 3), or by a
/// greeting of 554 (RFC 5321, 3.1), which has no enhanced code (RFC 3463). Another session may do.
fn refuses_address(error: &lettre::transport::smtp::Error) -> bool {
    let is_of_session = |code| match code {
        521 | 530 | 534 | 535 | 538 => true,
        554 => !error.to_string().contains(": 5."),
        _ => false,
    };
    error.is_permanent() && error.status().is_none_or(|code| !is_of_session(u16::from(code)))
}

/// Requested mail action okay, completed (RFC 5321, 4.2.3).
const ACCEPTED: u16 = 250;

impl SmtpMailer {
    fn has(&self, mail: &Mail, address: &EmailAddress) -> bool {
        self.taken().iter().any(|(id, taker)| *id == mail.message_id && taker == address)
    }

    fn remember(&self, mail: &Mail, address: &EmailAddress) {
        let mut taken = self.taken();
        if taken.len() >= REMEMBERED {
            taken.pop_front();
        }
        taken.push_back((mail.message_id.clone(), address.clone()));
    }

    fn forget(&self, mail: &Mail) {
        self.taken().retain(|(id, _)| *id != mail.message_id);
    }

    fn taken(&self) -> MutexGuard<'_, VecDeque<(String, EmailAddress)>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").finish_non_exhaustive()
    }
}

/// One for each address: where the server refuses one, the others are not refused with it.
fn envelope(mail: &Mail, to: &EmailAddress) -> Result<Envelope, Refused> {
    let address = |address: &EmailAddress| address.as_str().parse::<Address>();
    Ok(Envelope::new(Some(address(&mail.from)?), vec![address(to)?])?)
}

type Refused = Box<dyn std::error::Error + Send + Sync>;

fn letter(mail: &Mail) -> Result<Letter, Refused> {
    let mailbox = |address: &EmailAddress| Ok::<_, Refused>(Mailbox::new(None, address.as_str().parse::<Address>()?));
    let mut letter = Letter::builder()
        .from(mailbox(&mail.from)?)
        .subject(mail.subject.as_str())
        .message_id(Some(format!("<{}>", mail.message_id)))
        .raw_header(header::HeaderValue::new(
            header::HeaderName::new_from_ascii_str("Auto-Submitted"),
            // Nobody's holiday notice is to answer it (RFC 3834).
            "auto-generated".to_owned(),
        ));
    for address in &mail.to {
        letter = letter.to(mailbox(address)?);
    }
    Ok(letter.multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))?)
}

/// Why a [`SmtpMailer`] cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSmtpUrl {
    /// The URL cannot be read.
    #[error("a mail server is smtps://host, or smtp://host where it offers STARTTLS")]
    Url,
    /// It holds a password.
    #[error("the URL of a mail server names no user and no password: give them apart")]
    Password,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: the system has no certificate authorities")]
    Tls,
}
