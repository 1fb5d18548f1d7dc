/** A URL without its user and password; any other text as it is. */
export function withoutCredentials(text: string, instead = ''): string {
  return text.replace(
    /^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i,
    (_, scheme: string) => scheme + (instead ? `${instead}@` : ''),
  );
}
