// What the admin pages ask the API for: only parameters that it knows, read from the pages' own sources.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAst } from 'vite';
import { expect, it } from 'vitest';
import { adminRoutes } from '../../src/servers/http/admin/api.ts';

const UI = join(import.meta.dirname, '../../ui/admin');

interface Question {
  /** With `{}` in place of each value. */
  path: string;
  names: string[];
}

/** A node of the syntax tree (ESTree), as far as it is looked at here. */
interface Node {
  type: string;
  [part: string]: unknown;
}

const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === 'string';

/** The texts that an expression may be, as far as the source says; a condition may be either. */
function textsOf(node: Node | undefined, known: Map<unknown, Node>): string[] {
  if (node?.type === 'Literal' && typeof node.value === 'string') return [node.value];
  if (node?.type === 'ConditionalExpression')
    return [...textsOf(node.consequent as Node, known), ...textsOf(node.alternate as Node, known)];
  if (node?.type !== 'TemplateLiteral') return [];
  const values = (node.expressions as Node[]).map((one) => textsOf(known.get(one.name), known)[0] ?? '{}');
  const quasis = node.quasis as { value: { cooked: string } }[];
  return [quasis.map((part, at) => part.value.cooked + (values[at] ?? '')).join('')];
}

function namesIn(node: Node | undefined): string[] {
  if (node?.type !== 'ObjectExpression') return [];
  return (node.properties as { key?: { name: string } }[]).map((property) => property.key?.name ?? '…');
}

/** Each GET in a source: by `get`, `useLoad` and `useList`, or as the address of a file. */
function questionsIn(source: string): Question[] {
  const known = new Map<unknown, Node>();
  const asked: Question[] = [];
  const ask = (text: string, names: string[]) => {
    const [path = '', query = ''] = text.split('?');
    asked.push({ path, names: [...new URLSearchParams(query).keys(), ...names] });
  };
  const visit = (node: Node): void => {
    if (node.type === 'VariableDeclarator' && isNode(node.init)) known.set((node.id as Node).name, node.init);
    if (node.type === 'CallExpression') {
      const name = String((node.callee as Node).name);
      const [path, query] = node.arguments as Node[];
      const paged = name === 'useList' ? ['limit', 'cursor'] : [];
      if (['get', 'useLoad', 'useList'].includes(name))
        for (const text of textsOf(path, known)) ask(text, [...paged, ...namesIn(query)]);
    }
    for (const text of textsOf(node, known))
      if (text.startsWith('/api/v1/')) ask(text.slice('/api/v1'.length), []);
    for (const part of Object.values(node).flat()) if (isNode(part)) visit(part);
  };
  visit(parseAst(source, { lang: 'ts' }) as unknown as Node);
  return asked;
}

const files = readdirSync(UI, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const questions = files.flatMap((file) => {
  const asked = questionsIn(readFileSync(join(UI, file), 'utf8'));
  return asked.map((one): [string, Question] => [`${file}: ${one.path}`, one]);
});
const gets = adminRoutes().filter((route) => route.method === 'get');

it('are found in the sources', () => {
  const all = questions.map(([, { path, names }]) => `${path} ${names}`);
  expect(all).toContain('/sessions limit,cursor,state,q,router_id');
  expect(all).toContain('/reports/sales.csv from,to,by');
  expect(all).toContain('/subscribers/{}/entitlements limit');
  expect(all.length).toBeGreaterThan(60);
});

it.each(questions)('%s is a route that knows what is sent', (_, { path, names }) => {
  const route = gets.find((one) => one.path.replace(/\{\w+\}/g, '{}') === path);
  expect(route).toBeDefined();
  const known = Object.keys(route?.query?.shape ?? {});
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
});
