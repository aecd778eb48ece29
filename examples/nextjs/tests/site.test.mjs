// The site as visitors see it, and what FASTCore gets of it.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { World, filled, post, ticketIn, until } from './world.mjs';

const MESSAGE = 'Bonjour, notre pont ne monte plus depuis ce matin.\nPouvez-vous passer ?';
const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  .filter(Boolean)
  .find((path) => existsSync(path));

let browser;
before(async () => {
  assert.ok(CHROMIUM, 'Chromium is missing: ./test --browser installs it, or set CHROMIUM to its path');
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
});
after(async () => browser?.close());

async function inWorld(work) {
  const world = await World.make();
  try {
    await work(world);
  } finally {
    await world.end();
  }
}

for (const javaScriptEnabled of [true, false]) {
  test(`a visitor fills the form, FASTCore receives it; scripts: ${javaScriptEnabled}`, () =>
    inWorld(async (world) => {
      await world.fastcore();
      const site = await world.nextSite();
      const context = await browser.newContext({ javaScriptEnabled });
      const page = await context.newPage();
      await page.goto(site.url);
      await page.locator('#name').fill('J');
      await page.locator('#message').fill(MESSAGE);
      await page.getByRole('button', { name: 'Envoyer' }).click();
      await page.locator('#name-error').waitFor();
      assert.equal(await page.locator('#name-error').textContent(), 'Complétez votre nom.');
      assert.equal(await page.locator('#message').inputValue(), MESSAGE, 'what was written is still there');
      await page.locator('#name').fill('Jean Dupont');
      // Pasted, with what nobody sees.
      await page.locator('#email').fill('jean@example.com\u200b');
      await page.locator('#consent').check();
      await page.getByRole('button', { name: 'Envoyer' }).dblclick();
      await page.getByRole('heading', { name: 'Merci, votre message est bien arrivé' }).waitFor();
      const leads = world.leads();
      assert.equal(leads.length, 1);
      const [lead] = leads;
      assert.deepEqual([lead.name, lead.email, lead.message, lead.status], ['Jean Dupont', 'jean@example.com', MESSAGE, 'received']);
      assert.equal(await page.locator('#reference').textContent(), lead.request_id);
      assert.deepEqual(world.waiting(), []);
      await context.close();
    }));
}

test('a Rust site and this one make one lead of one form', () =>
  inWorld(async (world) => {
    await world.fastcore();
    const [rust, next] = [await world.rustSite(), await world.nextSite()];
    const ticket = ticketIn(await (await fetch(rust.url)).text());
    const body = { ...filled(ticket, 'Un "pont" \\ élévateur\tet\nautre chose 🚗, d’une autre façon ❤️'), phone: '\u202d06 12\u202c' };
    const references = [];
    for (const site of [rust, next, rust]) {
      const answer = await post(site, body);
      assert.equal(answer.status, 202);
      references.push((await answer.json()).reference);
    }
    assert.equal(new Set(references).size, 1, 'the same derivation');
    assert.equal(world.leads().length, 1);
    // And a ticket of this site at the other one; and the same hash of the same address.
    const own = ticketIn(await (await fetch(next.url)).text());
    for (const [site, message] of [[next, 'Un message par le site en TypeScript.'], [rust, 'Un message par le site en Rust.']]) {
      assert.equal((await post(site, filled(own, message))).status, 202);
    }
    const leads = world.leads();
    assert.equal(leads.length, 3);
    assert.deepEqual(leads.map(({ status }) => status), ['received', 'received', 'received']);
    assert.equal(new Set(leads.map(({ ip_hash }) => ip_hash)).size, 1);
    assert.match(leads[0].ip_hash, /^[0-9a-f]{8}-\d{6}\.[0-9a-f]{64}$/u);
  }));

test('machines, strangers, too much and too often', () =>
  inWorld(async (world) => {
    await world.fastcore();
    const site = await world.nextSite({ FASTCORE_SITE_POSTS_PER_MINUTE: '5' });
    const ticket = ticketIn(await (await fetch(site.url)).text());
    const trapped = { ...filled(ticket, 'Un message de machine, sans doute.'), suite: 'https://spam.example' };
    assert.equal((await post(site, trapped)).status, 202);
    assert.equal((await post(site, filled('nonsense', 'Un message sans ticket valable.'))).status, 202);
    const [one, other] = world.leads();
    assert.deepEqual([one.status, other.status], ['quarantined', 'quarantined']);
    const stranger = await fetch(`${site.url}/api/forms/contact`, {
      method: 'POST',
      headers: { origin: 'https://evil.example' },
      body: new URLSearchParams({ ...filled(ticket, MESSAGE), consent: 'true' }),
    });
    assert.equal(stranger.status, 403);
    const page = await stranger.text();
    assert.ok(page.includes('Bonjour, notre pont') && !page.includes(' checked'), page);
    assert.equal((await post(site, { ...filled(ticket, 'x'.repeat(600_000)) })).status, 413);
    // A text that is hard to trim takes no longer than another; and nobody chooses an own address.
    const hard = await fetch(`${site.url}/api/forms/contact`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '198.51.100.1' },
      body: JSON.stringify(filled(ticket, `a${' '.repeat(400_000)}a`)),
    });
    assert.equal(hard.status, 422);
    assert.equal((await post(site, ['no', 'object'])).status, 400);
    const late = await post(site, filled(ticket, MESSAGE));
    assert.equal(late.status, 429);
    assert.ok(Number(late.headers.get('retry-after')) > 0);
    assert.equal(world.leads().length, 2);
  }));

test('without a disk a visitor is thanked once FASTCore has the lead', () =>
  inWorld(async (world) => {
    const site = await world.nextSite({ FASTCORE_SITE_STATE: '' });
    const ticket = ticketIn(await (await fetch(site.url)).text());
    assert.equal((await post(site, filled(ticket, MESSAGE))).status, 503);
    await world.fastcore();
    assert.equal((await post(site, filled(ticket, MESSAGE))).status, 202);
    assert.equal(world.leads().length, 1);
    assert.deepEqual(world.waiting(), []);
  }));

test('an answer that is not FASTCore’s keeps the lead', () =>
  inWorld(async (world) => {
    const parked = createServer((_, answer) => answer.writeHead(410, { 'content-type': 'text/html' }).end('<h1>Parked</h1>'));
    await new Promise((resolve) => parked.listen(world.port, '127.0.0.1', resolve));
    const site = await world.nextSite();
    const ticket = ticketIn(await (await fetch(site.url)).text());
    assert.equal((await post(site, filled(ticket, MESSAGE))).status, 202);
    assert.equal(world.waiting().length, 1);
    assert.match(site.log(), /status 410, foreign/u);
    assert.ok(!site.log().includes('jean@example.com'));
    await new Promise((resolve) => {
      parked.close(resolve);
      parked.closeAllConnections();
    });
    await world.fastcore();
    await until('it is delivered', () => world.waiting().length === 0);
    assert.equal(world.leads().length, 1);
  }));
