// Team `payments`: takes money from accounts.

const ACCOUNTS = new Map([["ada", 100_000], ["bob", 500]]);

export const till = {
  charge(account, cents) {
    const balance = ACCOUNTS.get(account);
    if (balance === undefined) throw { tag: "unknown-account" };
    if (cents > balance) throw { tag: "too-little", val: balance };
    return `${account}-${cents}`;
  },
};
