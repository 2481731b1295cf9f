// What the typed calls make of answers that the simulated router does not give.
import { expect, test } from 'vitest';
import { RouterOsError, type Row } from '../../../src/protocols/routeros/client.ts';
import {
  deviceMode,
  hotspotHostByMac,
  type Router,
  removeHotspotActive,
} from '../../../src/protocols/routeros/device.ts';

function trap(message: string): RouterOsError {
  return new RouterOsError('trap', 'command', message);
}

/** Answers by command; an error is thrown. */
function answering(answers: Record<string, Row[] | Error>): Router {
  return {
    async run(command) {
      const answer = answers[command];
      if (answer === undefined) throw trap('no such command');
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

test('a version without device-mode allows everything', async () => {
  expect(await deviceMode(answering({}))).toBeUndefined();
});

test('a router that refuses to say its device-mode is not taken for an old one', async () => {
  const router = answering({ '/system/device-mode/print': trap('not enough permissions (9)') });
  await expect(deviceMode(router)).rejects.toMatchObject({ code: 'trap' });
});

test('a device-mode that does not name the hotspot is judged by its mode', async () => {
  const allowed = async (mode: string) =>
    (await deviceMode(answering({ '/system/device-mode/print': [{ mode }] })))?.hotspotAllowed;
  expect([await allowed('home'), await allowed('basic'), await allowed('advanced')]).toEqual([
    false,
    false,
    true,
  ]);
});

test('a session that ended by itself before it could be removed is no failure', async () => {
  const router = answering({
    '/ip/hotspot/active/print': [{ '.id': '*1', 'mac-address': '02:00:00:00:00:01' }],
    '/ip/hotspot/active/remove': trap('no such item'),
  });
  expect(await removeHotspotActive(router, { user: 'a' })).toBe(0);
});

test('a session that may not be removed is a failure', async () => {
  const router = answering({
    '/ip/hotspot/active/print': [{ '.id': '*1' }],
    '/ip/hotspot/active/remove': trap('not enough permissions (9)'),
  });
  await expect(removeHotspotActive(router, { user: 'a' })).rejects.toMatchObject({ code: 'trap' });
});

test('what is no MAC address is not looked for', async () => {
  expect(await hotspotHostByMac(answering({}), 'anything')).toBeUndefined();
});
