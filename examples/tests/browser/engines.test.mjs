// The contact form in the engines that visitors have besides Chromium: Gecko (Firefox) and WebKit (Safari), by WebDriver.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { Builder, By, Key, until } from 'selenium-webdriver';
import { between } from './between.mjs';
import { start } from './service.mjs';

const MESSAGE = 'Bonjour, notre pont ne monte plus depuis ce matin.\nPouvez-vous passer ?';
const PATIENCE = 30_000;
const MINI_BROWSERS = ['4.1', '4.0', '6.0'].map((version) => `/usr/lib/x86_64-linux-gnu/webkit2gtk-${version}/MiniBrowser`);

const find = (what, paths) => {
  const path = paths.filter(Boolean).find((candidate) => existsSync(candidate));
  assert.ok(path, `${what} is missing: ./test --browser installs it`);
  return path;
};

const ENGINES = {
  firefox: {
    driver: (port) => [
      find('geckodriver', [process.env.GECKODRIVER, '/usr/bin/geckodriver', '/usr/local/bin/geckodriver']),
      ['--port', String(port), '--log', 'fatal'],
    ],
    capabilities: () => ({
      browserName: 'firefox',
      'moz:firefoxOptions': {
        binary: find('Firefox', [process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox']),
        args: ['-headless'],
        prefs: { 'intl.accept_languages': 'fr' },
      },
    }),
  },
  webkit: {
    // It has no mode without a screen: a virtual one.
    driver: (port) => [
      find('xvfb-run', ['/usr/bin/xvfb-run']),
      ['-a', find('WebKitWebDriver', ['/usr/bin/WebKitWebDriver']), `--port=${port}`],
    ],
    capabilities: () => ({
      browserName: 'MiniBrowser',
      'webkitgtk:browserOptions': { binary: find('MiniBrowser', MINI_BROWSERS), args: ['--automation'] },
    }),
  },
};

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

for (const [name, engine] of Object.entries(ENGINES)) {
  describe(name, () => {
    let driver;
    let process_;
    let output = '';
    const stops = [];

    before(async () => {
      const port = await freePort();
      const [program, args] = engine.driver(port);
      process_ = spawn(program, args, {
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, LC_ALL: 'fr_FR.UTF-8', LANGUAGE: 'fr' },
      });
      for (const stream of [process_.stdout, process_.stderr]) stream.on('data', (text) => (output += text));
      const server = `http://127.0.0.1:${port}`;
      const end = Date.now() + PATIENCE;
      while (!(await fetch(`${server}/status`).then((answer) => answer.ok, () => false))) {
        assert.ok(process_.exitCode === null && Date.now() < end, `${program} does not answer: ${output}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      driver = await new Builder().usingServer(server).withCapabilities(engine.capabilities()).build();
    });
    after(async () => {
      await driver?.quit().catch(() => {});
      try {
        process.kill(-process_.pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    });
    afterEach(async () => {
      for (const stop of stops.splice(0).reverse()) await stop();
    });

    /** A visitor of a fresh site, whose script is changed on its way. */
    const visit = async (change = (script) => script) => {
      const service = await start(['--site-min-fill-ms', '0', '--site-posts-per-minute', '1000']);
      stops.push(service.stop);
      const way = await between(service.url, change);
      stops.push(way.stop);
      await driver.get(`${way.url}/?lang=fr`);
      await driver.wait(() => way.calls() > 0, PATIENCE, 'the script is asked for');
      return service;
    };
    const field = (id) => driver.findElement(By.id(id));
    const write = async (id, text) => {
      await field(id).clear();
      await field(id).sendKeys(text.replaceAll('\n', Key.ENTER));
    };
    const fill = async () => {
      await write('name', 'Jean Dupont');
      await write('email', 'jean@example.com');
      await write('message', MESSAGE);
      if (!(await field('consent').isSelected())) await field('consent').click();
    };
    const send = () => field('send').click();
    const confirmed = async () => {
      await driver.wait(until.urlContains('/merci'), PATIENCE);
      await driver.wait(until.elementLocated(By.id('reference')), PATIENCE);
      assert.equal(await driver.findElement(By.css('h1')).getText(), 'Merci, votre message est bien arrivé');
    };
    const oneLead = (service) => {
      const leads = service.leads();
      assert.equal(leads.length, 1, 'one lead');
      const [{ lead }] = leads;
      assert.deepEqual([lead.name, lead.message, lead.status], ['Jean Dupont', MESSAGE, 'received']);
    };

    const withoutScripts = () => undefined;
    for (const [mode, change] of [['with scripts', undefined], ['without scripts', withoutScripts]]) {
      test(`${mode}: fill, send, confirmation`, async () => {
        const service = await visit(change);
        await fill();
        // The script says how many characters are left; without it nobody does.
        await write('message', 'x'.repeat(1900));
        assert.equal(await driver.findElement(By.id('message-count')).getText(), change ? '' : '100 caractères restants');
        await fill();
        await send();
        await confirmed();
        oneLead(service);
      });

      test(`${mode}: errors beside their fields, then one lead`, async () => {
        const service = await visit(change);
        await write('name', 'J');
        await send();
        const error = By.css('#name-error:not([hidden])');
        await driver.wait(until.elementLocated(error), PATIENCE);
        const text = await driver.findElement(error).getText();
        assert.equal(text, 'Complétez votre nom : il faut au moins 2 caractères.');
        assert.equal(await field('name').getAttribute('value'), 'J');
        assert.deepEqual(service.leads(), []);
        await fill();
        await send();
        await confirmed();
        oneLead(service);
      });

      test(`${mode}: a double click is one lead`, async () => {
        const service = await visit(change);
        await fill();
        await driver.executeScript((button) => button.scrollIntoView({ block: 'center' }), field('send'));
        await driver.actions().doubleClick(field('send')).perform();
        await confirmed();
        oneLead(service);
      });
    }

    for (const [missing, prelude] of [
      ['AbortSignal.timeout', 'delete AbortSignal.timeout;'],
      ['fetch', 'delete window.fetch;'],
      ['a fetch that is not blocked', 'window.fetch = () => Promise.reject(new TypeError("blocked"));'],
      ['crypto.randomUUID', 'delete Crypto.prototype.randomUUID;'],
    ]) {
      test(`without ${missing}: fill, send, confirmation`, async () => {
        const service = await visit((script) => `${prelude}\ndocument.documentElement.dataset.without = 'it';\n${script}`);
        await driver.wait(until.elementLocated(By.css('html[data-without="it"]')), PATIENCE);
        await fill();
        await send();
        await confirmed();
        oneLead(service);
      });
    }
  });
}
