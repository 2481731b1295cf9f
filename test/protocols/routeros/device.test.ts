// What the typed calls make of answers that the simulated router does not give.
import { expect, test } from 'vitest';
import { RouterOsError, type Row } from '../../../src/protocols/routeros/client.ts';
import {
  deviceMode,
  hotspotHostByMac,
  type Router,
  removeHotspotActive,
  removePppActive,
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

test('a router without PPP has no connection to end', async () => {
  expect(await removePppActive(answering({}), { user: 'home' })).toBe(0);
});

test('of the PPP connections of a user the one from that device is ended', async () => {
  const asked: unknown[][] = [];
  const router: Router = {
    async run(...words) {
      asked.push(words);
      if (words[0] !== '/ppp/active/print') return [];
      return [
        { '.id': '*1', 'caller-id': '02:00:00:00:00:01' },
        { '.id': '*2', 'caller-id': '02:00:00:00:00:02' },
      ];
    },
  };
  expect(await removePppActive(router, { user: 'home', mac: '02-00-00-00-00-02' })).toBe(1);
  expect(asked.map(([command]) => command)).toEqual(['/ppp/active/print', '/ppp/active/remove']);
  expect(asked[0]?.[2]).toEqual(['?name=home']);
  expect(asked[1]?.[1]).toEqual({ '.id': '*2' });
});

test('a PPP connection that may not be ended is a failure', async () => {
  const router = answering({
    '/ppp/active/print': [{ '.id': '*1' }],
    '/ppp/active/remove': trap('not enough permissions (9)'),
  });
  await expect(removePppActive(router, { user: 'home' })).rejects.toMatchObject({ code: 'trap' });
});

test('what is no MAC address is not looked for', async () => {
  expect(await hotspotHostByMac(answering({}), 'anything')).toBeUndefined();
});
