// The whole program without sockets: its doors, a clock that stands, callers of every role.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp, type Outside } from '../../../src/app.ts';
import { readConfig } from '../../../src/config.ts';
import { silentLog } from '../../../src/log.ts';
import { createAccount, type Role } from '../../../src/operators/accounts.ts';
import { openLogin } from '../../../src/operators/logins.ts';
import { NOW } from '../../access/fixtures.ts';

// biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the server sent; tests look into it freely.
type Json = any;

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body, when it is JSON. */
  json: Json;
}

export const PASSWORD = 'correct horse battery';

export async function startApp(outside: Partial<Outside> = {}) {
  const data = mkdtempSync(join(tmpdir(), 'karibu-http-'));
  const time = { now: NOW };
  const config = { ...readConfig({}, { data }), database: ':memory:' };
  const clock = { now: () => time.now, monotonic: () => time.now };
  const app = await createApp(config, { clock, log: silentLog, ...outside });

  async function answerOf(response: Response): Promise<Answer> {
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }

  /** One request at a door, from 127.0.0.1 unless told otherwise. */
  async function at(
    door: 'admin' | 'portal' | 'callback',
    path: string,
    init: RequestInit = {},
    address = '127.0.0.1',
  ): Promise<Answer> {
    return answerOf(await app.doors[door].request(path, init, { address }));
  }

  /** Calls the admin API with a token; the body as JSON. */
  function caller(token: string | undefined) {
    return (
      method: string,
      path: string,
      body?: unknown,
      headers: Record<string, string> = {},
    ): Promise<Answer> =>
      at('admin', `/api/v1${path}`, {
        method,
        headers: {
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
  }

  let accounts = 0;
  async function signedInAs(role: Role) {
    const email = `${role}${++accounts}@example.com`;
    const account = await createAccount(app.db, { email, name: role, role, password: PASSWORD }, NOW);
    const token = await openLogin(app.db, account, { address: null, agent: null }, NOW);
    return { account, token, call: caller(token) };
  }

  return {
    ...app,
    time,
    at,
    caller,
    signedInAs,
    async close() {
      await app.db.destroy();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

export type TestApp = Awaited<ReturnType<typeof startApp>>;
