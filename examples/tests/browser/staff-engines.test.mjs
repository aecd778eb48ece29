// The staff's pages in the engines besides Chromium.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { By, until } from 'selenium-webdriver';
import { SCREENSHOTS } from './chromium.mjs';
import { PATIENCE, inEachEngine } from './engines.mjs';
import { morning, office } from './morning.mjs';

inEachEngine((engine) => {
  const found = (css) => engine.driver.wait(until.elementLocated(By.css(css)), PATIENCE, css);
  const click = async (css) => {
    const element = await found(css);
    await engine.driver.executeScript('arguments[0].scrollIntoView({ block: "center" })', element);
    await element.click();
  };
  const window = {
    open: (url) => engine.driver.get(url),
    click,
    async fill(css, text) {
      const element = await found(css);
      await element.clear();
      await element.sendKeys(text);
    },
    choose: (css, value) => click(`${css} option[value="${value}"]`),
    there: found,
    see: (text) =>
      engine.driver.wait(
        // A page that is left meanwhile is asked again.
        () => engine.driver.findElement(By.css('body')).getText().then((all) => all.includes(text), () => false),
        PATIENCE,
        text,
      ),
    async look(what) {
      writeFileSync(`${SCREENSHOTS}/staff-${engine.name}-${what}.png`, await engine.driver.takeScreenshot(), 'base64');
    },
  };

  test('a morning', async () => {
    const service = await office();
    engine.stops.push(service.stop);
    await morning(window, service);
    assert.deepEqual(await engine.driver.manage().getCookies(), [], 'the cookie is gone');
  });
});
