import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const src = resolve(import.meta.dirname, '..');

/** The components of Mantine that the console imports. */
function used(): Set<string> {
  const names = new Set<string>();
  for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
    if (!/\.tsx?$/.test(file)) continue;
    const text = readFileSync(join(src, file), 'utf8');
    for (const [, list] of text.matchAll(/import \{([^}]*)\} from '@mantine\/core'/g)) {
      for (const name of (list ?? '').split(',')) names.add(name.trim().split(' ')[0] ?? '');
    }
  }
  return names;
}

test('every component of Mantine that is used has its styles', () => {
  const sheets = readdirSync(resolve(src, '../node_modules/@mantine/core/styles'));
  const imported = readFileSync(join(src, 'theme/mantine.css'), 'utf8');
  const missing = [...used()].filter(
    (name) => sheets.includes(`${name}.css`) && !imported.includes(`/${name}.css'`),
  );
  expect(missing).toEqual([]);
});
