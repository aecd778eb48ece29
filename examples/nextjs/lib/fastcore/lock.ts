import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

/** A lock that was not touched for so long was left behind. */
const STALE_MS = 15_000;
const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';

/**
 * One drainer, many writers, as in `fastcore_leads::client`: `drainer.lock` holds the id of whoever delivers, who touches it; who must not
 * have a lead delivered meanwhile makes `drainer.wanted`.
 */
export class Lock {
  readonly #held: string;
  readonly #wanted: string;
  readonly #owner = randomUUID();

  constructor(root: string) {
    this.#held = join(root, 'drainer.lock');
    this.#wanted = join(root, 'drainer.wanted');
  }

  /** Takes the lock, or keeps it. `wanted`: it is held here, and to be released once nothing is under way. */
  async tend(): Promise<'ours' | 'wanted' | 'not ours'> {
    const isHeld = await this.#isHeld();
    if (await isFresh(this.#wanted)) {
      if (isHeld) await touch(this.#held);
      return isHeld ? 'wanted' : 'not ours';
    }
    if (isHeld) {
      await touch(this.#held);
      return 'ours';
    }
    if (await isFresh(this.#held)) return 'not ours';
    if (!(await this.#putStaleAway())) return 'not ours';
    try {
      const file = await open(this.#held, 'wx', 0o600);
      await file.writeFile(this.#owner).catch(async (error: unknown) => {
        // Without an owner it would be taken for somebody's.
        await rm(this.#held, { force: true });
        throw error;
      }).finally(() => file.close());
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') return 'not ours';
      // To deliver needs no room, and makes some. Two that do so at once only do the work twice.
      if (code === 'ENOSPC' || code === 'EDQUOT') return 'ours';
      throw error;
    }
    // Somebody may have asked for it since it was looked for.
    if ((await isFresh(this.#wanted)) || !(await this.#isHeld())) {
      await this.release();
      return 'not ours';
    }
    return 'ours';
  }

  /** Takes a lock away that was left behind; answers whether there is none now. One that somebody took meanwhile is given back. */
  async #putStaleAway(): Promise<boolean> {
    const away = `${this.#held}.${randomUUID()}`;
    try {
      await rename(this.#held, away);
    } catch (error) {
      if (isMissing(error)) return true;
      throw error;
    }
    const isStale = !(await isFresh(away));
    // Whoever made another meanwhile keeps that.
    if (!isStale) await link(away, this.#held).catch(() => undefined);
    await rm(away, { force: true });
    return isStale;
  }

  async release(): Promise<void> {
    if (await this.#isHeld()) await rm(this.#held, { force: true });
  }

  async #isHeld(): Promise<boolean> {
    return readFile(this.#held, 'utf8').then((owner) => owner === this.#owner, () => false);
  }
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

async function isFresh(path: string): Promise<boolean> {
  try {
    return Math.abs(Date.now() - (await stat(path)).mtimeMs) < STALE_MS;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
