//! The pages. Their words are in `texts`, their shape in `templates`, which escape whatever is put in.

use std::fmt;

use askama::Template;
use fastcore_leads::{ConsentPolicy, Service, lead::limits};
use uuid::Uuid;

use super::{
    CONTACT_PATH, FORM_PATH, Problem,
    answer::ASSETS_VERSION,
    contact::Post,
    messages,
    texts::{Texts, Wordings},
    ticket::Ticket,
};
use crate::web::Language;

/// What every form of a visit has.
pub(super) struct Setting<'a> {
    pub(super) language: Language,
    pub(super) wordings: &'a Wordings,
    pub(super) consent: ConsentPolicy,
}

/// The contact page.
#[derive(Template)]
#[template(path = "contact.html")]
pub(super) struct Form<'a> {
    texts: &'static Texts,
    other: Link,
    assets: &'static str,
    action: &'static str,
    ticket: String,
    promise: &'a str,
    privacy: &'a str,
    /// What went wrong as a whole.
    problem: Option<String>,
    inputs: [Input; 4],
    service: Field,
    services: Vec<Choice>,
    message: Field,
    message_hint: String,
    max_message: usize,
    consent: Field,
    is_consent_required: bool,
    is_consenting: bool,
}

/// The way to the same page in the other language.
struct Link {
    address: String,
    tag: &'static str,
    name: &'static str,
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

impl<'a> Form<'a> {
    /// A form to be filled in.
    pub(super) fn empty(ticket: &Ticket, setting: &Setting<'a>) -> Self {
        Self::new(ticket, setting, &Post::default(), None)
    }

    /// The form as the visitor filled it in, with what is to be corrected.
    pub(super) fn again(ticket: &Ticket, setting: &Setting<'a>, post: &Post, problem: &Problem) -> Self {
        Self::new(ticket, setting, post, Some(problem))
    }

    fn new(ticket: &Ticket, setting: &Setting<'a>, post: &Post, problem: Option<&Problem>) -> Self {
        let language = setting.language;
        let texts = language.texts();
        let violations = problem.map_or(&[][..], Problem::violations);
        let first = violations.first().map(|violation| violation.pointer().trim_start_matches('/').to_owned());
        let field = |id: &'static str| Field {
            id,
            value: post.field(id).to_owned(),
            errors: violations
                .iter()
                .filter(|violation| violation.pointer().strip_prefix('/') == Some(id))
                .map(|violation| messages::violation(violation, language))
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
        let labels = &texts.labels;
        Self {
            texts,
            other: link(CONTACT_PATH, language.other(), None),
            assets: &ASSETS_VERSION,
            action: FORM_PATH,
            ticket: ticket.as_str().to_owned(),
            promise: setting.wordings.promise(language),
            privacy: setting.wordings.privacy(language),
            problem: problem.map(|problem| problem.message(language)),
            inputs: [
                input("name", labels.name, "text", "name", true),
                input("email", labels.email, "email", "email", true),
                input("phone", labels.phone, "tel", "tel", false),
                input("company", labels.company, "text", "organization", false),
            ],
            service: field("service"),
            services: Service::ALL
                .iter()
                .map(|service| Choice {
                    value: service.as_str(),
                    label: texts.service(*service),
                    is_chosen: service.as_str() == post.field("service"),
                })
                .collect(),
            message: field("message"),
            message_hint: texts.message_hint.replace("{}", &limits::MESSAGE.max.to_string()),
            max_message: limits::MESSAGE.max,
            consent: field("consent"),
            is_consent_required: setting.consent == ConsentPolicy::Required,
            is_consenting: post.is_ticked(),
        }
    }

    /// Every error with the field that it is of, for the list on top of the form.
    fn errors(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let inputs = self.inputs.iter().map(|input| &input.field);
        let fields = inputs.chain([&self.service, &self.message, &self.consent]);
        fields.flat_map(|field| field.errors.iter().map(|error| (field.id, error)))
    }
}

impl fmt::Debug for Form<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").finish_non_exhaustive()
    }
}

/// The page that a visitor is led to once the lead is taken in. Shows the reference of the address, where it is one.
pub(super) fn thanks(path: &str, reference: Option<Uuid>, setting: &Setting<'_>) -> String {
    #[derive(Template)]
    #[template(path = "thanks.html")]
    struct Thanks<'a> {
        texts: &'static Texts,
        other: Link,
        assets: &'static str,
        contact: String,
        promise: &'a str,
        reference: Option<Uuid>,
    }

    let language = setting.language;
    Thanks {
        texts: language.texts(),
        other: link(path, language.other(), reference),
        assets: &ASSETS_VERSION,
        contact: format!("{CONTACT_PATH}?lang={}", language.tag()),
        promise: setting.wordings.promise(language),
        reference,
    }
    .to_string()
}

fn link(path: &str, language: Language, reference: Option<Uuid>) -> Link {
    let reference = reference.map_or_else(String::new, |reference| format!("ref={reference}&"));
    let tag = language.tag();
    Link { address: format!("{path}?{reference}lang={tag}"), tag, name: language.name() }
}
