//! The pages, in French. Their text is in `templates`, which escapes whatever is put in.

use std::fmt;

use askama::Template;
use fastcore_leads::{ConsentPolicy, Service, lead::limits};
use uuid::Uuid;

use super::{CONTACT_PATH, FORM_PATH, Problem, answer::ASSETS_VERSION, contact::Post, messages, ticket::Ticket};

/// The contact page.
#[derive(Template)]
#[template(path = "contact.html")]
pub(super) struct Form {
    assets: &'static str,
    action: &'static str,
    ticket: String,
    /// What went wrong as a whole.
    problem: Option<String>,
    inputs: [Input; 4],
    service: Field,
    services: Vec<Choice>,
    message: Field,
    max_message: usize,
    consent: Field,
    is_consent_required: bool,
    is_consenting: bool,
}

/// A field with what the visitor wrote, and what is wrong with that.
struct Field {
    id: &'static str,
    value: String,
    errors: Vec<String>,
    /// Whether the page opens with the cursor here: the first field with an error.
    is_focused: bool,
}

/// A field of one line.
struct Input {
    field: Field,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    is_required: bool,
}

struct Choice {
    value: &'static str,
    label: &'static str,
    is_chosen: bool,
}

impl Form {
    /// A form to be filled in.
    pub(super) fn empty(ticket: &Ticket, policy: ConsentPolicy) -> Self {
        Self::new(ticket, policy, &Post::default(), None)
    }

    /// The form as the visitor filled it in, with what is to be corrected.
    pub(super) fn again(ticket: &Ticket, policy: ConsentPolicy, post: &Post, problem: &Problem) -> Self {
        Self::new(ticket, policy, post, Some(problem))
    }

    fn new(ticket: &Ticket, policy: ConsentPolicy, post: &Post, problem: Option<&Problem>) -> Self {
        let violations = problem.map_or(&[][..], Problem::violations);
        let first = violations.first().map(|violation| violation.pointer().trim_start_matches('/').to_owned());
        let field = |id: &'static str| Field {
            id,
            value: post.field(id).to_owned(),
            errors: violations
                .iter()
                .filter(|violation| violation.pointer().strip_prefix('/') == Some(id))
                .map(messages::violation)
                .collect(),
            is_focused: first.as_deref() == Some(id),
        };
        let input = |id, label, kind, autocomplete, is_required| Input {
            field: field(id),
            label,
            kind,
            autocomplete,
            is_required,
        };
        Self {
            assets: &ASSETS_VERSION,
            action: FORM_PATH,
            ticket: ticket.as_str().to_owned(),
            problem: problem.map(Problem::message),
            inputs: [
                input("name", "Nom", "text", "name", true),
                input("email", "Adresse e-mail", "email", "email", true),
                input("phone", "Téléphone", "tel", "tel", false),
                input("company", "Entreprise", "text", "organization", false),
            ],
            service: field("service"),
            services: Service::ALL.iter().map(|service| choice(*service, post.field("service"))).collect(),
            message: field("message"),
            max_message: limits::MESSAGE.max,
            consent: field("consent"),
            is_consent_required: policy == ConsentPolicy::Required,
            is_consenting: !post.field("consent").is_empty(),
        }
    }

    /// Every error with the field that it is of, for the list on top of the form.
    fn errors(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let inputs = self.inputs.iter().map(|input| &input.field);
        let fields = inputs.chain([&self.service, &self.message, &self.consent]);
        fields.flat_map(|field| field.errors.iter().map(|error| (field.id, error)))
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").finish_non_exhaustive()
    }
}

fn choice(service: Service, chosen: &str) -> Choice {
    let label = match service {
        Service::Ponts => "Ponts élévateurs",
        Service::Cabines => "Cabines de peinture",
        Service::Compresseurs => "Compresseurs",
        Service::Diagnostic => "Diagnostic",
        Service::Autre => "Autre demande",
        unnamed => unnamed.as_str(),
    };
    Choice { value: service.as_str(), label, is_chosen: service.as_str() == chosen }
}

/// The page that a visitor is led to once the lead is taken in. Shows the reference of the address, where it is one.
pub(super) fn thanks(query: Option<&str>) -> String {
    #[derive(Template)]
    #[template(path = "thanks.html")]
    struct Thanks {
        assets: &'static str,
        contact: &'static str,
        reference: Option<Uuid>,
    }

    let fields = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let reference = fields.into_iter().find(|(name, _)| name == "ref").and_then(|(_, value)| value.parse().ok());
    Thanks { assets: &ASSETS_VERSION, contact: CONTACT_PATH, reference }.to_string()
}
