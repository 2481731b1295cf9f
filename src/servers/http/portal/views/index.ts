// The portal's pages: a view model in, a complete HTML document out.
export { buyPage } from './buy.ts';
export { continuePage } from './continue.ts';
export { errorPage } from './error.ts';
export { homePage } from './home.ts';
export { orderMessage, orderPage } from './order.ts';
export { paidPage } from './paid.ts';
export { paymentFailure } from './payment-failures.ts';
export { statusPage } from './status.ts';
export type * from './types.ts';
export { voucherPage } from './voucher.ts';
