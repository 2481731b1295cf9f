// Gives every simulated phone an owner with a name.

const FIRST = [
  'WANJIKU',
  'OTIENO',
  'AISHA',
  'KIPCHOGE',
  'NJERI',
  'MUTUA',
  'AKINYI',
  'HASSAN',
  'CHEBET',
  'KAMAU',
];
const LAST = [
  'MWANGI',
  'ODHIAMBO',
  'ABDI',
  'KORIR',
  'WAMBUI',
  'NZIOKA',
  'ACHIENG',
  'OMAR',
  'ROTICH',
  'NJOROGE',
];

/** Always the same name for the same number. */
export function ownerName(msisdn: string): { first: string; last: string } {
  return { first: FIRST[Number(msisdn.at(-1))] ?? 'WANJIKU', last: LAST[Number(msisdn.at(-2))] ?? 'MWANGI' };
}
