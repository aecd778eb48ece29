import { isIP } from 'node:net';
import type { NextRequest } from 'next/server';
import { take, type Fields, type FieldError } from '../../../../lib/contact';
import { formPage } from '../../../../lib/form-page';
import { site as theSite } from '../../../../lib/site';
import { PROBLEMS, type Problem } from '../../../../lib/texts';

// Files, keyed hashes: not for the edge runtime.
export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

const MAX_BYTES = 512 * 1024;
const STATUS: Record<Problem, number> = {
  cross_site: 403,
  malformed_body: 400,
  body_too_large: 413,
  validation_error: 422,
  too_many_requests: 429,
  unavailable: 503,
};

export async function POST(request: NextRequest): Promise<Response> {
  const site = await theSite();
  const isJson = (request.headers.get('content-type') ?? '').startsWith('application/json');
  const { text, isWhole } = await readBody(request);
  const fields = isJson ? ofJson(text) : ofForm(text);
  const refuse = (problem: Problem, errors: FieldError[] = [], retryAfter?: number) =>
    answer(isJson, problem, errors, fields ?? {}, retryAfter);
  if (!isSameSite(request.headers)) return refuse('cross_site');
  const now = new Date();
  const visitor = site.pepper.hashAddress(addressOf(request.headers, site.proxyHops), now);
  const wait = site.limiter.check(visitor);
  if (wait > 0) return refuse('too_many_requests', [], wait);
  if (!isWhole) return refuse('body_too_large');
  if (!fields) return refuse('malformed_body');
  const outcome = await take(site, fields, visitor, request.headers.get('user-agent'));
  if ('problem' in outcome) return refuse(outcome.problem, outcome.errors);
  const next = `/merci?ref=${outcome.reference}`;
  if (isJson) return Response.json({ ok: true, reference: outcome.reference, next }, { status: 202 });
  return new Response(null, { status: 303, headers: { location: next, 'cache-control': 'no-store' } });
}

function answer(isJson: boolean, problem: Problem, errors: FieldError[], fields: Fields, retryAfter?: number): Response {
  const headers = new Headers({ 'cache-control': 'no-store' });
  if (retryAfter !== undefined) headers.set('retry-after', String(retryAfter));
  const status = STATUS[problem];
  if (isJson) {
    headers.set('content-type', 'application/problem+json');
    const body = { type: 'about:blank', status, detail: PROBLEMS[problem], ok: false, error: problem, errors };
    return new Response(JSON.stringify(body), { status, headers });
  }
  headers.set('content-type', 'text/html; charset=utf-8');
  // Nobody agrees in a visitor's name.
  const shown = problem === 'cross_site' ? { ...fields, consent: false } : fields;
  return new Response(formPage(shown, PROBLEMS[problem], errors), { status, headers });
}

async function readBody(request: NextRequest): Promise<{ text: string; isWhole: boolean }> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    if (length > MAX_BYTES) {
      await reader.cancel();
      return { text: Buffer.concat(parts).subarray(0, MAX_BYTES).toString('utf8'), isWhole: false };
    }
  }
  return { text: Buffer.concat(parts).toString('utf8'), isWhole: true };
}

function ofJson(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const isField = ([, field]: [string, unknown]) => typeof field === 'string' || typeof field === 'boolean';
    return Object.fromEntries(Object.entries(value).filter(isField)) as Fields;
  } catch {
    return undefined;
  }
}

function ofForm(text: string): Fields {
  return Object.fromEntries(new URLSearchParams(text));
}

/** Whether a post comes from the site itself (OWASP, Cross-Site Request Forgery Prevention). */
function isSameSite(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site === 'same-origin' || site === 'none';
  const origin = headers.get('origin');
  return origin === null || (URL.canParse(origin) && new URL(origin).host === headers.get('host'));
}

/** The visitor's address, as the outermost trusted proxy saw it. Without a proxy `start.mjs` notes where a connection comes from. */
function addressOf(headers: Headers, proxyHops: number): string {
  const entries = (headers.get('x-forwarded-for') ?? '').split(',').map((entry) => entry.trim());
  const address = entries.at(-Math.max(proxyHops, 1)) ?? entries[0] ?? '';
  return isIP(address) ? address : '0.0.0.0';
}
