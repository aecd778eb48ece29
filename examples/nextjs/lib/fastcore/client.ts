import { setTimeout as pause } from 'node:timers/promises';
import { read, type Verdict } from './answer';
import type { Body } from './lead';
import type { Spool, Waiting } from './spool';

const TIMEOUT_MS = 3_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const TICK_MS = 500;
const IDLE_MS = 5_000;
const LONGEST_PAUSE_MS = 15_000;
/** So many leads in a row that cannot be delivered end a round: the others would fare alike. */
const MAX_FAILURES = 3;
const MAX_REMEMBERED = 10_000;
const TIDY_UP_EVERY_MS = 60_000;

export type Delivery = 'delivered' | 'spooled';

export interface Settings {
  baseUrl: string;
  token: string;
  /** None where there is no disk, as on serverless platforms: a lead is then thanked for once FASTCore has it. */
  spool?: Spool;
}

/** Hands leads to FASTCore: at once where it answers, by way of the spool where it does not. */
export class Client {
  readonly #settings: Settings;
  #downUntil = 0;
  #isStopped = false;
  #tidied = 0;
  /** Files of leads that were not taken. */
  readonly #failed = new Set<string>();
  #drainer: Promise<void> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Returns once the lead is stored in FASTCore or safe in the spool; throws where it is neither. */
  async deliver(body: Body): Promise<Delivery> {
    const { spool } = this.#settings;
    const bytes = Buffer.from(JSON.stringify(body));
    const id = body.meta.request_id;
    const isDown = spool !== undefined && Date.now() < this.#downUntil;
    let verdict: Verdict = isDown ? { is: 'unavailable', waitMs: 0 } : await this.#send(bytes);
    if (verdict.is === 'unavailable' && !isDown) this.#downUntil = Date.now() + 1_000 + Math.random() * 1_000;
    if (verdict.is === 'stored' || verdict.is === 'erased') return 'delivered';
    if (!spool) throw new Error(`FASTCore did not take the lead (${verdict.is}), and there is nowhere to keep it`);
    const place = verdict.is === 'refused' ? { aside: verdict.reason } : { sentAt: new Date(body.meta.timestamp_utc) };
    await spool.put(bytes, id, place);
    return 'spooled';
  }

  async #send(body: Buffer): Promise<Verdict> {
    const { baseUrl, token } = this.#settings;
    try {
      const response = await fetch(`${baseUrl.replace(/\/$/u, '')}/inbound/leads`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: new Uint8Array(body),
        // The answer is this function's to judge, and the token is for nobody else.
        redirect: 'manual',
        cache: 'no-store',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const verdict = read(response.status, response.headers.get('retry-after'), await start(response));
      if (verdict.is === 'foreign' || verdict.is === 'misconfigured') {
        console.error(`fastcore: status ${response.status}, ${verdict.is}: check FASTCORE_BASE_URL, the token, and what stands between; leads are kept`);
      }
      return verdict;
    } catch {
      return { is: 'unavailable', waitMs: 0 };
    }
  }

  /** Begins to deliver what waits in the spool. */
  start(): void {
    this.#drainer ??= this.#drain();
  }

  /** Ends what was begun, and lets somebody else deliver. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#drainer;
    await this.#settings.spool?.lock.release();
  }

  async #drain(): Promise<void> {
    const { spool } = this.#settings;
    if (!spool) return;
    let wait = 250;
    while (!this.#isStopped) {
      let rest = LONGEST_PAUSE_MS;
      try {
        await this.#tidyUp(spool);
        const round = await this.#round(spool);
        if (round === 'not ours') rest = TICK_MS;
        else if (round === 'empty') rest = IDLE_MS;
        else rest = Math.max(round, wait * (0.5 + Math.random()));
        wait = typeof round === 'number' ? Math.min(wait * 2, LONGEST_PAUSE_MS) : 250;
      } catch (error) {
        console.error('fastcore: the spool cannot be worked on: look at the disk', (error as NodeJS.ErrnoException).code);
      }
      for (const end = Date.now() + rest; Date.now() < end && !this.#isStopped; ) {
        await pause(Math.min(TICK_MS, Math.max(end - Date.now(), 1)));
        if ((await spool.lock.tend().catch(() => 'not ours')) === 'wanted') await spool.lock.release();
      }
    }
  }

  /** Delivers what waits. Answers how long FASTCore asked to wait, where it did not take all. */
  async #round(spool: Spool): Promise<'empty' | 'not ours' | number> {
    let failures = 0;
    let waitMs = 0;
    let left = 0;
    for await (const file of this.#inOrder(spool)) {
      if ((await spool.lock.tend()) !== 'ours') {
        await spool.lock.release();
        return 'not ours';
      }
      const verdict = await this.#deliverFile(spool, file).catch((error: unknown) => {
        console.error('fastcore: a spooled lead cannot be read or removed: look at the disk', (error as NodeJS.ErrnoException).code);
        return undefined;
      });
      if (verdict === undefined) continue;
      if (verdict.is === 'stored' || verdict.is === 'erased' || verdict.is === 'refused') {
        this.#failed.delete(file.path);
        failures = 0;
        this.#downUntil = 0;
        continue;
      }
      // A set keeps the order in which its members came: the one that was tried last is the last.
      this.#failed.delete(file.path);
      if (this.#failed.size < MAX_REMEMBERED) this.#failed.add(file.path);
      if (verdict.is === 'unavailable') waitMs = Math.max(waitMs, verdict.waitMs);
      left += 1;
      failures += 1;
      if (failures >= MAX_FAILURES || this.#isStopped) return waitMs;
    }
    if (left === 0) this.#failed.clear();
    return left > 0 ? waitMs : 'empty';
  }

  /** What failed before comes last, and first of that what was tried longest ago: leads that FASTCore stumbles over do not keep the others back. */
  async *#inOrder(spool: Spool): AsyncGenerator<Waiting> {
    const deferred: Waiting[] = [];
    for await (const file of spool.waiting()) {
      if (this.#failed.has(file.path)) deferred.push(file);
      else yield file;
    }
    const tried = new Map([...this.#failed].map((path, place) => [path, place]));
    yield* deferred.sort((one, other) => (tried.get(one.path) ?? 0) - (tried.get(other.path) ?? 0));
  }

  /** Once a minute: what others put and removed, and what they left behind. */
  async #tidyUp(spool: Spool): Promise<void> {
    if (Date.now() - this.#tidied < TIDY_UP_EVERY_MS) return;
    this.#tidied = Date.now();
    await spool.tidyUp();
    for await (const _ of spool.waiting());
  }

  async #deliverFile(spool: Spool, file: Waiting): Promise<Verdict | undefined> {
    const body = await spool.read(file);
    if (!body) return undefined;
    const verdict = await this.#send(body);
    if (verdict.is === 'stored' || verdict.is === 'erased') await spool.remove(file);
    if (verdict.is === 'refused') await spool.putAside(file, verdict.reason);
    return verdict;
  }
}

/** The start of an answer: none that is understood is longer. */
async function start(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  while (reader && length < MAX_ANSWER_BYTES) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
  }
  await reader?.cancel();
  return Buffer.concat(parts).subarray(0, MAX_ANSWER_BYTES).toString('utf8');
}
