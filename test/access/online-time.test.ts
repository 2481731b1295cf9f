// Online time of a guest who walks: two routers tell of the same minutes, the guest pays for them once.
import { expect, it } from 'vitest';
import { recordAccounting, type SessionReport } from '../../src/access/accounting.ts';
import { getEntitlement } from '../../src/access/entitlements.ts';
import { moveLiveSessions, moveSession } from '../../src/access/sessions.ts';
import { chance } from '../protocols/radius/material.ts';
import { onEveryStore } from '../support/stores.ts';
import { HOUR, NOW, report, someAccess } from './fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';
const OTHER = 'AA:BB:CC:00:00:02';
const MINUTE = 60_000;

type Access = Awaited<ReturnType<typeof someAccess>>;

/** A message of a session that began `startedAt` seconds after NOW, after so many seconds of it. */
function told(
  { credential, entitlement }: Pick<Access, 'credential' | 'entitlement'>,
  name: string,
  router_id: string,
  startedAt: number,
  session_seconds: number,
  change: Partial<SessionReport> = {},
): SessionReport {
  return report({
    kind: session_seconds === 0 ? 'start' : 'interim',
    ...{ router_id, session_seconds, acct_session_id: name, nas_ip: router_id, mac: MAC },
    username: credential.username,
    reference: { credential_id: credential.id, entitlement_id: entitlement.id, accept_id: name },
    upload_octets: session_seconds,
    at: NOW + (startedAt + session_seconds) * 1000,
    ...change,
  });
}

onEveryStore('online time', (store, kind) => {
  const tell = (...reports: SessionReport[]) =>
    recordAccounting(store(), reports, Math.max(...reports.map(({ at }) => at)));
  const used = async ({ entitlement }: Pick<Access, 'entitlement'>) => {
    const { used_seconds, used_upload_octets } = await getEntitlement(store(), entitlement.id);
    return [used_seconds, used_upload_octets];
  };
  const online = (change = {}) =>
    someAccess(store(), { online_seconds: 10 * 3600, validity_seconds: 86_400, ...change });

  it('of a guest who walked counts once, whichever router tells first, and the octets of both', async () => {
    for (const order of [(all: SessionReport[]) => all, (all: SessionReport[]) => all.toReversed()]) {
      const access = await online();
      // At A from 0 to 600, at B from 400 on: A takes 200 s to notice.
      await tell(...order([told(access, 'a', 'A', 0, 600), told(access, 'b', 'B', 400, 500)]));
      expect(await used(access)).toEqual([900, 1100]);
      await tell(...order([told(access, 'b', 'B', 400, 800), told(access, 'a', 'A', 0, 600)]));
      expect(await used(access)).toEqual([1200, 1400]);
    }
  });

  it('that a late Stop tells of is not counted again when the later session is over', async () => {
    const access = await online();
    await tell(told(access, 'a', 'A', 0, 0), told(access, 'a', 'A', 0, 300));
    await tell(told(access, 'b', 'B', 400, 0), told(access, 'b', 'B', 400, 600, { kind: 'stop' }));
    expect(await used(access)).toEqual([900, 900]);
    const stop = told(access, 'a', 'A', 0, 1200, { kind: 'stop' });
    await tell(stop);
    // What neither had told: 300 to 400, and 1000 to 1200.
    expect(await used(access)).toEqual([1200, 1800]);
    await tell(stop);
    expect(await used(access)).toEqual([1200, 1800]);
  });

  it('of two devices counts for each, and so does that of sessions without an address', async () => {
    const access = await online({ max_devices: 3 });
    await tell(told(access, 'a', 'A', 0, 600), told(access, 'b', 'B', 0, 600, { mac: OTHER }));
    expect((await used(access))[0]).toBe(1200);
    await tell(told(access, 'c', 'A', 0, 600, { mac: null }), told(access, 'd', 'B', 0, 600, { mac: null }));
    expect((await used(access))[0]).toBe(2400);
  });

  it('ends the plan when it is used up, not when two routers together have told so much', async () => {
    const access = await online({ online_seconds: 900 });
    await tell(told(access, 'a', 'A', 0, 600), told(access, 'b', 'B', 100, 500));
    await tell(told(access, 'a', 'A', 0, 899), told(access, 'b', 'B', 100, 799));
    expect(await getEntitlement(store(), access.entitlement.id)).toMatchObject({
      ...{ state: 'waiting', used_seconds: 899 },
    });
    await tell(told(access, 'b', 'B', 100, 800));
    expect(await getEntitlement(store(), access.entitlement.id)).toMatchObject({
      ...{ state: 'ended', end_reason: 'online_time_used', used_seconds: 900 },
    });
  });

  it('is only what the entitlement had: another plan of the device takes nothing off', async () => {
    const access = await online();
    const next = { ...access, entitlement: await access.grant() };
    await tell(told(access, 'a', 'A', 0, 600), told(next, 'b', 'B', 100, 500));
    expect([(await used(access))[0], (await used(next))[0]]).toEqual([600, 500]);
  });

  it('is counted of each session where the plan sells no online time; usage by the day always is', async () => {
    const access = await someAccess(store());
    const walked = await online();
    for (const each of [access, walked]) {
      await tell(told(each, 'a', 'A', 0, 600), told(each, 'b', 'B', 100, 500));
    }
    expect([(await used(access))[0], (await used(walked))[0]]).toEqual([1100, 600]);
    const days = await store().selectFrom('daily_usage').selectAll().orderBy('router_id').execute();
    expect(days.map((day) => [day.router_id, day.online_seconds])).toEqual([
      ['A', 600],
      ['A', 600],
      ['B', 500],
      ['B', 500],
    ]);
  });

  it('counts once beside a session that is older than a day, or began under the plan before', async () => {
    const hours = (count: number) => count * 3600;
    const long = await online({ online_seconds: hours(40), validity_seconds: 90 * 86_400 });
    await tell(told(long, 'a', 'A', 0, 0));
    await tell(told(long, 'a', 'A', 0, hours(30)));
    await tell(told(long, 'b', 'B', hours(29), hours(2)));
    expect((await used(long))[0]).toBe(hours(31));

    const first = await online({ online_seconds: hours(20) });
    const next = { ...first, entitlement: await first.grant() };
    await tell(told(first, 'c', 'A', 0, 0));
    const [session] = await tell(told(first, 'c', 'A', 0, hours(20)));
    await store()
      .updateTable('entitlements')
      .set({ online_seconds: hours(1) })
      .execute();
    await moveSession(store(), session?.id ?? '', { id: next.entitlement.id, plan_id: first.plan.id });
    await tell(told(first, 'c', 'A', 0, hours(20.5)));
    await tell(told(next, 'd', 'B', hours(20.25), hours(0.5)));
    expect((await used(next))[0]).toBe(hours(0.75));
  });

  it('neither grows nor shrinks by the parts of a second in which reports arrive', async () => {
    const access = await online();
    for (let minute = 1; minute <= 60; minute++) {
      const [late, later] = [(minute * 379) % 2500, (minute * 733) % 2500];
      const a = told(access, 'a', 'A', 0, minute * 60);
      const b = told(access, 'b', 'B', 30, minute * 60);
      await tell({ ...a, at: a.at + 499 + late }, { ...b, at: b.at + 999 + later });
    }
    // What the two starts are off by counts once, at the end.
    const [seconds = 0] = await used(access);
    expect(Math.abs(seconds - 3630)).toBeLessThanOrEqual(3);
  });

  it('is not taken off where a box that is behind reckons a new session into the past', async () => {
    const access = await online();
    // The box was off for two hours and believes that it was not; the router counts on.
    const behind = (seconds: number) => NOW + (600 + seconds) * 1000;
    await tell(told(access, 'a', 'A', 0, 600));
    await tell({ ...told(access, 'b', 'A', 0, 300), at: behind(400) });
    await tell({ ...told(access, 'a', 'A', 0, 7860), at: behind(60) });
    await tell({ ...told(access, 'c', 'B', 0, 300), at: behind(800) });
    expect((await used(access))[0]).toBe(7860 + 300 + 300);
    // Set right: from here on both are reckoned by one clock again.
    await moveLiveSessions(store(), NOW + 601_000, 2 * HOUR);
    await tell(told(access, 'c', 'B', 7200 + 1100, 360, { at: behind(860) + 2 * HOUR }));
    await tell({ ...told(access, 'a', 'A', 0, 8640), at: behind(8040) });
    // Of what A tells since 7860 s, b had 7900 to 8200 and c has 8300 to 8640.
    expect((await used(access))[0]).toBe(8460 + 60 + (8640 - 7860) - 300 - 340);
  });

  const seeds = kind === 'pglite' ? [1, 2] : [1, 2, 3, 4, 5, 6, 7, 8];
  it.each(seeds)(
    'of walking devices is what their sessions cover, at two nodes and in any order (seed %i)',
    async (seed) => {
      const by = chance(seed * 15_485_863);
      const access = await online({ max_devices: 2, online_seconds: 40 * 3600 });
      const reports: SessionReport[] = [];
      for (const mac of [MAC, OTHER]) {
        let arrives = by.below(600);
        for (let leg = 0; leg < 8; leg++) {
          const name = `${mac} ${leg}`;
          const stays = 60 + by.below(1200);
          const lasts = stays + by.pick([0, by.below(120), by.below(900), by.below(3600)]);
          const jitter = () => by.below(2500);
          const message = (seconds: number, change: Partial<SessionReport> = {}) => {
            const one = told(access, name, `router-${leg % 2}`, arrives, seconds, { mac, ...change });
            reports.push({ ...one, at: one.at + jitter() });
          };
          if (by.below(4) > 0) message(0);
          for (let seconds = 60; seconds < lasts; seconds += 60 + by.below(240)) {
            message(seconds);
            if (by.below(5) === 0) message(seconds);
          }
          if (by.below(4) > 0) message(lasts, { kind: 'stop', terminate_cause: 4 });
          arrives += stays + by.pick([0, 1, by.below(300)]);
        }
      }
      // Some arrive late, a few very late.
      const order = new Map(
        reports.map((one) => [one, one.at + by.pick([0, by.below(MINUTE), by.below(HOUR)])]),
      );
      reports.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));

      const sessions = new Map<string, { mac: string; start: number; seconds: number }>();
      for (let at = 0; at < reports.length; ) {
        const batch = reports.slice(at, at + 1 + by.below(12));
        at += batch.length;
        for (const { acct_session_id, mac, at: when, session_seconds } of batch) {
          // The first that arrives says when its session began.
          const start = Math.floor((when - session_seconds * 1000) / 1000);
          const known = sessions.get(acct_session_id) ?? { mac: mac ?? '', start, seconds: 0 };
          known.seconds = Math.max(known.seconds, session_seconds);
          sessions.set(acct_session_id, known);
        }
        // Each router asks a node of its own.
        const ofRouter = (n: number) => batch.filter((one) => one.router_id === `router-${n}`);
        await Promise.all([0, 1].map((n) => recordAccounting(store(), ofRouter(n), NOW + 6 * HOUR)));
        const seconds = new Set<string>();
        for (const { mac, start, seconds: count } of sessions.values()) {
          for (let second = start; second < start + count; second++) seconds.add(`${mac} ${second}`);
        }
        expect((await used(access))[0]).toBe(seconds.size);
      }
      const summed = [...sessions.values()].reduce((sum, { seconds }) => sum + seconds, 0);
      const days = await store().selectFrom('daily_usage').select('online_seconds').execute();
      expect(days.reduce((sum, day) => sum + Number(day.online_seconds), 0)).toBe(summed);
      expect((await used(access))[0]).toBeLessThan(summed);
    },
  );
});
