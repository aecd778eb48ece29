import { createHash, createHmac } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';

/**
 * Keyed hashes of visitors' addresses and user agents, as `fastcore_leads::pseudonym::Pepper` makes them:
 * `<id of the pepper>-<year and month>.<HMAC-SHA-256>`.
 */
export class Pepper {
  readonly #secret: Buffer;
  readonly #id: string;

  constructor(text: string) {
    if (Buffer.byteLength(text) < 16) {
      throw new Error('FASTCORE_IP_PEPPER is shorter than 16 characters: make one with `openssl rand -base64 32`');
    }
    this.#secret = Buffer.from(text);
    this.#id = createHash('sha256').update(`fastcore pepper id\n${text}`).digest('hex').slice(0, 8);
  }

  hashAddress(address: string, now: Date): string {
    return this.#hash('address', bytesOf(address), now);
  }

  hashUserAgent(agent: string, now: Date): string {
    return this.#hash('user agent', Buffer.from(agent, 'latin1'), now);
  }

  /** Signs a text for a purpose. */
  sign(purpose: string, text: string): Buffer {
    return createHmac('sha256', this.#secret).update(`signature\n${purpose}\n${text}`).digest();
  }

  #hash(what: string, value: Buffer, now: Date): string {
    const month = now.toISOString().slice(0, 7).replace('-', '');
    const key = createHmac('sha256', this.#secret).update(`key\n${what}\n${month}\n`).digest();
    return `${this.#id}-${month}.${createHmac('sha256', key).update(value).digest('hex')}`;
  }
}

/** Of IPv4 the four octets, of IPv6 the /64, which is what one household has. */
function bytesOf(address: string): Buffer {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/iu.exec(address)?.[1] ?? address;
  if (isIPv4(mapped)) return Buffer.from(mapped.split('.').map(Number));
  if (!isIPv6(mapped)) return Buffer.from(mapped);
  const [head = '', tail] = mapped.replace(/%.*$/u, '').split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array<string>(Math.max(zeros, 0)).fill('0'), ...after];
  return Buffer.from(all.slice(0, 4).map((group) => group.padStart(4, '0')).join(''), 'hex');
}
