/**
 * What a rejection of the raw addon looks like, for tap's `rejects`, whose types know only what every Error
 * has.
 */
export function refusal(
  vkResult: string,
  more: { readonly call?: string; readonly detail?: string | RegExp } = {},
): { readonly name: 'Error' } {
  const expected = { name: 'Error', vkResult, ...more } as const;
  return expected;
}
