// FreeRADIUS's own tools, as an operator tries a server with them: radtest by each method, radclient with EAP.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { REJECT_MESSAGES } from '../../../src/access/authorize.ts';
import { someAccess, someVouchers } from '../../access/fixtures.ts';
import { SECRET, startWire, type Wire } from './fixtures.ts';

const present = existsSync('/usr/bin/radtest');
if (!present) console.log('skipped: radtest is not installed (Debian package freeradius-utils)');

let wire: Wire;
let username: string;
beforeEach(async () => {
  wire = await startWire();
  await wire.addRouter('127.0.0.1');
  const access = await someAccess(wire.db);
  username = access.credential.username;
});
afterEach(() => wire.close());

const server = () => `127.0.0.1:${wire.bound.auth.port}`;

/** What a tool prints, whether it ends well or not: a Reject is a failure to it. */
async function run(program: string, args: string[], input = ''): Promise<string> {
  const running = promisify(execFile)(program, args);
  running.child.stdin?.end(input);
  const { stdout, stderr } = await running.catch((failed: { stdout: string; stderr: string }) => failed);
  return stdout + stderr;
}

const radtest = (method: string, name: string, password: string) =>
  run('radtest', ['-t', method, '-x', name, password, server(), '7', SECRET, '0', '127.0.0.1']);

describe.skipIf(!present)('radtest', () => {
  it.each(['pap', 'chap', 'mschap'])('-t %s: in with the password, out with another', async (method) => {
    const yes = await radtest(method, username, 'secret');
    expect(yes).toContain('Received Access-Accept');
    expect(yes).toMatch(/Session-Timeout = 3[56]\d\d/);
    const no = await radtest(method, username, 'another');
    expect(no).toContain('Received Access-Reject');
    expect(no).toContain(`Reply-Message = "${REJECT_MESSAGES.bad_password}"`);
    // RFC 2433 §4: error 691, and no retry.
    expect(/MS-CHAP-Error = ".*E=691 R=0/.test(no)).toBe(method === 'mschap');
  });

  it('-t mschap with a voucher code redeems it, once', async () => {
    const { codes } = await someVouchers(wire.db, 1);
    const code = codes[0] as string;
    const answer = await radtest('mschap', code, code);
    expect(answer).toContain('Received Access-Accept');
    expect(await wire.db.selectFrom('vouchers').select('state').execute()).toEqual([{ state: 'redeemed' }]);
    expect((await radtest('mschap', code, 'another')).match(/Received (\S+)/)?.[1]).toBe('Access-Reject');
  });
});

describe.skipIf(!present)('radclient with EAP', () => {
  // EAP-Response/Identity of `amina` (RFC 3748 §5.1).
  const EAP = 'EAP-Message = 0x0201000a01616d696e61';
  const send = (lines: string[]) =>
    run('radclient', ['-x', '-r', '1', '-t', '2', server(), 'auth', SECRET], `${lines.join('\n')}\n`);

  it('signed, as it has to be, gets a Reject that says so, also where the user is right', async () => {
    const answer = await send([`User-Name = "${username}"`, EAP, 'Message-Authenticator = 0x00']);
    expect(answer).toContain('Received Access-Reject');
    expect(answer).toContain(`Reply-Message = "${REJECT_MESSAGES.unsupported_method}"`);
    const log = await wire.admin('GET', '/reports/access-log');
    expect(log.json.items).toMatchObject([{ username, result: 'reject', reason: 'unsupported_method' }]);
  });

  it('radtest -t eap-md5 gets the same', async () => {
    expect(await radtest('eap-md5', username, 'secret')).toContain('Received Access-Reject');
  });
});
