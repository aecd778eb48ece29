// A colleague's morning, in whatever engine: what is done stands once in the audit trail, with the name of who did it.
import assert from 'node:assert/strict';
import { start } from './service.mjs';

export const MARIE = 'a-token-of-marie-0123456789';
const JEAN = 'a-token-of-jean-0123456789';

/** A service with leads to be worked on. */
export async function office(options = []) {
  const operators = `marie:read+reveal+work+erase=${MARIE},jean=${JEAN}`;
  const service = await start(options, { FASTCORE_OPERATOR_TOKENS: operators });
  await service.send({ name: 'Aïcha Ben Salah', email: 'aicha@example.com', service: 'cabines', company: 'Garage du Port' });
  return {
    ...service,
    first: await service.send({ service: 'ponts', message: 'Notre pont ne monte plus.\nPouvez-vous passer ?' }),
    spam: await service.send({ email: 'spam@example.com', suspicion: ['honeypot'] }),
    gone: await service.send({ name: '<img src=x onerror=alert(1)>', email: 'autre@example.com', service: 'diagnostic' }),
  };
}

/**
 * `window` is a browser's: open, click, fill, choose; see a text, or that an element is there; and what is looked at on the way: look.
 */
export async function morning(window, service) {
  const lead = (id) => `${service.url}/staff/leads/${id}`;
  await window.open(`${service.url}/staff/sign-in?lang=fr`);
  await window.see('Votre jeton d’accès');
  await window.look('1-sign-in');
  await window.fill('#token', MARIE);
  await window.click('main button');
  await window.see('Connecté : marie');

  await window.click('.quick a');
  await window.see('Quarantaine');
  await window.choose('#service', 'ponts');
  await window.click('.filter button');
  await window.see('Ponts élévateurs');
  await window.look('2-list');
  await window.click('.leads tbody a');
  await window.see('Les données personnelles sont masquées');
  await window.look('3-lead-masked');
  await window.click('form[action$="/reveal"] button');
  await window.see('Notre pont ne monte plus.');
  await window.click('form[action$="/assignee"] button');
  await window.see('Attribuée à marie');
  await window.fill('#text', 'Jean rappelle lundi, à 9 h');
  await window.click('form[action$="/notes"] button');
  await window.see('Jean rappelle lundi');
  await window.fill('#reason', 'appelé ce matin');
  await window.click('button[value="processing"]');
  await window.see('Prise en charge (En cours)');
  await window.look('4-lead-worked');

  await window.open(`${service.url}/staff?status=quarantined`);
  await window.see('personne n’en a été averti');
  await window.look('5-quarantine');
  await window.click('.leads tbody a');
  await window.see('honeypot');
  await window.click('form[action$="/release"] button');
  await window.see('Libérée de la quarantaine');

  await window.open(lead(service.gone));
  await window.see('Effacer…');
  await window.click('.danger');
  await window.see('Effacer cette demande ?');
  await window.look('6-erase');
  await window.fill('#reason', 'demandé par lettre');
  await window.click('.dangerous');
  await window.see('Cette demande a été effacée.');

  await window.open(`${service.url}/staff`);
  await window.fill('#words', 'SALA aicha');
  await window.click('.search button');
  await window.see('A***');
  await window.look('8-search');
  await window.click('.leads tbody a');
  await window.see('Les données personnelles sont masquées');

  await window.open(`${service.url}/staff`);
  await window.see('Demandes');
  await window.download?.('form[action$="/export"] button[value="true"]');
  await window.open(`${service.url}/staff/dashboard`);
  await window.see('Attente médiane');
  await window.look('7-dashboard');
  await window.click('.who button');
  await window.there('#token');
  await window.open(lead(service.first));
  await window.there('#token');

  const trail = (id) => {
    const events = service.lead(id).audit.filter(({ actor }) => actor === 'marie');
    return events.map(({ event }) => event);
  };
  assert.deepEqual(trail(service.first), ['LEAD_REVEALED', 'LEAD_ASSIGNED', 'LEAD_NOTED', 'LEAD_PROCESSED']);
  assert.deepEqual(trail(service.spam), ['LEAD_RELEASED']);
  assert.deepEqual(trail(service.gone), ['LEAD_ERASED']);
}
