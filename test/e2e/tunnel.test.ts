// A tunnel beside the compiled binary: no program is left behind, neither by a stop nor by a power cut; a relay keeps what came meanwhile.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRelayServer, type RelayServer } from '../../src/simulators/relay/server.ts';
import { type Api, adminApi, send } from './support/api.ts';
import { type Karibu, startKaribu } from './support/karibu.ts';
import { until } from './support/until.ts';

let folder: string;
let karibu: Karibu;
let api: Api;
let relay: RelayServer;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'karibu-e2e-tunnel-'));
  const programs = path.join(folder, 'programs');
  mkdirSync(programs);
  const ssh = path.join(programs, 'ssh');
  writeFileSync(ssh, `#!/bin/sh\necho $$ >> ${folder}/pids\nexec sleep 100000\n`);
  chmodSync(ssh, 0o755);
  relay = createRelayServer({
    folder: path.join(folder, 'relay'),
    boxes: [{ box: 'kiosk', token: 'tok-en' }],
  });
  await relay.start();
  karibu = await startKaribu({ PATH: `${programs}:${process.env.PATH}` });
  const owner = {
    email: 'owner@example.com',
    name: 'Owner',
    password: 'long enough',
    business_name: 'Kiosk',
  };
  const set = await send<{ token: string }>('POST', `http://${karibu.admin}/api/v1/auth/setup`, {
    body: owner,
  });
  api = adminApi(karibu.admin, set.body.token);
});
afterEach(async () => {
  await karibu.remove();
  await relay.stop();
  rmSync(folder, { recursive: true, force: true });
});

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] !== 'Z';
  } catch {
    return false; // There is no such process.
  }
}

test('no tunnel program outlives its box: kill -9 and start, then a stop', async () => {
  const pids = () => readFileSync(path.join(folder, 'pids'), 'utf8').trim().split('\n').map(Number);
  const stage = async () => (await api.get<{ state: { stage: string } }>('/tunnel')).state.stage;
  await api.put('/tunnel', { mode: 'ssh', ssh_host: 'server.example', url: `http://${karibu.callback}` });
  await until('the way in is proved from outside', async () => (await stage()) === 'up');
  const [first] = pids();
  await karibu.kill9();
  expect(isAlive(first!)).toBe(true);
  await karibu.restart();
  await until('the one left behind is ended', () => !isAlive(first!));
  await until('another one is up', async () => (await stage()) === 'up');
  const second = pids().at(-1)!;
  expect([second === first, isAlive(second)]).toEqual([false, true]);
  await karibu.stop();
  expect(isAlive(second)).toBe(false);
});

test('notices that came while the box was cut off are there once it is back, once', async () => {
  await api.put('/tunnel', { mode: 'hub', hub_url: relay.baseUrl, hub_box: 'kiosk', hub_token: 'tok-en' });
  const post = async (n: number) => {
    const body = { raw: `{"notice":${n}}`, headers: { 'content-type': 'application/json' } };
    expect((await send('POST', `${relay.baseUrl}/n/kiosk/cb/mpesa/nobody`, body)).status).toBe(200);
  };
  const kept = async () =>
    (await api.get<{ door: { counts: { quarantined: number } } }>('/tunnel')).door.counts.quarantined;
  await post(1);
  await until('the first is in', async () => (await kept()) === 1);
  await until('the relay knows', () => relay.waiting('kiosk') === 0);
  await karibu.kill9();
  for (const n of [2, 3, 4]) await post(n);
  expect(relay.waiting('kiosk')).toBe(3);
  await karibu.restart();
  await until('the relay has handed everything over', () => relay.waiting('kiosk') === 0);
  expect(await kept()).toBe(3);
});
