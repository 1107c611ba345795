// Shares in words. None is ever rounded to certainty: 0.9957 is "more than 99 %", and 0.004 "less than 1 %".

export function percent(share) {
  if (share > 0.99) return "more than 99 %";
  if (share < 0.01) return "less than 1 %";
  return `${Math.round(share * 100)} %`;
}

export function ofHundred(share) {
  if (share > 0.99) return "more than 99 were";
  if (share < 0.01) return "fewer than 1 was";
  const count = Math.round(share * 100);
  return `about ${count} ${count === 1 ? "was" : "were"}`;
}

// A share that somebody typed in per cent, with a point or a comma; null where it is none from 0 to 100.
export function typedShare(text) {
  const found = /^(\d{1,3}(?:[.,]\d*)?|[.,]\d+)\s*%?$/.exec(text.trim());
  if (found === null) return null;
  const share = Number(found[1].replace(",", ".")) / 100;
  return share <= 1 ? share : null;
}

// A risk that somebody chose, as exactly as they chose it.
export const chosenPercent = (share) => `${Number((share * 100).toPrecision(3))} %`;
