import { createHash } from 'node:crypto';
import { lead as schemaOf } from 'fastcore-leads-contract';
import { clean, isReadable, type Kind } from './fastcore/clean';
import type { Body, Lead } from './fastcore/lead';
import { requestId } from './fastcore/request-id';
import type { Site } from './site';
import { CONSENT, correction, type Problem } from './texts';
import { readTicket } from './ticket';

export interface FieldError {
  pointer: string;
  code: string;
  detail: string;
}

export type Outcome = { reference: string } | { problem: Problem; errors: FieldError[] };

/** The fields of a post, as they came. */
export type Fields = Record<string, string | boolean>;

/** UTF-16 units: more than 2,000 characters, which is the longest field, and one. */
const LONGEST = 4001;
const MAX_FILL_MS = 24 * 3600 * 1000;
const KINDS: Record<keyof Omit<Lead, 'consent'>, Kind> = {
  name: 'line',
  email: 'code',
  phone: 'code',
  company: 'line',
  service: 'code',
  message: 'text',
};

/** Takes in a contact form: cleans, judges, and hands over. Returns once the lead is in FASTCore or safe on this disk. */
export async function take(site: Site, fields: Fields, visitor: string, agent: string | null): Promise<Outcome> {
  const now = new Date();
  const cleaned: Partial<Record<keyof Lead, string>> = {};
  for (const [name, kind] of Object.entries(KINDS) as [keyof typeof KINDS, Kind][]) {
    const value = fields[name];
    // What is longer is too long, however it is counted; the schema's expressions are spared the rest.
    const text = typeof value === 'string' ? clean(value, kind).slice(0, LONGEST) : '';
    if (text !== '') cleaned[name] = text;
  }
  const consent = fields.consent === true || fields.consent === 'true' || fields.consent === 'on';
  const ticket = typeof fields.ticket === 'string' ? readTicket(site.pepper, fields.ticket) : undefined;
  const suspicion: string[] = [];
  if (fields.suite) suspicion.push('honeypot');
  if (!ticket) suspicion.push('no_ticket');
  else if (now.getTime() - ticket.shownAt < site.minFillMs) suspicion.push('too_fast');
  else if (now.getTime() - ticket.shownAt > MAX_FILL_MS) suspicion.push('stale_ticket');
  if (cleaned.message && !isReadable(cleaned.message)) suspicion.push('unreadable');
  // Without a ticket the content says which form it is, so that its repetitions are one lead too.
  const form = ticket?.requestId ?? formOf(site, visitor, JSON.stringify({ ...cleaned, consent }));
  const instant = now.toISOString();
  const body = {
    ...cleaned,
    consent,
    meta: {
      source: site.source,
      request_id: form,
      ip_hash: visitor,
      ...(agent ? { user_agent_hash: site.pepper.hashUserAgent(agent, now) } : {}),
      timestamp_utc: instant,
      ...(consent ? { consent: { version: CONSENT.version, locale: CONSENT.locale, given_at: instant } } : {}),
      suspicion,
    },
  };
  const judged = schemaOf().safeParse(body);
  if (!judged.success) {
    const errors = judged.error.issues.map(({ path, message }) => {
      const field = String(path[0] ?? '');
      return { pointer: `/${path.join('/')}`, code: message, detail: correction(field, message) };
    });
    return { problem: 'validation_error', errors };
  }
  const valid = { ...(judged.data as unknown as Body) };
  valid.meta = { ...valid.meta, request_id: requestId(form, valid) };
  try {
    await site.client.deliver(valid);
  } catch {
    return { problem: 'unavailable', errors: [] };
  }
  return { reference: valid.meta.request_id };
}

function formOf(site: Site, visitor: string, content: string): string {
  const hex = createHash('sha256').update(site.pepper.sign(visitor, content)).digest('hex').slice(0, 32);
  const marked = `${hex.slice(0, 12)}8${hex.slice(13, 16)}8${hex.slice(17)}`;
  return marked.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/u, '$1-$2-$3-$4-$5');
}
