// What is said of a kernel without nbops, as compiled by `jlpm build`.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const source = readFileSync(new URL('../lib/model.js', import.meta.url), 'utf8');
const { commandToInstall, plainText } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

test("Python's repr of a text is read back", () => {
  assert.equal(plainText("'/usr/bin/python3'"), '/usr/bin/python3');
  assert.equal(plainText(`"/it's/python"`), "/it's/python");
  assert.equal(plainText(String.raw`'/a\\b/python'`), String.raw`/a\b/python`);
  for (const other of ['None', '', undefined, 3, "'"]) {
    assert.equal(plainText(other), null);
  }
});

test('the command names the interpreter as one word, whatever its path holds', () => {
  assert.equal(commandToInstall('/opt/py-3.11/bin/python'), '/opt/py-3.11/bin/python -m pip install nbops');
  for (const path of ['/my env/python', "/it's/$(touch x)/python", '/a;b/`c`/python', '/<b>/python']) {
    const words = execFileSync('sh', ['-c', `printf '%s\\n' ${commandToInstall(path)}`], { encoding: 'utf8' });
    assert.equal(words, `${path}\n-m\npip\ninstall\nnbops\n`);
  }
});
