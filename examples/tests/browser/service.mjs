// A `serve` process under test, in a folder of its own.
import { spawn, execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const TARGET = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../../target', import.meta.url));
const program = (name) => join(TARGET, 'debug', name);
const TOKEN = 'a-token-for-tests-0123456789';

export async function start(options = [], variables = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'fastcore-browser-'));
  const child = spawn(program('serve'), ['--site', ...options], {
    cwd: folder,
    env: { PATH: process.env.PATH, FASTCORE_LISTEN: '127.0.0.1:0', FASTCORE_SITE_INGEST_TOKEN: TOKEN, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (text) => (log += text));
  let url;
  for await (const line of createInterface({ input: child.stdout })) {
    url ??= line.match(/^Listening on (http:\S+)/)?.[1];
    if (line.includes('curl ')) break;
  }
  if (!url) throw new Error(`serve ended: ${log}`);
  child.stdout.resume();
  const leadctl = (...words) =>
    JSON.parse(execFileSync(program('leadctl'), [...words, '--json', '--reveal'], { cwd: folder, encoding: 'utf8' }));
  return {
    url,
    folder,
    /** Every lead, those in quarantine too, each with its audit rows. */
    leads() {
      const all = [...leadctl('list').leads, ...leadctl('list', '--status', 'quarantined').leads];
      return all.map(({ id }) => leadctl('show', id));
    },
    /** A lead with its audit rows. */
    lead: (id) => leadctl('show', id),
    /** Sends a lead as the site does; its id. */
    async send(members) {
      const { suspicion, ...others } = members;
      const meta = {
        source: 'fast-techservices.com',
        request_id: randomUUID(),
        ip_hash: 'a'.repeat(40),
        timestamp_utc: new Date().toISOString(),
        ...(suspicion && { suspicion }),
      };
      const lead = { name: 'Jean Dupont', email: 'jean@example.com', message: 'Le pont ne monte plus.', consent: true, meta, ...others };
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` };
      const answer = await fetch(`${url}/inbound/leads`, { method: 'POST', headers, body: JSON.stringify(lead) });
      if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
      return (await answer.json()).leadId;
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}
