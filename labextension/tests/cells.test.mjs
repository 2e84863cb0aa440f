// Pure functions of the notebook's part, as compiled by `jlpm build`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const source = readFileSync(new URL('../lib/cells.js', import.meta.url), 'utf8');
const { count, failing, whereIs } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const cell = (text, ...tags) => ({ source: text, tags });
const cells = [cell('a'), cell('b', 'parameters'), cell('injected', 'injected-parameters'), cell('c'), cell('d')];

test('a cell that is as it was is found below the injected one; line ends and blanks at the end are no change', () => {
  assert.deepEqual(whereIs(2, 'c', cells), { place: 3, note: '' });
  assert.deepEqual(whereIs(2, 'x\ny', [cell('a'), cell('b'), cell('x\r\ny\n')]), { place: 2, note: '' });
  assert.deepEqual(whereIs(3, null, cells), { place: 4, note: '' });
});

test('a cell that moved is found by its source, and that is said', () => {
  const found = whereIs(0, 'd', cells);
  assert.equal(found.place, 4);
  assert.match(found.note, /cell 0 in that run, and has moved/);
});

test('a cell that was edited is where it was; one that is gone is nowhere', () => {
  assert.deepEqual([whereIs(2, 'old', cells).place, whereIs(9, 'old', cells).place, whereIs(9, null, cells).place], [3, -1, -1]);
  assert.match(whereIs(2, 'old', cells).note, /edited/);
  assert.match(whereIs(9, 'old', cells).note, /edited or removed/);
});

test('what did not pass is told, the worst first', () => {
  const checks = ['passed', 'warned', 'failed', 'errored', 'passed', 'skipped'].map((verdict, id) => ({ id, verdict, message: '', severity: '' }));
  assert.equal(count(checks), '1 errored, 1 failed, 1 warned, 2 passed, 1 skipped');
  assert.deepEqual(failing({ checks }).map(one => one.id), [1, 2, 3]);
  assert.equal(count([]), '');
});
