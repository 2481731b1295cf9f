// Where M-PESA sends what belongs to no order of ours: payments by hand, and notices about pulling.
import { sameText, type Vault } from '../lib/secrets.ts';

/** Without any of the words that Daraja refuses in an address (payments.md §1.9). */
const FOLDER = '/cb/pay';

/**
 * Unguessable, the same for as long as the box has its key: production takes these addresses only once. In hexadecimal,
 * which spells none of the words that Daraja refuses either.
 */
function noticeToken(vault: Vault): string {
  return Buffer.from(vault.sign('notices without an order'), 'base64url').toString('hex');
}

export function noticeAddresses(vault: Vault, baseUrl: string) {
  const folder = `${baseUrl}${FOLDER}/${noticeToken(vault)}`;
  return {
    confirmation_url: `${folder}/confirmation`,
    validation_url: `${folder}/validation`,
    pull_url: `${folder}/pulled`,
  };
}

/** Whether a notice came to an address that only M-PESA was given. */
export function isNoticeToken(vault: Vault, token: string): boolean {
  return sameText(token, noticeToken(vault));
}

/** The addresses for the answer to one question. */
export function answerAddresses(baseUrl: string, token: string) {
  return { result_url: `${baseUrl}/cb/r/${token}`, timeout_url: `${baseUrl}/cb/q/${token}` };
}
