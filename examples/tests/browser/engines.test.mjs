// The contact form in the engines that visitors have besides Chromium.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { By, Key, until } from 'selenium-webdriver';
import { between } from './between.mjs';
import { PATIENCE, inEachEngine } from './engines.mjs';
import { start } from './service.mjs';

const MESSAGE = 'Bonjour, notre pont ne monte plus depuis ce matin.\nPouvez-vous passer ?';

inEachEngine((engine) => {
  /** A visitor of a fresh site, whose script is changed on its way. */
  const visit = async (change = (script) => script) => {
    const service = await start(['--site-min-fill-ms', '0', '--site-posts-per-minute', '1000']);
    engine.stops.push(service.stop);
    const way = await between(service.url, change);
    engine.stops.push(way.stop);
    await engine.driver.get(`${way.url}/?lang=fr`);
    await engine.driver.wait(() => way.calls() > 0, PATIENCE, 'the script is asked for');
    return service;
  };
  const field = (id) => engine.driver.findElement(By.id(id));
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
    await engine.driver.wait(until.urlContains('/merci'), PATIENCE);
    await engine.driver.wait(until.elementLocated(By.id('reference')), PATIENCE);
    assert.equal(await engine.driver.findElement(By.css('h1')).getText(), 'Merci, votre message est bien arrivé');
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
      assert.equal(await engine.driver.findElement(By.id('message-count')).getText(), change ? '' : '100 caractères restants');
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
      await engine.driver.wait(until.elementLocated(error), PATIENCE);
      const text = await engine.driver.findElement(error).getText();
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
      await engine.driver.executeScript((button) => button.scrollIntoView({ block: 'center' }), field('send'));
      await engine.driver.actions().doubleClick(field('send')).perform();
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
      await engine.driver.wait(until.elementLocated(By.css('html[data-without="it"]')), PATIENCE);
      await fill();
      await send();
      await confirmed();
      oneLead(service);
    });
  }
});
