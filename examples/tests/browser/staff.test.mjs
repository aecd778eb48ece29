// The staff's pages in Chromium: with and without scripts, at a desk and on a phone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { DESK, MODES, accessible, launch, shot } from './chromium.mjs';
import { MARIE, morning, office } from './morning.mjs';

let browser;
const stops = [];

before(async () => (browser = await launch()));
after(async () => browser?.close());
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function visit(service, options) {
  const context = await browser.newContext({ ...DESK, locale: 'fr-FR', ...options });
  stops.push(() => context.close());
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('dialog', (dialog) => page.complaints.push(dialog.message()));
  page.on('console', (message) => message.type() === 'error' && page.complaints.push(message.text()));
  page.on('request', (request) => request.url().startsWith(service.url) || page.complaints.push(request.url()));
  return page;
}

async function begin(options = [], context = {}) {
  const service = await office(options);
  stops.push(service.stop);
  return { service, page: await visit(service, context) };
}

const window = (page, name, hasScripts) => ({
  open: (url) => page.goto(url),
  click: (css) => page.click(css),
  fill: (css, text) => page.fill(css, text),
  choose: (css, value) => page.selectOption(css, value),
  there: (css) => page.locator(css).waitFor(),
  see: (text) => page.getByText(text).filter({ visible: true }).first().waitFor({ timeout: 10_000 }),
  async look(what) {
    await shot(page, `${name}-${what}`);
    if (hasScripts) await accessible(page, what);
    const isTooWide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    assert.equal(isTooWide, false, `${what} scrolls sideways`);
  },
  async download(css) {
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(css)]);
    assert.equal(file.suggestedFilename(), 'leads.csv');
    const text = new TextDecoder('utf-16le').decode(readFileSync(await file.path()));
    assert.match(text, /^"id"\t/);
    assert.match(text, /\t"Aïcha Ben Salah"\t/);
  },
});

for (const [place, { name, options }] of MODES.entries()) {
  // Each framework at a desk and on a phone, with scripts and without.
  const framework = [0, 3].includes(place) ? 'axum' : 'warp';
  test(`a morning: ${framework}, ${name}`, async () => {
    const { service, page } = await begin(['--framework', framework], options);
    const hasScripts = options.javaScriptEnabled !== false;
    await morning(window(page, `staff-${framework}-${name.replaceAll(/[ ,]+/g, '-')}`, hasScripts), service);
    assert.deepEqual(page.complaints, []);
  });
}

describe('with scripts', () => {
  const signIn = async (page, service) => {
    await page.goto(`${service.url}/staff`);
    await page.fill('#token', MARIE);
    await page.keyboard.press('Enter');
    await page.getByText('Connecté : marie').waitFor();
  };

  test('a new lead is told of as it comes', async () => {
    const { service, page } = await begin();
    const listening = page.waitForResponse((answer) => answer.url().endsWith('/staff/live'));
    await signIn(page, service);
    await listening;
    // Whatever the script has heard by now, the lead that comes next is another.
    const news = page.getByText('De nouvelles demandes sont arrivées.');
    while (!(await news.isVisible())) {
      await service.send({ name: 'Nouvelle Venue', email: 'nouvelle@example.com' });
      await page.waitForTimeout(100);
    }
    await page.getByText('Les afficher').click();
    await page.getByText('N***').first().waitFor();
    assert.deepEqual(page.complaints, []);
  });

  test('by the keyboard alone, from end to end', async () => {
    const { service, page } = await begin();
    await signIn(page, service);
    const tabTo = async (css) => {
      for (let i = 0; i < 60; i += 1) {
        await page.keyboard.press('Tab');
        if (await page.evaluate((wanted) => document.activeElement.matches(wanted), css)) return;
      }
      assert.fail(`${css} is not reached`);
    };
    await tabTo('.skip');
    await page.keyboard.press('Enter');
    await tabTo('.leads tbody a');
    const address = await page.evaluate(() => document.activeElement.href);
    await page.keyboard.press('Enter');
    await page.waitForURL(address);
    await tabTo('button[value="processing"]');
    await page.keyboard.press('Enter');
    await page.getByText('Prise en charge (En cours)').first().waitFor();
    assert.deepEqual(page.complaints, []);
  });

  test('two people on one lead: the second loses nothing typed', async () => {
    const { service, page } = await begin();
    await signIn(page, service);
    const other = await visit(service, {});
    await signIn(other, service);
    for (const one of [page, other]) await one.goto(`${service.url}/staff/leads/${service.first}`);
    await page.click('button[value="processing"]');
    await page.getByText('Prise en charge (En cours)').first().waitFor();
    await other.fill('#reason', 'un doublon');
    await other.click('button[value="archived"]');
    const alert = other.getByRole('alert');
    await alert.waitFor();
    assert.match(await alert.innerText(), /Quelqu’un a été plus rapide.*Prise en charge \(En cours\), par marie/s);
    assert.equal(await other.inputValue('#reason'), 'un doublon');
    await accessible(other, 'told of what happened meanwhile');
    await shot(other, 'staff-meanwhile');
  });
});
