use super::Language;
use crate::{lead::LeadStatus, outbox::EventType};

/// What is said in a language.
pub(super) struct Texts {
    pub(super) tag: &'static str,
    /// With the space that a language has before it.
    pub(super) colon: &'static str,
    /// One event, and the number of several before it.
    received: [&'static str; 2],
    released: [&'static str; 2],
    status_changed: [&'static str; 2],
    consent_withdrawn: [&'static str; 2],
    erased: [&'static str; 2],
    unanswered: [&'static str; 2],
    /// Several of different kinds.
    pub(super) several: &'static str,
    pub(super) at: &'static str,
    pub(super) service: &'static str,
    pub(super) no_service: &'static str,
    pub(super) source: &'static str,
    pub(super) status_label: &'static str,
    statuses: fn(LeadStatus) -> &'static str,
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) phone: &'static str,
    pub(super) company: &'static str,
    pub(super) message: &'static str,
    pub(super) earlier: &'static str,
    pub(super) open: &'static str,
    pub(super) masked: &'static str,
    pub(super) footer: &'static str,
}

impl Texts {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::French => &FRENCH,
            Language::English => &ENGLISH,
        }
    }

    /// A status in words; one that this version does not know, as it is stored.
    pub(super) fn status(&self, status: &str) -> String {
        status.parse().map_or_else(|_| status.to_owned(), |known| (self.statuses)(known).to_owned())
    }

    /// What happened, so many times.
    pub(super) fn event(&self, event: EventType, count: usize) -> String {
        let [one, many] = match event {
            EventType::Received => self.received,
            EventType::Released => self.released,
            EventType::StatusChanged => self.status_changed,
            EventType::ConsentWithdrawn => self.consent_withdrawn,
            EventType::Erased => self.erased,
            EventType::Unanswered => self.unanswered,
        };
        if count == 1 { one.to_owned() } else { format!("{count} {many}") }
    }
}

static FRENCH: Texts = Texts {
    tag: "fr",
    colon: " : ",
    received: ["Nouvelle demande", "nouvelles demandes"],
    released: ["Demande sortie de quarantaine", "demandes sorties de quarantaine"],
    status_changed: ["Demande mise à jour", "demandes mises à jour"],
    consent_withdrawn: ["Consentement retiré", "consentements retirés"],
    erased: ["Demande effacée", "demandes effacées"],
    unanswered: ["Demande sans réponse", "demandes sans réponse"],
    several: "événements",
    at: "Le",
    service: "Sujet",
    no_service: "non précisé",
    source: "Site",
    status_label: "État",
    statuses: |status| match status {
        LeadStatus::Received => "reçue",
        LeadStatus::Processing => "en cours",
        LeadStatus::Resolved => "traitée",
        LeadStatus::Archived => "classée",
        LeadStatus::Quarantined => "en quarantaine",
    },
    name: "Nom",
    email: "Adresse e-mail",
    phone: "Téléphone",
    company: "Entreprise",
    message: "Message",
    earlier: "Demandes précédentes de la même adresse",
    open: "Ouvrir la demande",
    masked: "Les données personnelles sont masquées dans ce message.",
    footer: "Message automatique du service des demandes : ne pas y répondre.",
};

static ENGLISH: Texts = Texts {
    tag: "en",
    colon: ": ",
    received: ["New enquiry", "new enquiries"],
    released: ["Enquiry released from quarantine", "enquiries released from quarantine"],
    status_changed: ["Enquiry updated", "enquiries updated"],
    consent_withdrawn: ["Consent withdrawn", "consents withdrawn"],
    erased: ["Enquiry erased", "enquiries erased"],
    unanswered: ["Unanswered enquiry", "unanswered enquiries"],
    several: "events",
    at: "On",
    service: "Subject",
    no_service: "not given",
    source: "Site",
    status_label: "Status",
    statuses: |status| match status {
        LeadStatus::Received => "received",
        LeadStatus::Processing => "in progress",
        LeadStatus::Resolved => "resolved",
        LeadStatus::Archived => "archived",
        LeadStatus::Quarantined => "in quarantine",
    },
    name: "Name",
    email: "Email address",
    phone: "Phone",
    company: "Company",
    message: "Message",
    earlier: "Earlier enquiries from the same address",
    open: "Open the enquiry",
    masked: "Personal data is masked in this message.",
    footer: "An automatic message of the enquiry service: please do not reply.",
};
