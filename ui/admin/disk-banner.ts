// Tells that the disk of the box is in trouble, or soon will be.
import { html } from '../shared/html.ts';
import { Icon } from './parts/icon.ts';
import type { Me } from './types.ts';

export function DiskBanner({ disk }: { disk: Me['disk'] }) {
  if (disk.ok) return null;
  const tone = disk.problem === 'low' ? 'warn' : 'bad';
  return html`<div class=${`banner ${tone}`} role="alert"><${Icon} name="warning" /><p>
    <b>${disk.message}</b> ${disk.problem !== 'low' && 'Guests who are online stay online. '}${disk.hint}
  </p></div>`;
}
