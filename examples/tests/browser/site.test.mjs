// The site as visitors see it: in a real browser, with and without scripts, at a desk and on a phone.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { DESK, MODES, PHONE, accessible, launch, shot } from './chromium.mjs';
import { start } from './service.mjs';

const MESSAGE = 'Bonjour, notre pont ne monte plus depuis ce matin.\nPouvez-vous passer ?';
// What a visitor needs to fill the form is not waited for: these tests fill it at once.
const AT_ONCE = ['--site-min-fill-ms', '0', '--site-posts-per-minute', '1000'];

let browser;
const contexts = [];
const services = [];

before(async () => (browser = await launch()));
after(async () => browser?.close());
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
  for (const service of services.splice(0)) await service.stop();
});

async function serve(options = []) {
  const service = await start([...AT_ONCE, ...options]);
  services.push(service);
  return service;
}

/** A fresh visitor. What the page complains about fails the test at its end. */
async function visit(service, options = {}) {
  const context = await browser.newContext({ ...DESK, locale: 'fr-FR', ...options });
  contexts.push(context);
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('console', (message) => {
    // The browser itself notes each answer that is not a success.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) page.complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(service.url) && !request.url().startsWith('data:')) page.complaints.push(request.url());
  });
  await page.goto(service.url);
  return page;
}

async function fill(page, { email = 'jean@example.com', message = MESSAGE } = {}) {
  await page.getByLabel('Nom').fill('Jean Dupont');
  await page.getByLabel('Adresse e-mail').fill(email);
  await page.getByLabel('Téléphone').fill('06 12 34 56 78');
  await page.getByLabel('Sujet').selectOption({ label: 'Ponts élévateurs' });
  await page.getByLabel('Message').fill(message);
  await page.getByLabel(/J’accepte/).check();
}

const send = (page) => page.getByRole('button', { name: 'Envoyer' }).click();

async function confirmed(page) {
  await page.getByRole('heading', { name: 'Merci, votre message est bien arrivé' }).waitFor();
  assert.match(new URL(page.url()).pathname, /^\/merci$/);
}

function oneLead(service) {
  const leads = service.leads();
  assert.equal(leads.length, 1, 'one lead');
  const [{ lead, audit }] = leads;
  assert.equal(lead.name, 'Jean Dupont');
  assert.equal(lead.message, MESSAGE);
  assert.equal(lead.status, 'received');
  // What this test reads in clear is noted, too.
  const events = audit.map(({ event }) => event).filter((event) => event !== 'LEAD_REVEALED');
  assert.deepEqual(events, ['LEAD_RECEIVED']);
  return lead;
}

for (const framework of ['axum', 'warp']) {
  for (const { name, options } of MODES) {
    describe(`${framework}, ${name}`, () => {
      const serveIt = () => serve(['--framework', framework]);
      const file = `${framework}-${name.replaceAll(/[ ,]+/g, '-')}`;
      const hasScripts = options.javaScriptEnabled !== false;

      test('a visitor fills the form, sends it, and sees the confirmation', async () => {
        const service = await serveIt();
        const page = await visit(service, options);
        await shot(page, `${file}-1-form`);
        if (options.isMobile && hasScripts) {
          const [wide, seen] = await page.locator('html').evaluate((html) => [html.scrollWidth, html.clientWidth]);
          assert.ok(seen > 0 && wide <= seen, 'nothing is wider than the screen');
        }
        await fill(page);
        await send(page);
        await confirmed(page);
        await shot(page, `${file}-2-thanks`);
        const lead = oneLead(service);
        assert.equal(await page.locator('#reference').textContent(), lead.request_id);
        assert.deepEqual(page.complaints, []);
      });

      test('errors stand beside their fields, and the corrected form is one lead', async () => {
        const service = await serveIt();
        const page = await visit(service, options);
        await page.getByLabel('Nom').fill('J');
        await page.getByLabel('Adresse e-mail').fill('jean@exemple');
        await send(page);
        const summary = page.getByRole('alert');
        await summary.getByText('Indiquez votre message.').waitFor();
        assert.match(await page.title(), /^Erreur : /);
        for (const [label, error] of [
          ['Nom', 'Complétez votre nom : il faut au moins 2 caractères.'],
          ['Adresse e-mail', 'Vérifiez votre adresse e-mail : elle doit être de la forme nom@exemple.fr.'],
          ['Message', 'Indiquez votre message.'],
        ]) {
          const field = page.getByLabel(label);
          assert.equal(await field.getAttribute('aria-invalid'), 'true', label);
          const described = (await field.getAttribute('aria-describedby')).split(' ');
          const place = page.locator(`#${described.at(-1)}`);
          assert.equal(await place.textContent(), error);
          assert.ok(await place.isVisible());
          const [above, below] = [await place.boundingBox(), await field.boundingBox()];
          assert.ok(above.y < below.y && below.y - above.y < 120, 'the error is beside its field');
        }
        assert.equal(await page.getByLabel('Téléphone').getAttribute('aria-invalid'), null);
        assert.equal(await page.getByLabel('Nom').inputValue(), 'J', 'what was written is still there');
        assert.ok(await page.locator('#name:focus').count(), 'the cursor is in the first field with an error');
        if (hasScripts) await accessible(page, 'with errors');
        await shot(page, `${file}-3-errors`);
        assert.deepEqual(service.leads(), []);

        await fill(page);
        await send(page);
        await confirmed(page);
        oneLead(service);
      });

      test('double click, reload of the result, back and send again: still one lead', async () => {
        const service = await serveIt();
        const page = await visit(service, options);
        await fill(page);
        await page.getByRole('button', { name: 'Envoyer' }).dblclick();
        await confirmed(page);
        await page.reload();
        await confirmed(page);
        await page.goBack();
        await page.getByLabel('Message').waitFor();
        // Some browsers give the words back, some do not.
        await fill(page);
        await send(page);
        await confirmed(page);
        oneLead(service);

        // A fresh form is another message.
        await page.getByRole('link', { name: 'Envoyer un autre message' }).click();
        await fill(page, { message: 'Et encore une question sur la cabine de peinture.' });
        await send(page);
        await confirmed(page);
        assert.equal(service.leads().length, 2);
      });
    });
  }
}

describe('for everybody', () => {
  for (const [name, options] of [['desk', DESK], ['phone', PHONE]]) {
    test(`what the server says of errors has no accessibility violation: ${name}`, async () => {
      const service = await serve();
      const page = await visit(service, options);
      // The page's own script does not load; the tool that looks at it can run.
      await page.route('**/site.js*', (route) => route.abort());
      await page.reload();
      await send(page);
      await page.waitForURL('**/api/forms/contact');
      await page.getByRole('alert').getByText('Indiquez votre message.').waitFor();
      await accessible(page, 'with errors');
    });

    test(`no page has an accessibility violation: ${name}`, async () => {
      const service = await serve();
      const page = await visit(service, options);
      await accessible(page, 'the form');
      await page.getByText('Vos données personnelles').click();
      await accessible(page, 'with the notice open');
      await fill(page);
      await send(page);
      await confirmed(page);
      await accessible(page, 'the confirmation');
    });
  }

  test('the keyboard is enough, and never reaches the trap', async () => {
    const service = await serve();
    const page = await visit(service);
    const reached = [];
    await page.getByLabel('Nom').focus();
    for (let i = 0; i < 12; i += 1) {
      reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.tagName));
      await page.keyboard.press('Tab');
    }
    assert.deepEqual(reached.slice(0, 8), ['name', 'email', 'phone', 'company', 'service', 'message', 'consent', 'send']);
    assert.ok(!reached.includes('suite'));
    assert.ok(!(await page.locator('#suite').isVisible()) || (await page.locator('#suite').boundingBox()).x < 0);
    await fill(page);
    await page.getByLabel('Nom').focus();
    await page.keyboard.press('Enter');
    await confirmed(page);
    oneLead(service);
  });

  test('a form that a machine filled is kept in quarantine, and answered like every other', async () => {
    const service = await start(['--site-min-fill-ms', '600000']);
    services.push(service);
    const page = await visit(service);
    await fill(page);
    await page.locator('#suite').evaluate((field) => (field.value = 'https://spam.example'));
    await send(page);
    await confirmed(page);
    const [{ lead }] = service.leads();
    assert.equal(lead.status, 'quarantined');
    assert.deepEqual(lead.meta_json.suspicion, ['honeypot', 'too_fast']);
  });

  test('a connection that breaks loses nothing that was written', async () => {
    const service = await serve();
    const page = await visit(service);
    await fill(page);
    await page.context().setOffline(true);
    await send(page);
    await page.getByText('L’envoi n’a pas abouti').waitFor();
    assert.equal(await page.getByLabel('Message').inputValue(), MESSAGE);
    assert.deepEqual(service.leads(), []);
    await page.context().setOffline(false);
    await send(page);
    await confirmed(page);
    oneLead(service);
  });

  for (const [name, take, isPlain] of [
    ['AbortSignal.timeout', () => delete AbortSignal.timeout, false],
    ['crypto.randomUUID', () => delete Crypto.prototype.randomUUID, false],
    ['fetch', () => delete window.fetch, true],
    ['fetch, which an extension blocks', () => (window.fetch = () => Promise.reject(new TypeError('blocked'))), true],
  ]) {
    test(`a browser without ${name} sends the form`, async () => {
      const service = await serve();
      const page = await visit(service);
      await page.addInitScript(take);
      await page.reload();
      await fill(page);
      const posts = [];
      page.on('request', (request) => request.method() === 'POST' && posts.push(request.headers()['content-type']));
      await send(page);
      await confirmed(page);
      oneLead(service);
      assert.equal(posts.at(-1), isPlain ? 'application/x-www-form-urlencoded' : 'application/json');
      assert.equal(await page.evaluate(() => window.sessionStorage.length), 0, 'nothing of the message is left');
    });
  }

  test('a plain post that does not arrive leaves what was written', async () => {
    const service = await serve();
    const page = await visit(service);
    await page.addInitScript(() => {
      window.fetch = () => Promise.reject(new TypeError('blocked'));
    });
    await page.reload();
    await fill(page);
    let isBroken = true;
    await page.route('**/api/forms/contact', (route) => (isBroken
      ? route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad Gateway</h1>' })
      : route.continue()));
    await send(page);
    await page.getByRole('heading', { name: 'Bad Gateway' }).waitFor();
    isBroken = false;
    await page.goto(service.url);
    assert.equal(await page.getByLabel('Message').inputValue(), MESSAGE);
    await send(page);
    await confirmed(page);
    oneLead(service);
  });

  test('the page is in English for who prefers it, and a link leads to the other language', async () => {
    const service = await serve();
    const page = await visit(service, { locale: 'en-GB' });
    await page.getByRole('heading', { name: 'Contact us' }).waitFor();
    await accessible(page, 'the form in English');
    await page.locator('#name').fill('J');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByRole('alert').getByText('Enter your email address.').waitFor();
    assert.match(await page.title(), /^Error: /);
    await page.getByRole('link', { name: 'Français' }).click();
    await fill(page);
    await send(page);
    await confirmed(page);
    await page.getByRole('link', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Thank you, your message has arrived' }).waitFor();
    oneLead(service);
  });

  test('while FASTCore is away, visitors see the confirmation', async () => {
    const service = await serve(['--fastcore-base-url', 'http://127.0.0.1:9']);
    for (const options of [{}, { javaScriptEnabled: false }]) {
      const page = await visit(service, options);
      await fill(page);
      await send(page);
      await confirmed(page);
    }
    const spooled = readdirSync(`${service.folder}/fastcore-site/spool`, { recursive: true });
    assert.equal(spooled.filter((name) => name.endsWith('.json')).length, 2);
  });

  test('the message tells how many characters are left', async () => {
    const service = await serve();
    const page = await visit(service);
    await page.getByLabel('Message').fill('é🚗'.repeat(999));
    assert.equal(await page.locator('#message-count').textContent(), '2 caractères restants');
    await page.getByLabel('Message').fill('🚗'.repeat(2001));
    assert.equal(await page.locator('#message-count').textContent(), '1 caractère de trop');
  });

  test('the contract can be read in the browser, with nothing from elsewhere', async () => {
    for (const framework of ['axum', 'warp']) {
      const service = await serve(['--framework', framework]);
      const page = await visit(service);
      await page.goto(`${service.url}/docs`);
      await page.getByRole('link', { name: '/inbound/leads', exact: true }).waitFor();
      await page.getByText('Take in a lead').click();
      await page.getByText('Problem').filter({ visible: true }).first().waitFor();
      await shot(page, `${framework}-docs`);
      assert.deepEqual(page.complaints, []);
    }
  });
});
