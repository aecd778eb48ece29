import { randomUUID, timingSafeEqual } from 'node:crypto';
import type { Pepper } from './fastcore/pseudonym';

const PURPOSE = 'ticket of a contact form';
const SHAPE = /^([0-9a-f]{32})\.(\d{1,15})\.([0-9a-f]{64})$/u;

/** What goes out with a form and comes back with its post: its id, and when it was shown; signed. */
export interface Ticket {
  requestId: string;
  shownAt: number;
}

export function issue(pepper: Pepper): string {
  const signed = `${randomUUID().replaceAll('-', '')}.${Date.now()}`;
  return `${signed}.${pepper.sign(PURPOSE, signed).toString('hex')}`;
}

/** Reads a ticket that came back; nothing where it is none of ours. */
export function readTicket(pepper: Pepper, text: string): Ticket | undefined {
  const [, id, shownAt, signature] = SHAPE.exec(text) ?? [];
  if (!id || !shownAt || !signature) return undefined;
  if (!timingSafeEqual(pepper.sign(PURPOSE, `${id}.${shownAt}`), Buffer.from(signature, 'hex'))) return undefined;
  const requestId = id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/u, '$1-$2-$3-$4-$5');
  return { requestId, shownAt: Number(shownAt) };
}
