/** What visitors are told. The code is the contract's, the field its pointer. */
const FIELDS: Record<string, string> = {
  name: 'votre nom',
  email: 'votre adresse e-mail',
  phone: 'votre numéro de téléphone',
  company: 'le nom de votre entreprise',
  service: 'le sujet de votre demande',
  message: 'votre message',
};

export function correction(field: string, code: string): string {
  const named = FIELDS[field] ?? 'ce champ';
  switch (code) {
    case 'required':
      return field === 'consent' ? 'Dites-nous si vous acceptez que vos données servent à vous répondre.' : `Indiquez ${named}.`;
    case 'too_short':
      return `Complétez ${named}.`;
    case 'too_long':
      return `Raccourcissez ${named}.`;
    case 'email_invalid':
      return 'Vérifiez votre adresse e-mail : elle doit être de la forme nom@exemple.fr.';
    case 'service_unknown':
      return 'Choisissez un sujet de la liste.';
    case 'consent_required':
    case 'not_a_boolean':
      return 'Cochez cette case pour que nous puissions vous répondre.';
    default:
      return `Corrigez ${named}.`;
  }
}

export const PROBLEMS = {
  cross_site: 'Ce message n’a pas été envoyé depuis notre site. Relisez-le, puis envoyez-le à partir de ce formulaire.',
  malformed_body: 'Votre message nous est parvenu incomplet. Envoyez-le de nouveau.',
  body_too_large: 'Votre message est trop long. Raccourcissez-le, puis envoyez-le de nouveau.',
  validation_error: 'Des champs sont à corriger.',
  too_many_requests: 'Vous avez envoyé beaucoup de messages. Attendez une minute, puis envoyez de nouveau.',
  unavailable:
    'Nous ne pouvons pas enregistrer votre message pour le moment. Il est toujours dans le formulaire : envoyez-le de nouveau dans quelques minutes.',
} as const;

export type Problem = keyof typeof PROBLEMS;

/** Which text a visitor agrees to: it changes with the text. */
export const CONSENT = { version: 'contact-nextjs-1', locale: 'fr-FR', text: 'J’accepte que mes données servent à répondre à ma demande.' };

export const SERVICES: [string, string][] = [
  ['ponts', 'Ponts élévateurs'],
  ['cabines', 'Cabines de peinture'],
  ['compresseurs', 'Compresseurs'],
  ['diagnostic', 'Diagnostic'],
  ['autre', 'Autre demande'],
];
