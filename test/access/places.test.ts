// The places of a plan: who holds one, and who gives way for whom.
import { expect, it } from 'vitest';
import { devicesBeside, devicesInTheWay } from '../../src/access/places.ts';
import type { Session } from '../../src/access/sessions.ts';

/** An open session, as far as a place is concerned. */
const open = (id: string, mac: string | null, started_at: number, gave_way_at: number | null = null) =>
  ({ id, mac, started_at, gave_way_at }) as Session;
const idsOf = (devices: { sessions: Session[] }[]) =>
  devices.map((device) => device.sessions.map((session) => session.id).join('+'));

const SESSIONS = [
  open('b', 'B', 30),
  open('a at the second router', 'A', 50),
  open('no address', null, 20),
  open('a', 'A', 10),
  open('told to go', 'C', 5, 40),
  open('no address either', null, 60),
];

it('beside a device are the others, the one that came first leading, each with all of its sessions', () => {
  expect(idsOf(devicesBeside(SESSIONS, 'X'))).toEqual([
    'a at the second router+a',
    'no address',
    'b',
    'no address either',
  ]);
  expect(devicesBeside(SESSIONS, 'X').map((device) => device.mac)).toEqual(['A', null, 'B', null]);
  expect(idsOf(devicesBeside(SESSIONS, 'A'))).toEqual(['no address', 'b', 'no address either']);
});

it.each([
  ['nobody where the last place is left', null, 5, []],
  ['nobody where there are more', null, 6, []],
  ['the oldest over the number', null, 3, ['a at the second router+a', 'no address']],
  ['its own former address first, and then as many fewer', 'B', 3, ['b', 'a at the second router+a']],
  ['its own former address even where there is a place', 'B', 9, ['b']],
  ['nobody for a former address that is offline', 'Z', 5, []],
  [
    'all the others where the plan is for one',
    'A',
    1,
    ['a at the second router+a', 'no address', 'b', 'no address either'],
  ],
])('in the way of who comes back is %s', (_, previous_mac, places, expected) => {
  expect(idsOf(devicesInTheWay(SESSIONS, { mac: 'X', previous_mac }, places))).toEqual(expected);
});

it('in its own way is no device', () => {
  expect(idsOf(devicesInTheWay(SESSIONS, { mac: 'A', previous_mac: 'A' }, 4))).toEqual([]);
});
