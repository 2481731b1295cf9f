// The Debian packages that the tests use as real peers.
import { isPostgresInstalled } from './postgres.mjs';
import { isInstalled, quietly } from './run.mjs';

/** Package → what goes untested without it, and how to see that it is there. */
const PACKAGES = {
  'freeradius-utils': { for: 'radclient against the RADIUS server', there: () => isInstalled('radclient') },
  chromium: { for: 'pages in a browser', there: () => isInstalled('chromium') },
  postgresql: { for: 'the store on a PostgreSQL server', there: isPostgresInstalled },
  'python3-librouteros': {
    for: 'an independent client against the router simulator',
    // By Debian's own Python, which the package is installed for.
    there: () => quietly('/usr/bin/python3', ['-c', 'import librouteros']).ok,
  },
  'poppler-utils': { for: 'voucher sheets read back from PDF', there: () => isInstalled('pdftoppm') },
  'zbar-tools': { for: 'QR codes read back from an image', there: () => isInstalled('zbarimg') },
};

function missing() {
  return Object.keys(PACKAGES).filter((name) => !PACKAGES[name].there());
}

function install(names) {
  return quietly('apt-get', ['install', '-y', '--no-install-recommends', ...names], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

/** Installs what is missing where it may; answers what still is, as `{ name, for }`, having said so. */
export function provideDebianPackages() {
  const lacking = missing();
  if (lacking.length > 0 && process.getuid?.() === 0 && isInstalled('apt-get')) {
    console.log(`Installing Debian packages: ${lacking.join(' ')} …`);
    // The lists may never have been fetched, or name versions that are gone by now.
    if (!install(lacking).ok) {
      quietly('apt-get', ['update']);
      const { ok, output } = install(lacking);
      if (!ok) console.log(output.trim().split('\n').slice(-5).join('\n'));
    }
  }
  const still = missing();
  for (const name of still) console.log(`Not installed: ${name}, so this is skipped: ${PACKAGES[name].for}.`);
  if (still.length > 0) console.log(`To run these too: sudo apt-get install ${still.join(' ')}`);
  return still;
}
