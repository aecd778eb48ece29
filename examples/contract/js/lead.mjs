// The contract's rules as a Zod schema, as a site written in JavaScript would hold its form to them.
import { z } from 'zod';

const codePoints = (text) => [...text].length;
const bytes = (text) => new TextEncoder().encode(text).length;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/u;
const CONTROL_BUT_LINE_BREAKS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/u;
const HEX = '[0-9a-f]';
const HYPHENATED = `${HEX}{8}-${HEX}{4}-${HEX}{4}-${HEX}{4}-${HEX}{12}`;
const UUID = new RegExp(`^(?:${HYPHENATED}|${HEX}{32}|\\{${HYPHENATED}\\}|urn:uuid:${HYPHENATED})$`, 'iu');
const NIL_OR_MAX = /^(?:urn:uuid:|\{)?(?:[0-]+|[f-]+)\}?$/iu;
const RFC_3339 =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[T ](?:[01]\d|2[0-3]):[0-5]\d(?::(?:[0-5]\d|60)(?:\.\d+)?)?(?:Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)?$/iu;

// A message is the contract's code; a member that is not there, or null, is `required`.
const type = (code) => ({ error: ({ input }) => (input === undefined || input === null ? 'required' : code) });

function bounded(context, text, min, max) {
  const length = codePoints(text);
  if (length < min) context.addIssue({ code: 'custom', message: 'too_short' });
  if (length > max) context.addIssue({ code: 'custom', message: 'too_long' });
}

// Unicode's White_Space, as the contract trims; trim() knows U+FEFF instead of U+0085.
// From both ends: an expression for it takes the square of a text's length.
const WHITE_SPACE = /\p{White_Space}/u;
const trim = (text) => {
  let start = 0;
  let end = text.length;
  while (start < end && WHITE_SPACE.test(text[start])) start += 1;
  while (end > start && WHITE_SPACE.test(text[end - 1])) end -= 1;
  return text.slice(start, end);
};

// Line breaks as the contract counts and compares them.
const withLineFeeds = (text) => text.replace(/\r\n?/gu, '\n');

const text = (min, max, refused = CONTROL, clean = trim) =>
  z.string(type('not_a_string')).transform(clean).superRefine((value, context) => {
    if (refused.test(value)) context.addIssue({ code: 'custom', message: 'control_character' });
    bounded(context, value, min, max);
  });

const string = (check) => z.string(type('not_a_string')).superRefine(check);

// null, an empty text and blanks are the same as none.
const optional = (schema) =>
  z.preprocess(
    (value) => (value === null || (typeof value === 'string' && trim(value) === '') ? undefined : value),
    schema.optional(),
  );

const email = string((value, context) => {
  const address = trim(value);
  const [local = ''] = address.split('@');
  const isOne =
    !/[\r\n]/u.test(value) &&
    z.email({ pattern: z.regexes.unicodeEmail }).safeParse(address).success &&
    z.email({ pattern: z.regexes.html5Email }).safeParse(address).success &&
    /\.[^.@]*[a-z]$/iu.test(address) &&
    !/(?:^|[.@])(?:arpa|invalid|local|localhost|onion|test)$/iu.test(address) &&
    !/^\.|\.\.|\.@/u.test(address) &&
    bytes(local) <= 64 &&
    bytes(address) <= 254;
  if (!isOne) context.addIssue({ code: 'custom', message: 'email_invalid' });
});

const hash = (value, context) => {
  if (CONTROL.test(value)) context.addIssue({ code: 'custom', message: 'control_character' });
  else if (!/^[\u0021-\u007e]*$/u.test(value)) context.addIssue({ code: 'custom', message: 'hash_invalid' });
  bounded(context, value, 1, 128);
};

const ipHash = string((value, context) => {
  const bare = value.replace(/^\[(.*)\](?::\d+)?$/u, '$1').replace(/[%/].*$/u, '');
  const isAddress = [bare, bare.replace(/:\d+$/u, '')].some(
    (text) => z.ipv4().safeParse(text).success || z.ipv6().safeParse(text).success,
  );
  if (isAddress) context.addIssue({ code: 'custom', message: 'ip_address' });
  else hash(value, context);
});

const instant = string((value, context) => {
  const [, month, day] = value.split(/\D/u).map(Number);
  const last = new Date(Date.UTC(Number(value.slice(0, 4)), month, 0)).getUTCDate();
  if (!RFC_3339.test(value) || bytes(value) > 64 || value.startsWith('0000') || day > last)
    context.addIssue({ code: 'custom', message: 'timestamp_invalid' });
});

const locale = text(1, 35).superRefine((value, context) => {
  if (value.length === 0 || value.length > 35) return;
  try {
    Intl.getCanonicalLocales(value);
  } catch {
    context.addIssue({ code: 'custom', message: 'locale_invalid' });
  }
});

const suspicionCode = string((value, context) => {
  if (!/^[a-z0-9_]*$/u.test(value)) context.addIssue({ code: 'custom', message: 'suspicion_invalid' });
  bounded(context, value, 1, 40);
});

/** The schema; `consentRequired` is what the service is set to. */
export const lead = ({ consentRequired = false } = {}) =>
  z.object(
    {
      name: text(2, 80),
      email,
      phone: optional(text(1, 30)),
      company: optional(text(1, 120)),
      service: optional(
        z
          .string(type('not_a_string'))
          .refine((word) => ['ponts', 'cabines', 'compresseurs', 'diagnostic', 'autre'].includes(word), 'service_unknown'),
      ),
      message: text(20, 2000, CONTROL_BUT_LINE_BREAKS, (value) => trim(withLineFeeds(value))),
      consent: z
        .boolean(type('not_a_boolean'))
        .refine((given) => given || !consentRequired, 'consent_required'),
      meta: z.object(
        {
          source: text(1, 50),
          request_id: string((value, context) => {
            if (!UUID.test(value) || NIL_OR_MAX.test(value)) context.addIssue({ code: 'custom', message: 'uuid_invalid' });
          }),
          ip_hash: ipHash,
          user_agent_hash: optional(string(hash)),
          timestamp_utc: instant,
          consent: z.object({ version: text(1, 80), locale, given_at: instant }, type('not_an_object')).nullish(),
          suspicion: z.array(suspicionCode, type('not_a_list')).max(8, 'too_many').nullish(),
        },
        type('not_an_object'),
      ),
    },
    type('malformed_body'),
  );

/** Reads bytes as the contract asks, and answers a verdict with its errors. */
export function verdict(body, policy) {
  if (body.length > 32 * 1024) return { verdict: 'body_too_large' };
  let value;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return { verdict: 'malformed_body' };
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return { verdict: 'malformed_body' };
  const result = lead({ consentRequired: policy === 'consent_required' }).safeParse(value);
  if (result.success) return { verdict: 'accepted' };
  const errors = result.error.issues.map(({ path, message }) => ({ pointer: `/${path.join('/')}`, code: message }));
  return { verdict: 'validation_error', errors };
}
