import { createHash } from 'node:crypto';
import type { Lead } from './lead';

/**
 * The id that a lead is sent under: a UUIDv8 that follows from the form's own id and from what the visitor wrote. The Rust client
 * derives the same one: `fastcore_leads::client::request_id`.
 */
export function requestId(form: string, lead: Lead): string {
  const { company = null, consent, email, message, name, phone = null, service = null } = lead;
  // In the order of the alphabet, without white space.
  const content = JSON.stringify([form, { company, consent, email, message, name, phone, service }]);
  const bytes = createHash('sha256').update(content).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
