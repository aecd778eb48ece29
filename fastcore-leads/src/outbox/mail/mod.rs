//! Mail to the staff. Never to the visitor: a form that writes to strangers is a weapon.

#[cfg(feature = "lettre")]
mod lettre;
mod render;
mod texts;

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

#[cfg(feature = "lettre")]
pub use self::lettre::{InvalidSmtpUrl, SmtpMailer};
use super::{Attempt, Message};
use crate::{lead::EmailAddress, text::hexadecimal};

/// How long a server may take for a mail (RFC 5321, 4.5.3.2 allows ten minutes for its last answer alone: nobody waits so long here).
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often somebody is written to at most.
const DIGEST: Duration = Duration::from_secs(60);

/// Hands a mail to a server. Feature `lettre` brings `SmtpMailer`.
///
/// # Contract
/// A mailer sends a mail to all of its receivers, under its `Message-ID`; it may be dropped at any point. Where the connection is cut
/// behind the text, the mail may have arrived: it is sent once more under the same `Message-ID`. Where some have it and others
/// are refused for good, it counts as taken; where others are to be tried again, as not taken.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Sends a mail. Returns the server's reply code.
    ///
    /// # Errors
    /// [`NotMailed`] if the server did not take it.
    async fn send(&self, mail: &Mail) -> Result<u16, NotMailed>;
}

/// A mail as it is handed over.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Who it is from.
    pub from: EmailAddress,
    /// Whom it is to.
    pub to: Vec<EmailAddress>,
    /// What it is about. Holds nothing personal, and no line break.
    pub subject: String,
    /// The same over all attempts for the same events, without angle brackets.
    pub message_id: String,
    /// For readers of plain text.
    pub text: String,
    /// For all others.
    pub html: String,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// The server did not take a mail.
///
/// `Display` says nothing of what the library below said, which may name an address or hold a password; the source has it.
#[derive(Debug, thiserror::Error)]
#[error("the mail was not taken")]
pub struct NotMailed {
    /// The server's reply code; none where it did not answer.
    pub code: Option<u16>,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl NotMailed {
    /// Wraps the error of the library that sends.
    pub fn new(code: Option<u16>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { code, source: source.into() }
    }
}

/// In which language staff are written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// French.
    #[default]
    French,
    /// English.
    English,
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        match text {
            "fr" => Ok(Self::French),
            "en" => Ok(Self::English),
            _ => Err(UnknownLanguage),
        }
    }
}

/// The text names no [`Language`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a language that staff are written to in: fr or en")]
pub struct UnknownLanguage;

/// Staff who get mail: one for all that happened since the last, at most one a minute.
#[derive(Clone)]
pub struct StaffMail {
    from: EmailAddress,
    to: Vec<EmailAddress>,
    mailer: Arc<dyn Mailer>,
    language: Language,
    is_revealed: bool,
    inbox: Option<String>,
    digest: Duration,
}

impl StaffMail {
    /// Staff at these addresses, and what sends to them.
    ///
    /// # Errors
    /// [`NoReceiver`] if there is no address.
    pub fn new(from: EmailAddress, to: Vec<EmailAddress>, mailer: impl Mailer) -> Result<Self, NoReceiver> {
        if to.is_empty() {
            return Err(NoReceiver);
        }
        Ok(Self {
            from,
            to,
            mailer: Arc::new(mailer),
            language: Language::default(),
            is_revealed: false,
            inbox: None,
            digest: DIGEST,
        })
    }

    /// In which language. Default: French.
    pub fn language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// Writes names, addresses, numbers and what was written in clear. By default they are masked or left out: mail is kept in
    /// many places, out of an erasure's reach.
    pub fn reveal(self) -> Self {
        Self { is_revealed: true, ..self }
    }

    /// Where a lead is looked at: a URL in which `{id}` stands for the lead's id. Default: no link.
    pub fn inbox(self, url: impl Into<String>) -> Self {
        Self { inbox: Some(url.into()), ..self }
    }

    /// How often they are written to at most. Default: once a minute.
    pub fn digest(self, digest: Duration) -> Self {
        Self { digest, ..self }
    }

    pub(super) fn pause(&self) -> Duration {
        self.digest
    }

    pub(super) fn answers_within() -> Duration {
        TIMEOUT
    }

    /// One mail for all.
    pub(super) async fn send(&self, messages: &[Message]) -> Attempt {
        let mail = self.mail(messages);
        match timeout(TIMEOUT, self.mailer.send(&mail)).await {
            Ok(Ok(code)) => Attempt::delivered(Some(code)),
            Ok(Err(refused)) => Attempt::failed(refused.code),
            Err(_) => Attempt::failed(None),
        }
    }

    fn mail(&self, messages: &[Message]) -> Mail {
        let letter = render::Letter {
            messages,
            language: self.language,
            is_revealed: self.is_revealed,
            inbox: self.inbox.as_deref(),
        };
        Mail {
            from: self.from.clone(),
            to: self.to.clone(),
            subject: letter.subject(),
            message_id: self.message_id(messages),
            text: letter.text(),
            html: letter.html(),
        }
    }

    /// Follows from what is told and to whom: a mail that is sent twice is the same mail (RFC 5322, 3.6.4).
    fn message_id(&self, messages: &[Message]) -> String {
        let mut hash = Sha256::new();
        for message in messages {
            hash.update(message.delivery.destination.as_bytes());
            hash.update(message.id().as_bytes());
        }
        let domain = self.from.as_str().rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        format!("{}@{domain}", &hexadecimal(&hash.finalize())[..32])
    }
}

impl fmt::Debug for StaffMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaffMail")
            .field("receivers", &self.to.len())
            .field("language", &self.language)
            .field("is_revealed", &self.is_revealed)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// A mail needs somebody to get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mail needs at least one address that it goes to")]
pub struct NoReceiver;
