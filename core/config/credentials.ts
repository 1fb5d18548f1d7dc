/** A URL without its user, password and query, where keys stand too; any other text as it is. */
export function withoutCredentials(text: string, instead = ''): string {
  const match = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*@)?([^?#]*)([?#].*)?$/is.exec(text);
  if (!match) return text;
  const [, scheme = '', user, rest = '', query] = match;
  const shownUser = user && instead ? `${instead}@` : '';
  const shownQuery = query && instead ? `?${instead}` : '';
  return `${scheme}${shownUser}${rest}${shownQuery}`;
}
