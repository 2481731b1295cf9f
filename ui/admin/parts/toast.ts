// Short notices at the edge of the page, some with a way to undo.
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../shared/html.ts';
import { asApiError } from '../api.ts';
import { Button } from './basics.ts';
import { Icon } from './icon.ts';

interface Toast {
  id: number;
  text: string;
  tone: 'good' | 'bad';
  hint?: string;
  action?: { label: string; run: () => void };
}

const SHOWN_MS = 5000;
const SHOWN_WITH_ACTION_MS = 12_000;
let toasts: Toast[] = [];
let lastId = 0;
const watchers = new Set<() => void>();

function change(next: Toast[]): void {
  toasts = next;
  for (const watcher of watchers) watcher();
}

function dismiss(id: number): void {
  change(toasts.filter((toast) => toast.id !== id));
}

function show(toast: Omit<Toast, 'id'>): void {
  lastId += 1;
  const id = lastId;
  // What is over and done makes room; what can still be undone stays.
  change([...toasts.filter((shown) => shown.action).slice(-1), { ...toast, id }]);
  window.setTimeout(
    () => dismiss(id),
    toast.action || toast.tone === 'bad' ? SHOWN_WITH_ACTION_MS : SHOWN_MS,
  );
}

/** Says that something was done; `action` offers to undo it. */
export function tell(text: string, action?: { label: string; run: () => void }): void {
  show({ text, tone: 'good', action });
}

/** Says that something failed, with what the server advises. */
export function tellFailure(failure: unknown): void {
  const error = asApiError(failure);
  show({ text: error.message, tone: 'bad', hint: error.hint });
}

export function Toasts() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const update = () => redraw((count) => count + 1);
    watchers.add(update);
    return () => void watchers.delete(update);
  }, []);
  return html`<div class="toasts" aria-live="polite" role="status">
    ${toasts.map(
      (toast) => html`<div class=${`toast ${toast.tone}`} key=${toast.id}>
        <${Icon} name=${toast.tone === 'good' ? 'check' : 'warning'} />
        <p>${toast.text}${toast.hint && html`<small>${toast.hint}</small>`}</p>
        ${
          toast.action &&
          html`<${Button} look="quiet" onClick=${() => {
            dismiss(toast.id);
            toast.action?.run();
          }}>${toast.action.label}<//>`
        }
        <${Button} look="quiet" icon="close" label="Dismiss" onClick=${() => dismiss(toast.id)} />
      </div>`,
    )}
  </div>`;
}
