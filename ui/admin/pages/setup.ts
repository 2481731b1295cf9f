// The first run: the owner's account.
import { html } from '../../shared/html.ts';
import { MIN_PASSWORD } from '../account-menu.ts';
import { post } from '../api.ts';
import { Button } from '../parts/basics.ts';
import { Field, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { Door } from './sign-in.ts';

export function Setup({ onDone }: { onDone: () => void }) {
  const form = useForm({ business_name: '', name: '', email: '', password: '' });
  const create = async (values: Values) => {
    const missing: Record<string, string> = {};
    if (!values.business_name?.trim()) missing.business_name = 'Guests see this name on the portal.';
    if (!values.name?.trim()) missing.name = 'Say who you are.';
    if (!/^\S+@\S+$/.test(values.email ?? '')) missing.email = 'Write an e-mail address.';
    if ((values.password ?? '').length < MIN_PASSWORD)
      missing.password = `Use ${MIN_PASSWORD} characters or more.`;
    if (Object.keys(missing).length > 0) throw invalid(missing);
    await post('/auth/setup', values);
    onDone();
  };
  return html`<${Door} title="Karibu!" sub="Welcome. Make the owner’s account, then this box is yours.">
    <${FormBox} form=${form} act=${create}>
      <${Field} form=${form} name="business_name" label="Business name" placeholder="Mama Njeri WiFi"
        autocomplete="organization" autofocus />
      <${Field} form=${form} name="name" label="Your name" autocomplete="name" />
      <${Field} form=${form} name="email" label="E-mail" type="email" autocomplete="username" />
      <${Field} form=${form} name="password" label="Password" type="password" autocomplete="new-password"
        hint=${`${MIN_PASSWORD} characters or more. A short sentence is easy to remember.`} />
      <${Button} type="submit" look="primary" busy=${form.busy} class="wide">Create the owner’s account<//>
    <//>
  <//>`;
}
