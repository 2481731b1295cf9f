// A relay and boxes for tests: notices sent as M-PESA would, boxes that write down what they are given.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createRelayClient,
  type RelayClientOptions,
  type RelayNotice,
} from '../../../src/protocols/relay/index.ts';
import { createRelayServer, type RelayServerOptions } from '../../../src/simulators/relay/server.ts';

export const TOKEN = 'a-token-of-the-box';

export function newFolder() {
  const path = mkdtempSync(join(tmpdir(), 'karibu-relay-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export async function startRelay(folder: string, more: Partial<RelayServerOptions> = {}) {
  const relay = createRelayServer({ folder, boxes: [{ box: 'kiosk', token: TOKEN }], ...more });
  await relay.start();
  return relay;
}

/** Posts a notice as a stranger would; the status that came back. */
export async function post(
  baseUrl: string,
  body: string | Uint8Array<ArrayBuffer>,
  path = '/n/kiosk/cb/mpesa/token',
) {
  const response = await fetch(`${baseUrl}${path}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', Businessshortcode: '600700', cookie: 'not kept' },
  });
  await response.text();
  return response.status;
}

/** A box that keeps every notice it is given, repeats too. */
export function startBox(baseUrl: string, more: Partial<RelayClientOptions> = {}) {
  const given: RelayNotice[] = [];
  const client = createRelayClient({
    baseUrl,
    box: 'kiosk',
    token: TOKEN,
    fetch,
    now: () => 0,
    waitSeconds: 1,
    backoffMs: [1, 2, 5],
    deliver: async (notice) => void given.push(notice),
    ...more,
  });
  client.start();
  return { client, given, bodies: () => given.map(bodyOf) };
}

export function bodyOf(notice: RelayNotice): string {
  return Buffer.from(notice.body, 'base64').toString();
}
