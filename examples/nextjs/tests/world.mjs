// A FASTCore, a site in Rust and a site in Next.js, as processes of their own, on a folder of a test's own.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? here('../../../target');
const SERVER = here('../start.mjs');
const BUILT = here('../.next/standalone/server.js');
const PATIENCE = 60_000;

export const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export async function until(what, isSo) {
  const end = Date.now() + PATIENCE;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`not within ${PATIENCE} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const answers = (url) => fetch(url).then((answer) => answer.ok, () => false);

export class World {
  #processes = new Set();

  static async make() {
    const world = new World();
    world.folder = mkdtempSync(join(tmpdir(), 'fastcore-nextjs-'));
    world.port = await freePort();
    world.env = {
      PATH: process.env.PATH,
      FASTCORE_SITE_INGEST_TOKEN: 'a-token-for-tests-0123456789',
      FASTCORE_IP_PEPPER: 'a-pepper-of-some-length',
      FASTCORE_SITE_STATE: join(world.folder, 'state'),
      FASTCORE_SITE_MIN_FILL_MS: '0',
      FASTCORE_SITE_POSTS_PER_MINUTE: '100000',
    };
    return world;
  }

  get #base() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** FASTCore, at one address whenever it runs. */
  fastcore() {
    const { FASTCORE_SITE_STATE: _, ...env } = this.env;
    return this.#start(join(TARGET, 'debug/serve'), ['--listen', `127.0.0.1:${this.port}`, '--site=false'], env, this.port, '/healthz');
  }

  async rustSite() {
    const port = await freePort();
    const args = ['--listen', `127.0.0.1:${port}`, '--fastcore-base-url', this.#base];
    return this.#start(join(TARGET, 'debug/serve'), args, this.env, port, '/healthz');
  }

  async nextSite(env = {}) {
    if (!existsSync(BUILT)) throw new Error('the site is not built: npm run build');
    const port = await freePort();
    const more = { FASTCORE_BASE_URL: this.#base, HOSTNAME: '127.0.0.1', PORT: String(port), NODE_ENV: 'production', ...env };
    return this.#start(process.execPath, [SERVER], { ...this.env, ...more }, port, '/merci');
  }

  async #start(program, args, env, port, path) {
    const child = spawn(program, args, { cwd: this.folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#processes.add(child);
    let log = '';
    child.stderr.on('data', (text) => (log += text));
    const url = `http://127.0.0.1:${port}`;
    await until(`${program} answers`, () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${log}`);
      return answers(url + path);
    });
    const kill = async (signal = 'SIGKILL') => {
      const ended = new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.once('exit', resolve) : resolve()));
      child.kill(signal);
      await ended;
      this.#processes.delete(child);
    };
    return { url, kill, log: () => log };
  }

  /** Every lead in FASTCore, those in quarantine too. */
  leads() {
    const leadctl = (...words) =>
      JSON.parse(execFileSync(join(TARGET, 'debug/leadctl'), [...words, '--json', '--reveal'], { cwd: this.folder, env: { PATH: process.env.PATH }, encoding: 'utf8' }));
    const leads = [];
    for (const status of ['received', 'quarantined']) {
      let page = leadctl('list', '--status', status, '--limit', '200');
      leads.push(...page.leads);
      while (page.next) {
        page = leadctl('list', '--status', status, '--limit', '200', '--after', page.next);
        leads.push(...page.leads);
      }
    }
    return leads;
  }

  /** The files of leads that wait. */
  waiting() {
    const spool = join(this.env.FASTCORE_SITE_STATE, 'spool');
    const names = existsSync(spool) ? readdirSync(spool, { recursive: true }) : [];
    return names.filter((name) => /\.(?:json|sealed)$/u.test(name) && !name.startsWith('refused'));
  }

  async end() {
    await Promise.all(
      [...this.#processes].map(
        (child) =>
          new Promise((resolve) => {
            if (child.exitCode !== null || child.signalCode !== null) return resolve();
            child.once('exit', resolve);
            return child.kill('SIGKILL');
          }),
      ),
    );
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const ticketIn = (page) => /name="ticket" value="([^"]+)"/u.exec(page)[1];

export const filled = (ticket, message) => ({
  ticket,
  name: 'Jean Dupont',
  email: 'jean@example.com',
  service: 'ponts',
  message,
  consent: true,
});

export const post = (site, body) =>
  fetch(`${site.url}/api/forms/contact`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
