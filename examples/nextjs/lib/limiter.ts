const MINUTE_MS = 60_000;
const MAX_VISITORS = 100_000;
/** How many checks lie between two tidyings-up. */
const TIDY_UP_EVERY = 1024;

/** Limits how often one visitor, known by the hash of the address, may post. */
export class Limiter {
  readonly #perMinute: number;
  #checks = 0;
  readonly #posts = new Map<string, number[]>();

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Counts a post; answers after how many seconds the visitor may post, 0 for now. */
  check(visitor: string): number {
    const now = Date.now();
    this.#checks += 1;
    if (this.#checks % TIDY_UP_EVERY === 0) {
      for (const [known, posts] of this.#posts) if ((posts.at(-1) ?? 0) < now - MINUTE_MS) this.#posts.delete(known);
    }
    const recent = (this.#posts.get(visitor) ?? []).filter((post) => post > now - MINUTE_MS);
    if (recent.length >= this.#perMinute) return Math.ceil(((recent[0] ?? now) + MINUTE_MS - now) / 1000);
    this.#posts.delete(visitor);
    this.#posts.set(visitor, [...recent, now]);
    // The one who posted longest ago is forgotten first.
    const [oldest] = this.#posts.keys();
    if (this.#posts.size > MAX_VISITORS && oldest !== undefined) this.#posts.delete(oldest);
    return 0;
  }
}
