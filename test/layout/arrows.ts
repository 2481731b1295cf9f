// Who may import whom: the layers of the design, bottom last.
import path from 'node:path';
import { importsOf } from '../../scripts/imports.mjs';

export interface SourceFile {
  /** From the root of the repository, with slashes: `src/billing/settle.ts`. */
  file: string;
  text: string;
}

const ground = ['errors', 'log', 'version'];
const underDb = ['lib', ...ground];
const underAccess = ['db', ...underDb];
const underTrades = ['access', ...underAccess];
const trades = ['operators', 'reports', 'network', 'messaging', 'billing'];
const underHeavy = [...trades, ...underTrades];
const underServers = ['heavy', ...underHeavy, 'assets', 'config'];
const underApp = ['servers', 'jobs', ...underServers, 'protocols', 'simulators'];

/** Layer → the layers that it may import, itself aside. A layer is a folder or a file directly in `src`. */
export const MAY_IMPORT: Record<string, string[]> = {
  lib: [],
  errors: [],
  log: ['lib'],
  version: [],
  assets: ['errors'],
  config: [...underDb],
  protocols: ['lib'],
  simulators: ['protocols', 'lib'],
  // Every migration is one frozen file that stands for itself.
  migrations: [],
  db: [...underDb, 'migrations'],
  access: underAccess,
  operators: ['network', 'messaging', 'reports', ...underTrades],
  network: ['operators', 'messaging', 'reports', 'protocols', 'assets', ...underTrades],
  messaging: ['operators', 'network', 'reports', 'protocols', ...underTrades],
  reports: underTrades,
  // Billing enqueues a task instead of calling the network.
  billing: ['operators', 'messaging', 'reports', 'protocols', ...underTrades],
  heavy: underHeavy,
  jobs: underServers,
  servers: [...underServers, 'protocols'],
  app: underApp,
  commands: ['app', ...underApp],
  main: ['commands', 'config', ...underDb],
};

/** Layer → layers whose types it may name without running their code. */
const MAY_NAME_TYPES: Record<string, string[]> = { reports: trades };

/** These decide and record; what they are told comes as plain data. */
const KNOWS_NO_WIRE = ['lib', 'db', 'access', 'billing', 'operators', 'reports'];
const WIRE = /^(hono(\/.*)?|(node:)?(net|dgram|tls|http|https|http2))$/;

const KNOWS_NO_SQL = ['servers', 'protocols', 'simulators', 'lib'];
const SQL = /\bsql(?:<[^`]*>)?`|\.(?:selectFrom|insertInto|updateTable|deleteFrom|mergeInto)\(/;

/** `src/servers/radius/reply.ts` → `servers`; `src/app.ts` → `app`; undefined for what is no layer. */
export function layerOf(file: string): string | undefined {
  const [top, second] = file.split('/');
  if (top === 'migrations') return 'migrations';
  return top === 'src' ? second?.replace(/\.ts$/, '') : undefined;
}

/** Every forbidden arrow and word of one file, as `file → target: why`; empty when it keeps to the design. */
export function breaches({ file, text }: SourceFile): string[] {
  const layer = layerOf(file);
  const allowed = layer === undefined ? undefined : MAY_IMPORT[layer];
  if (layer === undefined || allowed === undefined) return [`${file}: "${layer}" is no layer of the design`];
  const found: string[] = [];
  for (const { specifier, typeOnly } of importsOf(text)) {
    if (!specifier.startsWith('.')) {
      if (KNOWS_NO_WIRE.includes(layer) && !typeOnly && WIRE.test(specifier))
        found.push(`${file} → ${specifier}: ${layer} never sees a Context, a packet or a socket`);
      if (KNOWS_NO_SQL.includes(layer) && !typeOnly && specifier === 'kysely')
        found.push(`${file} → kysely: ${layer} holds no SQL (types are fine)`);
      continue;
    }
    const target = path.posix.join(path.posix.dirname(file), specifier);
    // Migration 0002 may not lean on 0001: only the list knows them all.
    if (layer === 'migrations' && file !== 'migrations/index.ts')
      found.push(`${file} → ${target}: a migration imports nothing of ours`);
    const to = layerOf(target);
    if (to === layer || (to !== undefined && allowed.includes(to))) continue;
    if (typeOnly && to !== undefined && MAY_NAME_TYPES[layer]?.includes(to)) continue;
    found.push(`${file} → ${target}: ${layer} may not import ${to ?? 'from outside src'}`);
  }
  if (KNOWS_NO_SQL.includes(layer) && SQL.test(text))
    found.push(`${file} → ${SQL.exec(text)?.[0]}: ${layer} holds no SQL`);
  if (!/^(\/\/|\/\*)/.test(text))
    found.push(`${file}: the first line is no comment saying what the file is for`);
  if (layer !== 'config' && layer !== 'main' && /\bprocess\.env\b/.test(text))
    found.push(`${file} → process.env: only src/config.ts reads it`);
  return found;
}
