// The arrows of the design, checked on every source file.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { importsOf } from '../../scripts/imports.mjs';
import { breaches, type SourceFile } from './arrows.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function sources(folder: string): SourceFile[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.split(path.sep).join('/')}`)
    .filter((file) => /\.tsx?$/.test(file))
    .sort()
    .map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }));
}

/** The breaches of a file with these lines under its first comment. */
function tried(file: string, ...lines: string[]): string[] {
  return breaches({ file, text: ['// For a test.', ...lines].join('\n') });
}

describe('the tree', () => {
  test('every file of src and migrations keeps to the arrows of the design', () => {
    const files = [...sources('src'), ...sources('migrations')];
    expect(files.length).toBeGreaterThan(10);
    expect(files.flatMap(breaches)).toEqual([]);
  });

  test('every file that writes payments books them in the ledger', () => {
    const writers = sources('src').filter(({ text }) =>
      /(insertInto|updateTable|deleteFrom)\('payments'/.test(text),
    );
    expect(writers.length).toBeGreaterThan(0);
    expect(writers.filter(({ text }) => !/\bbookPayment\(/.test(text)).map(({ file }) => file)).toEqual([]);
  });

  test('the lock file names no download address', () => {
    const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { resolved?: string; integrity?: string }>;
    };
    const packages = Object.entries(lock.packages);
    expect(packages.length).toBeGreaterThan(20);
    expect(packages.filter(([, entry]) => entry.resolved !== undefined).map(([name]) => name)).toEqual([]);
    expect(packages.filter(([name, entry]) => name !== '' && !entry.integrity).map(([name]) => name)).toEqual(
      [],
    );
  });
});

describe('the check itself', () => {
  test('names the file and the arrow', () => {
    expect(tried('src/billing/settle.ts', "import { enforce } from '../network/enforce.ts';")).toEqual([
      'src/billing/settle.ts → src/network/enforce.ts: billing may not import network',
    ]);
  });

  test.each([
    ['src/lib/money.ts', '../errors.ts'],
    ['src/db/open.ts', '../access/plans.ts'],
    ['src/access/authorize.ts', '../protocols/radius/packet.ts'],
    ['src/access/plans.ts', '../billing/orders.ts'],
    ['src/operators/audit.ts', '../billing/orders.ts'],
    ['src/network/enforce.ts', '../billing/orders.ts'],
    ['src/messaging/outbox.ts', '../billing/orders.ts'],
    ['src/reports/sales.ts', '../billing/orders.ts'],
    ['src/operators/audit.ts', '../protocols/mpesa/client.ts'],
    ['src/reports/sales.ts', '../protocols/mpesa/client.ts'],
    ['src/jobs/schedule.ts', '../servers/http/listen.ts'],
    ['src/servers/http/listen.ts', '../../jobs/schedule.ts'],
    ['src/servers/http/listen.ts', '../../simulators/router.ts'],
    ['src/servers/http/listen.ts', '../../app.ts'],
    ['src/protocols/radius/client.ts', '../../errors.ts'],
    ['src/simulators/router.ts', '../access/plans.ts'],
    ['src/app.ts', './commands/serve.ts'],
    ['src/main.ts', './app.ts'],
    ['src/access/plans.ts', '../../ui/shared/api.ts'],
    ['migrations/0002-more.ts', './0001-start.ts'],
    ['migrations/index.ts', '../src/lib/ids.ts'],
  ])('refuses %s → %s', (file, specifier) => {
    expect(tried(file, `import { a } from '${specifier}';`)).toHaveLength(1);
    expect(tried(file, `export * from '${specifier}';`)).toHaveLength(1);
    expect(tried(file, `const a = await import('${specifier}');`)).toHaveLength(1);
  });

  test.each([
    ['src/servers/radius/access-request.ts', '../../access/authorize.ts'],
    ['src/servers/radius/access-request.ts', '../../protocols/radius/packet.ts'],
    ['src/billing/gateways.ts', '../protocols/mpesa/client.ts'],
    ['src/network/enforce.ts', '../protocols/routeros/client.ts'],
    ['src/simulators/router.ts', '../protocols/radius/packet.ts'],
    ['src/commands/demo.ts', '../simulators/router.ts'],
    ['src/app.ts', './jobs/schedule.ts'],
    ['src/jobs/schedule.ts', '../billing/reconcile.ts'],
    ['src/db/migrate.ts', '../../migrations/index.ts'],
    ['src/access/plans.ts', '../lib/money.ts'],
  ])('allows %s → %s', (file, specifier) => {
    expect(tried(file, `import { a } from '${specifier}';`)).toEqual([]);
  });

  test('lets reports name the types of other trades but not run their code', () => {
    expect(tried('src/reports/sales.ts', "import type { Order } from '../billing/orders.ts';")).toEqual([]);
    expect(tried('src/reports/sales.ts', "import { type Order } from '../billing/orders.ts';")).toEqual([]);
    expect(
      tried('src/reports/sales.ts', "import { type Order, find } from '../billing/orders.ts';"),
    ).toHaveLength(1);
  });

  test('keeps SQL out of the servers', () => {
    const file = 'src/servers/http/admin/plans.ts';
    expect(tried(file, "import { sql } from 'kysely';")).toHaveLength(1);
    expect(tried(file, "import type { Kysely } from 'kysely';")).toEqual([]);
    expect(tried(file, 'const n = sql`select 1`;')).toHaveLength(1);
    expect(tried(file, 'const n = sql<{ n: number }>`select 1`;')).toHaveLength(1);
    expect(tried(file, "const n = db.selectFrom('plans');")).toHaveLength(1);
    expect(tried('src/access/plans.ts', "const n = db.selectFrom('plans');")).toEqual([]);
  });

  test('keeps the wire out of what decides', () => {
    expect(tried('src/access/authorize.ts', "import dgram from 'node:dgram';")).toHaveLength(1);
    expect(tried('src/billing/orders.ts', "import { Hono } from 'hono';")).toHaveLength(1);
    expect(tried('src/servers/http/listen.ts', "import { Hono } from 'hono';")).toEqual([]);
  });

  test('wants a first line that says what the file is for, and one reader of the environment', () => {
    expect(breaches({ file: 'src/lib/money.ts', text: '\n// Late.\n' })).toHaveLength(1);
    expect(tried('src/network/health.ts', 'const a = process.env.HOME;')).toHaveLength(1);
    expect(tried('src/config.ts', 'const a = process.env.HOME;')).toEqual([]);
  });

  test('calls a new folder what it is: no layer of the design', () => {
    expect(tried('src/helpers/all.ts')).toEqual(['src/helpers/all.ts: "helpers" is no layer of the design']);
  });

  test('sees imports over several lines, re-exports and types', () => {
    const text =
      "import {\n  a,\n  type B,\n} from './x.ts';\nimport './y.ts';\nexport type { C } from './z.ts';";
    expect(importsOf(text)).toEqual([
      { specifier: './x.ts', typeOnly: false },
      { specifier: './y.ts', typeOnly: false },
      { specifier: './z.ts', typeOnly: true },
    ]);
  });
});
