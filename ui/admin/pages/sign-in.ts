// Signing in.
import { useEffect } from 'preact/hooks';
import { type ComponentChildren, html } from '../../shared/html.ts';
import { post } from '../api.ts';
import { Button } from '../parts/basics.ts';
import { Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { Mark } from '../parts/icon.ts';

/** The frame of the pages before signing in. */
export function Door(props: { title: string; sub?: string; children: ComponentChildren }) {
  useEffect(() => {
    document.title = 'Karibu';
  }, []);
  return html`<main class="door">
    <div class="door-art"><${Mark} /></div>
    <div class="door-box">
      <div class="door-mark"><${Mark} /></div>
      <h1>${props.title}</h1>
      ${props.sub && html`<p class="muted">${props.sub}</p>`}
      ${props.children}
    </div>
  </main>`;
}

export function SignIn({ onDone }: { onDone: () => void }) {
  const form = useForm({ email: '', password: '' });
  const enter = async (values: Values) => {
    await post('/auth/login', values);
    onDone();
  };
  return html`<${Door} title="Karibu" sub="Sign in to run your WiFi.">
    <${FormBox} form=${form} act=${enter}>
      <${Field} form=${form} name="email" label="E-mail" type="email" autocomplete="username" autofocus />
      <${Field} form=${form} name="password" label="Password" type="password"
        autocomplete="current-password" />
      <${Button} type="submit" look="primary" busy=${form.busy} class="wide">Sign in<//>
    <//>
    <p class="muted small">Forgot the password? The owner can set a new one under Accounts, or on the box: <code>karibu account reset-password</code>
    </p>
  <//>`;
}
