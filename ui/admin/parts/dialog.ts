// Real dialogs: a modal frame, and the question asked before something is destroyed.
import { useEffect, useRef, useState } from 'preact/hooks';
import { type ComponentChildren, html } from '../../shared/html.ts';
import { Button } from './basics.ts';

/** A modal dialog. Escape and the backdrop close it; the browser keeps the focus inside, and it goes back to where it was. */
export function Dialog(props: {
  title: string;
  onClose: () => void;
  class?: string;
  children: ComponentChildren;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
  return html`<dialog
    ref=${element}
    class=${`dialog ${props.class ?? ''}`}
    aria-label=${props.title}
    onCancel=${(event: Event) => {
      event.preventDefault();
      props.onClose();
    }}
    onClick=${(event: MouseEvent) => event.target === element.current && props.onClose()}
  >
    <div class="dialog-body">
      <header class="dialog-head"><h2>${props.title}</h2>
      <${Button} look="quiet" icon="close" label="Close" onClick=${props.onClose} /></header>
      ${props.children}
    </div>
  </dialog>`;
}

interface Question {
  title: string;
  body: ComponentChildren;
  confirm: string;
  /** The name to type before the button works, for what cannot be undone. */
  name?: string;
  /** The button that steps back, where “Keep it” is not the word. */
  keep?: string;
  /** For an act that destroys nothing. */
  look?: 'primary';
  /** Asks for a line of text; its label. */
  reason?: string;
}

type Answer = { reason: string } | undefined;
let pending: { question: Question; answer: (answer: Answer) => void } | undefined;
let redraw: () => void = () => undefined;

/** Asks before a destructive act. Answers undefined when the reader steps back. */
export function ask(question: Question): Promise<Answer> {
  return new Promise((resolve) => {
    pending?.answer(undefined);
    pending = { question, answer: resolve };
    redraw();
  });
}

export function Questions() {
  const [, count] = useState(0);
  const [typed, setTyped] = useState('');
  useEffect(() => {
    redraw = () => {
      setTyped('');
      count((now) => now + 1);
    };
  }, []);
  if (!pending) return null;
  const { question, answer } = pending;
  const close = (given: Answer) => {
    pending = undefined;
    redraw();
    answer(given);
  };
  const blocked =
    question.name !== undefined
      ? typed.trim() !== question.name.trim()
      : question.reason !== undefined && typed.trim() === '';
  const label = question.name !== undefined ? html`Type <b>${question.name}</b> to confirm` : question.reason;
  return html`<${Dialog} title=${question.title} onClose=${() => close(undefined)} class="question">
    <form
      onSubmit=${(event: Event) => {
        event.preventDefault();
        if (!blocked) close({ reason: typed.trim() });
      }}
    >
      <div class="question-body">${question.body}</div>
      ${
        label &&
        html`<label class="field"><span class="label">${label}</span>
          <input class="input" value=${typed} autofocus autocomplete="off" autocapitalize="off" spellcheck=${false}
            onInput=${(event: InputEvent) => setTyped((event.target as HTMLInputElement).value)} />
        </label>`
      }
      <footer class="dialog-foot">
        <${Button} onClick=${() => close(undefined)}>${question.keep ?? 'Keep it'}<//>
        <${Button} type="submit" look=${question.look ?? 'danger'} disabled=${blocked}>${question.confirm}<//>
      </footer>
    </form>
  <//>`;
}
