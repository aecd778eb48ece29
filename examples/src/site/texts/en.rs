use fastcore_leads::Service;

use crate::web::Language;

use super::{Corrections, DefaultWording, Labels, Problems, Texts};

pub(super) const SERVICES: [(Service, &str); 5] = [
    (Service::Ponts, "Vehicle lifts"),
    (Service::Cabines, "Paint booths"),
    (Service::Compresseurs, "Compressors"),
    (Service::Diagnostic, "Diagnostics"),
    (Service::Autre, "Something else"),
];

pub(super) static TEXTS: Texts = Texts {
    language: Language::English,
    locale: "en",
    trade: "Garage equipment: sales, installation, repairs",
    contact_title: "Contact",
    error_title: "Error: ",
    heading: "Contact us",
    introduction: "A breakdown, a quotation, a question? Write to us.",
    marked: ["We need the fields marked", "to answer you."],
    required: "required",
    optional: "optional",
    labels: Labels {
        name: "Name",
        email: "Email address",
        phone: "Telephone",
        company: "Company",
        service: "Subject",
        message: "Message",
    },
    choose_service: "Choose a subject",
    message_hint: "Describe the equipment and the fault in a few sentences, {} characters at most.",
    trap: "Leave this field empty",
    consent: "I agree that my data may be used to answer my enquiry.",
    send: "Send",
    sending: "Sending…",
    is_being_sent: "Your message is being sent…",
    not_sent: "Your message could not be sent. It is still here: send it again in a moment.",
    left: ["{} character left", "{} characters left"],
    too_many_characters: ["{} character too many", "{} characters too many"],
    privacy_title: "Your personal data",
    thanks_title: "Message sent",
    thanks: "Thank you, your message has arrived",
    reference: "Your reference:",
    another: "Send another message",
    problems: Problems {
        cross_site: "This message was not sent from our site. Read it again, then send it from this form.",
        incomplete: "Your message did not arrive whole. Send it again.",
        too_large: "Your message is too long. Shorten it, then send it again.",
        media_type: "This format is not supported. Write to us with this form.",
        invalid: ["One field needs a correction.", "{} things need a correction."],
        too_many: "You have sent many messages. Wait {} s, then send again.",
        unavailable: "We cannot take your message at the moment. It is still in the form: send it again in a few minutes.",
    },
    corrections: Corrections {
        fields: Labels {
            name: "your name",
            email: "your email address",
            phone: "your telephone number",
            company: "the name of your company",
            service: "the subject of your enquiry",
            message: "your message",
        },
        this_field: "this field",
        say_consent: "Tell us whether you agree that your data may be used to answer you.",
        missing: "Enter {field}.",
        too_short: [
            "Complete {field}: at least {} character is needed.",
            "Complete {field}: at least {} characters are needed.",
        ],
        too_long: ["Shorten {field}: {} character at most.", "Shorten {field}: {} characters at most."],
        email: "Check your email address: it must be of the form name@example.com.",
        service: "Choose a subject from the list.",
        control_character: "Remove the invisible characters from {field}.",
        consent: "Tick this box so that we may answer you.",
        other: "Correct {field}.",
    },
    wording: DefaultWording {
        promise: "A technician answers you as soon as possible.",
        privacy: "FAST Tech Services uses these data to answer your enquiry. They are kept for three years at most after our last \
                  contact. Your IP address is never stored: only a fingerprint, made with a secret key that changes every month, \
                  serves to ward off abuse. You may ask at any time, with this form, to see your data, to have them corrected or \
                  erased, and complain to the CNIL, the French data protection authority.",
    },
};
