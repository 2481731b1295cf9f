// The banner about a clock that lies: what happened, what to do, and the button to vouch for it.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../shared/html.ts';
import { get, post } from './api.ts';
import { Button } from './parts/basics.ts';
import { ask } from './parts/dialog.ts';
import { Icon } from './parts/icon.ts';
import { tell, tellFailure } from './parts/toast.ts';
import { canManage } from './roles.ts';
import type { ClockState, Role } from './types.ts';

const LOOK_EVERY_MS = 30_000;

function timeText(at: number): string {
  return new Date(at).toLocaleString('en-GB', {
    timeZone: 'Africa/Nairobi',
    dateStyle: 'full',
    timeStyle: 'short',
  });
}

export function ClockBanner(props: { clock: ClockState; role: Role }) {
  const [clock, setClock] = useState(props.clock);
  useEffect(() => {
    const timer = setInterval(
      // What cannot be read now is read at the next turn; each page says by itself that the box is out of reach.
      () => void get<ClockState>('/clock').then(setClock, () => undefined),
      LOOK_EVERY_MS,
    );
    return () => clearInterval(timer);
  }, []);
  if (!clock.message) return null;

  async function confirm() {
    const sure = await ask({
      title: 'Is the clock of the box right?',
      body: html`<p>Compare it with your phone. The box shows <b>${timeText(clock.box_at)}</b>.</p>
        <p>Karibu then goes by it. What began while the clock was wrong is moved along, so that it lasts as long as it was sold.</p>`,
      confirm: 'The clock is right',
      keep: 'Not yet',
      look: 'primary',
    });
    if (!sure) return;
    try {
      setClock(await post<ClockState>('/clock/confirm', { ahead_ms: clock.box_at - clock.counted_at }));
      tell('Karibu goes by the clock of the box again.');
    } catch (failure) {
      tellFailure(failure);
      await get<ClockState>('/clock').then(setClock, tellFailure);
    }
  }

  return html`<div class="banner warn" role="alert"><${Icon} name="warning" /><div>
    <p><b>${clock.trusted ? 'The clock jumped.' : 'The clock cannot be trusted.'}</b> ${clock.message}</p>
    <p>${clock.hint}</p>
    ${canManage(props.role) && html`<${Button} onClick=${confirm}>The clock is right<//>`}
  </div></div>`;
}
