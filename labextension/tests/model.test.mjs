// Pure functions of the sidebar, as compiled by `jlpm build`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const source = readFileSync(new URL('../lib/model.js', import.meta.url), 'utf8');
const { age, cellOfPlace, duration, layersOf, placeOfCell, progressOf, runLabel, runOf, shortRun, stateOf, tally, titleOf } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const task = given => ({
  name: 'a', stale: false, reasons: [], last_success: null, verdict: null, upstream: [], source: null,
  status: 'succeeded', live: false, seconds: 1, started_at: null, error: null, page: null, datasets: [], ...given
});

test('a task is listed with the worst that is known of it', () => {
  assert.equal(stateOf(task({}), false), 'fresh');
  assert.equal(stateOf(task({ verdict: 'warned' }), false), 'warned');
  assert.equal(stateOf(task({ verdict: 'warned', stale: true }), false), 'stale');
  assert.equal(stateOf(task({ verdict: 'errored', stale: true }), false), 'failed');
  assert.equal(stateOf(task({ status: 'failed', stale: true }), false), 'failed');
  assert.equal(stateOf(task({ stale: null }), false), 'unknown');
  assert.equal(stateOf(task({ status: 'held', stale: true }), false), 'held');
});

test('while it is built, what goes on counts', () => {
  assert.equal(stateOf(task({ live: true, status: 'interrupted', seconds: null, stale: true }), true), 'waiting');
  assert.equal(stateOf(task({ live: true, status: 'succeeded', stale: true }), true), 'fresh');
  assert.equal(stateOf(task({ live: true, status: 'failed' }), true), 'failed');
});

test('the tally names the worst first', () => {
  assert.equal(tally([task({}), task({ stale: true }), task({ verdict: 'failed' }), task({})], false), '1 failed, 1 stale, 2 fresh');
  assert.equal(tally([], false), '');
});

test('a task stands below all that it depends on; a cycle or an unknown name does not stop the drawing', () => {
  const tasks = [task({ name: 'a' }), task({ name: 'b', upstream: ['a'] }), task({ name: 'c', upstream: ['a', 'b', 'gone'] }), task({ name: 'd' })];
  assert.deepEqual(layersOf(tasks), [['a', 'd'], ['b'], ['c']]);
  assert.deepEqual(layersOf([task({ name: 'x', upstream: ['y'] }), task({ name: 'y', upstream: ['x'] })]), [['x'], ['y']]);
});

test('a cell is found whether or not parameters were injected above it', () => {
  assert.equal(placeOfCell(2, [[], ['parameters'], ['injected-parameters'], []]), 3);
  assert.equal(placeOfCell(2, [[], ['parameters'], []]), 2);
  assert.equal(placeOfCell(9, [[]]), -1);
});

test('durations read well', () => {
  assert.deepEqual([0.04, 59.9, 60, 125.4].map(duration), ['0.0 s', '59.9 s', '1 min 0 s', '2 min 5 s']);
});

test('the other way round, too; the injected cell is no cell of the file', () => {
  const tags = [[], ['parameters'], ['injected-parameters'], []];
  assert.deepEqual([0, 1, 2, 3, 9, -1].map(place => cellOfPlace(place, tags)), [0, 1, undefined, 2, undefined, undefined]);
});

test('pages say what they are and which run they are of', () => {
  assert.equal(runOf('reports/runs/20260101T000000Z-aaaaaa/tasks/clean.html'), '20260101T000000Z-aaaaaa');
  assert.equal(runOf('reports/index.html'), null);
  assert.deepEqual(
    ['reports/index.html', 'reports/runs/r1/index.html', 'reports/runs/r1/tasks/index.html', 'runs/r1/datasets/orders.html'].map(titleOf),
    ['Pipeline', 'Run r1', 'index', 'orders']
  );
});

test('a build tells what is done, running and left; what it need not do is no part of it', () => {
  const going = given => task({ live: true, seconds: null, ...given });
  const tasks = [going({ status: 'succeeded', seconds: 2 }), going({ status: 'running' }), going({ status: 'waiting' }), going({ status: 'failed' }), task({})];
  assert.deepEqual(progressOf(tasks), { done: 2, running: 1, left: 1 });
  assert.deepEqual(progressOf([]), { done: 0, running: 0, left: 0 });
});

test('an age is told in its unit; a clock that is ahead and no instant do no harm', () => {
  const now = Date.parse('2026-11-27T12:00:00Z');
  const ages = ['2026-11-27T11:59:40Z', '2026-11-27T11:15:00Z', '2026-11-26T01:00:00Z', '2026-11-20T12:00:00Z', '2026-11-28T12:00:00Z', 'x'];
  assert.deepEqual(ages.map(one => age(one, now)), ['just now', '45 min', '35 h', '7 days', 'just now', '']);
});

test('a run is told apart from others in a list', () => {
  const run = { id: '20261127T122509Z-2c65cb', started_at: 'no time', verdict: 'failed', status: 'failed', branch: null };
  assert.equal(runLabel(run), 'no time · failed · 2c65cb');
  assert.equal(runLabel({ ...run, status: 'killed', branch: 'main' }), 'no time · killed · 2c65cb · main');
  assert.match(runLabel({ ...run, started_at: '2026-11-27T12:25:09Z' }), /^2[678] Nov \d\d:25 · failed/);
  assert.equal(shortRun('working'), 'working copy');
});
