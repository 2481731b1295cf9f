// Two Karibus on one PostgreSQL of their own, and a router that asks the second where the first is silent.
import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { isPostgresInstalled, type PostgresCluster, startPostgres } from '../../../scripts/postgres.mjs';
import { KEY_FILE } from '../../../src/db/key-file.ts';
import { attribute, getString } from '../../../src/protocols/radius/attributes.ts';
import { createRadiusRequester } from '../../../src/protocols/radius/client.ts';
import { Code, type Packet } from '../../../src/protocols/radius/packet.ts';
import { hidePassword } from '../../../src/protocols/radius/passwords.ts';
import { type Karibu, startKaribu } from './karibu.ts';
import { openShop, SECRET, type Shop } from './shop.ts';

export const hasPostgres = isPostgresInstalled();
if (!hasPostgres) console.log('skipped: PostgreSQL is not installed (Debian package postgresql)');

export interface Nodes {
  postgres: PostgresCluster;
  /** The shop is opened at the first node. */
  shop: Shop;
  nodes: [Karibu, Karibu];
  close(): Promise<void>;
}

export async function openNodes(): Promise<Nodes> {
  const postgres = await startPostgres();
  const environment = { KARIBU_DATABASE_URL: postgres.url };
  const shop = await openShop(environment);
  // Nodes of one operator share the key that seals what is stored, and nothing else that lies on a disk.
  const folder = path.join(shop.karibu.folder, 'second');
  mkdirSync(folder);
  cpSync(path.join(shop.karibu.folder, 'data', KEY_FILE), path.join(folder, KEY_FILE));
  const second = await startKaribu({ ...environment, KARIBU_DATA_DIR: folder });
  return {
    postgres,
    shop,
    nodes: [shop.karibu, second],
    async close() {
      await second.remove();
      await shop.close();
      postgres.stop();
    },
  };
}

export interface NasSession {
  acct: string;
  name: string;
  mac: string;
  class: string;
}

export interface Report {
  seconds?: number;
  upload?: number;
  download?: number;
}

const STATUS = { start: 1, stop: 2, interim: 3 } as const;

/** How a router waits for each answer before it sends again, and how often before it asks the next server. */
const TRY = { timeoutMs: 5000, attempts: 2 };

/** A router with a list of RADIUS servers: the answer of the first that gives one, else undefined. */
export function openNas(secret = SECRET, localAddress?: string) {
  const requester = createRadiusRequester(localAddress ? { localAddress } : {});
  const key = Buffer.from(secret);
  const port = (address: string) => Number(address.split(':').at(-1));
  let serial = 0;
  return {
    close: () => requester.close(),
    async logIn(servers: Karibu[], name: string, password: string, mac: string, limits = TRY) {
      const authenticator = Buffer.alloc(16);
      authenticator.writeUInt32BE(++serial);
      authenticator.writeDoubleBE(Math.random(), 4);
      for (const { radius_auth } of servers) {
        const outcome = await requester.request({
          host: '127.0.0.1',
          port: port(radius_auth),
          secret: key,
          code: Code.AccessRequest,
          authenticator,
          messageAuthenticator: true,
          requireMessageAuthenticator: true,
          ...limits,
          attributes: [
            attribute('User-Name', name),
            attribute('User-Password', hidePassword(password, key, authenticator)),
            attribute('Calling-Station-Id', mac),
          ],
        });
        if ('packet' in outcome) return outcome.packet;
      }
      return undefined;
    },
    /** True when one of the servers acknowledged it. */
    async account(
      servers: Karibu[],
      session: NasSession,
      status: keyof typeof STATUS,
      { seconds = 0, upload = 0, download = 0 }: Report = {},
      limits = TRY,
    ): Promise<boolean> {
      for (const { radius_acct } of servers) {
        const outcome = await requester.request({
          host: '127.0.0.1',
          port: port(radius_acct),
          secret: key,
          code: Code.AccountingRequest,
          ...limits,
          attributes: [
            attribute('Acct-Status-Type', STATUS[status]),
            attribute('User-Name', session.name),
            attribute('Acct-Session-Id', session.acct),
            attribute('Calling-Station-Id', session.mac),
            attribute('Class', session.class),
            attribute('Acct-Session-Time', seconds),
            attribute('Acct-Input-Octets', upload),
            attribute('Acct-Output-Octets', download),
          ],
        });
        if ('packet' in outcome) return true;
      }
      return false;
    },
  };
}

export type Nas = ReturnType<typeof openNas>;

export const isAccept = (packet: Packet | undefined): packet is Packet => packet?.code === Code.AccessAccept;
export const messageOf = (packet: Packet | undefined) =>
  packet ? (getString(packet, 'Reply-Message') ?? '') : 'silence';

/** What the NAS keeps of an Accept for its accounting. */
export function sessionOf(accept: Packet, acct: string, name: string, mac: string): NasSession {
  return { acct, name, mac, class: getString(accept, 'Class') ?? '' };
}
