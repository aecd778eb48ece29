import type { Fields, FieldError } from './contact';
import { CONSENT, SERVICES } from './texts';

const escape = (text: unknown) =>
  String(text ?? '').replace(/[&<>"']/gu, (sign) => `&#${sign.codePointAt(0)};`);

/** The form again, as it was filled, with what is to be corrected: for browsers whose scripts do not run. */
export function formPage(fields: Fields, problem: string, errors: FieldError[]): string {
  const error = (id: string) =>
    errors.filter(({ pointer }) => pointer === `/${id}`).map(({ detail }) => `<p class="error" id="${id}-error">${escape(detail)}</p>`).join('');
  const input = (id: string, label: string, type: string) =>
    `<p><label for="${id}">${label}</label>${error(id)}<input id="${id}" name="${id}" type="${type}" value="${escape(fields[id])}"></p>`;
  const options = SERVICES.map(
    ([value, label]) => `<option value="${value}"${fields.service === value ? ' selected' : ''}>${label}</option>`,
  ).join('');
  const isTicked = fields.consent === true || fields.consent === 'true' || fields.consent === 'on';
  return `<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>Erreur : Contact</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>Contactez-nous</h1>
<div role="alert"><h2>${escape(problem)}</h2></div>
<form id="contact" method="post" action="/api/forms/contact" novalidate>
<input type="hidden" name="ticket" value="${escape(fields.ticket)}">
${input('name', 'Nom', 'text')}${input('email', 'Adresse e-mail', 'email')}${input('phone', 'Téléphone', 'tel')}${input('company', 'Entreprise', 'text')}
<p><label for="service">Sujet</label>${error('service')}<select id="service" name="service"><option value="">Choisissez un sujet</option>${options}</select></p>
<p><label for="message">Message</label>${error('message')}<textarea id="message" name="message" rows="7">
${escape(fields.message)}</textarea></p>
<p hidden><input name="suite" tabindex="-1" autocomplete="off" data-1p-ignore data-lpignore="true"></p>
<p><input id="consent" name="consent" type="checkbox" value="true"${isTicked ? ' checked' : ''}><label for="consent">${CONSENT.text}</label>${error('consent')}</p>
<button id="send" type="submit">Envoyer</button></form></main></body></html>`;
}
