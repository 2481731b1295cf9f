// The addresses that Daraja has been seen or said to send notices from.

/**
 * From three public SDKs; 196.201.212.69 was seen live (payments.md §1.9). The list can change: another source is worth an
 * alert, never a reason to drop a notice whose address holds the right token.
 */
export const DARAJA_SOURCES: readonly string[] = [
  '196.201.212.69',
  '196.201.212.74',
  '196.201.212.127',
  '196.201.212.128',
  '196.201.212.129',
  '196.201.212.132',
  '196.201.212.136',
  '196.201.212.138',
  '196.201.213.44',
  '196.201.213.114',
  '196.201.214.200',
  '196.201.214.206',
  '196.201.214.207',
  '196.201.214.208',
];
