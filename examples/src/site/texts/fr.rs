use fastcore_leads::Service;

use crate::web::Language;

use super::{Corrections, DefaultWording, Labels, Problems, Texts};

pub(super) const SERVICES: [(Service, &str); 5] = [
    (Service::Ponts, "Ponts élévateurs"),
    (Service::Cabines, "Cabines de peinture"),
    (Service::Compresseurs, "Compresseurs"),
    (Service::Diagnostic, "Diagnostic"),
    (Service::Autre, "Autre demande"),
];

pub(super) static TEXTS: Texts = Texts {
    language: Language::French,
    locale: "fr-FR",
    trade: "Équipements de garage : vente, pose, dépannage",
    contact_title: "Contact",
    error_title: "Erreur : ",
    heading: "Contactez-nous",
    introduction: "Une panne, un devis, une question ? Écrivez-nous.",
    marked: ["Les champs marqués", "sont nécessaires pour vous répondre."],
    required: "obligatoire",
    optional: "facultatif",
    labels: Labels {
        name: "Nom",
        email: "Adresse e-mail",
        phone: "Téléphone",
        company: "Entreprise",
        service: "Sujet",
        message: "Message",
    },
    choose_service: "Choisissez un sujet",
    message_hint: "Décrivez l’équipement et la panne en quelques phrases, {} caractères au plus.",
    trap: "Laissez ce champ vide",
    consent: "J’accepte que mes données servent à répondre à ma demande.",
    send: "Envoyer",
    sending: "Envoi en cours…",
    is_being_sent: "Envoi de votre message…",
    not_sent: "L’envoi n’a pas abouti. Votre message est toujours là : envoyez-le de nouveau dans un instant.",
    left: ["{} caractère restant", "{} caractères restants"],
    too_many_characters: ["{} caractère de trop", "{} caractères de trop"],
    privacy_title: "Vos données personnelles",
    thanks_title: "Message envoyé",
    thanks: "Merci, votre message est bien arrivé",
    reference: "Votre référence :",
    another: "Envoyer un autre message",
    problems: Problems {
        cross_site: "Ce message n’a pas été envoyé depuis notre site. Relisez-le, puis envoyez-le à partir de ce formulaire.",
        incomplete: "Votre message nous est parvenu incomplet. Envoyez-le de nouveau.",
        too_large: "Votre message est trop long. Raccourcissez-le, puis envoyez-le de nouveau.",
        media_type: "Ce format n’est pas pris en charge. Écrivez-nous à partir de ce formulaire.",
        invalid: ["Un champ est à corriger.", "{} points sont à corriger."],
        too_many: "Vous avez envoyé beaucoup de messages. Attendez {} s, puis envoyez de nouveau.",
        unavailable: "Nous ne pouvons pas enregistrer votre message pour le moment. Il est toujours dans le formulaire : \
                      envoyez-le de nouveau dans quelques minutes.",
    },
    corrections: Corrections {
        fields: Labels {
            name: "votre nom",
            email: "votre adresse e-mail",
            phone: "votre numéro de téléphone",
            company: "le nom de votre entreprise",
            service: "le sujet de votre demande",
            message: "votre message",
        },
        this_field: "ce champ",
        say_consent: "Dites-nous si vous acceptez que vos données servent à vous répondre.",
        missing: "Indiquez {field}.",
        too_short: [
            "Complétez {field} : il faut au moins {} caractère.",
            "Complétez {field} : il faut au moins {} caractères.",
        ],
        too_long: ["Raccourcissez {field} : {} caractère au plus.", "Raccourcissez {field} : {} caractères au plus."],
        email: "Vérifiez votre adresse e-mail : elle doit être de la forme nom@exemple.fr.",
        service: "Choisissez un sujet de la liste.",
        control_character: "Retirez les caractères invisibles : {field} en contient.",
        consent: "Cochez cette case pour que nous puissions vous répondre.",
        other: "Corrigez {field}.",
    },
    wording: DefaultWording {
        promise: "Un technicien vous répond dès que possible.",
        privacy: "FAST Tech Services traite ces données pour répondre à votre demande. Elles sont conservées trois ans au plus après \
                  notre dernier contact. Votre adresse IP n’est jamais enregistrée : seule une empreinte, calculée avec une clé \
                  secrète qui change chaque mois, sert à écarter les abus. Vous pouvez demander à tout moment, par ce formulaire, \
                  l’accès à vos données, leur rectification ou leur effacement, et saisir la CNIL.",
    },
};
