// The admin page: who is signed in decides what is shown.
import { render } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { html } from '../shared/html.ts';
import { type ApiError, asApiError, get, whenSignedOut } from './api.ts';
import { startLive, stopLive } from './live.ts';
import { followLinks, go, readPlace } from './navigation.ts';
import { Setup } from './pages/setup.ts';
import { SignIn } from './pages/sign-in.ts';
import { Failure } from './parts/basics.ts';
import { Questions } from './parts/dialog.ts';
import { Toasts } from './parts/toast.ts';
import { hearsLive } from './roles.ts';
import { Shell } from './shell.ts';
import { MeContext } from './signed-in.ts';
import { applyTheme, readTheme } from './theme.ts';
import type { Me } from './types.ts';

type Stage =
  | { is: 'starting' }
  | { is: 'failed'; error: ApiError }
  | { is: 'setup' }
  | { is: 'signed-out' }
  | { is: 'signed-in'; me: Me };

/** How old may be what the frame shows of the box: its clock, its disk. */
const LOOK_MS = 15_000;

function App() {
  const [stage, setStage] = useState<Stage>({ is: 'starting' });

  const start = useCallback(async () => {
    try {
      setStage({ is: 'signed-in', me: await get<Me>('/auth/me') });
    } catch (failure) {
      const error = asApiError(failure);
      if (error.status !== 401) return setStage({ is: 'failed', error });
      stopLive();
      await get<{ needed: boolean }>('/auth/setup').then(
        ({ needed }) => setStage({ is: needed ? 'setup' : 'signed-out' }),
        (unreachable: unknown) => setStage({ is: 'failed', error: asApiError(unreachable) }),
      );
    }
  }, []);

  useEffect(() => {
    whenSignedOut(() => void start());
    void start();
  }, [start]);

  const signedIn = stage.is === 'signed-in';
  useEffect(() => {
    if (!signedIn) return;
    const look = async () => {
      if (document.visibilityState !== 'visible') return;
      // A box that does not answer is told of by the page itself.
      const me = await get<Me>('/auth/me').catch(() => undefined);
      if (!me) return;
      setStage((now) =>
        now.is === 'signed-in' && JSON.stringify(now.me) !== JSON.stringify(me) ? { ...now, me } : now,
      );
    };
    const timer = window.setInterval(() => void look(), LOOK_MS);
    document.addEventListener('visibilitychange', look);
    return () => {
      window.clearInterval(timer);
      document.removeEventListener('visibilitychange', look);
    };
  }, [signedIn]);

  const live = stage.is === 'signed-in' && hearsLive(stage.me.account.role);
  useEffect(() => {
    if (live) startLive();
    return stopLive;
  }, [live]);

  const enter = () => {
    if (readPlace().path === '/setup') go('/', { replace: true });
    void start();
  };
  return html`<${Stages} stage=${stage} enter=${enter} start=${start} /><${Questions} /><${Toasts} />`;
}

function Stages({ stage, enter, start }: { stage: Stage; enter: () => void; start: () => Promise<void> }) {
  switch (stage.is) {
    case 'starting':
      return html`<div class="starting" role="status" aria-label="Loading"></div>`;
    case 'failed':
      return html`<main class="door"><div class="card"><${Failure} error=${stage.error} onRetry=${start} />
        </div></main>`;
    case 'setup':
      return html`<${Setup} onDone=${enter} />`;
    case 'signed-out':
      return html`<${SignIn} onDone=${enter} />`;
    case 'signed-in':
      return html`<${MeContext.Provider} value=${stage.me}><${Shell} me=${stage.me} onSignedOut=${start} />
        <//>`;
  }
}

/** `/` puts the cursor in the page's search field, unless something is being typed. */
function focusSearchOnSlash(event: KeyboardEvent): void {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof HTMLElement && event.target.closest('input, textarea, select, dialog')) return;
  const search = document.querySelector<HTMLInputElement>('[data-search]');
  if (!search) return;
  event.preventDefault();
  search.focus();
  search.select();
}

applyTheme(readTheme());
followLinks();
document.addEventListener('keydown', focusSearchOnSlash);
render(html`<${App} />`, document.getElementById('app')!);
