/** Why a lead is put aside in the spool; each has a folder of its name. */
export type AsideReason = 'conflict' | 'invalid' | 'failing' | 'unreadable';

/** What an attempt came to. An answer is believed only if it is FASTCore's. */
export type Verdict =
  | { is: 'stored'; leadId: string }
  | { is: 'erased' }
  | { is: 'refused'; reason: AsideReason }
  | { is: 'failing' }
  | { is: 'unavailable'; waitMs: number }
  | { is: 'misconfigured' }
  | { is: 'foreign' };

/** FASTCore says what is wrong with a word of its own, under the status that belongs to the word. */
const PROBLEMS: Record<string, { status: number[]; verdict: (waitMs: number) => Verdict }> = {
  malformed_body: { status: [400], verdict: () => ({ is: 'refused', reason: 'invalid' }) },
  body_too_large: { status: [413], verdict: () => ({ is: 'refused', reason: 'invalid' }) },
  unsupported_media_type: { status: [415], verdict: () => ({ is: 'refused', reason: 'invalid' }) },
  validation_error: { status: [422, 400], verdict: () => ({ is: 'refused', reason: 'invalid' }) },
  request_id_conflict: { status: [409], verdict: () => ({ is: 'refused', reason: 'conflict' }) },
  lead_erased: { status: [410], verdict: () => ({ is: 'erased' }) },
  unauthorized: { status: [401], verdict: () => ({ is: 'misconfigured' }) },
  source_forbidden: { status: [403], verdict: () => ({ is: 'misconfigured' }) },
  method_not_allowed: { status: [405], verdict: () => ({ is: 'misconfigured' }) },
  internal: { status: [500], verdict: () => ({ is: 'failing' }) },
  request_timeout: { status: [408], verdict: (waitMs) => ({ is: 'unavailable', waitMs }) },
  unavailable: { status: [503], verdict: (waitMs) => ({ is: 'unavailable', waitMs }) },
};

/** Whoever stands between says that it is to be tried again, which is right whoever says it. */
const TRY_AGAIN = [408, 429, 502, 503, 504];
const LONGEST_WAIT_MS = 60_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/iu;

export function read(status: number, retryAfter: string | null, text: string): Verdict {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  const member = (name: string): unknown =>
    typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined;
  const seconds = /^\d{1,6}$/u.test(retryAfter ?? '') ? Number(retryAfter) : 0;
  const waitMs = Math.min(seconds * 1000, LONGEST_WAIT_MS);
  if (status === 201) {
    const leadId = member('leadId');
    return typeof leadId === 'string' && UUID.test(leadId) ? { is: 'stored', leadId } : { is: 'foreign' };
  }
  const word = member('error');
  const problem = typeof word === 'string' && Object.hasOwn(PROBLEMS, word) ? PROBLEMS[word] : undefined;
  if (problem?.status.includes(status)) return problem.verdict(waitMs);
  return TRY_AGAIN.includes(status) ? { is: 'unavailable', waitMs } : { is: 'foreign' };
}
