// The public face of the relay protocol.
export { createRelayClient, type RelayClient, type RelayClientOptions, type RelayState } from './client.ts';
export {
  KEPT_HEADERS,
  RELAY_BODY_OCTETS,
  RELAY_PAGE,
  RELAY_WAIT_SECONDS,
  type RelayNotice,
  type RelayPage,
  readRelayPage,
} from './notice.ts';
