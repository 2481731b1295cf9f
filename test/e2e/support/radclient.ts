// Runs radclient, an independent NAS.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const PROGRAM = '/usr/bin/radclient';

export const hasRadclient = existsSync(PROGRAM);
if (!hasRadclient) console.log(`skipped: ${PROGRAM} is not installed (Debian package freeradius-utils)`);

export interface RadiusAnswer {
  /** `Access-Accept`, `Accounting-Response` …; undefined for silence. */
  code: string | undefined;
  output: string;
}

/** Sends one request; radclient itself checks the answer's authenticators. Silence for three seconds is an answer
 * too: a refusal leaves one second late. */
export function radclient(
  kind: 'auth' | 'acct',
  address: string,
  secret: string,
  attributes: Record<string, string | number>,
): Promise<RadiusAnswer> {
  const lines = Object.entries(attributes).map(([name, value]) =>
    typeof value === 'number' || value.startsWith('0x') ? `${name} = ${value}` : `${name} = "${value}"`,
  );
  // Like RouterOS since 7.15; a router that has sent one must go on sending it.
  if (kind === 'auth') lines.push('Message-Authenticator = 0x00');
  return new Promise((resolve, reject) => {
    const child = spawn(PROGRAM, ['-x', '-r', '1', '-t', '3', address, kind, secret]);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk;
      });
    child.once('error', reject);
    child.once('close', () => resolve({ code: /Received ([A-Z][\w-]+) Id/.exec(output)?.[1], output }));
    // A program may end without reading its input; its output tells all there is.
    child.stdin.on('error', () => undefined);
    child.stdin.end(lines.join('\n'));
  });
}
