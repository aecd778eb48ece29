// Runs the published vectors against the Zod schema. Where the two differ is known, and listed with the reason.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { verdict } from './lead.mjs';

const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
const vectors = read('../../../fastcore-leads/contract/vectors.jsonl').trimEnd().split('\n').map((line) => JSON.parse(line));
const known = JSON.parse(read('./differences.json'));

const bytesOf = ({ body, body_text: text, body_hex: hex }) => {
  if (hex !== undefined) return Buffer.from(hex, 'hex');
  return Buffer.from(text ?? JSON.stringify(body), 'utf8');
};

test('there are as many vectors as the contract asks for', () => {
  assert.ok(vectors.length >= 150, `${vectors.length}`);
});

for (const vector of vectors) {
  test(vector.name, () => {
    const { verdict: expected, errors } = vector;
    const reached = verdict(bytesOf(vector), vector.policy);
    const agrees = JSON.stringify(reached) === JSON.stringify(errors ? { verdict: expected, errors } : { verdict: expected });
    if (vector.name in known) {
      assert.ok(!agrees, 'listed as a difference, and is none: take it off the list');
      assert.equal(reached.verdict, known[vector.name].verdict, 'differs in another way than the list says');
    } else {
      assert.deepEqual(reached, errors ? { verdict: expected, errors } : { verdict: expected });
    }
  });
}

test('every listed difference is of a vector', () => {
  const names = new Set(vectors.map(({ name }) => name));
  for (const name of Object.keys(known)) assert.ok(names.has(name), name);
});
