// The relay over loopback: nothing that it said yes to is lost, whatever happens to either side.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RelayServer } from '../../../src/simulators/relay/server.ts';
import { bodyOf, newFolder, post, startBox, startRelay, TOKEN } from './bench.ts';

const DAY = 86_400_000;

let folder: ReturnType<typeof newFolder>;
let relay: RelayServer;
const ends: (() => unknown)[] = [];

beforeEach(async () => {
  folder = newFolder();
  relay = await startRelay(folder.path);
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await relay.stop();
  folder.remove();
});

function openBox(...input: Parameters<typeof startBox>) {
  const box = startBox(...input);
  ends.push(() => box.client.stop());
  return box;
}

const drained = () =>
  vi.waitFor(() => expect(relay.waiting('kiosk')).toBe(0), { timeout: 20_000, interval: 5 });

describe('a notice', () => {
  test('reaches the box with its path, body and headers, and who sent it', async () => {
    const box = openBox(relay.baseUrl);
    const octets = new Uint8Array([0, 255, 128, 10, 13, 34]);
    expect(await post(relay.baseUrl, octets, '/n/kiosk/cb/mpesa/tok?a=1')).toBe(200);
    await drained();
    const [notice] = box.given;
    expect(notice).toMatchObject({
      sequence: 1,
      path: '/cb/mpesa/tok?a=1',
      headers: { 'content-type': 'application/json', businessshortcode: '600700' },
    });
    expect(notice?.headers).not.toHaveProperty('cookie');
    expect(notice?.source_address).toMatch(/127\.0\.0\.1$/);
    expect([...Buffer.from(notice!.body, 'base64')]).toEqual([...octets]);
    const well = { state: 'up', problem: null, taken: 1, waiting: 0 };
    await vi.waitFor(() => expect(box.client.state()).toMatchObject(well));
  });

  test('waits for a box that is off for nine days, in order, through a restart of the relay', async () => {
    const time = { now: Date.UTC(2026, 0, 1) };
    await relay.stop();
    relay = await startRelay(folder.path, { now: () => time.now });
    for (let day = 0; day < 9; day++) {
      time.now += DAY;
      for (const part of ['a', 'b', 'c']) expect(await post(relay.baseUrl, `${day}${part}`)).toBe(200);
      if (day === 4) {
        await relay.stop();
        relay = await startRelay(folder.path, { now: () => time.now });
      }
    }
    const box = openBox(relay.baseUrl);
    await drained();
    const all = Array.from({ length: 9 }, (_, day) => ['a', 'b', 'c'].map((part) => `${day}${part}`)).flat();
    expect(box.bodies()).toEqual(all);
    expect(box.given.map((notice) => notice.sequence)).toEqual(all.map((_, at) => at + 1));
    expect(box.given.at(-1)!.received_at - box.given[0]!.received_at).toBe(8 * DAY);
  });

  test('comes again when its acknowledgement is lost, under the same name', async () => {
    let lost = 0;
    const box = openBox(relay.baseUrl, {
      fetch: async (url, init) => {
        if (!url.endsWith('/acknowledge') || lost >= 2) return fetch(url, init);
        lost += 1;
        throw new TypeError('connection reset');
      },
    });
    await post(relay.baseUrl, 'once');
    await drained();
    expect(box.bodies()).toEqual(['once', 'once', 'once']);
    expect(new Set(box.given.map((notice) => notice.sequence))).toEqual(new Set([1]));
  });

  test('that the box cannot write down comes again, and what came before it does not', async () => {
    for (const body of ['1', '2', '3', '4']) await post(relay.baseUrl, body);
    const tried: string[] = [];
    let full = 2;
    openBox(relay.baseUrl, {
      deliver: async (notice) => {
        tried.push(bodyOf(notice));
        if (bodyOf(notice) === '3' && full-- > 0) throw new Error('the disk is full');
      },
    });
    await drained();
    expect(tried).toEqual(['1', '2', '3', '3', '3', '4']);
  });

  test('that was acknowledged never comes back, and sequences go on after a restart', async () => {
    const first = openBox(relay.baseUrl);
    await post(relay.baseUrl, 'old');
    await drained();
    await first.client.stop();
    await relay.stop();
    relay = await startRelay(folder.path);
    await post(relay.baseUrl, 'new');
    const second = openBox(relay.baseUrl);
    await drained();
    expect(second.given.map((notice) => [notice.sequence, bodyOf(notice)])).toEqual([[2, 'new']]);
  });

  test('reaches a waiting box at once: it is not asked for by the clock', async () => {
    const box = openBox(relay.baseUrl, { waitSeconds: 25 });
    await vi.waitFor(() => expect(box.client.state().state).toBe('starting'));
    await post(relay.baseUrl, 'now');
    await drained();
    expect(box.bodies()).toEqual(['now']);
  });
});

describe('the relay', () => {
  test('says no to what it does not keep', async () => {
    expect(await post(relay.baseUrl, 'x'.repeat(64 * 1024 + 1))).toBe(413);
    expect(await post(relay.baseUrl, 'x'.repeat(64 * 1024))).toBe(200);
    expect(await post(relay.baseUrl, 'x', '/n/nobody/cb/mpesa/tok')).toBe(404);
    expect(await post(relay.baseUrl, 'x', '/n/kiosk/api/v1/plans')).toBe(404);
    expect(await post(relay.baseUrl, 'x', '/n/kiosk/cb/../api/v1/plans')).toBe(404);
    expect(relay.waiting('kiosk')).toBe(1);
  });

  test('refuses more than it promised to keep, and takes again once there is room', async () => {
    await relay.stop();
    relay = await startRelay(folder.path, { mostKept: 2 });
    expect([
      await post(relay.baseUrl, '1'),
      await post(relay.baseUrl, '2'),
      await post(relay.baseUrl, '3'),
    ]).toEqual([200, 200, 503]);
    const box = openBox(relay.baseUrl);
    await drained();
    expect(await post(relay.baseUrl, '4')).toBe(200);
    await drained();
    expect(box.bodies()).toEqual(['1', '2', '4']);
  });

  test('gives nothing to a wrong token, and the box says so', async () => {
    await post(relay.baseUrl, 'secret');
    const box = openBox(relay.baseUrl, { token: `${TOKEN}x` });
    await vi.waitFor(() => expect(box.client.state().state).toBe('refused'));
    expect(box.client.state().problem).toMatch(/token/);
    expect(box.given).toEqual([]);
    expect((await fetch(`${relay.baseUrl}/relay/v1/notices`)).status).toBe(401);
    expect(relay.waiting('kiosk')).toBe(1);
  });

  test('does not take an acknowledgement that was meant for a stream before it', async () => {
    await post(relay.baseUrl, 'kept');
    const response = await fetch(`${relay.baseUrl}/relay/v1/acknowledge`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'karibu-box': 'kiosk' },
      body: JSON.stringify({ stream: 'another', through: 1 }),
    });
    expect(response.status).toBe(409);
    expect(relay.waiting('kiosk')).toBe(1);
  });

  test('that answers nonsense is asked again, and nothing is acknowledged', async () => {
    await post(relay.baseUrl, 'real');
    const nonsense = [
      '<html>',
      '{}',
      '{"stream":"s","notices":[{"sequence":0}]}',
      '{"stream":"s","notices":null}',
    ];
    const asked: string[] = [];
    const box = openBox(relay.baseUrl, {
      fetch: async (url, init) => {
        asked.push(new URL(url).pathname);
        const text = nonsense.shift();
        return text === undefined ? fetch(url, init) : new Response(text);
      },
    });
    await drained();
    expect(asked.slice(0, 4)).toEqual(Array(4).fill('/relay/v1/notices'));
    expect(box.bodies()).toEqual(['real']);
  });
});
