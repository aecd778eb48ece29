import { randomUUID } from 'node:crypto';
import { access, mkdir, open, opendir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { AsideReason } from './answer';
import { Lock } from './lock';
import { SpoolKeys } from './seal';

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;
const HOUR = /^\d{4}-\d{2}-\d{2}T\d{2}$/u;
const MAX_FILE_BYTES = 4 * 32 * 1024;
/** Leads that may wait. One more is refused, and the visitor told to send again later. */
const MAX_LEADS = 100_000;
/** A draft that is older belongs to a process that died: nobody was told that its lead is safe. */
const STALE_MS = 3_600_000;
/** A lead that is encrypted under a key that is not here is put aside once it has been seen for so long. */
const KEY_COMES_WITHIN_MS = 3_600_000;

export interface Waiting {
  path: string;
  name: string;
}

/**
 * Leads on this disk, a file each, in the folders and formats of `fastcore_leads::client::Spool`: sites in Rust and in TypeScript may share
 * one, and deliver each other's.
 */
export class Spool {
  readonly lock: Lock;
  /** How many wait, near enough: other processes put and remove too. */
  #leads = 0;
  /** Since when it is known of files that they cannot be opened. */
  readonly #locked = new Map<string, number>();

  constructor(
    readonly root: string,
    readonly keys?: SpoolKeys,
  ) {
    this.lock = new Lock(root);
  }

  /** Makes the folder, for its owner alone. */
  async start(): Promise<void> {
    await mkdir(this.root, { recursive: true, mode: 0o700 });
    await flush(this.root);
    await flush(dirname(this.root));
    for await (const _ of this.waiting());
  }

  /** Keeps a lead; returns once it is on the disk, not only in its cache. */
  async put(body: Buffer, requestId: string, place: { sentAt: Date } | { aside: AsideReason }): Promise<void> {
    const folder =
      'sentAt' in place ? join(this.root, place.sentAt.toISOString().slice(0, 13)) : join(this.root, 'refused', place.aside);
    const name = `${requestId}.${this.keys ? 'sealed' : 'json'}`;
    // The folder is a setting, none of the project's own files.
    const path = join(/* turbopackIgnore: true */ folder, name);
    if (!(await isThere(path))) {
      if (this.#leads >= MAX_LEADS) throw new Error('the spool is full');
      await this.#write(folder, path, this.keys ? this.keys.seal(body, name) : body, name);
      this.#leads += 1;
    }
    // The folder's own name too: whoever made it may not have come that far.
    for (let flushed = folder; ; flushed = dirname(flushed)) {
      await flush(flushed);
      if (flushed === this.root) return;
    }
  }

  async #write(folder: string, path: string, bytes: Buffer, name: string): Promise<void> {
    const draft = join(folder, `${name}.${randomUUID()}.draft`);
    for (let attempt = 0; ; attempt += 1) {
      try {
        const file = await open(draft, 'wx', 0o600);
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(draft, path);
        return;
      } catch (error) {
        await rm(draft, { force: true });
        // The folder is not there yet, or whoever tidies up took it away. Where it is there, the draft was taken away by somebody who
        // erases: it is not written anew.
        if (codeOf(error) !== 'ENOENT' || attempt === 3 || (await isThere(folder))) throw error;
        await mkdir(folder, { recursive: true, mode: 0o700 });
      }
    }
  }

  /** The leads that wait, by hour; first those that an earlier version left in the spool's own folder. */
  async *waiting(): AsyncGenerator<Waiting> {
    let leads = 0;
    const hours: string[] = [];
    for await (const entry of await opendir(this.root)) {
      if (entry.isDirectory() && HOUR.test(entry.name)) hours.push(join(this.root, entry.name));
    }
    for (const folder of [this.root, ...hours.sort()]) {
      const entries = await opendir(folder).catch(() => undefined);
      if (!entries) continue;
      for await (const entry of entries) {
        if (!entry.isFile() || !/\.(?:json|sealed)$/u.test(entry.name)) continue;
        leads += 1;
        yield { path: join(folder, entry.name), name: entry.name };
      }
    }
    // Gone through to the end: counted anew.
    this.#leads = leads;
  }

  /** The body of a lead that waits; nothing where it is gone, is encrypted under a key that is not here yet, or holds no lead and was put aside. */
  async read({ path, name }: Waiting): Promise<Buffer | undefined> {
    let bytes: Buffer;
    try {
      if ((await stat(path)).size > MAX_FILE_BYTES) {
        await this.putAside({ path, name }, 'unreadable');
        return undefined;
      }
      bytes = await readFile(path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      this.#locked.delete(path);
      return undefined;
    }
    const isSealed = name.endsWith('.sealed');
    // Of several processes that get a new key one after the other, one has it first.
    if (isSealed && !this.keys?.has(SpoolKeys.keyOf(bytes))) {
      const since = this.#locked.get(path) ?? Date.now();
      this.#locked.set(path, since);
      if (Date.now() - since < KEY_COMES_WITHIN_MS) return undefined;
    }
    this.#locked.delete(path);
    const body = isSealed ? this.keys?.open(bytes, name) : bytes;
    if (body && isLead(body)) return body;
    await this.putAside({ path, name }, 'unreadable');
    return undefined;
  }

  /** Removes drafts that nobody writes any more, and folders of hours that are over and empty. */
  async tidyUp(): Promise<void> {
    const now = Date.now();
    const refused = join(this.root, 'refused');
    const folders = [this.root, refused];
    for (const parent of [this.root, refused]) {
      for await (const entry of await opendir(parent).catch(() => [])) if (entry.isDirectory()) folders.push(join(parent, entry.name));
    }
    for (const folder of folders) {
      for await (const entry of await opendir(folder).catch(() => [])) {
        if (!entry.isFile() || !entry.name.endsWith('.draft')) continue;
        const draft = join(folder, entry.name);
        const written = await stat(draft).then(({ mtimeMs }) => mtimeMs, () => now);
        if (now - written > STALE_MS) await rm(draft, { force: true });
      }
      const hour = basename(folder);
      // One that is not empty is not removed.
      if (HOUR.test(hour) && hour < new Date(now).toISOString().slice(0, 13)) await rmdir(folder).catch(() => undefined);
    }
  }

  async remove({ path }: Waiting): Promise<void> {
    await rm(path, { force: true });
  }

  async putAside({ path, name }: Waiting, reason: AsideReason): Promise<void> {
    const folder = join(this.root, 'refused', reason);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      await rename(path, join(folder, name));
    } catch (error) {
      // Another process was faster.
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    await flush(folder);
    await flush(dirname(folder));
    await flush(this.root);
  }
}

const isThere = (path: string) => access(path).then(() => true, () => false);

function isLead(body: Buffer): boolean {
  try {
    const { meta } = JSON.parse(body.toString('utf8')) as { meta: { request_id: unknown } };
    return typeof meta.request_id === 'string';
  } catch {
    return false;
  }
}

/** A name is on the disk once its folder is. A folder that is gone has nothing left to flush. */
async function flush(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
