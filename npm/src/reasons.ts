// Why a socket could not be opened, as far as a browser lets a page know.

const PRIVATE = /^(localhost|.*\.local|\[::1\]|\[f[cde].*|127\..*|10\..*|192\.168\..*|169\.254\..*|172\.(1[6-9]|2\d|3[01])\..*)$/;
const OWN = /^(localhost|\[::1\]|127\..*)$/;

/** Where a page was loaded from; `undefined` outside of pages and workers. */
function here(): { protocol: string; hostname: string } | undefined {
  return (globalThis as { location?: { protocol: string; hostname: string } }).location;
}

/** For a dial that ended without a word: code 1006 is all that browsers tell. */
export function reasonOf(address: string, isForbidden: boolean): string | undefined {
  const page = here();
  if (page === undefined) return undefined;
  const { protocol, hostname, origin } = new URL(address);
  if (isForbidden) {
    return `the page's Content-Security-Policy forbids it: add ${origin} to connect-src`;
  }
  if (page.protocol === "https:" && protocol === "ws:" && !OWN.test(hostname)) {
    return "a page that came by https may not use ws: give the node a certificate, and seeds with wss";
  }
  const isPublic = page.hostname !== "" && !PRIVATE.test(page.hostname);
  if (isPublic && PRIVATE.test(hostname)) {
    return "no connection; a public page needs the user's permission for a private address";
  }
  return "no connection; the browser's console may say why";
}

/** Hears of addresses that the page's policy forbids. */
export function forbidden(): { has(address: string): boolean; end(): void } {
  // A worker hears of it itself.
  const { document: page = globalThis } = globalThis as { document?: Partial<EventTarget> };
  const blocked = new Set<string>();
  const onViolation = (event: Event) => {
    const { blockedURI, disposition, effectiveDirective } = event as SecurityPolicyViolationEvent;
    const isOurs = disposition === "enforce" && effectiveDirective === "connect-src";
    if (isOurs && blockedURI) blocked.add(originOf(blockedURI));
  };
  page.addEventListener?.("securitypolicyviolation", onViolation);
  return {
    has: (address) => blocked.has(originOf(address)),
    end: () => page.removeEventListener?.("securitypolicyviolation", onViolation),
  };
}

function originOf(address: string): string {
  return address.split("/", 3).join("/");
}
