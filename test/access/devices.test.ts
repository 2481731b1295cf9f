// Devices: which addresses a subscriber used, first and last, written down no more often than it tells something.
import { expect, it } from 'vitest';
import { sawDevice } from '../../src/access/devices.ts';
import { createSubscriber } from '../../src/access/subscribers.ts';
import { onEveryStore } from '../support/stores.ts';
import { NOW } from './fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';
const MINUTE = 60_000;

onEveryStore('a device', (store) => {
  it('is written down when it is new, then once in ten minutes, in whichever direction the clock was set', async () => {
    const { id } = await createSubscriber(store(), NOW);
    const seen = async (at: number, subscriber = id) => {
      await sawDevice(store(), subscriber, MAC, at);
      const devices = store().selectFrom('devices').selectAll().where('subscriber_id', '=', subscriber);
      return (await devices.execute()).map((device) => [device.first_seen_at, device.last_seen_at]);
    };
    expect(await seen(NOW)).toEqual([[NOW, NOW]]);
    expect(await seen(NOW + 10 * MINUTE - 1)).toEqual([[NOW, NOW]]);
    expect(await seen(NOW + 10 * MINUTE)).toEqual([[NOW, NOW + 10 * MINUTE]]);
    // Counted from when it was written down last.
    expect(await seen(NOW + 19 * MINUTE)).toEqual([[NOW, NOW + 10 * MINUTE]]);
    // A clock that was years ahead, and is right now.
    expect(await seen(NOW - 90 * MINUTE)).toEqual([[NOW, NOW - 90 * MINUTE]]);
    const other = await createSubscriber(store(), NOW);
    expect(await seen(NOW, other.id)).toEqual([[NOW, NOW]]);
  });
});
