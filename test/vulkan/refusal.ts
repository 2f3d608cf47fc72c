/**
 * The form of a rejection by the raw addon, for tap's `rejects`, whose types know only the fields of Error.
 */
export function refusal(
  vkResult: string,
  more: { readonly call?: string; readonly detail?: string | RegExp } = {},
): { readonly name: 'Error' } {
  const expected = { name: 'Error', vkResult, ...more } as const;
  return expected;
}
