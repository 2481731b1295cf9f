// Finds what a TypeScript file imports.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const STATEMENT = /^[ \t]*(?:import|export)\s+(?:(type)\s+)?(?:([^'";]*?)\s*from\s*)?(['"])([^'"\n]+)\3/gm;
const CALL = /(typeof\s+)?\b(?:import|require)\(\s*(['"`])([^'"`\n]+)\2\s*\)/g;

/** True for `{ type A, type B }`: names that are all erased. */
function onlyTypes(names) {
  const inner = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1];
  if (inner === undefined) return false;
  const listed = inner.split(',').map((name) => name.trim());
  return (
    listed.every((name) => name === '' || name.startsWith('type ')) && listed.some((name) => name !== '')
  );
}

/**
 * Every import, re-export, `import()` and `require()` with a literal name, in the order of the text by kind.
 * `typeOnly` ones are gone at run time.
 */
export function importsOf(text) {
  const found = [];
  for (const [, type, names, , specifier] of text.matchAll(STATEMENT))
    found.push({ specifier, typeOnly: Boolean(type) || onlyTypes(names ?? '') });
  for (const [, type, , specifier] of text.matchAll(CALL)) found.push({ specifier, typeOnly: Boolean(type) });
  return found;
}

/** True when `file`, or a file that it imports at run time, imports the package `name`. */
export function reaches(file, name, seen = new Set()) {
  if (seen.has(file) || !existsSync(file)) return false;
  seen.add(file);
  return importsOf(readFileSync(file, 'utf8')).some(({ specifier, typeOnly }) => {
    if (typeOnly) return false;
    if (specifier === name) return true;
    return specifier.startsWith('.') && reaches(path.resolve(path.dirname(file), specifier), name, seen);
  });
}
