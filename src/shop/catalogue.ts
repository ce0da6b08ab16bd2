/** What the shop sells, at what price. Anything else may be put into a cart with a price of one's own. */

export interface Article {
  readonly item: string;
  readonly pennies: number;
}

export const catalogue: readonly Article[] = [
  { item: 'apple', pennies: 45 },
  { item: 'banana', pennies: 25 },
  { item: 'book', pennies: 1299 },
  { item: 'bread', pennies: 180 },
  { item: 'candle', pennies: 425 },
  { item: 'coffee', pennies: 550 },
  { item: 'lantern', pennies: 339 },
  { item: 'milk', pennies: 115 },
  { item: 'mug', pennies: 795 },
  { item: 'tea', pennies: 310 },
  { item: 'umbrella', pennies: 1850 },
];

/** The listed price; undefined if the item is not listed. */
export function listedPennies(item: string): number | undefined {
  return catalogue.find((article) => article.item === item)?.pennies;
}
