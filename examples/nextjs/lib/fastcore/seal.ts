import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';

const MAGIC = Buffer.from('fcspool1');
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 24;

/** The keys of an encrypted spool, as `fastcore_leads::client::SpoolKeys` reads them: the first encrypts, each decrypts. */
export class SpoolKeys {
  readonly #keys: { id: Buffer; key: Buffer }[];

  constructor(text: string) {
    const lines = text.split(/\r?\n/u).map((line) => line.trim());
    this.#keys = lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        if (!/^[0-9a-f]{64}$/iu.test(line)) throw new Error('a line of the spool\'s keys is no key: make one with `openssl rand -hex 32`');
        const key = Buffer.from(line, 'hex');
        const id = createHash('sha256').update('fastcore spool key id\n').update(key).digest().subarray(0, KEY_ID_BYTES);
        return { id, key };
      });
    if (this.#keys.length === 0) throw new Error('there is no key for the spool: make one with `openssl rand -hex 32`');
  }

  static fromFile(path: string): SpoolKeys {
    return new SpoolKeys(readFileSync(path, 'utf8'));
  }

  seal(text: Uint8Array, fileName: string): Buffer {
    const { id, key } = this.#keys[0]!;
    const nonce = randomBytes(NONCE_BYTES);
    const sealed = xchacha20poly1305(key, nonce, Buffer.from(fileName)).encrypt(text);
    return Buffer.concat([MAGIC, id, nonce, sealed]);
  }

  /** The id of the key that a file is sealed with. */
  static keyOf(bytes: Buffer): Buffer {
    return bytes.subarray(MAGIC.length, MAGIC.length + KEY_ID_BYTES);
  }

  has(keyId: Buffer): boolean {
    return this.#keys.some(({ id }) => id.equals(keyId));
  }

  /** What was sealed under this name; nothing where the key is not here, or the file is not as it was written. */
  open(bytes: Buffer, fileName: string): Buffer | undefined {
    const start = MAGIC.length + KEY_ID_BYTES;
    if (bytes.length < start + NONCE_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
    const known = this.#keys.find(({ id }) => id.equals(bytes.subarray(MAGIC.length, start)));
    if (!known) return undefined;
    const nonce = bytes.subarray(start, start + NONCE_BYTES);
    try {
      return Buffer.from(xchacha20poly1305(known.key, nonce, Buffer.from(fileName)).decrypt(bytes.subarray(start + NONCE_BYTES)));
    } catch {
      return undefined;
    }
  }
}
