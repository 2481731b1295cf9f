// The Test button: tries what the form describes, shows each step and what to do about the one that failed.
import { useState } from 'preact/hooks';
import { html } from '../../shared/html.ts';
import { type ApiError, asApiError } from '../api.ts';
import type { TestAnswer } from '../types.ts';
import { Button } from './basics.ts';
import { Icon } from './icon.ts';

/** `run` asks the server to try; the answer appears under the button. */
export function TestButton({ run, label = 'Test' }: { run: () => Promise<TestAnswer>; label?: string }) {
  const [busy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<TestAnswer | undefined>();
  const [error, setError] = useState<ApiError | undefined>();
  const test = async () => {
    setBusy(true);
    setAnswer(undefined);
    setError(undefined);
    try {
      setAnswer(await run());
    } catch (failure) {
      setError(asApiError(failure));
    } finally {
      setBusy(false);
    }
  };
  return html`<div class="tester">
    <${Button} icon="sessions" busy=${busy} onClick=${test}>${busy ? 'Testing…' : label}<//>
    <div aria-live="polite" class="test-answer">
      ${
        error &&
        html`<ul class="steps"><li class="bad"><${Icon} name="warning" /><div>
      <b>The test did not run</b><p>${error.message} ${Object.values(error.fields).join(' ')}</p>
      ${error.hint && html`<p class="hint">${error.hint}</p>`}</div></li></ul>`
      }
      ${answer && html`<${Steps} answer=${answer} />`}
    </div>
  </div>`;
}

function Steps({ answer }: { answer: TestAnswer }) {
  return html`<ul class="steps">
    ${answer.steps.map(
      (step) => html`<li key=${step.step} class=${step.ok ? 'good' : 'bad'}>
        <${Icon} name=${step.ok ? 'check' : 'warning'} />
        <div><b>${step.step}</b><p>${step.message}</p>
        ${!step.ok && step.hint && html`<p class="hint">${step.hint}</p>`}</div>
      </li>`,
    )}
    ${
      answer.ok &&
      html`<li class="good all"><${Icon} name="check" /><div><b>Everything works.</b></div>
    </li>`
    }
  </ul>`;
}
