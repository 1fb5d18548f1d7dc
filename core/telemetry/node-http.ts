/**
 * Node's http and https, not by `import`: their ESM face evaluates every export at once, and with
 * them undici and HTTP/2, some 15 MB of resident memory that nothing here uses.
 */
export const http = process.getBuiltinModule('node:http');
export const https = process.getBuiltinModule('node:https');
